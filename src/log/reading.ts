/**
 * Reads commits of a log. What it costs depends on what is read: the indexes tell where to begin, lines that stand close together
 * come with one read, and memory holds a few of them at a time.
 *
 * Every line is checked before its events are handed out. Events that stand before damage, in reading order, are handed out first.
 */
import { StoreDamagedError } from '../errors.js';
import { LineProblem } from './decode.js';
import type { EventWork } from './event-sequence.js';
import type { Io } from './io.js';
import type { Place } from './place.js';
import { type CommitPlace, POSITION_STRIDE } from './segment-index.js';
import {
  type CommitLine,
  commitLines,
  eventsOf,
  LineBuffer,
  type Wanted,
} from './segment-lines.js';
import type { Segments } from './segments.js';
import type { RecordedEvent } from './types.js';

/** A reading begins with a small read, so that few events cost little, and goes on with larger ones. */
const FIRST_READ_BYTES = 16 * 1024;
const READ_BYTES_MAX = 256 * 1024;
/** Lines further apart are read one by one. */
const GAP_BYTES = 16 * 1024;
/** Commits looked for at once when reading backward: likewise few, then more. */
const FIRST_STEP = 64;
const COMMITS_STEP_MAX = 1024;

/** What is asked for: positions or versions, inclusive, and at most so many events. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly backward: boolean;
  readonly limit: number;
}

/** A part of the log that lies in one segment. */
interface Span {
  readonly first: number;
  readonly from: number;
  readonly to: number;
}

/** What a step of a scan found: the lines before the problem, if there is one. */
interface Scanned {
  readonly lines: CommitLine[];
  readonly problem: Error | undefined;
  readonly next: CommitPlace;
}

/** How much may still be handed out, and the buffer that all its reads share. */
export class Reading {
  readonly #segments: Segments;
  readonly #head: Place;
  readonly #wanted: Wanted;
  readonly #backward: boolean;
  readonly #lines: LineBuffer;
  #left: number;
  /** Commits with other positions are not wanted. */
  #from = 0;
  #to = Number.POSITIVE_INFINITY;
  #readBytes = FIRST_READ_BYTES;

  constructor(segments: Segments, head: Place, wanted: Wanted, range: Range) {
    this.#segments = segments;
    this.#head = head;
    this.#wanted = wanted;
    this.#backward = range.backward;
    this.#left = range.limit;
    this.#lines = new LineBuffer(segments);
  }

  /** True when as many events were handed out as were asked for. */
  get done(): boolean {
    return this.#left <= 0;
  }

  /** The commits from `from` to `to`; of these streams alone, if there are names. */
  *positions(from: number, to: number, names: readonly string[] | undefined): EventWork {
    this.#from = from;
    this.#to = to;
    let [low, high] = [from, to];
    while (low <= high && !this.done) {
      const first = yield* this.#segments.segmentOf(this.#backward ? high : low);
      const last = Math.min(high, yield* this.#segments.lastOf(first));
      const span = { first, from: Math.max(low, first), to: last };
      if (this.#backward) high = span.from - 1;
      else low = span.to + 1;
      const offsets = names && (yield* this.#offsetsOf(span, names));
      if (offsets) yield* this.commits(first, offsets);
      else if (this.#backward) yield* this.#scanBackward(span);
      else yield* this.#scanForward(span);
    }
  }

  /** Where the streams' commits stand; `undefined` when the index cannot be had, so that what stands before the damage is found. */
  *#offsetsOf({ first, from, to }: Span, names: readonly string[]): Io<number[] | undefined> {
    const offsets = new Set<number>();
    try {
      for (const name of names) {
        const found = yield* this.#segments.commitsIn(first, name, 1, Number.MAX_SAFE_INTEGER);
        for (const offset of found) offsets.add(offset);
      }
      if (offsets.size === 0) return [];
      // The commits from stride to stride around the span; those outside it are left out once they are read.
      const begin = yield* this.#segments.commitBefore(first, from);
      const end = yield* this.#endBehind(first, to);
      return [...offsets]
        .filter((offset) => offset >= begin.offset && offset < end)
        .sort((a, b) => a - b);
    } catch (error) {
      if (error instanceof StoreDamagedError) return undefined;
      throw error;
    }
  }

  /** The next commit lines of a scan, from about `want` bytes, and where it goes on. */
  *#linesFrom(first: number, from: CommitPlace, to: number, want: number): Io<Scanned> {
    const { offset, position } = from;
    const bound = this.#endOf(first);
    const end = yield* this.#lines.wholeLines(first, offset, bound, want, position);
    const { lines, problem } = commitLines(this.#lines.bytes, end, offset, position, to);
    const next = { offset: offset + end, position: position + lines.length };
    return {
      lines,
      next,
      problem: problem && this.#damaged(first, problem.offset, next.position, problem.text),
    };
  }

  *#scanForward({ first, from, to }: Span): EventWork {
    let place = yield* this.#segments.commitBefore(first, from);
    while (place.position <= to && !this.done) {
      const { lines, problem, next } = yield* this.#linesFrom(first, place, to, this.#readBytes);
      yield* this.#handOut(first, lines.slice(Math.max(0, from - place.position)));
      if (problem && !this.done) throw problem;
      place = next;
      this.#grow();
    }
  }

  *#scanBackward({ first, from, to }: Span): EventWork {
    let step = FIRST_STEP;
    for (let high = to; high >= from && !this.done; ) {
      const end = yield* this.#endBehind(first, high);
      let place: CommitPlace;
      for (; ; step /= 2) {
        place = yield* this.#segments.commitBefore(first, Math.max(from, high - step + 1));
        if (end - place.offset <= READ_BYTES_MAX || step <= FIRST_STEP) break;
      }
      const low = Math.max(from, place.position);
      const want = Math.min(end - place.offset, READ_BYTES_MAX);
      const offsets: number[] = [];
      let lines: CommitLine[] = [];
      let reads = 0;
      for (; place.position <= high; reads += 1) {
        const scanned = yield* this.#linesFrom(first, place, high, want);
        if (scanned.problem) throw scanned.problem;
        lines = scanned.lines.slice(Math.max(0, low - place.position));
        for (const line of lines) offsets.push(line.offset);
        place = scanned.next;
      }
      // What came with one read is there already; otherwise this only found out where the lines begin.
      if (reads === 1) yield* this.#handOut(first, lines.reverse());
      else yield* this.commits(first, offsets, low);
      high = low - 1;
      step = Math.min(2 * step, COMMITS_STEP_MAX);
    }
  }

  /** An offset behind the commit with that position, not far behind if the index can tell. */
  *#endBehind(first: number, position: number): Io<number> {
    const place = yield* this.#segments.commitBefore(first, position + POSITION_STRIDE);
    return place.position > position ? place.offset : this.#endOf(first);
  }

  /** The commits that begin at these ascending offsets. With `firstPosition` their positions follow one another. */
  *commits(first: number, offsets: readonly number[], firstPosition?: number): EventWork {
    const bound = this.#endOf(first);
    const known = offsets.findLastIndex((offset) => offset < bound) + 1;
    let [low, high] = [0, known];
    while (low < high && !this.done) {
      const [from, to] = this.#neighbours(offsets, low, high);
      const group = offsets.slice(from, to);
      const position = firstPosition && firstPosition + from;
      const lines = yield* this.#lines.linesAt(first, group, bound, position);
      yield* this.#handOut(first, this.#backward ? lines.reverse() : lines);
      if (this.#backward) high = from;
      else low = to;
      this.#grow();
    }
  }

  /** The next offsets, in reading order, that one read can take. */
  #neighbours(offsets: readonly number[], low: number, high: number): [number, number] {
    const distance = (a: number, b: number) => (offsets[b] as number) - (offsets[a] as number);
    let [from, to] = this.#backward ? [high - 1, high] : [low, low + 1];
    if (this.#backward) {
      while (from > low && distance(from - 1, from) <= GAP_BYTES) {
        if (distance(from - 1, to - 1) > this.#readBytes) break;
        from -= 1;
      }
    } else {
      while (to < high && distance(to - 1, to) <= GAP_BYTES) {
        if (distance(from, to) > this.#readBytes) break;
        to += 1;
      }
    }
    return [from, to];
  }

  /** Hands out the wanted events of lines in the buffer, given in reading order. */
  *#handOut(first: number, lines: readonly CommitLine[]): EventWork {
    const batch: RecordedEvent[] = [];
    let problem: { line: CommitLine; text: string } | undefined;
    for (const line of lines) {
      if (batch.length >= this.#left) break;
      try {
        const events = eventsOf(this.#lines.bytes, line, this.#wanted);
        const position = events[0]?.position ?? 0;
        if (position < this.#from || position > this.#to) continue;
        if (this.#backward) events.reverse();
        for (const event of events) batch.push(event);
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error;
        problem = { line, text: error.message };
        break;
      }
    }
    const wanted = batch.length > this.#left ? batch.slice(0, this.#left) : batch;
    this.#left -= wanted.length;
    if (wanted.length > 0) yield wanted;
    if (problem && !this.done) {
      throw yield* this.#lines.damagedLine(first, problem.line, problem.text);
    }
  }

  #damaged(first: number, offset: number, position: number | undefined, problem: string): Error {
    return this.#segments.damaged(first, offset, position, problem);
  }

  /** How far a segment may be read. */
  #endOf(first: number): number {
    return first === this.#head.segment ? this.#head.offset : Number.POSITIVE_INFINITY;
  }

  #grow(): void {
    this.#readBytes = Math.min(2 * this.#readBytes, READ_BYTES_MAX);
  }
}
