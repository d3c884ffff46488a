/**
 * Compaction: a snapshot of everything, then the segments that it covers move to the archive, then what retention lets go is dropped.
 *
 * Invariants:
 * - one at a time over all processes, never under the lock for writing;
 * - nothing is removed before what replaces it, or what must stay of it, is durable;
 * - it may end anywhere: whatever is then in place is complete, and the next one goes on from there.
 */
import { HistoryPrunedError, StoreClosedError, systemCode } from '../errors.js';
import { archivable } from '../log/archivable.js';
import { nextBatch } from '../log/event-sequence.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { listLog } from '../log/paths.js';
import { readRemains } from '../log/remains.js';
import { removeArchiveLeftovers, removeRemains, removeSegment } from '../log/remains-write.js';
import { asStoreError } from '../log/store-error.js';
import type { NewEvent, RecordedEvent } from '../log/types.js';
import { Course, type CourseOptions } from './course.js';
import { ThreadDied, ThreadWork } from './heavy-thread.js';
import { type HeavyWork, SlicedWork } from './heavy-work.js';
import type { RetentionSettings } from './options.js';
import { type ProjectionIdentity, registered } from './registry.js';
import { type Candidate, type Covered, categoryOf, judge } from './retention.js';
import {
  archivesOf,
  bytesOf,
  endingBytes,
  filesOf,
  isEnding,
  move,
  type SegmentFile,
  sum,
} from './segment-files.js';

/** What a snapshot of everything covers, or would. */
export interface SnapshotCover {
  /** All is covered up to here: the state of every projection, the versions of streams, keys. 0 when nothing is. */
  readonly position: number;
  /** The projections that this store has open, and what their snapshots cover. */
  readonly projections: readonly Covered[];
  /** What has not been noted in the registry, because nothing is written. */
  readonly noted?: readonly (ProjectionIdentity & Covered)[];
}

/** What compaction needs of a store. */
export interface CompactionSource {
  readonly log: LogInternals;
  /** Makes a snapshot of everything; in a dry run says what one would cover. */
  snapshotAll(dryRun: boolean, course: Course): Promise<SnapshotCover>;
  /** Appends to one of the store's own streams. */
  append(stream: string, event: NewEvent): Promise<unknown>;
  readonly retention: RetentionSettings | undefined;
  /** Resolves when nothing else of this store holds the right to compact for a moment. */
  relieved?(): Promise<void>;
  /** True while somebody waits for the result, so that the process stays for it. */
  isAwaited(): boolean;
}

export interface CompactOptions {
  /** Change nothing, and tell what would be done. Default false. */
  readonly dryRun?: boolean | undefined;
  /**
   * Called with the parts of the snapshot that are made, of how many, and then with the bytes of the segments that are moved, of how many. Called at most every
   * 100 ms, and when a phase ends. What it throws ends the compaction: what was moved stays moved.
   */
  readonly onProgress?: CourseOptions['onProgress'];
}

/** A segment that was moved to the archive, and what it takes there. */
export interface MovedSegment {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  readonly archiveBytes: number;
}

export interface DroppedSegment {
  readonly first: number;
  readonly last: number;
  /** What it took in the archive. */
  readonly bytes: number;
  readonly firstTime: string;
  readonly lastTime: string;
}

/** A segment that a rule lets go and that had to stay. */
export interface RefusedSegment {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  /** The projection that has not covered it. */
  readonly projection?: string;
}

export interface CompactionReport {
  readonly dryRun: boolean;
  /** As of which everything is covered by a snapshot. */
  readonly position: number;
  readonly projections: readonly Covered[];
  readonly moved: readonly MovedSegment[];
  readonly dropped: readonly DroppedSegment[];
  readonly refused: readonly RefusedSegment[];
  /** Of all segments, in the log and in the archive. */
  readonly bytesBefore: number;
  /** What that comes to without what was moved and dropped; what is appended meanwhile is left out. */
  readonly bytesAfter: number;
  readonly elapsedMs: number;
}

export const RETENTION_STREAM = '$store/retention';
const RETRY_MS = 5;
/** So often a dry run begins anew because others moved what it looked at. */
const PLANS_MAX = 10;

type Changes = Pick<
  CompactionReport,
  'moved' | 'dropped' | 'refused' | 'bytesBefore' | 'bytesAfter'
>;

export class Compaction {
  readonly #source: CompactionSource;
  #work: HeavyWork;
  #closed = false;
  #isHolding = false;
  #running: Promise<unknown> = Promise.resolve();

  /** @param work - where what takes long is done; default: in a thread of its own, if threads see the same disk */
  constructor(source: CompactionSource, work: HeavyWork = workFor(source)) {
    this.#source = source;
    this.#work = work;
  }

  /** Whether it holds the right to compact, which it cannot give back before the event loop has its turn. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  /**
   * @param patient - false: give up at once, with `undefined`, when another process compacts
   * @throws LockTimeoutError, StoreDamagedError, and errors of the disk: what was in place stays
   */
  async run(
    dryRun: boolean,
    patient: boolean,
    course: Course = new Course({}),
  ): Promise<CompactionReport | undefined> {
    const running = this.#running.then(() => this.#run(dryRun, patient, course));
    this.#running = running.catch(() => {});
    return await running;
  }

  async #run(
    dryRun: boolean,
    patient: boolean,
    course: Course,
  ): Promise<CompactionReport | undefined> {
    this.#checkOpen();
    const { log } = this.#source;
    const { monotonic } = log.environment;
    const began = monotonic();
    // What others wrote counts as well.
    await log.run(log.look());
    const cover = await this.#source.snapshotAll(dryRun, course).catch((error: unknown) => {
      throw asStoreError(error, log.paths.directory);
    });
    const release = dryRun ? () => {} : await this.#lock(patient);
    if (!release) return undefined;
    try {
      if (!dryRun) await log.run(removeArchiveLeftovers(log.paths));
      const changes = dryRun
        ? await this.#planned(cover, course)
        : await this.#changed(cover, false, course);
      const { position, projections } = cover;
      const elapsedMs = monotonic() - began;
      return deeplyFrozen({ dryRun, position, projections, ...changes, elapsedMs });
    } catch (error) {
      throw this.#closed ? new StoreClosedError() : asStoreError(error, log.paths.directory);
    } finally {
      this.#isHolding = false;
      release();
    }
  }

  /** Nothing keeps others from compacting meanwhile: what they moved is then looked for where it is now. */
  async #planned(cover: SnapshotCover, course: Course): Promise<Changes> {
    for (let trial = 1; ; trial += 1) {
      try {
        return await this.#changed(cover, true, course);
      } catch (error) {
        if (trial === PLANS_MAX || systemCode(error) !== 'ENOENT') throw error;
        await this.#source.log.run(this.#source.log.look());
      }
    }
  }

  async #changed(cover: SnapshotCover, dryRun: boolean, course: Course): Promise<Changes> {
    const { log } = this.#source;
    const before = await log.run(filesOf(log));
    const bytesBefore = sum(before) + (dryRun ? endingBytes(log) : 0);
    const moved = await this.#move(cover, dryRun, before.plain, course);
    const after = moved.reduce(move, before);
    const { dropped, refused } = await this.#retain(cover, archivesOf(after), dryRun);
    const bytesAfter = bytesBefore - sum(before) + sum(after) - bytesOf(dropped);
    return { moved, dropped, refused, bytesBefore, bytesAfter };
  }

  /** Its patience begins here: what came before may have taken long. */
  async #lock(patient: boolean): Promise<(() => void) | undefined> {
    const { log } = this.#source;
    const { monotonic } = log.environment;
    const deadline = monotonic() + log.lockTimeoutMs;
    for (;;) {
      await this.#source.relieved?.();
      this.#checkOpen();
      const release = log.tryCompactionLock();
      // A synchronous snapshot may come as soon as the lock is taken: it must not wait for it.
      this.#isHolding = release !== undefined;
      if (release || !patient) return release;
      if (monotonic() >= deadline) throw log.compactionTimeout();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #move(
    cover: SnapshotCover,
    dryRun: boolean,
    plain: readonly SegmentFile[],
    course: Course,
  ): Promise<MovedSegment[]> {
    const { log } = this.#source;
    const ending = dryRun && isEnding(log);
    const jobs = await log.run(archivable(log.paths, log.storeId, cover.position, ending));
    const moved: MovedSegment[] = [];
    const going = plain.filter(({ first }) => jobs.some((job) => job.first === first));
    course.begin('archive', 'bytes', bytesOf(going));
    for (const job of jobs) {
      const segment = await this.#heavy((work) => {
        return dryRun ? work.measure(job) : work.archive(job);
      });
      moved.push(segment);
      if (!dryRun) await log.run(log.segments.forget(job.first));
      course.advance(segment.bytes);
    }
    if (jobs.length > 0) course.end();
    return moved;
  }

  /** In the thread; where that cannot be had, here, in slices. */
  async #heavy<T>(task: (work: HeavyWork) => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      return await task(this.#work);
    } catch (error) {
      if (!(error instanceof ThreadDied)) throw error;
      this.#checkOpen();
      this.#work = new SlicedWork(this.#source.log.disk);
      return await task(this.#work);
    }
  }

  async #retain(
    cover: SnapshotCover,
    archived: readonly SegmentFile[],
    dryRun: boolean,
  ): Promise<Pick<CompactionReport, 'dropped' | 'refused'>> {
    const { log, retention } = this.#source;
    if (!retention) return { dropped: [], refused: [] };
    const now = log.environment.clock();
    const projections = await log.run(registered(log.paths, now, cover.noted));
    let archiveBytes = bytesOf(archived);
    const due: DroppedSegment[] = [];
    const refused: RefusedSegment[] = [];
    for (const { first, bytes } of archived) {
      const facts = await log.run(factsOf(log, first));
      const { last, firstTime, lastTime } = facts;
      const verdict = judge(retention, facts.candidate, archiveBytes, now, projections);
      if (verdict.kind === 'refused') {
        const { kind: _, ...why } = verdict;
        refused.push({ first, last, ...why });
      }
      if (verdict.kind !== 'drop') break;
      due.push({ first, last, bytes, firstTime, lastTime });
      archiveBytes -= bytes;
    }
    if (!dryRun) await this.#drop(due);
    return { dropped: due, refused };
  }

  async #drop(due: readonly DroppedSegment[]): Promise<void> {
    const { log } = this.#source;
    const { paths, storeId } = log;
    // What an earlier attempt wrote of a segment that is there all the same counts for nothing.
    const { archived, dropped } = await log.run(listLog(paths));
    for (const first of dropped) {
      if (archived.includes(first)) await log.run(removeRemains(paths, first));
    }
    const [oldest, newest] = [due[0], due.at(-1)];
    if (!oldest || !newest) return;
    for (const { first, last } of due) {
      await this.#heavy((work) => work.remains({ paths, storeId, first, last }));
    }
    await this.#note(oldest, newest, due);
    for (const { first } of due) {
      await log.run(removeSegment(paths, first));
      await log.run(log.segments.forget(first));
    }
  }

  /** Records what goes, unless an earlier attempt did and came no further. */
  async #note(
    oldest: DroppedSegment,
    newest: DroppedSegment,
    due: readonly DroppedSegment[],
  ): Promise<void> {
    const { log } = this.#source;
    const noted = await log.run(lastNote(log));
    if (noted?.data !== undefined) {
      const { lastPosition } = noted.data as { lastPosition?: number };
      if ((lastPosition ?? 0) >= newest.last) return;
    }
    const { seal } = await log.run(readRemains(log.paths, newest.first));
    await this.#source.append(RETENTION_STREAM, {
      type: '$retention.dropped',
      data: {
        firstPosition: oldest.first,
        lastPosition: newest.last,
        seal,
        segments: due.length,
        bytes: bytesOf(due),
        firstTime: oldest.firstTime,
        lastTime: newest.lastTime,
      },
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  /** Somebody waits from now on for what may be under way already: the process stays for it. */
  await(): void {
    this.#work.await();
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work.stop();
    await this.#running;
  }
}

function workFor(source: CompactionSource): HeavyWork {
  const { disk, paths } = source.log;
  return disk.sharedBetweenThreads
    ? new ThreadWork(paths.directory, () => source.isAwaited())
    : new SlicedWork(disk);
}

function deeplyFrozen(report: CompactionReport): CompactionReport {
  for (const list of [report.projections, report.moved, report.dropped, report.refused]) {
    for (const entry of list) Object.freeze(entry);
    Object.freeze(list);
  }
  return Object.freeze(report);
}

interface SegmentFacts {
  readonly last: number;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly candidate: Candidate;
}

function* factsOf({ segments }: LogInternals, first: number): Io<SegmentFacts> {
  return yield* segments.ask(first, function* (index): Io<SegmentFacts> {
    const { last, firstTime, lastTime } = index;
    const categories = new Set<string>();
    for (const stream of yield* index.streamNames()) categories.add(categoryOf(stream));
    const candidate = { first, last, lastTime: Date.parse(lastTime), categories };
    return { last, firstTime, lastTime, candidate };
  });
}

/** The last event about what was dropped; none when that was dropped in its turn. */
function* lastNote(log: LogInternals): Io<RecordedEvent | undefined> {
  if ((yield* log.version(RETENTION_STREAM)) === 0) return undefined;
  const work = log.readingStream(RETENTION_STREAM, { direction: 'backward', limit: 1 })();
  try {
    return (yield* nextBatch(work))?.[0];
  } catch (error) {
    if (error instanceof HistoryPrunedError) return undefined;
    throw error;
  }
}
