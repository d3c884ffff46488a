/**
 * Where the events of each key stand. A key's events are a chain of growing chunks, newest first, in flat arrays: 20 bytes
 * an event and 16 a chunk, where a Map of small arrays takes ten times that.
 *
 * Invariants: records and chunks never move and positions of a key never go down, so that an iteration stays right while more is added.
 */
import type { EventPlace, PlaceIndex } from './ports.js';

const PAGE_BITS = 10;
const PAGE = 1 << PAGE_BITS;
const IN_PAGE = PAGE - 1;
/** Few enough that a key wastes little, enough that a long chain is walked fast. */
const CHUNK_MAX = 256;
const NONE = -1;

/** The fields of a chunk. */
const START = 0;
const COUNT = 1;
const CAPACITY = 2;
const BEFORE = 3;
const CHUNK_FIELDS = 4;

export class Postings implements PlaceIndex {
  /** key -> its newest chunk */
  readonly #newest = new Map<string, number>();
  readonly #chunks: Int32Array[] = [];
  #chunkCount = 0;
  readonly #positions: Float64Array[] = [];
  readonly #offsets: Float64Array[] = [];
  readonly #indexes: Uint32Array[] = [];
  #recordCount = 0;
  /** Segments, and the first position noted in each. */
  readonly #segments: number[] = [];
  readonly #segmentStarts: number[] = [];

  get size(): number {
    return this.#newest.size;
  }

  /** Events noted, or a few more. */
  get count(): number {
    return this.#recordCount;
  }

  /** Of the arrays, without the keys. */
  get bytes(): number {
    return PAGE * (20 * this.#positions.length + 4 * CHUNK_FIELDS * this.#chunks.length);
  }

  has(key: string): boolean {
    return this.#newest.has(key);
  }

  keys(): Iterable<string> {
    return this.#newest.keys();
  }

  /** Adds the key's next event; true when it is the first. Positions come in order. */
  add(key: string, position: number, segment: number, offset: number, index: number): boolean {
    if (this.#segments.at(-1) !== segment) {
      this.#segments.push(segment);
      this.#segmentStarts.push(position);
    }
    const known = this.#newest.get(key);
    let chunk = known ?? NONE;
    if (known === undefined || this.#field(chunk, COUNT) === this.#field(chunk, CAPACITY)) {
      chunk = this.#newChunk(this.#capacityBehind(chunk), chunk);
      this.#newest.set(key, chunk);
    }
    const fields = this.#chunks[chunk >> PAGE_BITS] as Int32Array;
    const at = (chunk & IN_PAGE) * CHUNK_FIELDS;
    const record = (fields[at + START] as number) + (fields[at + COUNT] as number);
    fields[at + COUNT] = (fields[at + COUNT] as number) + 1;
    (this.#positions[record >> PAGE_BITS] as Float64Array)[record & IN_PAGE] = position;
    (this.#offsets[record >> PAGE_BITS] as Float64Array)[record & IN_PAGE] = offset;
    (this.#indexes[record >> PAGE_BITS] as Uint32Array)[record & IN_PAGE] = index;
    return known === undefined;
  }

  *places(
    key: string,
    from = 1,
    to: number = Number.POSITIVE_INFINITY,
  ): Generator<EventPlace, void, undefined> {
    const chunks = this.#chunksBetween(key, from, to);
    for (let at = chunks.length - 1; at >= 0; at -= 1) {
      const chunk = chunks[at] as number;
      const start = this.#field(chunk, START);
      const end = start + this.#field(chunk, COUNT);
      for (let record = this.#atOrBehind(start, end, from); record < end; record += 1) {
        const position = this.#position(record);
        if (position > to) return;
        yield this.#place(record, position);
      }
    }
  }

  last(key: string, to: number = Number.POSITIVE_INFINITY): number {
    let chunk = this.#newest.get(key) ?? NONE;
    while (chunk !== NONE) {
      const start = this.#field(chunk, START);
      if (this.#position(start) <= to) {
        const end = start + this.#field(chunk, COUNT);
        return this.#position(this.#atOrBehind(start, end, to + 1) - 1);
      }
      chunk = this.#field(chunk, BEFORE);
    }
    return 0;
  }

  /** Chunks that hold such positions, newest first. */
  #chunksBetween(key: string, from: number, to: number): number[] {
    const chunks: number[] = [];
    let chunk = this.#newest.get(key) ?? NONE;
    while (chunk !== NONE) {
      const start = this.#field(chunk, START);
      const first = this.#position(start);
      if (first <= to) {
        const last = this.#position(start + this.#field(chunk, COUNT) - 1);
        if (last < from) break;
        chunks.push(chunk);
      }
      if (first < from) break;
      chunk = this.#field(chunk, BEFORE);
    }
    return chunks;
  }

  /** The first record from `start` to `end` at that position or behind it. */
  #atOrBehind(start: number, end: number, position: number): number {
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#position(middle) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #place(record: number, position: number): EventPlace {
    return {
      position,
      segment: this.#segmentOf(position),
      offset: (this.#offsets[record >> PAGE_BITS] as Float64Array)[record & IN_PAGE] as number,
      index: (this.#indexes[record >> PAGE_BITS] as Uint32Array)[record & IN_PAGE] as number,
    };
  }

  #segmentOf(position: number): number {
    let low = 0;
    let high = this.#segmentStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segmentStarts[middle] as number) <= position) low = middle;
      else high = middle - 1;
    }
    return this.#segments[low] as number;
  }

  #position(record: number): number {
    return (this.#positions[record >> PAGE_BITS] as Float64Array)[record & IN_PAGE] as number;
  }

  #field(chunk: number, field: number): number {
    const fields = this.#chunks[chunk >> PAGE_BITS] as Int32Array;
    return fields[(chunk & IN_PAGE) * CHUNK_FIELDS + field] as number;
  }

  /** For a key's next chunk. Each size is used twice: doubling at once would leave more of them empty. */
  #capacityBehind(chunk: number): number {
    if (chunk === NONE) return 1;
    const capacity = this.#field(chunk, CAPACITY);
    const before = this.#field(chunk, BEFORE);
    const grows = before !== NONE && this.#field(before, CAPACITY) >= capacity;
    return grows ? Math.min(2 * capacity, CHUNK_MAX) : capacity;
  }

  /** A chunk lies within one page of records, smaller than wanted when the page ends. */
  #newChunk(wanted: number, before: number): number {
    const start = this.#recordCount;
    if ((start & IN_PAGE) === 0) {
      this.#positions.push(new Float64Array(PAGE));
      this.#offsets.push(new Float64Array(PAGE));
      this.#indexes.push(new Uint32Array(PAGE));
    }
    const capacity = Math.min(wanted, PAGE - (start & IN_PAGE));
    this.#recordCount = start + capacity;

    const chunk = this.#chunkCount;
    if ((chunk & IN_PAGE) === 0) this.#chunks.push(new Int32Array(PAGE * CHUNK_FIELDS));
    this.#chunkCount = chunk + 1;
    const fields = this.#chunks[chunk >> PAGE_BITS] as Int32Array;
    const at = (chunk & IN_PAGE) * CHUNK_FIELDS;
    fields[at + START] = start;
    fields[at + COUNT] = 0;
    fields[at + CAPACITY] = capacity;
    fields[at + BEFORE] = before;
    return chunk;
  }
}
