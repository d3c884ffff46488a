/**
 * Marks of documents, such as tags, by which they are filtered. A mark is kept as a number made of its text, so that any number of different ones takes no
 * more room than that; two marks in four billion have the same. What a filter lets pass is therefore to be confirmed by whoever knows the marks themselves.
 */
import { withRoom } from './growing.js';

const BEGIN = 1024;

/** The number of a mark: FNV-1a over its UTF-16 code units (Fowler, Noll and Vo), 32 bits. */
export function markOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}

export class Marks {
  /** Where the marks of each document begin in #marks. */
  #start = new Uint32Array(BEGIN + 1);
  #marks = new Uint32Array(4 * BEGIN);

  /** Of the next document: ordinals come one after the other. */
  append(ordinal: number, marks: readonly number[]): void {
    const start = this.#start[ordinal] as number;
    const end = start + marks.length;
    this.#start = withRoom(this.#start, ordinal + 2);
    this.#start[ordinal + 1] = end;
    this.#marks = withRoom(this.#marks, end);
    this.#marks.set(marks, start);
  }

  of(ordinal: number): readonly number[] {
    return [...this.#marks.subarray(this.#start[ordinal], this.#start[ordinal + 1])];
  }

  /** Leaves a 1 only for documents that have one of the marks at least. All are looked at, in one loop without calls. */
  keep(allowed: Uint8Array, ordinals: number, marks: readonly number[]): void {
    const [start, table] = [this.#start, this.#marks];
    const [first = 0, second = first] = marks;
    const others = marks.length > 2 ? new Set(marks) : undefined;
    for (let ordinal = 0; ordinal < ordinals; ordinal += 1) {
      if (allowed[ordinal] === 0) continue;
      const end = marks.length === 0 ? 0 : (start[ordinal + 1] as number);
      let at = start[ordinal] as number;
      while (at < end) {
        const mark = table[at] as number;
        if (mark === first || mark === second || others?.has(mark) === true) break;
        at += 1;
      }
      if (at >= end) allowed[ordinal] = 0;
    }
  }

  get bytes(): number {
    return this.#start.byteLength + this.#marks.byteLength;
  }
}
