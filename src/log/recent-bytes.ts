/**
 * The bytes of the last durable groups, in memory, so that what was just written is not read back from the disk.
 *
 * Invariants:
 * - only commit lines that are durable are put in, and they were checked or made by this process: reading them takes no checksum;
 * - the blocks hold commits that follow one another without a gap, the oldest block first;
 * - a block holds whole lines as they stand in one segment. What stands between two groups there is a blank line here.
 */
import { LF } from './format.js';

/** A piece of a segment. */
export interface RecentBlock {
  /** First position (name) of the segment. */
  readonly segment: number;
  /** Where the block's first line begins in the segment. */
  readonly offset: number;
  /** Positions of the first and last commit in it. */
  readonly first: number;
  last: number;
  readonly bytes: Buffer;
  /** How many of the bytes are filled. */
  filled: number;
}

/** Commit lines in a buffer, with the seal lines between their groups if there is more than one. */
export interface NewLines {
  /** Where they stand in the log. */
  readonly segment: number;
  readonly offset: number;
  /** Positions of the first and last commit. */
  readonly first: number;
  readonly last: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

export const recentBytesDefault: number = 8 * 1024 * 1024;
/** Room is made, and given back, in this many parts. */
const BLOCKS = 16;
const BLANK = 0x20;

export class RecentBytes {
  readonly #bytesMax: number;
  readonly #blockBytes: number;
  #blocks: RecentBlock[] = [];
  #bytes = 0;
  #spare: Buffer | undefined;
  #readers = 0;

  constructor(bytesMax: number = recentBytesDefault) {
    this.#bytesMax = bytesMax;
    this.#blockBytes = Math.ceil(bytesMax / BLOCKS);
  }

  /** Position of the oldest commit that is kept; `undefined` when none is. */
  get first(): number | undefined {
    return this.#blocks[0]?.first;
  }

  /** Copies the lines. Once for each group: this must cost next to nothing. */
  add(lines: NewLines): void {
    const last = this.#blocks.at(-1);
    if (last && last.last + 1 !== lines.first) this.#clear();
    else if (last && this.#addTo(last, lines)) return;
    this.#begin(lines);
  }

  #addTo(block: RecentBlock, lines: NewLines): boolean {
    const { bytes, filled } = block;
    const at = lines.offset - block.offset;
    const length = lines.end - lines.start;
    if (lines.segment !== block.segment || at < filled || at + length > bytes.length) return false;
    if (at > filled) {
      bytes.fill(BLANK, filled, at - 1);
      bytes[at - 1] = LF;
    }
    lines.buffer.copy(bytes, at, lines.start, lines.end);
    block.filled = at + length;
    block.last = lines.last;
    return true;
  }

  #begin({ segment, offset, first, last, buffer, start, end }: NewLines): void {
    const length = end - start;
    const room = Math.max(length, this.#blockBytes);
    while (this.#blocks.length > 0 && this.#bytes + room > this.#bytesMax) this.#dropOldest();
    if (room > this.#bytesMax) return;
    const spare = room === this.#blockBytes ? this.#spare : undefined;
    if (spare) this.#spare = undefined;
    const bytes = spare ?? Buffer.allocUnsafeSlow(room);
    buffer.copy(bytes, 0, start, end);
    this.#blocks.push({ segment, offset, first, last, bytes, filled: length });
    this.#bytes += room;
  }

  #dropOldest(): void {
    const block = this.#blocks.shift();
    if (!block) return;
    const { bytes } = block;
    this.#bytes -= bytes.length;
    if (this.#readers === 0 && bytes.length === this.#blockBytes) this.#spare = bytes;
  }

  #clear(): void {
    this.#blocks = [];
    this.#bytes = 0;
  }

  /** The block with the commit of that position. */
  holding(position: number): RecentBlock | undefined {
    // What is read is mostly what was written last.
    for (let index = this.#blocks.length - 1; index >= 0; index -= 1) {
      const block = this.#blocks[index] as RecentBlock;
      if (position > block.last) return undefined;
      if (position >= block.first) return block;
    }
    return undefined;
  }

  /** The block in which a line begins at that offset of the segment. */
  at(segment: number, offset: number): RecentBlock | undefined {
    for (let index = this.#blocks.length - 1; index >= 0; index -= 1) {
      const block = this.#blocks[index] as RecentBlock;
      if (block.segment < segment) return undefined;
      if (block.segment > segment || offset < block.offset) continue;
      return offset < block.offset + block.filled ? block : undefined;
    }
    return undefined;
  }

  /** Blocks found meanwhile stay as they are until `release`, also when they make room. */
  hold(): void {
    this.#readers += 1;
  }

  release(): void {
    this.#readers -= 1;
  }
}
