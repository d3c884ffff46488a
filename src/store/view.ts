/** The store as of a moment: the same reading calls, whose answers never change. */
import type { Moment } from '../audit/moment.js';
import type { EventWork } from '../log/event-sequence.js';
import type { Io } from '../log/io.js';
import { checkedStream } from '../log/reader.js';
import type { AsyncSequence, SyncSequence } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { Events, RecordedEventOf } from '../projections/events.js';
import type { AsyncEntries, EntriesOptions, Entry, SyncEntries } from '../projections/types.js';
import { readingUpTo, type StoreReadAllOptions } from './event-reading.js';
import { Fixed } from './fixed.js';
import { checkEntries, checkKey, type Reads } from './reads.js';
import { whenReady } from './when-ready.js';

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
    const work: () => EventWork = readingUpTo(this.#reads, options, () => this.#fixed.position());
    return work as unknown as () => Generator<never, void, unknown>;
  }
}
