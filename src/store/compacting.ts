/**
 * `store.compact`, and compaction on its own: when enough stands behind the last one, and nobody else is at it. What goes wrong then is told by
 * `stats()` and tried again with the next segment.
 */
import {
  Compaction,
  type CompactionReport,
  type CompactOptions,
  type SnapshotCover,
} from '../compaction/compaction.js';
import { Course } from '../compaction/course.js';
import type { CompactionSettings } from '../compaction/options.js';
import { FRESH_MS, type ProjectionIdentity, register } from '../compaction/registry.js';
import type { Covered } from '../compaction/retention.js';
import { checkOptionNames, invalidArgument, optionNames, StoreReadOnlyError } from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import { ask, type Io } from '../log/io.js';
import { listSegments } from '../log/paths.js';
import type { NewEvent } from '../log/types.js';

export interface CompactionStats {
  /** Whether this store compacts right now. */
  readonly running: boolean;
  /** Compactions of this store since it was opened. */
  readonly runs: number;
  readonly lastReport?: CompactionReport;
  /** What the last one on its own failed with; gone with the next that succeeds. */
  readonly lastError?: string;
}

export interface CompactingSource {
  readonly log: LogInternals;
  readonly settings: CompactionSettings;
  /** The projections and indexes that this store has open. */
  readonly projections: readonly ProjectionIdentity[];
  append(stream: string, event: NewEvent): Promise<unknown>;
  /** Makes a snapshot of everything. Left out: nothing is snapshotted, and segments are moved up to the head. */
  snapshotAll?(dryRun: boolean, course: Course): Promise<SnapshotCover>;
  /** Resolves when nothing else of this store holds the right to compact for a moment. */
  relieved?(): Promise<void>;
}

/** Nothing on its own while a store is being opened and may be closed at once, ms. */
const DELAY_MS = 50;
/** After a registration that failed, ms. */
const REGISTER_AGAIN_MS = 60_000;

export class Compacting {
  readonly #source: CompactingSource;
  readonly #compaction: Compaction;
  readonly #stopListening: () => void;
  #registering: Promise<void>;
  #awaited = 0;
  #running = 0;
  #runs = 0;
  #lastReport: CompactionReport | undefined;
  #lastError: string | undefined;
  #tail: number;
  #compacted: number;
  #due: NodeJS.Timeout | undefined;
  #seen: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(source: CompactingSource) {
    this.#source = source;
    const { log, settings } = source;
    this.#tail = log.tailFirst;
    this.#compacted = log.position;
    this.#compaction = new Compaction({
      log,
      retention: settings.retention,
      append: (stream, event) => source.append(stream, event),
      isAwaited: () => this.#awaited > 0,
      snapshotAll: (dryRun, course) => this.#snapshotAll(dryRun, course),
      relieved: async () => await source.relieved?.(),
    });
    // What is in memory alone has nobody to make room for, and nobody else who reads it.
    const isShared = log.writable && log.disk.sharedBetweenThreads;
    const watches = isShared && settings.automatic;
    this.#stopListening = watches ? log.onAdvance(() => this.#onAdvance()) : () => {};
    this.#registering = Promise.resolve();
    if (isShared) this.#stayRegistered();
  }

  /** However long it stays open it must not be forgotten; what the disk refuses is tried again soon. */
  #stayRegistered(): void {
    this.#registering = this.#register([])
      .then(
        () => FRESH_MS / 2,
        () => REGISTER_AGAIN_MS,
      )
      .then((delay) => {
        if (this.#closed) return;
        this.#seen = setTimeout(() => this.#stayRegistered(), delay);
        this.#seen.unref();
      });
  }

  get stats(): CompactionStats {
    return Object.freeze({
      running: this.#running > 0,
      runs: this.#runs,
      ...(this.#lastReport === undefined ? {} : { lastReport: this.#lastReport }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    });
  }

  /** Whether this store holds the right to compact right now. */
  get isHolding(): boolean {
    return this.#compaction.isHolding;
  }

  async compact(options: CompactOptions): Promise<CompactionReport> {
    const { dryRun, course } = checked(options);
    const { log } = this.#source;
    if (!log.writable && !dryRun) throw new StoreReadOnlyError(log.paths.directory);
    this.#awaited += 1;
    this.#compaction.await();
    try {
      return (await this.#run(dryRun, true, course)) as CompactionReport;
    } finally {
      this.#awaited -= 1;
    }
  }

  async #run(
    dryRun: boolean,
    patient: boolean,
    course?: Course,
  ): Promise<CompactionReport | undefined> {
    await this.#registering;
    this.#running += 1;
    try {
      const report = await this.#compaction.run(dryRun, patient, course);
      if (report && !dryRun) {
        this.#runs += 1;
        this.#lastReport = report;
        this.#compacted = Math.max(this.#compacted, report.position);
      }
      return report;
    } finally {
      this.#running -= 1;
    }
  }

  async #snapshotAll(dryRun: boolean, course: Course): Promise<SnapshotCover> {
    const { log } = this.#source;
    const cover = (await this.#source.snapshotAll?.(dryRun, course)) ?? {
      position: log.position,
      projections: [],
    };
    if (dryRun) return { ...cover, noted: this.#withCovered(cover.projections) };
    await this.#register(cover.projections);
    return cover;
  }

  async #register(covered: SnapshotCover['projections']): Promise<void> {
    const { log } = this.#source;
    const { clock, randomBytes } = log.environment;
    for (const identity of this.#withCovered(covered)) {
      await log.run(register(log.paths, identity, identity.covered, clock(), randomBytes));
    }
  }

  #withCovered(parts: SnapshotCover['projections']): (ProjectionIdentity & Covered)[] {
    return this.#source.projections.map(({ name, version, fingerprint }) => {
      const covered = parts.find((part) => part.name === name)?.covered ?? 0;
      return { name, version, fingerprint, covered };
    });
  }

  /** Called for each group: two comparisons, mostly. */
  #onAdvance(): void {
    const { log, settings } = this.#source;
    if (log.tailFirst === this.#tail) return;
    this.#tail = log.tailFirst;
    if (this.#due || this.#running > 0) return;
    if (log.position - this.#compacted >= settings.tailCommits) this.#plan(0);
    else this.#plan(settings.tailBytes);
  }

  /** Soon, off this group's path. */
  #plan(bytes: number): void {
    this.#due = setTimeout(() => {
      this.#due = undefined;
      void this.#automatic(bytes);
    }, DELAY_MS);
    this.#due.unref();
  }

  async #automatic(bytes: number): Promise<void> {
    const { log } = this.#source;
    try {
      if (this.#closed || (await log.run(closedBytes(log))) < bytes) return;
      await this.#run(false, false);
      this.#lastError = undefined;
    } catch (error) {
      if (!this.#closed) this.#lastError = error instanceof Error ? error.message : String(error);
    }
  }

  /** Never rejects: what was under way told its caller. */
  async close(): Promise<void> {
    this.#end();
    await this.#compaction.close().catch(() => {});
    await this.#registering;
  }

  /** Whoever closes at once cannot wait for a thread: it ends on its own, and the right to compact with it. */
  closeSync(): void {
    this.#end();
    void this.#compaction.close().catch(() => {});
  }

  #end(): void {
    this.#closed = true;
    clearTimeout(this.#due);
    clearTimeout(this.#seen);
    this.#stopListening();
  }
}

const COMPACT_OPTIONS = optionNames<CompactOptions>({ dryRun: true, onProgress: true });

function checked(options: CompactOptions): { readonly dryRun: boolean; readonly course: Course } {
  checkOptionNames(options, COMPACT_OPTIONS, 'compact');
  const { dryRun = false, onProgress } = options;
  if (typeof dryRun !== 'boolean') throw invalidArgument('dryRun must be true or false');
  return { dryRun, course: new Course({ onProgress }) };
}

/** Of the closed segments that are not in the archive. */
function* closedBytes({ paths, tailFirst }: LogInternals): Io<number> {
  let bytes = 0;
  for (const first of yield* listSegments(paths)) {
    if (first < tailFirst) bytes += (yield* ask('facts', paths.segment(first)))?.size ?? 0;
  }
  return bytes;
}
