/**
 * The segments of a log and what can be asked of them: the one that is being written answers from memory, the closed ones through
 * their indexes.
 *
 * Invariants:
 * - what is known here is durable: the tail is only ever given commits that are;
 * - an answer holds for the moment it is given, also when the tail was closed while it was looked up;
 * - memory does not grow with the number of closed segments beyond a few facts each.
 */
import { StoreDamagedError } from '../errors.js';
import { hashName, type NameHash } from './bloom-filter.js';
import {
  type ClosedSegment,
  ClosedSegments,
  type ClosedSegmentsOptions,
} from './closed-segments.js';
import type { ClosingFacts } from './index-encode.js';
import type { Io } from './io.js';
import type { LogSnapshot } from './log-snapshot.js';
import { type CommitPlace, type KeyPlace, type SegmentIndex, TailIndex } from './segment-index.js';
import { LineBuffers } from './segment-lines.js';
import { SortedProblem } from './sorted-format.js';
import { SortedFiles } from './sorted-read.js';
import { VersionCache } from './version-cache.js';

export interface SegmentsOptions extends ClosedSegmentsOptions {
  /** The index of the segment that is being written. */
  readonly tail: TailIndex;
  readonly idempotencyWindow: number;
  /** Commits with an idempotency key before the tail. Left out, keys are counted from the tail on: only distances matter. */
  readonly keyedBeforeTail?: number;
  /** Streams whose version is remembered once it was looked up. */
  readonly versionsMax?: number;
  /** What is known of the segments before its position without asking them. */
  readonly snapshot?: LogSnapshot | undefined;
  /** The sorted files of the store. */
  readonly sorted?: SortedFiles | undefined;
}

/** A commit with the key, and its number among all commits with a key, as `Segments.keyed` counts. */
export interface FoundKey extends KeyPlace {
  /** First position (name) of its segment. */
  readonly segment: number;
}

export interface SegmentsFacts {
  readonly segments: number;
  readonly commits: number;
  readonly events: number;
  readonly keyed: number;
  /** Bytes of the closed segments. */
  readonly closedBytes: number;
}

const VERSIONS_MAX = 100_000;

export class Segments {
  readonly #closed: ClosedSegments;
  readonly #window: number;
  readonly #versions: VersionCache;
  readonly sorted: SortedFiles;
  readonly lineBuffers: LineBuffers = new LineBuffers(this);
  #tail: TailIndex;
  #keyedBeforeTail: number;
  #snapshot: LogSnapshot | undefined;

  constructor(options: SegmentsOptions) {
    this.#closed = new ClosedSegments(options, options.tail.first);
    this.#window = options.idempotencyWindow;
    this.#versions = new VersionCache(options.versionsMax ?? VERSIONS_MAX);
    this.#tail = options.tail;
    this.#keyedBeforeTail = options.keyedBeforeTail ?? 0;
    this.#snapshot = options.snapshot;
    this.sorted = options.sorted ?? new SortedFiles();
  }

  /** The log snapshot in use. */
  get snapshot(): LogSnapshot | undefined {
    return this.#snapshot;
  }

  /** From now on that snapshot answers for the segments before its position. */
  adopt(snapshot: LogSnapshot): void {
    if (snapshot.position > (this.#snapshot?.position ?? 0)) this.#snapshot = snapshot;
  }

  /** A piece of it was broken: the segments' own indexes answer from now on. */
  lose(snapshot: LogSnapshot, error: unknown): void {
    if (!(error instanceof SortedProblem)) throw error;
    if (this.#snapshot === snapshot) this.#snapshot = undefined;
  }

  /** Whether the log snapshot answers for that segment. */
  #isCovered({ first }: ClosedSegment): boolean {
    return first <= (this.#snapshot?.position ?? 0);
  }

  /** The index of the segment that is being written. */
  get tail(): TailIndex {
    return this.#tail;
  }

  /** Commits with an idempotency key so far, counted from `keyedBeforeTail`. */
  get keyed(): number {
    return this.#keyedBeforeTail + this.#tail.keyed;
  }

  /** Segments, as far as the directory was looked at. */
  get count(): number {
    return 1 + (this.#closed.known?.length ?? 0);
  }

  /** The tail was closed with that seal and `next` follows it. The old one answers from memory until `writePendingIndexes`. */
  rotate(next: TailIndex, closing: { readonly seal: string }): void {
    const old = this.#tail;
    this.#closed.add(old, closing.seal);
    // What the old tail says is newer than anything looked up before.
    for (const stream of old.streams()) this.#versions.set(stream, old.versionNow(stream));
    this.#keyedBeforeTail += old.keyed;
    this.#tail = next;
  }

  /** Others closed the tail, and dropped it: what is left of it says which versions streams reached there. */
  skip({
    first,
    last,
    keyed,
  }: {
    readonly first: number;
    readonly last: number;
    readonly keyed: number;
  }): void {
    this.#closed.addDropped(first, last);
    this.#versions.clear();
    this.#keyedBeforeTail += keyed;
    this.#tail = new TailIndex(last + 1);
  }

  /** Writes the indexes of segments that were closed meanwhile, for the next opening and to free their memory. Best effort. */
  *writePendingIndexes(): Io<void> {
    yield* this.#closed.settle();
    yield* this.letGo();
  }

  /** Closes the files of closed segments that nobody reads right now. Whoever compacts ends a segment first: with each new one they may have been moved. */
  *letGo(): Io<void> {
    yield* this.#closed.letGo();
  }

  /** The stream's version, 0 when absent; `undefined` when a file must be read for it. */
  versionNow(stream: string): number | undefined {
    const inTail = this.#tail.versionNow(stream);
    if (inTail > 0) return inTail;
    if (this.#tail.first === 1) return 0;
    const known = this.#versions.get(stream);
    if (known !== undefined) return known;
    const version = this.#closedVersionNow(stream);
    if (version !== undefined) this.#versions.set(stream, version);
    return version;
  }

  #closedVersionNow(stream: string): number | undefined {
    const closed = this.#closed.known;
    if (!closed) return undefined;
    const hash = hashName(stream);
    for (let index = closed.length - 1; index >= 0; index -= 1) {
      const segment = closed[index] as ClosedSegment;
      if (this.#isCovered(segment)) {
        return this.#snapshot?.mayHaveNow('streams', hash) === false ? 0 : undefined;
      }
      if (segment.pending) {
        const version = segment.pending.versionNow(stream);
        if (version > 0) return version;
      } else if (segment.index?.mayHave('streams', hash) !== false) return undefined;
    }
    return 0;
  }

  /** The stream's version, 0 when absent. Afterwards `versionNow` knows it, too. */
  *version(stream: string): Io<number> {
    for (;;) {
      const version = this.versionNow(stream);
      if (version !== undefined) return version;
      const tail = this.#tail;
      const found = yield* this.#closedVersion(stream);
      // A segment that was closed meanwhile may hold a later version.
      if (tail === this.#tail) this.#versions.set(stream, found);
    }
  }

  *#closedVersion(stream: string): Io<number> {
    const closed = yield* this.#closed.list();
    const hash = hashName(stream);
    for (let index = closed.length - 1; index >= 0; index -= 1) {
      const segment = closed[index] as ClosedSegment;
      const snapshot = this.#snapshot;
      if (snapshot && this.#isCovered(segment)) {
        try {
          return yield* snapshot.version(stream);
        } catch (error) {
          this.lose(snapshot, error);
        }
      }
      const version = yield* this.#versionIn(segment, stream, hash);
      if (version > 0) return version;
    }
    return 0;
  }

  *#versionIn(segment: ClosedSegment, stream: string, hash: NameHash): Io<number> {
    if (segment.pending) return segment.pending.versionNow(stream);
    if (segment.index?.mayHave('streams', hash) === false) return 0;
    return yield* this.#closed.ask(segment, (index) => index.version(stream));
  }

  /** False when no commit within the idempotency window has the key: certainly, at once. */
  mayHaveKeyNow(key: string): boolean {
    if (this.#tail.mayHaveKey(key)) return true;
    let newer = this.#tail.keyed;
    if (newer >= this.#window) return false;
    const closed = this.#closed.known;
    if (!closed) return true;
    let hash: NameHash | undefined;
    for (let index = closed.length - 1; index >= 0 && newer < this.#window; index -= 1) {
      const segment = closed[index] as ClosedSegment;
      const { pending, index: opened } = segment;
      if (this.#isCovered(segment)) {
        return this.#snapshot?.mayHaveNow('keys', hashName(key)) !== false;
      }
      if (segment.dropped) {
        // What it was about is gone, and the key with it.
      } else if (pending) {
        if (pending.mayHaveKey(key)) return true;
      } else {
        hash ??= hashName(key);
        if (opened?.mayHave('keys', hash) !== false) return true;
      }
      newer += (pending ?? opened)?.keyed ?? 0;
    }
    return false;
  }

  /** The last commit with the key, if it is one of the last `window` commits with a key. */
  *findKey(key: string, window: number = this.#window): Io<FoundKey | undefined> {
    for (;;) {
      const tail = this.#tail;
      const found = this.keyInTail(key) ?? (yield* this.#keyInClosed(key, window));
      if (tail !== this.#tail) continue;
      const last = this.keyInTail(key) ?? found;
      // What it was about is gone, and the key with it.
      if (last && last.segment < this.firstKept) return undefined;
      return last && this.keyed - last.ordinal < window ? last : undefined;
    }
  }

  /** The key's last commit in the segment that is being written, at once. */
  keyInTail(key: string): FoundKey | undefined {
    const place = this.#tail.keyNow(key);
    if (!place) return undefined;
    const ordinal = this.#keyedBeforeTail + place.ordinal;
    return { ...place, ordinal, segment: this.#tail.first };
  }

  *#keyInClosed(key: string, window: number): Io<FoundKey | undefined> {
    const total = this.keyed;
    let before = this.#keyedBeforeTail;
    const closed = yield* this.#closed.list();
    for (let index = closed.length - 1; index >= 0 && total - before < window; index -= 1) {
      const segment = closed[index] as ClosedSegment;
      const snapshot = this.#snapshot;
      if (snapshot && this.#isCovered(segment)) {
        try {
          const place = yield* snapshot.key(key);
          return place && { ...place, ordinal: before - (snapshot.keyed - place.ordinal) };
        } catch (error) {
          this.lose(snapshot, error);
        }
      }
      const { keyed, place } = yield* this.#closed.ask(segment, function* (facts) {
        return { keyed: facts.keyed, place: yield* facts.key(key) };
      });
      before -= keyed;
      if (place && !segment.dropped)
        return { ...place, ordinal: before + place.ordinal, segment: segment.first };
    }
    return undefined;
  }

  /** The first position (name) of the segment that holds the position, or will. */
  *segmentOf(position: number): Io<number> {
    if (position >= this.#tail.first) return this.#tail.first;
    const closed = yield* this.#closed.list();
    return (closed[indexOf(closed, position)] ?? { first: 1 }).first;
  }

  /** The last segment, up to the one that holds the position `bound`, whose first commit is of that time or earlier. */
  *begunBy(time: string, bound: number): Io<number | undefined> {
    const { tail } = this;
    if (bound >= tail.first && tail.firstTime !== '' && tail.firstTime <= time) return tail.first;
    const closed = yield* this.#closed.list();
    let low = 0;
    let high = indexOf(closed, bound) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const segment = closed[middle] as ClosedSegment;
      const firstTime = yield* this.#closed.ask(segment, firstTimeOf);
      if (firstTime <= time) low = middle + 1;
      else high = middle;
    }
    return closed[low - 1]?.first;
  }

  /** The last position in that segment. */
  *lastOf(first: number): Io<number> {
    if (first >= this.#tail.first) return this.#tail.last;
    const closed = yield* this.#closed.list();
    return (closed[indexOf(closed, first) + 1]?.first ?? this.#tail.first) - 1;
  }

  /** A commit at or before the position, from which to read on; the segment's beginning when its index cannot be had. */
  *commitBefore(first: number, position: number): Io<CommitPlace> {
    const beginning = { position: first, offset: 0 };
    if (position <= first) return beginning;
    try {
      return yield* this.ask(first, (index) => index.commitBefore(position));
    } catch (error) {
      // What stands before the damage can be read all the same.
      if (error instanceof StoreDamagedError) return beginning;
      throw error;
    }
  }

  /** Offsets of the commits in that segment that hold versions `from` to `to` of the stream, ascending. */
  *commitsIn(first: number, stream: string, from: number, to: number): Io<number[]> {
    return yield* this.ask(first, (index) =>
      index.mayHaveStream(stream) ? index.commitsOf(stream, from, to) : none(),
    );
  }

  /** The segment that holds this version of the stream, which must have been reached. */
  *holding(stream: string, version: number): Io<number | undefined> {
    const { tail } = this;
    const inTail = yield* tail.commitsOf(stream, version, version);
    if (inTail.length > 0) return tail.first;
    if (version <= 1) return yield* this.nextHolding(0, stream, 1);
    const closed = yield* this.#closed.list();
    const hash = hashName(stream);
    // The answer lies between low and high. A segment without the stream tells nothing, so the search steps over it.
    let low = 0;
    let high = closed.length - 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      let probe = middle;
      let last = 0;
      for (; probe >= low && last === 0; probe -= 1) {
        last = yield* this.#versionIn(closed[probe] as ClosedSegment, stream, hash);
      }
      if (last >= version) high = probe + 1;
      else low = middle + 1;
    }
    return closed[low]?.first;
  }

  /** The nearest segment with an event of the stream behind (`1`) or before (`-1`) that one. */
  *nextHolding(first: number, stream: string, step: 1 | -1): Io<number | undefined> {
    const closed = yield* this.#closed.list();
    const hash = hashName(stream);
    const at = first >= this.#tail.first ? closed.length : indexOf(closed, first);
    for (let index = at + step; index >= 0 && index < closed.length; index += step) {
      const segment = closed[index] as ClosedSegment;
      if ((yield* this.#versionIn(segment, stream, hash)) > 0) return segment.first;
    }
    return step > 0 && first < this.#tail.first && this.#tail.mayHaveStream(stream)
      ? this.#tail.first
      : undefined;
  }

  /** First positions of the closed segments, ascending. */
  *closedFirsts(): Io<number[]> {
    return (yield* this.#closed.list()).map(({ first }) => first);
  }

  /** Size and seal of a closed segment, as its closing line says. @throws StoreDamagedError */
  *closingOf(first: number): Io<ClosingFacts> {
    return yield* this.#closed.closing(first, yield* this.lastOf(first));
  }

  /** Asks a segment's index. */
  *ask<T>(first: number, question: (index: SegmentIndex) => Io<T>): Io<T> {
    if (first === this.#tail.first) return yield* question(this.#tail);
    const closed = yield* this.#closed.list();
    const segment = closed[indexOf(closed, first)];
    if (segment?.first !== first) throw this.#closed.missing(first);
    return yield* this.#closed.ask(segment, question);
  }

  /** Reads bytes of a segment; fewer than asked for only at its end. */
  *read(first: number, buffer: Buffer, start: number, length: number, at: number): Io<number> {
    return yield* this.#closed.read(first, buffer, start, length, at);
  }

  /** Bytes of a segment's lines; 0 when they were dropped. */
  *size(first: number): Io<number> {
    return yield* this.#closed.size(first);
  }

  /** Sums over all segments. */
  *facts(): Io<SegmentsFacts> {
    const closed = yield* this.#closed.list();
    const commits = this.#tail.last;
    let { events, keyed } = this.#tail;
    let closedBytes = 0;
    for (const segment of closed) {
      const facts = yield* this.#closed.ask(segment, factsOf);
      events += facts.events;
      keyed += facts.keyed;
      closedBytes += yield* this.#closed.size(segment.first);
    }
    return { segments: closed.length + 1, commits, events, keyed, closedBytes };
  }

  /** The first position whose lines are still there, as far as the directory was looked at. */
  get firstKept(): number {
    return this.#closed.firstKept;
  }

  /** Lets go of what is open of a segment that was moved to the archive or dropped, so that the disk gets its room back. */
  *forget(first: number): Io<void> {
    yield* this.#closed.forget(first);
  }

  damaged(
    first: number,
    offset: number,
    position: number | undefined,
    problem: string,
  ): StoreDamagedError {
    return this.#closed.damaged(first, offset, position, problem);
  }

  /** Closes the files kept open for reading. Reads that follow throw StoreClosedError. */
  *close(): Io<void> {
    yield* this.#closed.close();
    yield* this.sorted.close();
  }
}

/** The number of the last segment that begins at or before the position; -1 when none does. */
function indexOf(closed: readonly ClosedSegment[], position: number): number {
  let low = 0;
  let high = closed.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((closed[middle] as ClosedSegment).first > position) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

// biome-ignore lint/correctness/useYield: the answer takes no I/O
function* none(): Io<number[]> {
  return [];
}

// biome-ignore lint/correctness/useYield: every index knows its facts at once
function* firstTimeOf(index: SegmentIndex): Io<string> {
  return index.firstTime;
}

// biome-ignore lint/correctness/useYield: every index knows its facts at once
function* factsOf(index: SegmentIndex): Io<{ events: number; keyed: number }> {
  return { events: index.events, keyed: index.keyed };
}
