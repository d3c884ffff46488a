/**
 * One registered projection of one open store. Routing notes where the events of each key stand; folding waits until a key is read.
 *
 * Invariant: `hot` holds only states behind which no event of their key was routed, and none once the projection stopped.
 */
import { StoreClosedError, StoreDamagedError } from '../errors.js';
import { nextBatch } from '../log/event-sequence.js';
import { type Io, rest } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import { FoldAhead } from './fold-ahead.js';
import { Ground } from './ground.js';
import { KeyReader, NEEDS_IO, type Outcome } from './key-reader.js';
import {
  type EntriesRange,
  type EntryWork,
  keysBetween,
  type Listable,
  listEntries,
  type Work,
} from './listing.js';
import type { Past } from './past.js';
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
import { ProjectionSnapshot } from './snapshot.js';
import type { KeyFailure, ProjectionStates } from './states.js';
import { eventAt, type StoredEvents } from './stored-events.js';

/** Looking up an event by its place takes so many times as long as going by it. */
const WALK_SHARE = 4;
/** With fewer commits than this it makes no difference. */
const WALK_COMMITS_MIN = 1000;
/** Commits whose places are noted again at once. */
const NOTED_COMMITS = 500;

/** What a projection is made of. */
export interface ProjectionParts {
  readonly definition: RuntimeDefinition;
  readonly interpreter: EventInterpreter;
  readonly folding: Folding;
  readonly errors: ReadErrors;
  readonly states: ProjectionStates;
  /** One for all projections of a store: what one decoded serves the others too. */
  readonly events: StoredEvents;
  /** Where there can be snapshots. */
  readonly history?: ProjectionHistory | undefined;
}

/** What is known of a projection without routing the log to it. */
export interface ProjectionHistory {
  readonly past: Past;
  /** A feed whose first commit is the one behind that position. */
  readonly feed: (after: number) => Feed;
  /** The snapshot to begin with. */
  readonly base: ProjectionSnapshot | undefined;
}

export class ProjectionRuntime implements Runtime {
  readonly definition: RuntimeDefinition;
  /** States known to be current, as of `position`. */
  readonly hot: ReadonlyMap<string, unknown>;
  /** The last commit routed; -1 when closed. */
  position: number;
  readonly #parts: ProjectionParts;
  readonly #types: ReadonlySet<string>;
  #ground: Ground;
  readonly #reader: KeyReader;
  /** For whoever goes through all keys once. */
  readonly #passing: KeyReader;
  readonly #listable: Listable;
  /** Present while somebody waits for the states of all keys. */
  #ahead: FoldAhead | undefined;
  /** Set when it cannot be said which keys an event belongs to. */
  #stop: KeyFailure | undefined;

  /** @param position - the commit behind which routing begins */
  constructor(parts: ProjectionParts, position: number = parts.history?.base?.position ?? 0) {
    const { definition, states, events, history } = parts;
    this.#parts = parts;
    this.#types = new Set(definition.types);
    this.#ground = new Ground(history?.base);
    this.#reader = new KeyReader(parts, this, states, events);
    this.#passing = new KeyReader(parts, this, states.inPassing, events);
    this.definition = definition;
    this.hot = states.hot;
    this.position = position;
    this.#listable = {
      projection: this,
      reader: this.#reader,
      absent: parts.folding.absent,
      checkReadable: (to) => this.#checkReadable(to),
      given: (key, outcome) => this.#given(key, outcome),
    };
  }

  get name(): string {
    return this.definition.name;
  }

  /** What it stands on now. */
  get ground(): Ground {
    return this.#ground;
  }

  get past(): Past | undefined {
    return this.#parts.history?.past;
  }

  /** Keys that had an event since the snapshot that it stands on, and those in there: a key may be counted twice. */
  get keyCount(): number {
    return this.#ground.postings.size + (this.#ground.base?.count ?? 0);
  }

  /** Events noted behind what it stands on. */
  get noted(): number {
    return this.#ground.postings.count;
  }

  /** Of the notes where events stand, without the keys. */
  get postingBytes(): number {
    return this.#ground.postings.bytes;
  }

  route(commit: FeedCommit): boolean {
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
    return false;
  }

  /** From now on events are folded when they are routed, for a reader who wants the states of all keys. */
  beginAhead(): void {
    if (this.#stop || this.position < 0 || this.#ground.base) return;
    const { states } = this.#parts;
    this.#ahead ??= new FoldAhead(this.#parts, this.#ground.postings, states);
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
    const { base, postings } = this.#ground;
    const cold = this.keyCount - this.hot.size;
    const isWorthIt =
      position >= WALK_COMMITS_MIN &&
      2 * cold > this.keyCount &&
      WALK_SHARE * postings.count > position;
    if (!isWorthIt || this.#stop || base) return;
    const { states } = this.#parts;
    const folds = new FoldAhead(this.#parts, postings, states);
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
    this.#ground.add(key, position, segment, offset, index);
    this.#parts.states.touch(key);
  }

  /**
   * Comes to stand on the newest snapshot that there is, or on none. What was routed behind it is noted again from the log; whoever reads meanwhile
   * goes on with what there was.
   * @throws StoreDamagedError, StoreClosedError
   */
  *settleDown(): Io<void> {
    const { history } = this.#parts;
    const before = this.#ground;
    if (!history || this.position < 0) return;
    for (;;) {
      const file = yield* history.past.newest(this.position);
      const base = file && new ProjectionSnapshot(file, this.#parts.folding.absent);
      if (base && base.position === before.position && base.path === before.base?.path) return;
      const ground = new Ground(base);
      const feed = history.feed(ground.position);
      while (feed.position < this.position) {
        const to = Math.min(this.position, feed.position + NOTED_COMMITS);
        yield* feed.advance((commit) => this.#note(ground, commit), to);
        yield* rest();
      }
      if (this.#ground !== before || this.position < 0) return;
      if (feed.position > this.position) continue;
      this.#ahead = undefined;
      this.#ground = ground;
      return;
    }
  }

  /** Takes its stand on a snapshot that another process made, and dropped what is before it. */
  *jump(head: number): Io<boolean> {
    const { history, states, folding } = this.#parts;
    const { position } = this;
    if (!history || position < 0 || this.#stop) return false;
    const { shelf } = history.past;
    yield* shelf.look();
    const file = yield* shelf.newest(head, head);
    if (this.position !== position || !file || file.header.position <= position) return false;
    this.#ahead = undefined;
    this.#ground = new Ground(new ProjectionSnapshot(file, folding.absent));
    this.position = file.header.position;
    // Events that were never routed may have changed any of them.
    states.hot.clear();
    return true;
  }

  /** Other ground, because that one's snapshot is broken. */
  *leave(ground: Ground): Io<void> {
    const { history } = this.#parts;
    if (!history || ground !== this.#ground) return;
    yield* history.past.shelf.lose(ground.position);
    // Others may have written newer ones, or removed this one.
    yield* history.past.shelf.look();
    yield* this.settleDown();
  }

  /** Notes where a commit's events stand that was routed before. */
  #note(ground: Ground, commit: FeedCommit): void {
    const { position, count, segment, offset } = commit;
    if (this.#stop && position >= this.#stop.position) return;
    for (let index = 0; index < count; index += 1) {
      if (!this.#types.has(commit.type(index))) continue;
      if (this.definition.keyIsStream) {
        ground.add(commit.stream(index), position, segment, offset, index);
        continue;
      }
      for (const key of this.#keysOf(commit.events()[index] as RecordedEvent)) {
        ground.add(key, position, segment, offset, index);
      }
    }
  }

  /** The keys that the events of a commit touch; `undefined` when it cannot be said. */
  keysIn(commit: FeedCommit): ReadonlySet<string> | undefined {
    const keys = new Set<string>();
    try {
      for (let index = 0; index < commit.count; index += 1) {
        if (!this.#types.has(commit.type(index))) continue;
        for (const key of this.#keysOf(commit.events()[index] as RecordedEvent)) keys.add(key);
      }
    } catch (error) {
      // Routing stopped here; what was noted before is right.
      if (error instanceof StoreDamagedError) throw error;
      return undefined;
    }
    return keys;
  }

  /** Whether an event, as stored, belongs to the key. */
  belongs(event: RecordedEvent, key: string): boolean {
    if (!this.#types.has(event.type)) return false;
    if (this.definition.keyIsStream) return event.stream === key;
    return this.#keysOf(event).includes(key);
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

  /** Keys with an event behind the snapshot that it stands on, sorted by UTF-16 code units. Keys may be added while they are gone through. */
  keys(prefix?: string, after?: string): Iterable<string> {
    return this.#ground.keys.range(prefix, after);
  }

  /** Where the key's events behind that snapshot at positions `from` to `to` stand, ascending. */
  places(key: string, from?: number, to?: number): Iterable<EventPlace> {
    return this.#ground.postings.places(key, from, to);
  }

  /** Position of the key's last event behind that snapshot, at or before that position; 0 when there is none. */
  lastPosition(key: string, atOrBefore?: number): number {
    return this.#ground.postings.last(key, atOrBefore);
  }

  /** Whether the key may have an event at positions behind `low` up to `high`. */
  mayBeTouched(key: string, low: number, high: number): boolean {
    return low < this.#ground.position || this.lastPosition(key, high) > low;
  }

  /**
   * Keys that may have had an event at positions behind `low` up to `high`, sorted, in batches: all that had one, unless they were absent at both.
   * @throws StoreDamagedError
   */
  *keysBetween(prefix: string, low: number, high: number, after?: string): Work<string> {
    yield* keysBetween(this.#ground, this.past, { prefix, low, high, after });
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
    yield* listEntries(this.#listable, range, position);
  }

  /**
   * The key's events at positions `from` to `to`, as stored, oldest first, in portions of whole commits. Costs what it gives.
   * @throws ProjectionFailedError when the projection as a whole stopped on the way, behind the commits before; StoreClosedError, StoreDamagedError
   */
  *events(key: string, from: number, to: number): Work<RecordedEvent> {
    // Some keys of the commit at which it stopped may have been noted.
    const end = this.#stop ? Math.min(to, this.#stop.position - 1) : to;
    const { base, postings } = this.#ground;
    if (base && this.past && from <= base.position) {
      const old = this.past.events(key, from, Math.min(end, base.position));
      for (let batch = yield* nextBatch(old); batch; batch = yield* nextBatch(old)) {
        yield batch;
        if (this.position < 0) throw new StoreClosedError();
      }
    }
    const portions = new Portions(postings.places(key, from, end));
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
   * @param inPassing - what it folds is not kept, so that it does not push out what others read
   * @throws ProjectionFailedError when the projection as a whole is; StoreClosedError, StoreDamagedError
   */
  *outcomes(keys: readonly string[], position: number, inPassing = false): Io<readonly Outcome[]> {
    this.#checkReadable(position);
    const reader = inPassing ? this.#passing : this.#reader;
    return yield* reader.several(keys, position);
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
