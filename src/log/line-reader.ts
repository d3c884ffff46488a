/** Reads a file in pieces that hold whole lines, in bounded memory however long a line claims to be. */
import { LF, lineBytesMax } from './format.js';
import { ask, type Io } from './io.js';
import type { ByteSource } from './segment-bytes.js';

/** Whole lines: `buffer[start, end)` ends with an LF and stands at `offset` in the file. Valid until the next read. */
export interface Lines {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** Bytes before `to` that no LF ends. */
export interface Rest {
  readonly offset: number;
  readonly bytes: number;
  /** True when reading stopped because the line is longer than the format allows. */
  readonly tooLong: boolean;
}

const FIRST_BYTES = 256 * 1024;

export class LineReader {
  readonly #source: ByteSource;
  readonly #to: number;
  readonly #longest: number;
  #buffer: Buffer;
  /** File offset of buffer[0]. */
  #base: number;
  /** Bytes of the buffer that are filled, and how many of them were handed out. */
  #filled = 0;
  #taken = 0;
  #atEnd = false;
  #tooLong = false;

  /** Reads `[from, to)` of an open file or another source; one that ends earlier ends the reading. */
  constructor(
    source: number | ByteSource,
    from: number,
    to: number,
    options?: { chunkBytes?: number; longest?: number },
  ) {
    this.#source = typeof source === 'number' ? fileSource(source) : source;
    this.#base = from;
    this.#to = to;
    this.#longest = options?.longest ?? lineBytesMax;
    const span = Math.max(1, Math.min(options?.chunkBytes ?? FIRST_BYTES, to - from));
    this.#buffer = Buffer.allocUnsafe(span);
  }

  /** The next whole lines, or `undefined` when none is left; then look at `rest`. */
  *next(): Io<Lines | undefined> {
    for (;;) {
      this.#keepRest();
      if (this.#atEnd) return undefined;
      if (this.#filled === this.#buffer.length && !this.#grow()) return undefined;
      const searchFrom = this.#filled;
      const want = Math.min(
        this.#buffer.length - this.#filled,
        this.#to - this.#base - this.#filled,
      );
      const count =
        want <= 0
          ? 0
          : yield* this.#source.read(this.#buffer, this.#filled, want, this.#base + this.#filled);
      if (count === 0) this.#atEnd = true;
      this.#filled += count;
      const last = this.#buffer.subarray(searchFrom, this.#filled).lastIndexOf(LF);
      if (last >= 0) {
        this.#taken = searchFrom + last + 1;
        return { buffer: this.#buffer, start: 0, end: this.#taken, offset: this.#base };
      }
    }
  }

  /** What is left without an LF; known after `next` gave `undefined`. */
  get rest(): Rest {
    return { offset: this.#base, bytes: this.#filled, tooLong: this.#tooLong };
  }

  #keepRest(): void {
    if (this.#taken === 0) return;
    this.#buffer.copy(this.#buffer, 0, this.#taken, this.#filled);
    this.#base += this.#taken;
    this.#filled -= this.#taken;
    this.#taken = 0;
  }

  #grow(): boolean {
    if (this.#buffer.length >= this.#longest) {
      this.#tooLong = true;
      return false;
    }
    const larger = Buffer.allocUnsafe(Math.min(this.#buffer.length * 2, this.#longest));
    this.#buffer.copy(larger, 0, 0, this.#filled);
    this.#buffer = larger;
    return true;
  }
}

function fileSource(file: number): ByteSource {
  return { read: (buffer, start, length, at) => ask('read', file, buffer, start, length, at) };
}
