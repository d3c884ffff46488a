/** Which commit was the last one at a moment. Times never go back along the log, so that a few lines tell. */
import { checksumHolds, decodeHead, LineProblem } from './decode.js';
import type { Io } from './io.js';
import type { Place } from './place.js';
import { type CommitPlace, POSITION_STRIDE } from './segment-index.js';
import { type CommitLine, commitLines, LineBuffer } from './segment-lines.js';
import type { Segments } from './segments.js';

/** The durable log as this process knows it. */
export interface TimedSource {
  readonly segments: Segments;
  readonly place: Place;
  /** Time of the last commit, `''` when there is none. */
  readonly time: string;
}

/** A search ends with lines read one after the other: few bytes first, then more. */
const FIRST_READ_BYTES = 16 * 1024;
const READ_BYTES_MAX = 256 * 1024;

/**
 * The last position up to `bound` whose time is `time` (ISO 8601, 24 characters) or earlier; 0 when there is none.
 * @throws StoreDamagedError
 */
export function* positionAt(source: TimedSource, time: string, bound: number): Io<number> {
  const { segments, place } = source;
  const last = Math.min(bound, place.position);
  if (last < 1) return 0;
  if (last === place.position && source.time <= time) return last;
  const first = yield* segments.begunBy(time, last);
  if (first === undefined) return 0;
  const lastHere = Math.min(last, yield* segments.lastOf(first));
  return yield* new SegmentTimes(segments, place, first, time).last(lastHere);
}

/** The search in one segment, whose first commit is not too late. */
class SegmentTimes {
  readonly #segments: Segments;
  readonly #lines: LineBuffer;
  readonly #first: number;
  readonly #time: string;
  /** How far the segment may be read. */
  readonly #end: number;

  constructor(segments: Segments, head: Place, first: number, time: string) {
    this.#segments = segments;
    this.#lines = new LineBuffer(segments);
    this.#first = first;
    this.#time = time;
    this.#end = first === head.segment ? head.offset : Number.POSITIVE_INFINITY;
  }

  *last(to: number): Io<number> {
    // The commit at `low` is not too late, the ones behind `high` are, or are not asked for.
    let low: CommitPlace = { position: this.#first, offset: 0 };
    let high = to;
    while (high - low.position >= POSITION_STRIDE) {
      const middle = Math.ceil((low.position + high) / 2);
      const place = yield* this.#segments.commitBefore(this.#first, middle);
      // The index knows no place between them any more.
      if (place.position <= low.position) break;
      if (yield* this.#isInTime(place)) low = place;
      else high = place.position - 1;
    }
    return yield* this.#scan(low, high);
  }

  *#isInTime({ position, offset }: CommitPlace): Io<boolean> {
    const first = this.#first;
    const [line] = yield* this.#lines.linesAt(first, [offset], this.#end, position);
    return line !== undefined && (yield* this.#timeOf(line)) <= this.#time;
  }

  /** The last commit in time, of those from one that is to position `to`. */
  *#scan(from: CommitPlace, to: number): Io<number> {
    const first = this.#first;
    let { position, offset } = from;
    for (let want = FIRST_READ_BYTES; position <= to; want = Math.min(2 * want, READ_BYTES_MAX)) {
      const end = yield* this.#lines.wholeLines(first, offset, this.#end, want, position);
      const { lines, problem } = commitLines(this.#lines.bytes, end, offset, position, to);
      for (const line of lines) {
        if ((yield* this.#timeOf(line)) > this.#time) return position - 1;
        position += 1;
      }
      if (problem) throw this.#segments.damaged(first, problem.offset, position, problem.text);
      offset += end;
    }
    return to;
  }

  *#timeOf(line: CommitLine): Io<string> {
    const { bytes } = this.#lines;
    const { start, end, position } = line;
    try {
      if (!checksumHolds(bytes, start, end)) throw new LineProblem('a wrong checksum');
      const head = decodeHead(bytes, start, end);
      if (head.p === position) return head.t;
      throw new LineProblem(`position ${head.p} where ${position} must stand`);
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      throw yield* this.#lines.damagedLine(this.#first, line, error.message);
    }
  }
}
