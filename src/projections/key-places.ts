/**
 * Where the events of keys stand in closed segments. What the engine notes while it routes is in memory and begins behind a snapshot; what is before
 * that is asked of files. Where the key of an event is its stream, the index of each segment knows; else there is a file for each segment
 * (docs/FORMAT.md, "Snapshots"), made by one walk through the segment when it is missing or broken.
 */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { ByteLru } from '../log/byte-lru.js';
import type { Io } from '../log/io.js';
import type { SortedSource } from '../log/merge.js';
import type { Segments } from '../log/segments.js';
import { type Identity, placesName } from '../log/snapshot-files.js';
import { SortedProblem } from '../log/sorted-format.js';
import { SortedFile } from '../log/sorted-read.js';
import { SortedWriter } from '../log/sorted-write.js';
import type { Feed, FeedCommit } from './ports.js';
import type { ShelfPlace } from './shelf.js';

export interface NamedItem {
  readonly key: string;
}

export interface KeyPlaces {
  /** Offsets of the commits of that closed segment that may have an event of the key, ascending. */
  commitsIn(first: number, key: string): Io<readonly number[]>;
  /** Keys that may have an event in that closed segment, in order, from the first one behind `after`. */
  keysIn(first: number, after: string): SortedSource<NamedItem>;
  /** Makes what is missing for that closed segment. Best effort. */
  prepare(first: number): Io<void>;
}

/** Keys that are streams. */
export class StreamPlaces implements KeyPlaces {
  readonly #segments: Segments;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  *commitsIn(first: number, key: string): Io<readonly number[]> {
    return yield* this.#segments.commitsIn(first, key, 1, Number.POSITIVE_INFINITY);
  }

  keysIn(first: number, after: string): SortedSource<NamedItem> {
    const segments = this.#segments;
    let behind = after;
    return {
      *next() {
        const streams = yield* segments.ask(first, (index) => index.streamsBehind(behind));
        behind = streams.at(-1)?.key ?? behind;
        return streams.length > 0 ? streams : undefined;
      },
    };
  }

  *prepare(): Io<void> {}
}

interface PlacesLine {
  readonly k: string;
  /** The first offset, then the distance to each that follows. */
  readonly o: readonly number[];
}

/** Offsets by key, keys in order. */
type Noted = ReadonlyMap<string, readonly number[]>;

type Holder = SortedFile | Noted;

export interface FiledPlacesParts {
  readonly place: ShelfPlace & {
    readonly writable: boolean;
    readonly randomBytes: (count: number) => Buffer;
  };
  readonly identity: Identity;
  /** A feed whose first commit is the one behind that position. */
  readonly feed: (after: number) => Feed;
  /** The keys that the events of a commit touch; `undefined` when the projection stops there. */
  readonly keysOf: (commit: FeedCommit) => ReadonlySet<string> | undefined;
}

const NOTED_BYTES = 16 * 1024 * 1024;
const NOTED_KEY_BYTES = 150;

/** Keys of any kind, in files that are made for it. */
export class FiledPlaces implements KeyPlaces {
  readonly #parts: FiledPlacesParts;
  readonly #open = new Map<number, SortedFile>();
  /** Of segments whose file cannot be written. */
  readonly #noted = new ByteLru<number, Noted>(NOTED_BYTES);

  constructor(parts: FiledPlacesParts) {
    this.#parts = parts;
  }

  *commitsIn(first: number, key: string): Io<readonly number[]> {
    return yield* this.#asking(first, function* (holder) {
      if (!(holder instanceof SortedFile)) return holder.get(key) ?? [];
      const line = yield* holder.find<PlacesLine>('places', key);
      let offset = 0;
      return (line?.o ?? []).map((delta) => {
        offset += delta;
        return offset;
      });
    });
  }

  keysIn(first: number, after: string): SortedSource<NamedItem> {
    let behind = after;
    const next = () =>
      this.#asking(first, function* (holder): Io<NamedItem[] | undefined> {
        if (!(holder instanceof SortedFile)) {
          const keys = [...holder.keys()].filter((key) => key > behind);
          return keys.length > 0 ? keys.map((key) => ({ key })) : undefined;
        }
        const cursor = holder.cursor('places', behind);
        for (let lines = yield* cursor.next(); lines; lines = yield* cursor.next()) {
          const found = lines.filter(({ key }) => key > behind);
          if (found.length > 0) return found;
        }
        return undefined;
      });
    return {
      *next() {
        const items = yield* next();
        behind = items?.at(-1)?.key ?? behind;
        return items;
      },
    };
  }

  *prepare(first: number): Io<void> {
    yield* this.#holder(first);
  }

  *#asking<T>(first: number, question: (holder: Holder) => Io<T>): Io<T> {
    try {
      return yield* question(yield* this.#holder(first));
    } catch (error) {
      if (!(error instanceof SortedProblem)) throw error;
    }
    yield* this.#forget(first);
    return yield* question(yield* this.#make(first));
  }

  *#forget(first: number): Io<void> {
    this.#open.delete(first);
    yield* this.#parts.place.segments.sorted.forget(this.#pathOf(first));
  }

  #pathOf(first: number): string {
    const { place, identity } = this.#parts;
    return join(place.paths.index, placesName(identity, first));
  }

  *#holder(first: number): Io<Holder> {
    const known = this.#open.get(first) ?? this.#noted.get(first);
    if (known) return known;
    try {
      return yield* this.#openFile(first);
    } catch (error) {
      if (!(error instanceof SortedProblem)) throw error;
    }
    yield* this.#forget(first);
    return yield* this.#make(first);
  }

  *#openFile(first: number): Io<SortedFile> {
    const { place, identity } = this.#parts;
    const { segments, storeId } = place;
    const file = yield* segments.sorted.open(this.#pathOf(first));
    const { snapshot, store, name, version, fingerprint, position, seal } = file.header;
    const { seal: expected } = yield* segments.closingOf(first);
    const same =
      snapshot === 'places' &&
      store === storeId &&
      name === identity.name &&
      version === identity.version &&
      fingerprint === identity.fingerprint &&
      position === (yield* segments.lastOf(first)) &&
      seal === expected;
    if (!same) throw new SortedProblem('of another projection, store or segment');
    this.#open.set(first, file);
    return file;
  }

  /** Walks through the segment. */
  *#make(first: number): Io<Holder> {
    const { segments, writable } = this.#parts.place;
    const last = yield* segments.lastOf(first);
    const offsets = new Map<string, number[]>();
    let whole = true;
    yield* this.#parts.feed(first - 1).advance((commit) => {
      const keys = this.#parts.keysOf(commit);
      if (!keys) whole = false;
      for (const key of keys ?? []) {
        const known = offsets.get(key);
        if (known) known.push(commit.offset);
        else offsets.set(key, [commit.offset]);
      }
    }, last);
    const noted = new Map([...offsets].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (whole && writable) {
      try {
        yield* this.#write(first, last, noted);
        return yield* this.#openFile(first);
      } catch (error) {
        // It is derived: what cannot be written is kept in memory, as far as there is room.
        if (systemCode(error) === undefined && !(error instanceof SortedProblem)) throw error;
      }
    }
    this.#noted.set(first, noted, noted.size * NOTED_KEY_BYTES);
    return noted;
  }

  *#write(first: number, last: number, noted: Noted): Io<void> {
    const { place, identity } = this.#parts;
    const { segments, storeId, paths, randomBytes } = place;
    const { seal } = yield* segments.closingOf(first);
    const { lastTime: time } = yield* segments.ask(first, factsOf);
    const { name, version, fingerprint } = identity;
    const header = { store: storeId, position: last, time, seal, name, version, fingerprint };
    const file = placesName(identity, first);
    const writer = yield* SortedWriter.begin(paths.index, file, randomBytes, {
      snapshot: 'places',
      ...header,
    });
    try {
      writer.beginSection('places', noted.size);
      for (const [key, offsets] of noted) {
        const deltas = offsets.map(
          (offset, at) => offset - (at === 0 ? 0 : (offsets[at - 1] as number)),
        );
        const line = `{"k":${JSON.stringify(key)},"o":[${deltas.join(',')}]}\n`;
        if (writer.add(key, line)) yield* writer.flush();
      }
      yield* writer.endSection();
      yield* writer.publish();
    } catch (error) {
      yield* writer.discard();
      throw error;
    }
  }
}

// biome-ignore lint/correctness/useYield: every index knows its facts at once
function* factsOf(index: { readonly lastTime: string }): Io<{ readonly lastTime: string }> {
  return index;
}
