/** How states came about: history, blame and diff of the keys of an open store. */
import { type BlameEntry, Blaming } from '../audit/blame.js';
import { differencesOf, type KeyDifference } from '../audit/differences.js';
import { type Audited, type HistoryEntry, historyOf } from '../audit/history.js';
import { checkedMoment, type Moment } from '../audit/moment.js';
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import { nextBatch, type SequenceWork } from '../log/event-sequence.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { AsyncSequence, SyncSequence } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { ProjectionRuntime } from '../projections/projection.js';
import { Fixed } from './fixed.js';
import { checkKey, type Reads } from './reads.js';
import { whenReady } from './when-ready.js';

export interface HistoryOptions {
  /** The first event: at this position or behind it, or at this time or later. Default: the key's first. */
  readonly from?: Moment | undefined;
  /** The last event: at this position or before, or at this time or earlier. Default: the key's last when reading begins. */
  readonly to?: Moment | undefined;
}

export interface BlameOptions {
  /** Of the state as of this moment. Default: the state when the call is made. */
  readonly to?: Moment | undefined;
}

/** A key, or all keys that begin with a prefix. */
export type DiffKeys = string | { readonly prefix: string };

export class Audit {
  readonly #reads: Reads;

  constructor(reads: Reads) {
    this.#reads = reads;
  }

  history(
    projection: Projection,
    key: string,
    options: HistoryOptions,
  ): AsyncSequence<HistoryEntry> {
    const begin = this.#readingHistory(projection, key, options);
    return this.#async(projection, begin);
  }

  historySync(
    projection: Projection,
    key: string,
    options: HistoryOptions,
  ): SyncSequence<HistoryEntry> {
    const begin = this.#readingHistory(projection, key, options);
    return this.#sync(projection, begin);
  }

  async blame(
    projection: Projection,
    key: string,
    options: BlameOptions,
  ): Promise<readonly BlameEntry[]> {
    const begin = this.#blaming(projection, key, options);
    const { engine, log } = this.#reads;
    await engine.whenReady(this.#reads.projection(projection));
    return await log.run(begin());
  }

  blameSync(projection: Projection, key: string, options: BlameOptions): readonly BlameEntry[] {
    const begin = this.#blaming(projection, key, options);
    const { engine, log } = this.#reads;
    engine.requireReady(this.#reads.projection(projection));
    return log.runSync(begin());
  }

  diff(
    projection: Projection,
    keys: DiffKeys,
    from: Moment,
    to: Moment,
  ): AsyncSequence<KeyDifference> {
    return this.#async(projection, this.#readingDiff(projection, keys, from, to));
  }

  diffSync(
    projection: Projection,
    keys: DiffKeys,
    from: Moment,
    to: Moment,
  ): SyncSequence<KeyDifference> {
    return this.#sync(projection, this.#readingDiff(projection, keys, from, to));
  }

  #async<T>(projection: Projection, begin: () => SequenceWork<T>): AsyncSequence<T> {
    const { engine, log } = this.#reads;
    const runtime = this.#reads.projection(projection);
    return whenReady(log.asyncSequence(begin), () => engine.whenReady(runtime));
  }

  #sync<T>(projection: Projection, begin: () => SequenceWork<T>): SyncSequence<T> {
    const { engine, log } = this.#reads;
    engine.requireReady(this.#reads.projection(projection));
    return log.syncSequence(begin);
  }

  #readingHistory(
    projection: Projection,
    key: string,
    options: HistoryOptions,
  ): () => SequenceWork<HistoryEntry> {
    const audited = this.#audited(projection);
    checkKey(key);
    checkOptionNames(options, HISTORY_OPTIONS, 'history');
    const { from, to } = options;
    if (typeof from === 'number' && typeof to === 'number' && from > to) {
      throw invalidArgument(`from (${from}) must not be beyond to (${to})`);
    }
    // Moments are fixed now; which positions they are is looked for when reading begins.
    const { log } = this.#reads;
    const start = startOf(log, from);
    const end = to === undefined ? undefined : new Fixed(log, to);
    return () => this.#history(audited, key, start, end);
  }

  *#history(
    audited: Audited,
    key: string,
    start: () => Io<number>,
    end: Fixed | undefined,
  ): SequenceWork<HistoryEntry> {
    const { runtime } = audited;
    if (end) yield* this.#reach(runtime, yield* end.position());
    else yield* this.#reads.freshen(runtime);
    const to = end ? yield* end.position() : runtime.position;
    const from = yield* start();
    if (from <= to) yield* historyOf(audited, key, from, to);
  }

  #blaming(
    projection: Projection,
    key: string,
    options: BlameOptions,
  ): () => Io<readonly BlameEntry[]> {
    checkOptionNames(options, BLAME_OPTIONS, 'blame');
    const begin = this.#readingHistory(projection, key, { to: options.to });
    return function* () {
      const blaming = new Blaming();
      const work = begin();
      for (let batch = yield* nextBatch(work); batch; batch = yield* nextBatch(work)) {
        for (const entry of batch) blaming.take(entry);
      }
      return blaming.entries();
    };
  }

  #readingDiff(
    projection: Projection,
    keys: DiffKeys,
    from: Moment,
    to: Moment,
  ): () => SequenceWork<KeyDifference> {
    const { runtime } = this.#audited(projection);
    if (typeof keys !== 'string') checkPrefix(keys);
    const { log } = this.#reads;
    const moments = [new Fixed(log, from), new Fixed(log, to)] as const;
    return () => this.#diff(runtime, keys, ...moments);
  }

  *#diff(
    runtime: ProjectionRuntime,
    keys: DiffKeys,
    from: Fixed,
    to: Fixed,
  ): SequenceWork<KeyDifference> {
    const first = yield* from.position();
    const second = yield* to.position();
    yield* this.#reach(runtime, Math.max(first, second));
    const [low, high] = first <= second ? [first, second] : [second, first];
    const among =
      typeof keys === 'string'
        ? only(runtime.mayBeTouched(keys, low, high) ? [keys] : [])
        : runtime.keysBetween(keys.prefix, low, high);
    yield* differencesOf(runtime, among, first, second);
  }

  #audited(projection: Projection): Audited {
    const runtime = this.#reads.projection(projection);
    return { runtime, definition: projection, interpreter: this.#reads.settings.interpreter };
  }

  *#reach(runtime: ProjectionRuntime, position: number): Io<void> {
    if (runtime.position < position) yield* this.#reads.engine.catchUp(runtime);
  }
}

function* only(keys: readonly string[]): SequenceWork<string> {
  yield keys;
}

/** The first position of a history that begins at a moment, which belongs to it. */
function startOf(log: LogInternals, moment: Moment | undefined): () => Io<number> {
  if (moment === undefined) return from(1);
  const checked = checkedMoment(moment);
  if ('position' in checked) return from(0, new Fixed(log, moment));
  const milliseconds = Date.parse(checked.time);
  // All commits that are earlier are left out; none is earlier than 1970.
  return milliseconds === 0 ? from(1) : from(1, new Fixed(log, new Date(milliseconds - 1)));
}

function from(distance: number, behind?: Fixed): () => Io<number> {
  return function* () {
    return Math.max(1, distance + (behind ? yield* behind.position() : 0));
  };
}

const HISTORY_OPTIONS = optionNames<HistoryOptions>({ from: true, to: true });
const BLAME_OPTIONS = optionNames<BlameOptions>({ to: true });
const DIFF_KEYS = optionNames<Exclude<DiffKeys, string>>({ prefix: true });

function checkPrefix(keys: { readonly prefix: string }): void {
  const prefix: unknown = (keys as { prefix?: unknown } | null | undefined)?.prefix;
  if (typeof prefix !== 'string') {
    throw invalidArgument("pass a key, or { prefix: '...' } for all keys that begin with it");
  }
  checkOptionNames(keys, DIFF_KEYS, 'diff');
}
