/** The store as of a moment: the same reading calls, whose answers never change. */

import { checkedMoment, type Moment } from '../audit/moment.js';
import { checkOptionNames, invalidArgument, optionNames, PositionAheadError } from '../errors.js';
import { type EventWork, mapped, nextBatch } from '../log/event-sequence.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { checkedStream, READ_ALL_MEMBERS, READ_STREAM_MEMBERS } from '../log/reader.js';
import type {
  AsyncSequence,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SyncSequence,
} from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { Events, RecordedEventOf } from '../projections/events.js';
import type { AsyncEntries, EntriesOptions, Entry, SyncEntries } from '../projections/types.js';
import { checkEntries, checkKey, type Reads } from './reads.js';

export interface StoreReadAllOptions extends ReadAllOptions {
  /** Events as they are stored: no upcasting, also of versions that this program does not know. Default false. */
  readonly raw?: boolean | undefined;
}

export interface StoreReadStreamOptions extends ReadStreamOptions {
  /** Events as they are stored. Default false. */
  readonly raw?: boolean | undefined;
}

const READ_ALL_OPTIONS = optionNames<StoreReadAllOptions>({ ...READ_ALL_MEMBERS, raw: true });
const READ_STREAM_OPTIONS = optionNames<StoreReadStreamOptions>({
  ...READ_STREAM_MEMBERS,
  raw: true,
});

/** What a reading of all events was asked for. @throws TypeError */
export function rawAllOf(options: StoreReadAllOptions): [raw: boolean, range: ReadAllOptions] {
  return rawOf(options, READ_ALL_OPTIONS, 'readAll');
}

/** What a reading of one stream was asked for. @throws TypeError */
export function rawStreamOf(
  options: StoreReadStreamOptions,
): [raw: boolean, range: ReadStreamOptions] {
  return rawOf(options, READ_STREAM_OPTIONS, 'readStream');
}

/** The options of the log, and whether events are wanted as they are stored. @throws TypeError */
function rawOf<Options extends { readonly raw?: boolean | undefined }>(
  options: Options,
  known: ReadonlySet<string>,
  what: string,
): [raw: boolean, range: Omit<Options, 'raw'>] {
  checkOptionNames(options, known, what);
  const { raw = false, ...range } = options;
  if (typeof raw !== 'boolean') throw invalidArgument('raw must be true or false');
  return [raw, range];
}

/** A moment on its way to a position. */
export class Fixed {
  readonly #log: LogInternals;
  #time: string | undefined;
  readonly #bound: number;
  #position: number | undefined;

  /**
   * The log as it is now bounds a time: what is appended later does not count, whatever its time.
   * @throws TypeError, PositionAheadError
   */
  constructor(log: LogInternals, moment: Moment) {
    const checked = checkedMoment(moment);
    this.#log = log;
    if ('position' in checked) {
      if (checked.position > log.position) log.runSync(log.freshen());
      if (checked.position > log.position)
        throw new PositionAheadError(checked.position, log.position);
      this.#position = checked.position;
      this.#time = undefined;
      this.#bound = checked.position;
      return;
    }
    if (!log.isFresh) log.runSync(log.freshen());
    this.#time = checked.time;
    this.#bound = log.position;
  }

  *position(): Io<number> {
    if (this.#position === undefined) {
      this.#position = yield* this.#log.positionAt(this.#time as string, this.#bound);
    }
    return this.#position;
  }

  /** The time that was given; of a position the time of its commit. */
  *time(): Io<string> {
    this.#time ??= yield* this.#timeOfCommit(this.#bound);
    return this.#time;
  }

  *#timeOfCommit(position: number): Io<string> {
    if (position === 0) return new Date(0).toISOString();
    const work = this.#log.readingAll({ from: position, to: position, limit: 1 })();
    const [event] = (yield* nextBatch(work)) ?? [];
    return (event as RecordedEvent).time;
  }
}

/** What `store.at(moment)` gives. */
export class StoreView<E extends Events = Events> {
  readonly #reads: Reads;
  readonly #fixed: Fixed;

  /** @internal Made by `store.at`. */
  constructor(reads: Reads, moment: Moment) {
    this.#reads = reads;
    this.#fixed = new Fixed(reads.log, moment);
  }

  /** The position that the moment came to. */
  async position(): Promise<number> {
    return await this.#reads.log.run(this.#fixed.position());
  }

  positionSync(): number {
    return this.#reads.log.runSync(this.#fixed.position());
  }

  /** The time of the moment, ISO 8601; of a position the time of its commit, and 1970 for position 0. */
  async time(): Promise<string> {
    return await this.#reads.log.run(this.#fixed.time());
  }

  timeSync(): string {
    return this.#reads.log.runSync(this.#fixed.time());
  }

  /** The key's state as of the moment; undefined when it was absent. @throws ProjectionNotRegisteredError, ProjectionFailedError */
  async get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    const runtime = this.#reads.projection(projection);
    checkKey(key);
    await this.#reads.engine.whenReady(runtime);
    return (await this.#reads.log.run(this.#get(projection, key))) as State | undefined;
  }

  /** {@link StoreView.get}, at once. @throws ProjectionNotReadyError */
  getSync<State>(projection: Projection<State>, key: string): State | undefined {
    const runtime = this.#reads.projection(projection);
    checkKey(key);
    this.#reads.engine.requireReady(runtime);
    return this.#reads.log.runSync(this.#get(projection, key)) as State | undefined;
  }

  *#get(projection: Projection, key: string): Io<unknown> {
    const runtime = this.#reads.projection(projection);
    return yield* this.#reads.getAt(runtime, key, yield* this.#fixed.position());
  }

  /** Keys and their states as of the moment, sorted by key. */
  entries<State>(projection: Projection<State>, options: EntriesOptions = {}): AsyncEntries<State> {
    const runtime = this.#reads.projection(projection);
    checkEntries(options);
    const { log, engine } = this.#reads;
    const begin = () => this.#reads.entries(runtime, options, () => this.#fixed.position());
    const sequence = log.asyncSequence(begin) as AsyncSequence<Entry<State>>;
    return whenReady(sequence, () => engine.whenReady(runtime));
  }

  /** {@link StoreView.entries}, at once. @throws ProjectionNotReadyError */
  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions = {},
  ): SyncEntries<State> {
    const runtime = this.#reads.projection(projection);
    checkEntries(options);
    this.#reads.engine.requireReady(runtime);
    const begin = () => this.#reads.entries(runtime, options, () => this.#fixed.position());
    return this.#reads.log.syncSequence(begin) as SyncSequence<Entry<State>>;
  }

  /** The stream's version as of the moment, 0 when it was absent. */
  async version(stream: string): Promise<number> {
    return await this.#reads.log.run(this.#version(stream));
  }

  versionSync(stream: string): number {
    return this.#reads.log.runSync(this.#version(stream));
  }

  #version(stream: string): Io<number> {
    checkedStream(stream);
    return this.#versionAt(stream);
  }

  *#versionAt(stream: string): Io<number> {
    return yield* this.#reads.log.versionAt(stream, yield* this.#fixed.position());
  }

  /** Events by position, up to the moment. */
  readAll(options: StoreReadAllOptions = {}): AsyncSequence<RecordedEventOf<E>> {
    return this.#reads.log.asyncSequence(this.#reading(options));
  }

  readAllSync(options: StoreReadAllOptions = {}): SyncSequence<RecordedEventOf<E>> {
    return this.#reads.log.syncSequence(this.#reading(options));
  }

  #reading(options: StoreReadAllOptions): () => Generator<never, void, unknown> {
    const { log, settings } = this.#reads;
    const [raw, range] = rawAllOf(options);
    // Checked now, although where the moment lies is known only later.
    log.readingAll(range);
    const fixed = this.#fixed;
    function* reading(): EventWork {
      const position = yield* fixed.position();
      const to = Math.min(range.to ?? position, position);
      if ((range.from ?? 1) > to) return;
      yield* log.readingAll({ ...range, to })();
    }
    const work =
      raw || !settings.typed ? reading : () => mapped(reading(), interpreted(this.#reads));
    return work as unknown as () => Generator<never, void, unknown>;
  }
}

/** What makes events of older shapes what they are now. */
export function interpreted({ settings }: Reads): (event: RecordedEvent) => RecordedEvent {
  return (event) => settings.interpreter.interpret(event);
}

/** The sequence, begun only when what it reads from is built. */
export function whenReady<T>(
  sequence: AsyncSequence<T>,
  ready: () => Promise<void> | undefined,
): AsyncSequence<T> {
  return {
    async *[Symbol.asyncIterator]() {
      await ready();
      yield* sequence;
    },
    async toArray() {
      await ready();
      return await sequence.toArray();
    },
  };
}
