/**
 * Reads the lines of a damaged segment: whole ones, and what can still be found in stretches that are none. Memory stays bounded
 * however long a stretch without an LF is, and sectors that the disk cannot read count as zeros.
 */
import { systemCode } from '../errors.js';
import { checksumHolds } from './decode.js';
import type { DiskCalls } from './disk.js';
import { LF, lineBytesMax } from './format.js';
import { ask, type DiskRequest, type Io } from './io.js';
import { LineReader } from './line-reader.js';
import type { ByteSource } from './segment-bytes.js';

/** Bytes at `[start, end)` of `buffer`, standing at `offset` in the segment. Valid until the next is asked for. */
export interface Stretch {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

type ReadArguments = Parameters<DiskCalls['read']>;

const CHUNK_BYTES = 1024 * 1024;
const SECTOR_BYTES_READ = 4096;
/** How a line begins, whatever its kind; in ASCII, so that offsets in the text are offsets in the bytes. */
const BEGINNING =
  /\{"(?:p":[1-9][0-9]{0,15},"g":"|seal":"[0-9a-f]{64}",|close":[1-9][0-9]{0,15},"seal|segment":[1-9][0-9]{0,15},"format)/g;
/** Behind how many later beginnings a line is looked for: what looks like a beginning can stand inside of data. */
const BEGINNINGS_TRIED = 16;

export class SalvageLines {
  readonly #source: number | ByteSource;
  readonly #size: number;
  readonly #longest: number;
  readonly #unreadable: { readonly from: number; readonly to: number }[] = [];
  #reader: LineReader;

  constructor(source: number | ByteSource, size: number, longest: number = lineBytesMax) {
    this.#source = source;
    this.#size = size;
    this.#longest = longest;
    this.#reader = this.#readerFrom(0);
  }

  /** Whether the disk could not read some byte of `[from, to)`. */
  isUnreadable(from: number, to: number): boolean {
    return this.#unreadable.some((range) => range.from < to && from < range.to);
  }

  /**
   * The next stretch: several whole lines, or, with `broken`, one that no LF ends or that is longer than any line. Of the latter only
   * the end is given, as much as a line can take; `offset - skipped` is where it begins.
   */
  *next(): Io<{ stretch: Stretch; broken: boolean; skipped: number } | undefined> {
    const lines = yield* this.#tolerant(this.#reader.next());
    if (lines) return { stretch: lines, broken: false, skipped: 0 };
    const { rest } = this.#reader;
    if (rest.bytes === 0) return undefined;
    const end = yield* this.#lineEnd(rest.offset + rest.bytes);
    const from = Math.max(rest.offset, end - this.#longest);
    const buffer = Buffer.allocUnsafe(end - from);
    yield* this.#fill(buffer, from);
    this.#reader = this.#readerFrom(end);
    const stretch = { buffer, start: 0, end: buffer.length, offset: from };
    return { stretch, broken: true, skipped: from - rest.offset };
  }

  #readerFrom(offset: number): LineReader {
    const options = { chunkBytes: Math.min(CHUNK_BYTES, this.#longest), longest: this.#longest };
    return new LineReader(this.#source, offset, Math.max(offset, this.#size), options);
  }

  /** Offset behind the first LF at or behind `from`, or the end of the file. */
  *#lineEnd(from: number): Io<number> {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = from; at < this.#size; ) {
      const want = Math.min(buffer.length, this.#size - at);
      const count = yield* this.#tolerant(this.#read(buffer, 0, want, at));
      if (count === 0) break;
      const found = buffer.subarray(0, count).indexOf(LF);
      if (found >= 0) return at + found + 1;
      at += count;
    }
    return Math.max(from, this.#size);
  }

  *#fill(buffer: Buffer, from: number): Io<void> {
    let filled = 0;
    while (filled < buffer.length) {
      const want = buffer.length - filled;
      const at = from + filled;
      const count = yield* this.#tolerant(this.#read(buffer, filled, want, at));
      if (count === 0) buffer.fill(0, filled);
      filled += count === 0 ? want : count;
    }
  }

  #read(buffer: Buffer, start: number, length: number, at: number): Io<number> {
    const source = this.#source;
    return typeof source === 'number'
      ? ask('read', source, buffer, start, length, at)
      : source.read(buffer, start, length, at);
  }

  /** Does the work, with zeros for what the disk cannot read. */
  *#tolerant<T>(work: Io<T>): Io<T> {
    let step = work.next();
    while (!step.done) {
      let answer: unknown;
      try {
        answer = yield step.value;
      } catch (error) {
        if (step.value.method !== 'read' || systemCode(error) !== 'EIO') {
          step = work.throw(error);
          continue;
        }
        answer = yield* this.#readSector(step.value);
      }
      step = work.next(answer);
    }
    return step.value;
  }

  /** The beginning of what was asked for, up to the next sector border. */
  *#readSector(request: DiskRequest): Io<number> {
    const [file, buffer, offset, length, position] = request.args as unknown as ReadArguments;
    const bytes = Math.min(length, SECTOR_BYTES_READ - (position % SECTOR_BYTES_READ));
    try {
      return yield* ask('read', file, buffer, offset, bytes, position);
    } catch (error) {
      if (systemCode(error) !== 'EIO') throw error;
      buffer.fill(0, offset, offset + bytes);
      this.#unreadable.push({ from: position, to: position + bytes });
      return bytes;
    }
  }
}

/**
 * Lines whose checksum holds in a stretch that is no line as a whole: behind junk, or run into one because the LF between them is
 * damaged. The last byte of each is taken for an LF, and is one in the buffer afterwards; `lineEnd` tells whether it was.
 */
export function* linesWithin(
  stretch: Stretch,
): Generator<Stretch & { readonly lineEnd: boolean }, void> {
  const { buffer, start, end, offset } = stretch;
  const text = buffer.toString('latin1', start, end);
  const starts = [...text.matchAll(BEGINNING)].map((match) => start + match.index);
  let free = start;
  for (let index = 0; index < starts.length; index += 1) {
    const from = starts[index] as number;
    if (from < free) continue;
    const ends = starts.slice(index + 1, index + 1 + BEGINNINGS_TRIED);
    for (const to of [end, ...ends]) {
      const last = buffer[to - 1] as number;
      buffer[to - 1] = LF;
      if (checksumHolds(buffer, from, to)) {
        yield { buffer, start: from, end: to, offset: offset + from - start, lineEnd: last === LF };
        free = to;
        break;
      }
      buffer[to - 1] = last;
    }
  }
}
