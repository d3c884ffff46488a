/**
 * One registered projection of one open store. Routing notes where the events of each key stand; folding waits until a key is read.
 *
 * Invariant: `hot` holds only states behind which no event of their key was routed, and none once the projection stopped.
 */
import { StoreClosedError } from '../errors.js';
import { type DiskRequest, type Io, rest } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import { FoldAhead } from './fold-ahead.js';
import { KeyReader, NEEDS_IO, type Outcome } from './key-reader.js';
import { Portions } from './portions.js';
import type {
  EventInterpreter,
  EventPlace,
  Feed,
  FeedCommit,
  Folding,
  ReadErrors,
  Runtime,
  RuntimeDefinition,
} from './ports.js';
import { Postings } from './postings.js';
import { SortedKeys } from './sorted-keys.js';
import type { KeyFailure, ProjectionStates } from './states.js';
import { eventAt, type StoredEvents } from './stored-events.js';

/** Looking up an event by its place takes so many times as long as going by it. */
const WALK_SHARE = 4;
/** With fewer commits than this it makes no difference. */
const WALK_COMMITS_MIN = 1000;
/** Keys that a listing reads at once: few at first, then more. */
const FIRST_KEYS = 16;
const KEYS_MAX = 512;

/** What a projection is made of. */
export interface ProjectionParts {
  readonly definition: RuntimeDefinition;
  readonly interpreter: EventInterpreter;
  readonly folding: Folding;
  readonly errors: ReadErrors;
  readonly states: ProjectionStates;
  /** One for all projections of a store: what one decoded serves the others too. */
  readonly events: StoredEvents;
}

export interface EntriesRange {
  readonly prefix?: string | undefined;
  /** Keys behind this one only. */
  readonly after?: string | undefined;
  /** Entries at most. */
  readonly limit?: number | undefined;
}

export type Entry = readonly [key: string, state: unknown];

/** Reading bit by bit: the disk calls it wants, and what it finds as it comes. */
type Work<T> = Generator<DiskRequest | readonly T[], void, unknown>;

/** A listing. */
export type EntryWork = Work<Entry>;

export class ProjectionRuntime implements Runtime {
  readonly definition: RuntimeDefinition;
  /** States known to be current, as of `position`. */
  readonly hot: ReadonlyMap<string, unknown>;
  /** The last commit routed; -1 when closed. */
  position: number;
  readonly #parts: ProjectionParts;
  readonly #types: ReadonlySet<string>;
  readonly #postings = new Postings();
  readonly #keys = new SortedKeys();
  /** Keys that a listing found absent behind their last event: listings pass them over without folding them again. */
  readonly #gone = new Set<string>();
  readonly #reader: KeyReader;
  /** Present while somebody waits for the states of all keys. */
  #ahead: FoldAhead | undefined;
  /** Set when it cannot be said which keys an event belongs to. */
  #stop: KeyFailure | undefined;

  /** @param position - the commit behind which routing begins */
  constructor(parts: ProjectionParts, position = 0) {
    const { definition, states, events } = parts;
    this.#parts = parts;
    this.#types = new Set(definition.types);
    this.#reader = new KeyReader(parts, this.#postings, states, events);
    this.definition = definition;
    this.hot = states.hot;
    this.position = position;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Keys that ever had an event. */
  get keyCount(): number {
    return this.#postings.size;
  }

  /** Of the notes where events stand, without the keys. */
  get postingBytes(): number {
    return this.#postings.bytes;
  }

  route(commit: FeedCommit): void {
    const { position, count, segment, offset } = commit;
    const { keyIsStream } = this.definition;
    for (let index = 0; index < count && !this.#stop; index += 1) {
      if (!this.#types.has(commit.type(index))) continue;
      if (keyIsStream) {
        const stream = commit.stream(index);
        this.#ahead?.take(stream, commit.events()[index] as RecordedEvent);
        this.#touch(stream, position, segment, offset, index);
      } else this.#routeByKey(commit, index);
    }
    this.position = position;
    this.#ahead?.rest();
  }

  /** From now on events are folded when they are routed, for a reader who wants the states of all keys. */
  beginAhead(): void {
    if (this.#stop || this.position < 0) return;
    const { states } = this.#parts;
    this.#ahead ??= new FoldAhead(this.#parts, this.#postings, states);
  }

  /** Keeps what was folded, and folds keys when they are read, as before. */
  endAhead(): void {
    this.#ahead?.settle();
    this.#ahead = undefined;
  }

  /**
   * Folds what keys have that were not read for long, in one walk through the log, when that takes less than looking up each event.
   * @param feed - gives a feed from the log's beginning
   */
  *foldAlong(feed: () => Feed): Io<void> {
    const { position } = this;
    const cold = this.keyCount - this.hot.size;
    const isWorthIt =
      position >= WALK_COMMITS_MIN &&
      2 * cold > this.keyCount &&
      WALK_SHARE * this.#postings.count > position;
    if (!isWorthIt || this.#stop) return;
    const { states } = this.#parts;
    const folds = new FoldAhead(this.#parts, this.#postings, states);
    try {
      yield* feed().advance((commit) => this.#foldCommit(commit, folds), position);
    } catch {
      // Reading key by key tells of it, if it concerns any of them.
    }
    if (!this.#stop && this.position >= 0) folds.settle();
  }

  #foldCommit(commit: FeedCommit, folds: FoldAhead): void {
    for (let index = 0; index < commit.count; index += 1) {
      if (!this.#types.has(commit.type(index))) continue;
      const stream = this.definition.keyIsStream ? commit.stream(index) : undefined;
      if (stream !== undefined && this.hot.has(stream)) continue;
      const event = commit.events()[index] as RecordedEvent;
      const keys = stream === undefined ? this.#keysOf(event) : [stream];
      for (const key of keys) if (!this.hot.has(key)) folds.take(key, event);
    }
    folds.rest();
  }

  #routeByKey(commit: FeedCommit, index: number): void {
    const { position, segment, offset } = commit;
    const events = commit.events();
    const event = events[index] as RecordedEvent;
    let keys: readonly string[];
    try {
      keys = this.#keysOf(event);
    } catch (cause) {
      this.#stop = { position, event: event.id, cause };
      this.#ahead = undefined;
      this.#reader.stop();
      return;
    }
    if (keys.length === 0) return;
    if (this.#ahead) for (const key of keys) this.#ahead.take(key, event);
    else this.#parts.events.keep(position, events);
    for (const key of keys) this.#touch(key, position, segment, offset, index);
  }

  /** Each key once. */
  #keysOf(event: RecordedEvent): readonly string[] {
    const keys = this.definition.keysOf(this.#parts.interpreter.interpret(event));
    return keys.length < 2 ? keys : [...new Set(keys)];
  }

  #touch(key: string, position: number, segment: number, offset: number, index: number): void {
    if (this.#postings.add(key, position, segment, offset, index)) this.#keys.add(key);
    this.#parts.states.touch(key);
    if (this.#gone.size > 0) this.#gone.delete(key);
  }

  /**
   * The keys that an event, as stored, would touch.
   * @throws ProjectionFailedError when that cannot be said
   */
  keysTouched(event: RecordedEvent): Iterable<string> {
    if (!this.#types.has(event.type)) return [];
    if (this.definition.keyIsStream) return [event.stream];
    const { position, id } = event;
    this.#checkStop(position);
    try {
      return this.#keysOf(event);
    } catch (cause) {
      throw this.failed({ position, event: id, cause });
    }
  }

  /** Keys that ever had an event, sorted by UTF-16 code units. Keys may be added while they are gone through. */
  keys(prefix?: string, after?: string): Iterable<string> {
    return this.#keys.range(prefix, after);
  }

  /** Where the key's events at positions `from` to `to` stand, ascending. */
  places(key: string, from?: number, to?: number): Iterable<EventPlace> {
    return this.#postings.places(key, from, to);
  }

  /** Position of the key's last event at or before that one; 0 when there is none. */
  lastPosition(key: string, atOrBefore?: number): number {
    return this.#postings.last(key, atOrBefore);
  }

  /** The state as of all that is routed, or {@link NEEDS_IO}. @throws ProjectionFailedError, StoreClosedError */
  stateNow(key: string): unknown {
    const hot = this.hot.get(key);
    if (hot !== undefined) return hot;
    this.#checkReadable(this.position);
    const outcome = this.#reader.now(key, this.position);
    return outcome === NEEDS_IO ? NEEDS_IO : this.#given(key, outcome);
  }

  /** The state as of all that is routed when this begins. @throws ProjectionFailedError, StoreClosedError, StoreDamagedError */
  *state(key: string): Io<unknown> {
    return yield* this.stateAt(key, this.position);
  }

  /**
   * The state as of a position that was routed. Costs the key's events up to there, or those behind the state in the cache.
   * @throws ProjectionFailedError when the key or the projection stopped at that position or before; StoreClosedError, StoreDamagedError
   */
  *stateAt(key: string, position: number): Io<unknown> {
    this.#checkReadable(position);
    return this.#given(key, yield* this.#reader.at(key, position));
  }

  /**
   * Keys and their states as of a position, by default all that is routed when it begins. Absent ones are left out.
   * @throws ProjectionFailedError at a key that is stopped, behind the entries before it; StoreClosedError, StoreDamagedError
   */
  *entries(range: EntriesRange = {}, position: number = this.position): EntryWork {
    const { prefix, after, limit = Number.POSITIVE_INFINITY } = range;
    const { absent } = this.#parts.folding;
    const keys = this.#present(this.#keys.range(prefix, after), position);
    let size = FIRST_KEYS;
    let left = limit;
    while (left > 0) {
      this.#checkReadable(position);
      const batch = take(keys, Math.min(size, left));
      if (batch.length === 0) return;
      const outcomes = yield* this.#reader.several(batch, position);
      const failed = outcomes.findIndex((outcome) => 'failure' in outcome);
      const entries: Entry[] = [];
      for (const [at, outcome] of outcomes.entries()) {
        if (at === failed) break;
        const key = batch[at] as string;
        const state = this.#given(key, outcome);
        if (state !== absent) entries.push(Object.freeze([key, state] as const));
        else if (this.#postings.last(key) <= position) this.#gone.add(key);
      }
      if (entries.length > 0) yield entries;
      if (failed >= 0) this.#given(batch[failed] as string, outcomes[failed] as Outcome);
      left -= entries.length;
      size = Math.min(2 * size, KEYS_MAX);
    }
  }

  /** The keys without those that are known to be absent at the position. */
  *#present(keys: Iterable<string>, position: number): Generator<string, void, undefined> {
    for (const key of keys) {
      if (!this.#gone.has(key) || this.#postings.last(key) > position) yield key;
    }
  }

  /**
   * The key's events at positions `from` to `to`, as stored, oldest first, in portions of whole commits. Costs what it gives.
   * @throws ProjectionFailedError when the projection as a whole stopped on the way, behind the commits before; StoreClosedError, StoreDamagedError
   */
  *events(key: string, from: number, to: number): Work<RecordedEvent> {
    // Some keys of the commit at which it stopped may have been noted.
    const end = this.#stop ? Math.min(to, this.#stop.position - 1) : to;
    const portions = new Portions(this.#postings.places(key, from, end));
    while (!portions.done) {
      if (this.position < 0) throw new StoreClosedError();
      const places = portions.next();
      const fetched = yield* this.#parts.events.fetch(places);
      yield places.map((place) => eventAt(fetched, place));
      if (this.position < 0) throw new StoreClosedError();
      yield* rest();
    }
    this.#checkReadable(to);
  }

  /**
   * What is known of several keys as of a position that was routed: states, and failures of keys that are stopped.
   * @throws ProjectionFailedError when the projection as a whole is; StoreClosedError, StoreDamagedError
   */
  *outcomes(keys: readonly string[], position: number): Io<readonly Outcome[]> {
    this.#checkReadable(position);
    return yield* this.#reader.several(keys, position);
  }

  /** Where the projection stopped as a whole, if it did. */
  get stopped(): KeyFailure | undefined {
    return this.#stop;
  }

  /** The error that readers are told: of the key, or of the projection as a whole. */
  failed({ position, event, cause }: KeyFailure, key?: string): Error {
    const facts = { projection: this.name, position, event, cause };
    return this.#parts.errors.failed(key === undefined ? facts : { ...facts, key });
  }

  close(): void {
    this.#ahead = undefined;
    this.#reader.stop();
    this.position = -1;
  }

  #given(key: string, outcome: Outcome): unknown {
    if ('failure' in outcome) throw this.failed(outcome.failure, key);
    return outcome.state;
  }

  #checkReadable(to: number): void {
    if (this.position < 0) throw new StoreClosedError();
    if (to > this.position) {
      throw new RangeError(`position ${to} is not routed yet, only ${this.position} is`);
    }
    this.#checkStop(to);
  }

  #checkStop(to: number): void {
    if (this.#stop && this.#stop.position <= to) throw this.failed(this.#stop);
  }
}

function take(keys: Iterator<string, void>, count: number): string[] {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = keys.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}
