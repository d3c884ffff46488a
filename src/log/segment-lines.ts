/** Lines of a segment in one buffer, read in as few pieces as makes sense, and the events in them. */

import { StoreDamagedError } from '../errors.js';
import type { CommitHead } from './decode.js';
import { checksumHolds, decodeEvents, decodeHead, LineProblem, lineKind } from './decode.js';
import { LF, lineBytesMax } from './format.js';
import type { Io } from './io.js';
import type { RecordedEvent } from './types.js';

/** Where the lines stand. */
export interface LineSource {
  read(first: number, buffer: Buffer, start: number, length: number, at: number): Io<number>;
  damaged(
    first: number,
    offset: number,
    position: number | undefined,
    problem: string,
  ): StoreDamagedError;
}

/** A line in a buffer, its LF included. */
export interface CommitLine {
  readonly start: number;
  readonly end: number;
  /** In the segment. */
  readonly offset: number;
  /** The position that it must have, when that is known before it is looked at. */
  readonly position: number | undefined;
}

/** Which events of a commit are wanted. */
export interface Wanted {
  /** False when it takes a look at the commit's envelope to know. */
  readonly isOpen: boolean;
  matchesAny(head: CommitHead): boolean;
  /** @throws LineProblem when the commit is not what must stand there */
  of(events: RecordedEvent[]): RecordedEvent[];
}

/** What most lines are shorter than. */
const LINE_BYTES = 4096;
const LINES_BYTES = 256 * 1024;

export class LineBuffer {
  readonly #segments: LineSource;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(segments: LineSource) {
    this.#segments = segments;
  }

  /** Valid until the next read. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /**
   * Reads about `want` bytes from `offset` on and never beyond `to`, but one whole line at least. Gives the length of the whole lines.
   * @throws StoreDamagedError when no line ends there
   */
  *wholeLines(
    first: number,
    offset: number,
    to: number,
    want: number,
    position: number,
  ): Io<number> {
    let filled = 0;
    for (let size = want; ; size *= 2) {
      filled = yield* this.#fill(first, offset, Math.min(size, to - offset), filled);
      const end = this.#bytes.subarray(0, filled).lastIndexOf(LF) + 1;
      if (end > 0) return end;
      this.#mustGoOn(first, offset, position, filled, size);
    }
  }

  /** Reads the lines that begin at these offsets, which ascend and lie close together. */
  *linesAt(
    first: number,
    offsets: readonly number[],
    to: number,
    firstPosition: number | undefined,
  ): Io<CommitLine[]> {
    const base = offsets[0] as number;
    const last = (offsets.at(-1) as number) - base;
    const lastPosition = firstPosition && firstPosition + offsets.length - 1;
    let filled = 0;
    for (let bytes = LINE_BYTES; ; bytes *= 2) {
      filled = yield* this.#fill(first, base, Math.min(last + bytes, to - base), filled);
      if (filled > last && this.#bytes.subarray(0, filled).includes(LF, last)) break;
      this.#mustGoOn(first, base + last, lastPosition, filled - last, bytes);
    }
    return offsets.map((offset, index) => {
      const start = offset - base;
      const end = this.#bytes.indexOf(LF, start) + 1;
      return { start, end, offset, position: firstPosition && firstPosition + index };
    });
  }

  /** The error for a line that is not what it must be; says its position, counting from the segment's beginning if need be. */
  *damagedLine(first: number, line: CommitLine, problem: string): Io<StoreDamagedError> {
    const position = line.position ?? (yield* this.#positionAt(first, line.offset));
    return this.#segments.damaged(first, line.offset, position, problem);
  }

  *#positionAt(first: number, offset: number): Io<number | undefined> {
    try {
      let position = first;
      for (let at = 0; at < offset; ) {
        const end = yield* this.wholeLines(first, at, offset, LINES_BYTES, position);
        const { lines, problem } = commitLines(this.#bytes, end, at, position, Infinity);
        if (problem) return undefined;
        position += lines.length;
        at += end;
      }
      return position;
    } catch (error) {
      if (error instanceof StoreDamagedError) return undefined;
      throw error;
    }
  }

  /** A line of which only the beginning was read must go on, and not for ever. */
  #mustGoOn(
    first: number,
    offset: number,
    position: number | undefined,
    filled: number,
    wanted: number,
  ): void {
    if (filled < wanted) {
      const problem = 'the log ends here, but what follows was durable';
      throw this.#segments.damaged(first, offset, position, problem);
    }
    if (wanted >= lineBytesMax) {
      const problem = `a line longer than ${lineBytesMax} bytes`;
      throw this.#segments.damaged(first, offset, position, problem);
    }
  }

  /** Makes the buffer hold `size` bytes from `offset` on, of which it holds some. Gives how many there are. */
  *#fill(first: number, offset: number, size: number, filled: number): Io<number> {
    if (this.#bytes.length < size) {
      const larger = Buffer.allocUnsafe(size);
      this.#bytes.copy(larger, 0, 0, filled);
      this.#bytes = larger;
    }
    if (size <= filled) return filled;
    const at = offset + filled;
    return filled + (yield* this.#segments.read(first, this.#bytes, filled, size - filled, at));
  }
}

/** Kept for the next reader, and of what size at most. */
const SPARE_MAX = 16;
const SPARE_BYTES_MAX = 64 * 1024;

/** Buffers for readers that look at single lines and are done with them: new ones for each would pile up until they are collected. */
export class LineBuffers {
  readonly #segments: LineSource;
  readonly #spare: LineBuffer[] = [];

  constructor(segments: LineSource) {
    this.#segments = segments;
  }

  take(): LineBuffer {
    return this.#spare.pop() ?? new LineBuffer(this.#segments);
  }

  /** One that nobody looks at any more. */
  give(lines: LineBuffer): void {
    if (this.#spare.length < SPARE_MAX && lines.bytes.length <= SPARE_BYTES_MAX) {
      this.#spare.push(lines);
    }
  }
}

export interface FoundLines {
  readonly lines: CommitLine[];
  /** A line behind them that is none of the format's. */
  readonly problem: { readonly offset: number; readonly text: string } | undefined;
}

/** The commit lines in `bytes[0, end)`, which stand at `offset`; the first must have `position`. None beyond position `to`. */
export function commitLines(
  bytes: Buffer,
  end: number,
  offset: number,
  position: number,
  to: number,
): FoundLines {
  const lines: CommitLine[] = [];
  let next = position;
  for (let start = 0; start < end && next <= to; ) {
    const stop = bytes.indexOf(LF, start) + 1;
    const kind = lineKind(bytes, start);
    if (kind === 'commit') {
      lines.push({ start, end: stop, offset: offset + start, position: next });
      next += 1;
    } else if (kind === 'other' || !checksumHolds(bytes, start, stop)) {
      const text = kind === 'other' ? 'a line of no known kind' : 'a wrong checksum';
      return { lines, problem: { offset: offset + start, text } };
    }
    start = stop;
  }
  return { lines, problem: undefined };
}

/**
 * The wanted events of the commit line, deeply frozen.
 * @throws LineProblem
 */
export function eventsOf(bytes: Buffer, line: CommitLine, wanted: Wanted): RecordedEvent[] {
  const { start, end, position } = line;
  if (!checksumHolds(bytes, start, end)) throw new LineProblem('a wrong checksum');
  if (lineKind(bytes, start) !== 'commit') throw new LineProblem('no commit where one must stand');
  if (!wanted.isOpen) {
    const head = decodeHead(bytes, start, end);
    mustBe(head.p, position);
    if (!wanted.matchesAny(head)) return [];
  }
  const events = decodeEvents(bytes, start, end);
  mustBe(events[0]?.position, position);
  return wanted.of(events);
}

function mustBe(found: number | undefined, position: number | undefined): void {
  if (position !== undefined && found !== position) {
    throw new LineProblem(`position ${found} where ${position} must stand`);
  }
}
