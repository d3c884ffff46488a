/**
 * One registered projection of one open store. Routing notes where the events of each key stand; folding waits until a key is read.
 *
 * Invariant: `hot` holds only states behind which no event of their key was routed, and none once the projection stopped.
 */
import { StoreClosedError, StoreDamagedError } from '../errors.js';
import { nextBatch } from '../log/event-sequence.js';
import { type DiskRequest, type Io, rest } from '../log/io.js';
import { Merged, type SortedSource } from '../log/merge.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedLine } from '../log/sorted-read.js';
import type { RecordedEvent } from '../log/types.js';
import { FoldAhead } from './fold-ahead.js';
import { Ground } from './ground.js';
import type { NamedItem } from './key-places.js';
import { KeyReader, NEEDS_IO, type Outcome } from './key-reader.js';
import { beginOf, keysWithin, type Past } from './past.js';
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
/** Keys that a listing reads at once: few at first, then more. */
const FIRST_KEYS = 16;
const KEYS_MAX = 512;
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
  #ground: Ground;
  readonly #reader: KeyReader;
  /** For whoever goes through all keys once. */
  readonly #passing: KeyReader;
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
    const { base, postings, keys } = this.#ground;
    const { past } = this;
    if (!base || !past || low >= base.position) {
      const found = postings.size === 0 ? [] : keys.range(prefix, after);
      const touched = touchedKeys(found, (key) => postings.last(key, high) > low);
      for (let batch = take(touched, KEYS_MAX); batch.length > 0; batch = take(touched, KEYS_MAX)) {
        yield batch;
      }
      return;
    }
    let last = after;
    for (;;) {
      const file = low === 0 ? yield* past.newest(Math.min(high, base.position)) : undefined;
      const begin = beginOf(prefix, last);
      const sources: SortedSource<NamedItem>[] = [];
      try {
        if (file) sources.push(file.cursor('states', begin));
        const from = file?.header.position ?? low;
        sources.push(...(yield* past.keySources(from + 1, Math.min(high, base.position), begin)));
        if (high > base.position) sources.push(inBatches(keys.range(prefix, last)));
        const merged = keysWithin(sources, prefix, last);
        for (let items = yield* merged.next(); items; items = yield* merged.next()) {
          last = items.at(-1)?.key;
          yield items.map(({ key }) => key);
        }
        return;
      } catch (error) {
        if (!(error instanceof SortedProblem) || !file) throw error;
        yield* past.shelf.lose(file.header.position);
      }
    }
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
    const listing = new Listing(range);
    while (listing.left > 0) {
      const ground = this.#ground;
      try {
        const keys = this.#listed(ground, listing, position);
        yield* this.#entriesOf(keys, listing, ground, position);
        return;
      } catch (error) {
        if (!(error instanceof SortedProblem) || !ground.base) throw error;
        // The listing goes on behind the key before, on other ground.
        yield* this.leave(ground);
      }
    }
  }

  *#entriesOf(
    keys: SortedSource<ListedKey>,
    listing: Listing,
    ground: Ground,
    position: number,
  ): EntryWork {
    const { absent } = this.#parts.folding;
    while (listing.left > 0) {
      this.#checkReadable(position);
      const batch = yield* keys.next();
      if (!batch) return;
      const outcomes = yield* this.#outcomesOf(batch, ground, position);
      const failed = outcomes.findIndex((outcome) => 'failure' in outcome);
      const entries: Entry[] = [];
      for (const [at, outcome] of outcomes.entries()) {
        if (at === failed || entries.length === listing.left) break;
        const { key } = batch[at] as ListedKey;
        const state = this.#given(key, outcome);
        listing.after = key;
        if (state !== absent) entries.push(Object.freeze([key, state] as const));
        else if (ground.postings.last(key) <= position && !ground.base) ground.gone.add(key);
      }
      listing.left -= entries.length;
      if (entries.length > 0) yield entries;
      const key = failed < 0 || listing.left === 0 ? undefined : batch[failed]?.key;
      if (key !== undefined) this.#given(key, outcomes[failed] as Outcome);
    }
  }

  /** In the order of the keys: those that a line of the snapshot tells of at once, the others together. */
  *#outcomesOf(
    batch: readonly ListedKey[],
    ground: Ground,
    position: number,
  ): Io<readonly Outcome[]> {
    const others = batch.filter(({ line }) => line === undefined).map(({ key }) => key);
    const read = others.length === 0 ? [] : yield* this.#reader.several(others, position);
    if (others.length === batch.length) return read;
    const outcomes: Outcome[] = [];
    let at = 0;
    for (const { key, line } of batch) {
      if (line === undefined) {
        outcomes.push(read[at] as Outcome);
        at += 1;
        continue;
      }
      const state = this.hot.get(key);
      if (state !== undefined && ground.postings.last(key) <= position) outcomes.push({ state });
      else {
        const saved = (ground.base as ProjectionSnapshot).saved(line);
        outcomes.push(yield* this.#reader.saved(key, saved, ground));
      }
    }
    return outcomes;
  }

  /** The keys that a listing is to look at, in batches. */
  #listed(ground: Ground, listing: Listing, position: number): SortedSource<ListedKey> {
    const { base, keys, postings } = ground;
    const { prefix, after } = listing;
    if (base && position < base.position) {
      return fromWork(this.keysBetween(prefix, 0, position, after), listing);
    }
    const noted = touchedKeys(keys.range(prefix, after), (key) =>
      base
        ? postings.last(key, position) > 0
        : !ground.gone.has(key) || postings.last(key) > position,
    );
    if (!base) return inBatches(noted, () => listing.size());
    const cursor = base.cursor(beginOf(prefix, after));
    const filed: SortedSource<ListedKey> = {
      *next() {
        for (let lines = yield* cursor.next(); lines; lines = yield* cursor.next()) {
          const kept = lines.filter(
            ({ key }) => key.startsWith(prefix) && (after === undefined || key > after),
          );
          if (kept.length > 0) return kept.map((line) => ({ key: line.key, line }));
          if ((lines[0]?.key ?? '') > prefix) return undefined;
        }
        return undefined;
      },
    };
    return resized(new Merged([filed, inBatches(noted)]), listing);
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

/** A key that a listing looks at, with its line in the snapshot where that says all. */
interface ListedKey {
  readonly key: string;
  readonly line?: SortedLine;
}

/** How far a listing is, and how much it takes at once. */
class Listing {
  readonly prefix: string;
  /** The last key looked at. */
  after: string | undefined;
  left: number;
  #size = FIRST_KEYS;

  constructor({ prefix = '', after, limit = Number.POSITIVE_INFINITY }: EntriesRange) {
    this.prefix = prefix;
    this.after = after;
    this.left = limit;
  }

  size(): number {
    const size = Math.min(this.#size, this.left);
    this.#size = Math.min(2 * this.#size, KEYS_MAX);
    return size;
  }
}

function* touchedKeys(
  keys: Iterable<string>,
  isTouched: (key: string) => boolean,
): Generator<string, void, undefined> {
  for (const key of keys) if (isTouched(key)) yield key;
}

function inBatches(
  keys: Iterable<string>,
  size: () => number = () => KEYS_MAX,
): SortedSource<ListedKey> {
  const iterator = keys[Symbol.iterator]();
  return {
    *next() {
      const batch = take(iterator, size());
      return batch.length > 0 ? batch.map((key) => ({ key })) : undefined;
    },
  };
}

function fromWork(work: Work<string>, listing: Listing): SortedSource<ListedKey> {
  const source: SortedSource<ListedKey> = {
    *next() {
      const keys = yield* nextBatch(work);
      return keys?.map((key) => ({ key }));
    },
  };
  return resized(source, listing);
}

/** The same in batches of the listing's size. */
function resized(source: SortedSource<ListedKey>, listing: Listing): SortedSource<ListedKey> {
  let waiting: readonly ListedKey[] = [];
  let at = 0;
  return {
    *next() {
      const size = listing.size();
      const batch: ListedKey[] = [];
      while (batch.length < size) {
        if (at === waiting.length) {
          const next = yield* source.next();
          if (!next) break;
          waiting = next;
          at = 0;
        }
        const taken = waiting.slice(at, at + size - batch.length);
        at += taken.length;
        batch.push(...taken);
      }
      return batch.length > 0 ? batch : undefined;
    },
  };
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
