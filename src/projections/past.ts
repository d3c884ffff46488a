/** What a projection can be asked of the time before the snapshot that it stands on: events of a key, and keys, from closed segments. */
import { type DiskRequest, type Io, rest } from '../log/io.js';
import { Merged, type SortedSource, sortedInSlices } from '../log/merge.js';
import type { Segments } from '../log/segments.js';
import type { SortedFile } from '../log/sorted-read.js';
import type { RecordedEvent } from '../log/types.js';
import type { KeyPlaces, NamedItem } from './key-places.js';
import type { Feed, FeedCommit, LogSource } from './ports.js';
import type { Shelf } from './shelf.js';

/** Commits read at once. */
const PORTION = 128;

export interface PastParts {
  readonly shelf: Shelf;
  readonly places: KeyPlaces;
  readonly segments: Segments;
  readonly log: Pick<LogSource, 'position' | 'commitAt' | 'commitsAt'>;
  /** Whether an event, as stored, belongs to the key. */
  readonly belongs: (event: RecordedEvent, key: string) => boolean;
  /** A feed whose first commit is the one behind that position. */
  readonly feed: (after: number) => Feed;
  /** The keys that the events of a commit touch; `undefined` when the projection stops there. */
  readonly keysOf: (commit: FeedCommit) => ReadonlySet<string> | undefined;
}

export class Past {
  readonly #parts: PastParts;

  constructor(parts: PastParts) {
    this.#parts = parts;
  }

  get shelf(): Shelf {
    return this.#parts.shelf;
  }

  get places(): KeyPlaces {
    return this.#parts.places;
  }

  get segments(): Segments {
    return this.#parts.segments;
  }

  /** The newest snapshot at or before that position. */
  *newest(to: number): Io<SortedFile | undefined> {
    return yield* this.#parts.shelf.newest(to, this.#parts.log.position);
  }

  /** The key's events at positions `from` to `to`, which lie in closed segments, as stored, oldest first, in portions of whole commits. */
  *events(
    key: string,
    from: number,
    to: number,
  ): Generator<DiskRequest | readonly RecordedEvent[], void, unknown> {
    const { segments, places } = this.#parts;
    let first = from > to ? 0 : yield* segments.segmentOf(from);
    while (first > 0 && first <= to) {
      const last = yield* segments.lastOf(first);
      let offsets = yield* places.commitsIn(first, key);
      if (from > first && offsets.length > 0) {
        const { offset } = yield* segments.commitBefore(first, from);
        offsets = offsets.filter((each) => each >= offset);
      }
      for (let at = 0; at < offsets.length; at += PORTION) {
        const commits = yield* this.#commits(first, offsets.slice(at, at + PORTION));
        const events = commits.flat().filter((event) => {
          const { position } = event;
          return position >= from && position <= to && this.#parts.belongs(event, key);
        });
        if (events.length > 0) yield events;
        if ((commits.at(-1)?.[0]?.position ?? 0) >= to) return;
        yield* rest();
      }
      if (last < first) return;
      first = last + 1;
    }
  }

  *#commits(first: number, offsets: readonly number[]): Io<readonly (readonly RecordedEvent[])[]> {
    const { log } = this.#parts;
    const [only] = offsets;
    if (log.commitsAt && offsets.length > 1) return yield* log.commitsAt(first, offsets);
    return only === undefined ? [] : [yield* log.commitAt(first, only)];
  }

  /**
   * Keys that may have had an event at positions `from` to `to`, which lie in closed segments: sources to be merged.
   * @param exactly - of a segment of which only a part is asked for, only the keys of that part; it takes a walk through it
   */
  *keySources(
    from: number,
    to: number,
    after: string,
    exactly: boolean,
  ): Io<SortedSource<NamedItem>[]> {
    const { segments, places } = this.#parts;
    const sources: SortedSource<NamedItem>[] = [];
    let first = from > to ? 0 : yield* segments.segmentOf(from);
    while (first > 0 && first <= to) {
      const last = yield* segments.lastOf(first);
      const isPart = from > first || to < last;
      if (exactly && isPart && last >= first) {
        sources.push(yield* this.#keysOf(Math.max(from, first), Math.min(to, last), after));
      } else sources.push(places.keysIn(first, after));
      if (last < first) break;
      first = last + 1;
    }
    return sources;
  }

  /** The keys behind `after` that commits at these positions touch, which lie in one segment. */
  *#keysOf(from: number, to: number, after: string): Io<SortedSource<NamedItem>> {
    const { feed: feedBehind, keysOf } = this.#parts;
    const keys = new Set<string>();
    const feed = feedBehind(from - 1);
    const note = (commit: FeedCommit) => {
      for (const key of keysOf(commit) ?? []) if (key > after) keys.add(key);
    };
    while (feed.position < to) {
      yield* feed.advance(note, Math.min(to, feed.position + PORTION));
      yield* rest();
    }
    return yield* sortedInSlices(keys);
  }
}

/** Keys of several sources, each once, that begin with the prefix and stand behind `after`. */
export function keysWithin(
  sources: readonly SortedSource<NamedItem>[],
  prefix: string,
  after: string | undefined,
): SortedSource<NamedItem> {
  const merged = new Merged(sources);
  return {
    *next() {
      for (let items = yield* merged.next(); items; items = yield* merged.next()) {
        const kept = items.filter(
          ({ key }) => key.startsWith(prefix) && (after === undefined || key > after),
        );
        if (kept.length > 0) return kept;
        if ((items[0]?.key ?? '') > prefix && !items.some(({ key }) => key < prefix))
          return undefined;
      }
      return undefined;
    },
  };
}

/** A key behind which all stand that begin with the prefix and stand behind `after`, and little else. */
export function beginOf(prefix: string, after: string | undefined): string {
  if (after !== undefined && after >= prefix) return after;
  if (prefix === '') return '';
  const last = prefix.charCodeAt(prefix.length - 1);
  const before = prefix.slice(0, -1);
  return last === 0 ? before : `${before}${String.fromCharCode(last - 1)}\uffff`;
}
