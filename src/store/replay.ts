/** Folding a store again from nothing, and looking whether it says the same. */

import { diffStates, type StateDifference } from '../audit/compare.js';
import { compareFold, failureOf, type ReplayDifference } from '../audit/comparison.js';
import { type FoldStep, LeftFold } from '../audit/left-fold.js';
import type { Moment } from '../audit/moment.js';
import { Course, type Progress } from '../compaction/course.js';
import {
  checkOptionNames,
  invalidArgument,
  optionNames,
  type ProjectionFailedError,
} from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import type { LogOptions } from '../log/log-options.js';
import { openLog } from '../log/open-log.js';
import type { RecordedEvent, Recovery } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { Events, RecordedEventOf } from '../projections/events.js';
import { Fixed } from './fixed.js';
import { type StoreOptions, type StoreSettings, storeSettings } from './options.js';
import { Reads } from './reads.js';

/** What one event did to one key of one projection. */
export interface ReplayStep<Event = RecordedEvent> extends StateDifference {
  /** With data of the newest shape that this program knows. */
  readonly event: Event;
  /** Name of the projection. */
  readonly projection: string;
  readonly key: string;
}

export interface ReplayOptions<E extends Events = Events>
  extends Pick<StoreOptions<E>, 'events' | 'projections' | 'upcasters'>,
    Pick<LogOptions, 'lockTimeoutMs' | 'allowSharedDirectory' | 'allowFileSystem'> {
  /** Up to here. Default: the head when the call is made. */
  readonly to?: Moment | undefined;
  /** Ask the store for every key as well, and compare. Default true. */
  readonly compare?: boolean | undefined;
  /**
   * Is called for each event and key, in log order and one after the other: the next one waits for a promise. What it throws ends the replay. Of
   * a commit in which a key stops it is told nothing for that key.
   */
  readonly onEvent?: ((step: ReplayStep<RecordedEventOf<E>>) => void | Promise<void>) | undefined;
  /** Called at most every 100 ms, and when a phase ends. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the replay with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const REPLAY_OPTIONS = optionNames<ReplayOptions>({
  events: true,
  projections: true,
  upcasters: true,
  lockTimeoutMs: true,
  allowSharedDirectory: true,
  allowFileSystem: true,
  to: true,
  compare: true,
  onEvent: true,
  onProgress: true,
  signal: true,
});

/** What came of one projection. */
export interface ReplayedProjection {
  readonly name: string;
  readonly version: number;
  /** Keys that have a state. */
  readonly keys: number;
  /** Keys that are stopped. */
  readonly failed: number;
  /** Why, for the first 100 of them; the only one is without a key when the projection is stopped as a whole. */
  readonly failures: readonly ProjectionFailedError[];
  /** Keys for which the store gives something else; always 0 with `compare: false`. */
  readonly different: number;
  /** The first 100 of them. */
  readonly differences: readonly ReplayDifference[];
}

export interface ReplayReport {
  /** The last commit that was folded. */
  readonly position: number;
  /** Its time; undefined when there is none. */
  readonly time: string | undefined;
  readonly commits: number;
  readonly events: number;
  readonly projections: readonly ReplayedProjection[];
  /** What opening the store found. When it is damaged, only what stands before the damage was folded. */
  readonly recovery: Recovery;
  /**
   * The store is not damaged and gives the same for every key. A key that is stopped on both sides, at the same event, counts as the same.
   */
  readonly ok: boolean;
  readonly elapsedMs: number;
}

/** Failures and differences that a report names. */
const SHOWN = 100;

/**
 * Opens a store only to read, folds its events again from nothing, in log order and one at a time, and compares the states with those that the
 * store gives: any difference means that a projection is not pure, or that the store is wrong. Changes nothing. Others may go on writing;
 * what they append meanwhile does not count. Memory: the state of every key of the projections given.
 *
 * @throws StoreNotFoundError, StoreDamagedError, HistoryPrunedError (when retention dropped the beginning), PositionAheadError, StoreAccessError,
 * FormatTooNewError, LockTimeoutError, TypeError, and what `onEvent` throws
 */
export async function replayStore<E extends Events = Events>(
  directory: string,
  options: ReplayOptions<E> = {},
): Promise<ReplayReport> {
  // What the interpreter gives are events of the declared types.
  const untyped = options as unknown as ReplayOptions;
  checkOptions(untyped);
  const { projections, events, upcasters } = options;
  const settings = storeSettings({ projections, events, upcasters });
  const { lockTimeoutMs, allowSharedDirectory, allowFileSystem } = options;
  const log = await openLog(directory, {
    readOnly: true,
    freshnessMs: Number.POSITIVE_INFINITY,
    lockTimeoutMs,
    allowSharedDirectory,
    allowFileSystem,
  });
  try {
    const { recovery } = log;
    const report = await replayLog(log.internals, settings, untyped);
    const ok = report.ok && recovery.state !== 'damaged';
    return Object.freeze({ ...report, recovery, ok });
  } finally {
    await log.close();
  }
}

/**
 * {@link replayStore} of an open log.
 * @param stored - what the store is read with: the same projections in the same order
 * @internal
 */
export async function replayLog(
  log: LogInternals,
  settings: StoreSettings,
  options: ReplayOptions,
  stored: StoreSettings = settings,
): Promise<Omit<ReplayReport, 'recovery'>> {
  const { monotonic } = log.environment;
  const began = monotonic();
  const to = options.to ?? log.position;
  const position = await log.run(new Fixed(log, to).position());
  const replay = new Replay(settings, options);
  if (position > 0) await replay.fold(log, position);
  const projections = replay.folds.map(reportOf);
  if (options.compare ?? true) {
    const reads = new Reads(log, stored);
    try {
      await replay.compare(reads, stored.projections, position, projections);
    } finally {
      reads.close();
    }
  }
  return Object.freeze({
    position,
    time: replay.time,
    commits: replay.commits,
    events: replay.events,
    projections: Object.freeze(projections.map((report) => Object.freeze(report))),
    ok: projections.every(({ different }) => different === 0),
    elapsedMs: monotonic() - began,
  });
}

type Building = { -readonly [Member in keyof ReplayedProjection]: ReplayedProjection[Member] };

class Replay {
  readonly folds: readonly LeftFold[];
  readonly #options: ReplayOptions;
  readonly #course: Course;
  time: string | undefined;
  commits = 0;
  events = 0;

  constructor({ projections, interpreter }: StoreSettings, options: ReplayOptions) {
    this.folds = projections.map((projection) => new LeftFold(projection, interpreter));
    this.#options = options;
    this.#course = new Course(options);
  }

  async fold(log: LogInternals, to: number): Promise<void> {
    let commit: RecordedEvent[] = [];
    this.#course.begin('read', 'commits', to);
    for await (const event of log.asyncSequence(log.readingAll({ to }))) {
      commit.push(event);
      if (!event.last) continue;
      this.#course.reach(event.position);
      this.commits += 1;
      this.events += commit.length;
      this.time = event.time;
      const telling = this.#take(commit);
      if (telling) await telling;
      commit = [];
    }
    this.#course.end();
  }

  /** Nothing to wait for, unless somebody is told. */
  #take(commit: readonly RecordedEvent[]): Promise<void> | undefined {
    if (!this.#options.onEvent) {
      for (const fold of this.folds) fold.take(commit);
      return undefined;
    }
    const steps: [string, FoldStep][] = [];
    for (const fold of this.folds) {
      for (const step of fold.take(commit)) steps.push([fold.projection.name, step]);
    }
    return this.#tell(steps);
  }

  async #tell(steps: [projection: string, step: FoldStep][]): Promise<void> {
    steps.sort(([, one], [, other]) => one.event.index - other.event.index);
    for (const [projection, { event, key, before, after }] of steps) {
      const step = { event, projection, key, ...diffStates(before, after) };
      const waiting = this.#options.onEvent?.(Object.freeze(step));
      if (waiting) await waiting;
    }
  }

  async compare(
    reads: Reads,
    stored: readonly Projection[],
    position: number,
    reports: readonly Building[],
  ): Promise<void> {
    await reads.log.run(reads.engine.build());
    for (const [index, folded] of this.folds.entries()) {
      const runtime = reads.projection(stored[index] as Projection);
      reads.engine.requireReady(runtime);
      await reads.log.run(reads.engine.catchUp(runtime));
      const report = reports[index] as Building;
      const differences: ReplayDifference[] = [];
      const work = compareFold(folded, runtime, position);
      for await (const difference of reads.log.asyncSequence(() => work)) {
        this.#options.signal?.throwIfAborted();
        report.different += 1;
        if (differences.length < SHOWN) differences.push(difference);
      }
      report.differences = Object.freeze(differences);
    }
  }
}

function reportOf({ projection: { name, version }, keys, stopped }: LeftFold): Building {
  const failures: ProjectionFailedError[] = stopped ? [failureOf(name, undefined, stopped)] : [];
  let failed = 0;
  for (const [key, folded] of keys) {
    if (!('failure' in folded)) continue;
    failed += 1;
    if (failures.length < SHOWN && !stopped) failures.push(failureOf(name, key, folded.failure));
  }
  return {
    name,
    version,
    keys: keys.size - failed,
    failed,
    failures: Object.freeze(failures),
    different: 0,
    differences: Object.freeze([]),
  };
}

function checkOptions(options: ReplayOptions): void {
  checkOptionNames(options, REPLAY_OPTIONS, 'replayStore');
  const { compare, onEvent, signal } = options;
  if (compare !== undefined && typeof compare !== 'boolean') {
    throw invalidArgument('compare must be true or false');
  }
  if (onEvent !== undefined && typeof onEvent !== 'function') {
    throw invalidArgument('onEvent must be a function');
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw invalidArgument('signal must be an AbortSignal');
  }
}
