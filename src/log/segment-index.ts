/** What can be asked of a segment without reading it: where a stream's commits stand, a key, a position. */
import type { CommitHead } from './decode.js';
import type { Io } from './io.js';

export interface KeyPlace {
  readonly position: number;
  /** Offset of the commit line in the segment. */
  readonly offset: number;
  /** Its number among the commits of this segment with a key, from 1. */
  readonly ordinal: number;
}

export interface CommitPlace {
  readonly position: number;
  readonly offset: number;
}

/** Facts that every index knows at once. */
export interface SegmentFacts {
  /** First position: the segment's name. */
  readonly first: number;
  /** Last position; `first - 1` when it holds no commit. */
  readonly last: number;
  readonly commits: number;
  readonly events: number;
  /** Commits with an idempotency key. */
  readonly keyed: number;
  /** Times of the first and last commit, `''` when there is none. */
  readonly firstTime: string;
  readonly lastTime: string;
}

export interface SegmentIndex extends SegmentFacts {
  /** In memory, at once: false when the stream certainly has no event in this segment. */
  mayHaveStream(stream: string): boolean;
  /** In memory, at once: false when the key certainly does not stand in this segment. */
  mayHaveKey(key: string): boolean;
  /** The stream's last version in this segment, 0 when it has no event here. */
  version(stream: string): Io<number>;
  /** Offsets of the commit lines that hold versions `from` to `to` of the stream, ascending. */
  commitsOf(stream: string, from: number, to: number): Io<number[]>;
  /** The streams with an event in this segment, in no order. Reads all of their names. */
  streamNames(): Io<Iterable<string>>;
  /** Where the key stands last in this segment. */
  key(key: string): Io<KeyPlace | undefined>;
  /** A commit at or before that position from which to read on; the first commit at the earliest. */
  commitBefore(position: number): Io<CommitPlace>;
  /** Some streams behind that name, in the order of their UTF-16 code units, each with its last version here; none at the end. */
  streamsBehind(after: string): Io<StreamVersion[]>;
  /** Streams with an event here, or more. */
  streamCountMax(): Io<number>;
  /** Some idempotency keys behind that one, in the same order, each with its last place here; none at the end. */
  keysBehind(after: string): Io<NamedKey[]>;
}

export interface StreamVersion {
  readonly key: string;
  readonly version: number;
}

export interface NamedKey extends KeyPlace {
  readonly key: string;
}

/** Every this many commits a position is noted. */
export const POSITION_STRIDE = 64;
const NONE = -1;
const NAMES_AT_ONCE = 512;
const POSTING_FIELDS = 5;

/**
 * The index of the segment that is being written, in memory. A stream's postings are a chain in one flat array,
 * because a Map of small arrays costs ten times the memory.
 */
export class TailIndex implements SegmentIndex {
  readonly first: number;
  #last: number;
  #events = 0;
  #firstTime = '';
  #lastTime = '';
  /** stream -> its last posting */
  readonly #streams = new Map<string, number>();
  /** offset, last version, versions in that commit, the posting before, position */
  #postings = new Float64Array(256 * POSTING_FIELDS);
  #postingCount = 0;
  readonly #keys = new Map<string, KeyPlace>();
  #keyed = 0;
  readonly #strides: CommitPlace[] = [];
  /** Names in order, once somebody asked for that. */
  #sortedStreams: string[] | undefined;
  #sortedKeys: string[] | undefined;

  constructor(first: number) {
    this.first = first;
    this.#last = first - 1;
  }

  get last(): number {
    return this.#last;
  }

  get commits(): number {
    return this.#last - this.first + 1;
  }

  get events(): number {
    return this.#events;
  }

  get keyed(): number {
    return this.#keyed;
  }

  get firstTime(): string {
    return this.#firstTime;
  }

  get lastTime(): string {
    return this.#lastTime;
  }

  /** Streams with an event in this segment. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Adds a durable commit by its parts; positions come in order. */
  add(
    position: number,
    offset: number,
    time: string,
    streams: readonly string[],
    firstVersions: readonly number[],
    counts: readonly number[],
    idempotencyKey: string | undefined,
  ): void {
    if (this.#last < this.first) this.#firstTime = time;
    if ((position - this.first) % POSITION_STRIDE === 0) this.#strides.push({ position, offset });
    this.#last = position;
    this.#lastTime = time;
    for (let index = 0; index < streams.length; index += 1) {
      const stream = streams[index] as string;
      const count = counts[index] as number;
      this.#events += count;
      const posting = this.#postingCount;
      const at = posting * POSTING_FIELDS;
      if (at === this.#postings.length) this.#grow();
      this.#postings[at] = offset;
      this.#postings[at + 1] = (firstVersions[index] as number) + count - 1;
      this.#postings[at + 2] = count;
      this.#postings[at + 3] = this.#streams.get(stream) ?? NONE;
      this.#postings[at + 4] = position;
      this.#postingCount = posting + 1;
      this.#streams.set(stream, posting);
    }
    if (idempotencyKey !== undefined) {
      this.#keyed += 1;
      this.#keys.set(idempotencyKey, { position, offset, ordinal: this.#keyed });
    }
  }

  /** Adds a durable commit as it was read back. */
  addHead(head: CommitHead, offset: number): void {
    const parts = partsOf(head);
    this.add(head.p, offset, head.t, parts.streams, parts.firstVersions, parts.counts, head.k);
  }

  #grow(): void {
    const larger = new Float64Array(this.#postings.length * 2);
    larger.set(this.#postings);
    this.#postings = larger;
  }

  /** The stream's last version in this segment, 0 when it has none. */
  versionNow(stream: string): number {
    const posting = this.#streams.get(stream);
    return posting === undefined ? 0 : (this.#postings[posting * POSTING_FIELDS + 1] as number);
  }

  /** Position of the last commit with an event of the stream in this segment, 0 when there is none. */
  lastPosition(stream: string): number {
    const posting = this.#streams.get(stream);
    return posting === undefined ? 0 : (this.#postings[posting * POSTING_FIELDS + 4] as number);
  }

  keyNow(key: string): KeyPlace | undefined {
    return this.#keys.get(key);
  }

  mayHaveStream(stream: string): boolean {
    return this.#streams.has(stream);
  }

  mayHaveKey(key: string): boolean {
    return this.#keys.has(key);
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *version(stream: string): Io<number> {
    return this.versionNow(stream);
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *commitsOf(stream: string, from: number, to: number): Io<number[]> {
    const offsets: number[] = [];
    for (const posting of this.postingsOf(stream)) {
      if (posting.lastVersion < from) break;
      if (posting.lastVersion - posting.count < to) offsets.push(posting.offset);
    }
    return offsets.reverse();
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *streamNames(): Io<Iterable<string>> {
    return this.streams();
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *key(key: string): Io<KeyPlace | undefined> {
    return this.keyNow(key);
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *commitBefore(position: number): Io<CommitPlace> {
    const stride = Math.floor((Math.max(position, this.first) - this.first) / POSITION_STRIDE);
    const place = this.#strides[Math.min(stride, this.#strides.length - 1)];
    return place ?? { position: this.first, offset: 0 };
  }

  *streamsBehind(after: string): Io<StreamVersion[]> {
    if (this.#sortedStreams?.length !== this.#streams.size) {
      this.#sortedStreams = [...this.#streams.keys()].sort();
    }
    return namesBehind(this.#sortedStreams, after).map((key) => ({
      key,
      version: this.versionNow(key),
    }));
  }

  // biome-ignore lint/correctness/useYield: this index does no I/O, others do
  *streamCountMax(): Io<number> {
    return this.#streams.size;
  }

  *keysBehind(after: string): Io<NamedKey[]> {
    if (this.#sortedKeys?.length !== this.#keys.size) {
      this.#sortedKeys = [...this.#keys.keys()].sort();
    }
    return namesBehind(this.#sortedKeys, after).map((key) => ({
      key,
      ...(this.#keys.get(key) as KeyPlace),
    }));
  }

  /** All streams, in no order. */
  streams(): Iterable<string> {
    return this.#streams.keys();
  }

  /** A stream's postings, newest first. */
  *postingsOf(
    stream: string,
  ): Generator<{ offset: number; lastVersion: number; count: number }, void> {
    let posting = this.#streams.get(stream) ?? NONE;
    while (posting !== NONE) {
      const at = posting * POSTING_FIELDS;
      yield {
        offset: this.#postings[at] as number,
        lastVersion: this.#postings[at + 1] as number,
        count: this.#postings[at + 2] as number,
      };
      posting = this.#postings[at + 3] as number;
    }
  }

  /** All idempotency keys, in no order. */
  keyNames(): Iterable<string> {
    return this.#keys.keys();
  }

  strides(): readonly CommitPlace[] {
    return this.#strides;
  }
}

/** Some of the sorted names behind one. */
function namesBehind(sorted: readonly string[], after: string): readonly string[] {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) > after) high = middle;
    else low = middle + 1;
  }
  return sorted.slice(low, low + NAMES_AT_ONCE);
}

/** A commit's events summed up by stream, in order of first appearance. */
export function partsOf(head: CommitHead): {
  streams: string[];
  firstVersions: number[];
  counts: number[];
} {
  const streams: string[] = [];
  const firstVersions: number[] = [];
  const counts: number[] = [];
  for (const [stream, version] of head.e) {
    const known = streams.indexOf(stream);
    if (known < 0) {
      streams.push(stream);
      firstVersions.push(version);
      counts.push(1);
    } else {
      counts[known] = (counts[known] as number) + 1;
    }
  }
  return { streams, firstVersions, counts };
}
