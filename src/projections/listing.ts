/** Goes along the keys of a projection in their order: which had an event in a stretch of the log, and what the state of each is. */
import { nextBatch } from '../log/event-sequence.js';
import type { DiskRequest, Io } from '../log/io.js';
import { Merged, type SortedSource } from '../log/merge.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedLine } from '../log/sorted-read.js';
import type { Ground } from './ground.js';
import type { NamedItem } from './key-places.js';
import type { KeyReader, Outcome } from './key-reader.js';
import { beginOf, keysWithin, type Past } from './past.js';
import type { ProjectionSnapshot } from './snapshot.js';

/** Keys that a listing reads at once: few at first, then more. */
const FIRST_KEYS = 16;
const KEYS_MAX = 512;

export interface EntriesRange {
  readonly prefix?: string | undefined;
  /** Keys behind this one only. */
  readonly after?: string | undefined;
  /** Entries at most. */
  readonly limit?: number | undefined;
}

export type Entry = readonly [key: string, state: unknown];

/** Reading bit by bit: the disk calls it wants, and what it finds as it comes. */
export type Work<T> = Generator<DiskRequest | readonly T[], void, unknown>;

/** A listing. */
export type EntryWork = Work<Entry>;

/** What a listing asks of a projection. */
export interface Listable {
  readonly projection: {
    readonly ground: Ground;
    readonly past: Past | undefined;
    readonly hot: ReadonlyMap<string, unknown>;
    leave(ground: Ground): Io<void>;
  };
  readonly reader: KeyReader;
  readonly absent: symbol;
  /** @throws ProjectionFailedError, StoreClosedError */
  checkReadable(position: number): void;
  /** @throws ProjectionFailedError for a key that is stopped */
  given(key: string, outcome: Outcome): unknown;
}

/**
 * Keys and their states as of a position that was routed. Absent ones are left out.
 * @throws ProjectionFailedError at a key that is stopped, behind the entries before it; StoreClosedError, StoreDamagedError
 */
export function* listEntries(from: Listable, range: EntriesRange, position: number): EntryWork {
  const { projection } = from;
  const listing = new Listing(range);
  while (listing.left > 0) {
    const { ground } = projection;
    try {
      const keys = listed(ground, projection.past, listing, position);
      yield* entriesOf(from, keys, listing, ground, position);
      return;
    } catch (error) {
      if (!(error instanceof SortedProblem) || !ground.base) throw error;
      // The listing goes on behind the key before, on other ground.
      yield* projection.leave(ground);
    }
  }
}

function* entriesOf(
  from: Listable,
  keys: SortedSource<ListedKey>,
  listing: Listing,
  ground: Ground,
  position: number,
): EntryWork {
  const { absent } = from;
  while (listing.left > 0) {
    from.checkReadable(position);
    const batch = yield* keys.next();
    if (!batch) return;
    const outcomes = yield* outcomesOf(from, batch, ground, position);
    const failed = outcomes.findIndex((outcome) => 'failure' in outcome);
    const entries: Entry[] = [];
    for (const [at, outcome] of outcomes.entries()) {
      if (at === failed || entries.length === listing.left) break;
      const { key } = batch[at] as ListedKey;
      const state = from.given(key, outcome);
      listing.after = key;
      if (state !== absent) entries.push(Object.freeze([key, state] as const));
      else if (ground.postings.last(key) <= position && !ground.base) ground.gone.add(key);
    }
    listing.left -= entries.length;
    if (entries.length > 0) yield entries;
    const key = failed < 0 || listing.left === 0 ? undefined : batch[failed]?.key;
    if (key !== undefined) from.given(key, outcomes[failed] as Outcome);
  }
}

/** In the order of the keys: those that a line of the snapshot tells of at once, the others together. */
function* outcomesOf(
  { projection, reader }: Listable,
  batch: readonly ListedKey[],
  ground: Ground,
  position: number,
): Io<readonly Outcome[]> {
  const others = batch.filter(({ line }) => line === undefined).map(({ key }) => key);
  const read = others.length === 0 ? [] : yield* reader.several(others, position);
  if (others.length === batch.length) return read;
  const outcomes: Outcome[] = [];
  let at = 0;
  for (const { key, line } of batch) {
    if (line === undefined) {
      outcomes.push(read[at] as Outcome);
      at += 1;
      continue;
    }
    const state = projection.hot.get(key);
    if (state !== undefined && ground.postings.last(key) <= position) outcomes.push({ state });
    else {
      const saved = (ground.base as ProjectionSnapshot).saved(line);
      outcomes.push(yield* reader.saved(key, saved, ground));
    }
  }
  return outcomes;
}

/** The keys that a listing is to look at, in batches. */
function listed(
  ground: Ground,
  past: Past | undefined,
  listing: Listing,
  position: number,
): SortedSource<ListedKey> {
  const { base, keys, postings } = ground;
  const { prefix, after } = listing;
  if (base && position < base.position) {
    const stretch = { prefix, low: 0, high: position, after };
    return fromWork(keysBetween(ground, past, stretch), listing);
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

/** Part of the log and of the keys. */
export interface Stretch {
  readonly prefix: string;
  /** Positions behind this one, up to `high`. */
  readonly low: number;
  readonly high: number;
  /** Keys behind this one only. */
  readonly after?: string | undefined;
}

/**
 * Keys that may have had an event there, sorted, in batches: all that had one, unless they were absent at both ends.
 * @throws StoreDamagedError
 */
export function* keysBetween(
  { base, postings, keys }: Ground,
  past: Past | undefined,
  { prefix, low, high, after }: Stretch,
): Work<string> {
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
      // Looking at too many keys costs a listing little, which asks for a few at a time; a comparison folds each of them twice.
      const to = Math.min(high, base.position);
      sources.push(...(yield* past.keySources(from + 1, to, begin, low > 0)));
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
