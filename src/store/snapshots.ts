/** `store.snapshot`: ends the segment, waits for what is built, makes the snapshots, one caller at a time over all processes. */
import type { SnapshotCover } from '../compaction/compaction.js';
import { Course, type CourseOptions } from '../compaction/course.js';
import {
  makeSnapshots,
  planSnapshots,
  type SnapshotPlan,
  snapshotPassed,
} from '../compaction/snapshot.js';
import {
  removeOldLogSnapshots,
  type SnapshotPart,
  type SnapshotReport,
  type SnapshotSource,
} from '../compaction/snapshot-source.js';
import {
  checkOptionNames,
  optionNames,
  RecollectError,
  StoreReadOnlyError,
  systemCode,
} from '../errors.js';
import type { Io } from '../log/io.js';
import { isLeftToReaders } from '../projections/engine.js';
import type { Runtime } from '../projections/ports.js';
import { ProjectionRuntime } from '../projections/projection.js';
import type { Reads } from './reads.js';

const RETRY_MS = 5;
/** Work between two returns to the event loop, ms: with what a portion takes beyond it, less than ten. */
const SLICE_MS = 3;
/** Commits routed at once. */
const PORTION_COMMITS = 500;

export interface SnapshotOptions {
  /**
   * Called with how many of its parts are made, of how many: at most every 100 ms, and when the last one is. What it throws ends the snapshot: parts that are
   * made stay.
   */
  readonly onProgress?: CourseOptions['onProgress'];
}

const SNAPSHOT_OPTIONS = optionNames<SnapshotOptions>({ onProgress: true });

/** The options of one, checked. @throws TypeError */
export function courseOf(options: SnapshotOptions): Course {
  checkOptionNames(options, SNAPSHOT_OPTIONS, 'snapshot');
  return new Course({ onProgress: options.onProgress });
}

/** What can be snapshotted, and what never can, because events that it needs were dropped. */
interface Sorted {
  readonly source: SnapshotSource;
  readonly skipped: readonly SnapshotPart[];
}

export class Snapshots {
  readonly #reads: Reads;
  /** Whether a compaction of this store holds the lock. */
  readonly #isCompacting: () => boolean;
  /** While this store holds the lock. */
  #running = false;
  /** While a projection is relieved of what it keeps in memory. */
  #relieving: { readonly ended: Promise<void> } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(reads: Reads, isCompacting: () => boolean) {
    this.#reads = reads;
    this.#isCompacting = isCompacting;
    const { log, engine } = reads;
    // What is in memory alone takes no less there as a snapshot.
    if (!log.writable || !log.disk.sharedBetweenThreads) return;
    engine.relieveBy((runtime) => this.#relieve(runtime));
  }

  /** Gives a projection a snapshot to stand on while it is built, or when nobody compacts. Best effort: without it memory grows with the log. */
  *#relieve(runtime: unknown): Io<void> {
    if (!(runtime instanceof ProjectionRuntime) || this.#relieving) return;
    const { log, snapshotSource } = this.#reads;
    let end = () => {};
    const relieving = {
      ended: new Promise<void>((resolve) => {
        end = resolve;
      }),
    };
    let release: (() => void) | undefined;
    this.#relieving = relieving;
    try {
      release = this.#running ? () => {} : yield* tryLock(log);
      if (release) yield* snapshotPassed(snapshotSource, runtime);
    } catch (error) {
      if (systemCode(error) === undefined && !(error instanceof RecollectError)) throw error;
    } finally {
      release?.();
      this.#relieving = undefined;
      end();
    }
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    await this.#last;
    await this.#relieving?.ended;
  }

  /** Resolves when no projection is relieved that may hold the lock. */
  async relieved(): Promise<void> {
    await this.#relieving?.ended;
  }

  async make(course: Course = new Course({})): Promise<SnapshotReport> {
    // Whoever asks meanwhile wants one that holds what was appended since.
    const made = this.#last.then(() => this.#make(course));
    this.#last = made.catch(() => undefined);
    return await made;
  }

  /** What one would cover now. */
  async #planned(): Promise<SnapshotPlan> {
    await this.#reads.built();
    const { log } = this.#reads;
    return await log.run(this.#plan(), SLICE_MS);
  }

  *#plan(): Io<SnapshotPlan> {
    const { source, skipped } = yield* this.#sorted(this.#reads.log.position);
    const { position, parts } = yield* planSnapshots(source);
    const others = skipped.map(({ name }) => ({ name, isCovered: false }));
    return { position, parts: [...parts, ...others] };
  }

  /** Makes one, or, for a dry run, only says up to where everything would be covered by it: position 0 for what must still be folded from events. */
  async cover(dryRun: boolean, course: Course): Promise<SnapshotCover> {
    if (dryRun) {
      const { position, parts } = await this.#planned();
      const projections = parts.map(({ name, isCovered }) => {
        return { name, covered: isCovered ? position : 0 };
      });
      return { position, projections };
    }
    const { position, parts } = await this.make(course);
    // What a state is folded from must stay.
    const projections = parts.map(({ name, skipped, unsaved = 0 }) => {
      return { name, covered: skipped === undefined && unsaved === 0 ? position : 0 };
    });
    return { position, projections };
  }

  async #make(course: Course): Promise<SnapshotReport> {
    const { log } = this.#reads;
    this.#checkWritable();
    const { monotonic } = log.environment;
    const began = monotonic();
    const release = await this.#lock(began + log.lockTimeoutMs);
    try {
      await log.endSegment();
      await this.#reads.built();
      const report = await log.run(this.#made(course), SLICE_MS);
      return Object.freeze({ ...report, elapsedMs: monotonic() - began });
    } finally {
      // One that relies on this lock must not go on without it.
      while (this.#relieving) await this.#relieving.ended;
      this.#running = false;
      release();
    }
  }

  *#made(course?: Course): Io<Omit<SnapshotReport, 'elapsedMs'>> {
    const { log } = this.#reads;
    const { source, skipped } = yield* this.#sorted(log.tailFirst - 1);
    try {
      const report = yield* makeSnapshots(source, course);
      return { ...report, parts: [...report.parts, ...skipped] };
    } catch (error) {
      yield* this.#trim(source);
      throw error;
    }
  }

  /** The one of the log is in place before another fails, and each attempt would leave one more. What ended that one is what counts. */
  *#trim(source: SnapshotSource): Io<void> {
    try {
      yield* removeOldLogSnapshots(source);
    } catch (error) {
      if (systemCode(error) === undefined && !(error instanceof RecollectError)) throw error;
    }
  }

  /** Brings all to that position, apart from what needs events that retention dropped. */
  *#sorted(position: number): Io<Sorted> {
    const { snapshotSource: all } = this.#reads;
    const skipped: SnapshotPart[] = [];
    const projections: (typeof all.projections)[number][] = [];
    for (const runtime of all.projections) {
      const problem = yield* this.#unbuildable(runtime, position);
      if (problem) skipped.push(skippedPart(runtime.definition, problem));
      else projections.push(runtime);
    }
    const indexes: (typeof all.indexes)[number][] = [];
    for (const index of all.indexes) {
      const problem = yield* this.#unbuildable(index.runtime, position);
      if (problem) skipped.push(skippedPart(index.runtime.definition, problem));
      else indexes.push(index);
    }
    return { source: { ...all, projections, indexes }, skipped };
  }

  *#unbuildable(runtime: Runtime, position: number): Io<Error | undefined> {
    try {
      yield* this.#reads.engine.advanceTo(runtime, position, PORTION_COMMITS);
      return undefined;
    } catch (error) {
      if (isLeftToReaders(error)) return error;
      throw error;
    }
  }

  async #lock(deadline: number): Promise<() => void> {
    const { log } = this.#reads;
    for (;;) {
      await this.#relieving?.ended;
      const release = await log.run(this.#take());
      if (release) return release;
      if (log.environment.monotonic() >= deadline) throw this.#late();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** A synchronous call may come as soon as the lock is taken: it must not wait for it. */
  *#take(): Io<(() => void) | undefined> {
    const release = yield* tryLock(this.#reads.log);
    this.#running = release !== undefined;
    return release;
  }

  makeSync(): SnapshotReport {
    const { log } = this.#reads;
    this.#checkWritable();
    const { monotonic } = log.environment;
    const began = monotonic();
    const release = this.#lockSync(began + log.lockTimeoutMs);
    try {
      log.endSegmentSync();
      this.#reads.buildSync();
      const report = log.runSync(this.#made());
      return Object.freeze({ ...report, elapsedMs: monotonic() - began });
    } finally {
      release();
    }
  }

  /** An asynchronous call of this very store cannot go on while this one waits: two who write the same file each put a whole one in place. */
  #lockSync(deadline: number): () => void {
    if (this.#running || this.#relieving || this.#isCompacting()) return () => {};
    const { log } = this.#reads;
    for (;;) {
      const release = log.runSync(tryLock(log));
      if (release) return release;
      if (log.environment.monotonic() >= deadline) throw this.#late();
      log.disk.pause(RETRY_MS);
    }
  }

  #checkWritable(): void {
    const { writable, paths } = this.#reads.log;
    if (!writable) throw new StoreReadOnlyError(paths.directory);
  }

  #late(): Error {
    return this.#reads.log.compactionTimeout();
  }
}

function skippedPart(
  { name, version }: Pick<SnapshotPart, 'name' | 'version'>,
  { message }: Error,
): SnapshotPart {
  return { name, version, keys: 0, bytes: 0, skipped: `it cannot be built: ${message}` };
}

// biome-ignore lint/correctness/useYield: run as work, so that what the disk says is told as callers know it
function* tryLock(log: Reads['log']): Generator<never, (() => void) | undefined, unknown> {
  return log.tryCompactionLock();
}
