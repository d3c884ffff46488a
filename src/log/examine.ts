/**
 * Looks at what stands behind a proven place: whole groups, a torn end, or damage. Changes nothing; repair.ts acts on its report,
 * a reader only tells it.
 */
import { HistoryPrunedError, systemCode } from '../errors.js';
import { classifyTail, isTornFormOf, type Verdict } from './classify.js';
import { closingLine, headerLine } from './encode.js';
import { LF, lineBytesMax } from './format.js';
import type { Io } from './io.js';
import { groupBytesMax } from './limits.js';
import { LineReader } from './line-reader.js';
import { listLog, type Paths, readable } from './paths.js';
import type { Place } from './place.js';
import { type ByteSource, readAll, type SegmentBytes, withSegment } from './segment-bytes.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

/** Damage found, without what to do about it. */
export interface DamageFacts {
  readonly file: string;
  readonly offset: number;
  readonly position: number;
  readonly problem: string;
}

export interface TailReport {
  /** Behind the last whole group. */
  readonly place: Place;
  /** Time of the last commit walked, `''` when none was. */
  readonly time: string;
  readonly end:
    | { readonly kind: 'clean' }
    /** The last segment is closed and the next one is missing or torn. */
    | { readonly kind: 'unfinished-segment'; readonly bytes: number; readonly exists: boolean }
    | { readonly kind: 'torn'; readonly offset: number; readonly bytes: number }
    | ({ readonly kind: 'damaged'; readonly bytes: number } & DamageFacts);
}

export interface ExamineOptions {
  /**
   * False for durability `os`, whose groups are not synced one by one: then a later group proves nothing of an earlier one, and the log
   * ends at the first group that power loss tore.
   */
  readonly laterGroupsProve: boolean;
}

/** More than one unfinished group can take: one line of any length, and a group's worth of others. */
const TAIL_BYTES_MAX = lineBytesMax + 2 * groupBytesMax;
/** Longer than any header or seal line. */
const SHORT_LINE_MAX = 512;

function* readRange(source: ByteSource, from: number, to: number): Io<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  return bytes.subarray(0, yield* readAll(source, bytes, from));
}

/** Whether the log contains the place: a seal line, or the segment's header, with that seal ends there. Gives what is wrong. */
export function* placeStands(paths: Paths, place: Place, storeId: string): Io<string | undefined> {
  try {
    return yield* withSegment(paths, place.segment, (bytes) =>
      placeStandsIn(bytes, place, storeId),
    );
  } catch (error) {
    if (error instanceof HistoryPrunedError) return 'the segment was dropped';
    if (systemCode(error) === 'ENOENT') return 'the segment is missing';
    throw error;
  }
}

function* placeStandsIn(
  source: SegmentBytes,
  place: Place,
  storeId: string,
): Io<string | undefined> {
  const size = yield* source.size();
  if (size < place.offset) {
    return `the file ends at byte ${size}, but it was durable up to byte ${place.offset}`;
  }
  const from = Math.max(0, place.offset - SHORT_LINE_MAX);
  const bytes = yield* readRange(source, from, place.offset);
  if (bytes.at(-1) !== LF) return 'no line ends where the log was durable';
  const start = bytes.lastIndexOf(LF, bytes.length - 2) + 1;
  const line = bytes.subarray(start);
  if (place.position === place.segment - 1) {
    const header = headerLine(place.segment, storeId, place.seal);
    return line.equals(header) ? undefined : 'another header stands there than was durable';
  }
  const right = line.includes(`"seal":"${place.seal}"`) && line.includes(`"p":${place.position},`);
  return right ? undefined : 'another seal stands there than was durable';
}

/** Walks from a place that stands to the end of the log and says what is there. */
export function* examineTail(
  paths: Paths,
  storeId: string,
  from: Place,
  options: ExamineOptions,
): Io<TailReport> {
  let reached: Reached = { place: from, time: '' };
  for (;;) {
    const { place, time } = reached;
    const segment = new TailSegment(paths, storeId, options, place, time);
    const next: Reached | TailReport = yield* withSegment(paths, place.segment, (bytes) =>
      segment.examine(bytes),
    );
    if ('end' in next) return next;
    reached = next;
  }
}

/** The beginning of the next segment. */
interface Reached {
  readonly place: Place;
  readonly time: string;
}

/** One segment of a tail, from a place in it. */
class TailSegment {
  readonly #paths: Paths;
  readonly #storeId: string;
  readonly #options: ExamineOptions;
  readonly #from: Place;
  readonly #walker: SegmentWalker;

  constructor(paths: Paths, storeId: string, options: ExamineOptions, from: Place, time: string) {
    this.#paths = paths;
    this.#storeId = storeId;
    this.#options = options;
    this.#from = from;
    this.#walker = new SegmentWalker({ place: from, time, storeId }, {});
  }

  *examine(bytes: SegmentBytes): Io<TailReport | Reached> {
    const walker = this.#walker;
    const size = yield* bytes.size();
    const problem = yield* walkOn(bytes, walker, this.#from.offset, size);
    const { place } = walker;
    const listing = yield* listLog(this.#paths);
    const later = readable(listing).filter((first) => first > place.segment);
    const damaged = (offset: number, text: string) => this.#damaged(bytes.path, offset, size, text);
    if (walker.closed && place.offset === size) return yield* this.#behindClosed(bytes.path, later);
    if (walker.closed) return damaged(place.offset, 'bytes behind the closing line');
    if (later.length > 0) {
      const text = problem?.message ?? 'a segment that is not closed although another follows';
      return damaged(problem?.offset ?? place.offset, text);
    }
    if (place.offset === size) return this.#report({ kind: 'clean' });
    if (problem === undefined && size - place.offset > TAIL_BYTES_MAX) {
      return damaged(place.offset, 'more bytes than one group can have');
    }
    const verdict = yield* classify(bytes, place, size, this.#options, problem);
    if (verdict.kind === 'damaged') return damaged(verdict.offset, verdict.problem);
    return this.#report({ kind: 'torn', offset: place.offset, bytes: size - place.offset });
  }

  *#behindClosed(path: string, later: readonly number[]): Io<TailReport | Reached> {
    const { place, time } = this.#walker;
    const next = place.position + 1;
    const [first] = later;
    if (first !== undefined && first !== next) {
      const text = `the segment of position ${next} is missing`;
      return this.#damaged(path, place.offset, place.offset, text);
    }
    const header = headerLine(next, this.#storeId, place.seal);
    const state = first === undefined ? undefined : yield* headerState(this.#paths, next, header);
    if (state?.kind === 'whole') {
      return { place: { ...place, segment: next, offset: header.length }, time };
    }
    const bytes = state?.bytes ?? 0;
    if (state?.kind === 'wrong' || later.length > 1) {
      const problem = 'a segment header that does not fit what stands before it';
      const file = this.#paths.segment(next);
      return this.#report({ kind: 'damaged', file, offset: 0, position: next, problem, bytes });
    }
    return this.#report({ kind: 'unfinished-segment', bytes, exists: state !== undefined });
  }

  #damaged(file: string, offset: number, size: number, problem: string): TailReport {
    const position = this.#walker.place.position + 1;
    const bytes = size - offset;
    return this.#report({ kind: 'damaged', file, offset, position, problem, bytes });
  }

  #report(end: TailReport['end']): TailReport {
    const { place, time } = this.#walker;
    return { place, time, end };
  }
}

/** Feeds the walker until the end or the first problem, which it gives. */
function* walkOn(
  source: ByteSource,
  walker: SegmentWalker,
  from: number,
  to: number,
): Io<SegmentProblem | undefined> {
  const reader = new LineReader(source, from, to);
  for (;;) {
    const lines = yield* reader.next();
    if (lines === undefined) break;
    try {
      walker.feed(lines.buffer, lines.start, lines.end, lines.offset);
    } catch (error) {
      if (error instanceof SegmentProblem) return error;
      throw error;
    }
  }
  const { rest } = reader;
  if (!rest.tooLong) return undefined;
  return new SegmentProblem(rest.offset, walker.place.position + 1, 'a line without an end');
}

function* classify(
  source: ByteSource,
  place: Place,
  size: number,
  options: ExamineOptions,
  problem: SegmentProblem | undefined,
): Io<Verdict> {
  if (size - place.offset > TAIL_BYTES_MAX) {
    const text = problem?.message ?? 'more bytes than one group can have';
    return { kind: 'damaged', offset: problem?.offset ?? place.offset, problem: text };
  }
  const bytes = yield* readRange(source, place.offset, size);
  const verdict = classifyTail(bytes, {
    offset: place.offset,
    position: place.position + 1,
    closing: closingLine(place.position, place.seal),
  });
  if (options.laterGroupsProve || verdict.kind === 'torn' || !bytes.includes(0)) return verdict;
  // Unsynced groups: a hole anywhere is a lost sector, whatever stands behind it.
  return { kind: 'torn' };
}

/** The state of a next segment of which only the header can stand there yet. */
function* headerState(
  paths: Paths,
  first: number,
  header: Buffer,
): Io<{ kind: 'whole' | 'torn' | 'wrong'; bytes: number }> {
  return yield* withSegment(paths, first, function* (source): Io<{
    kind: 'whole' | 'torn' | 'wrong';
    bytes: number;
  }> {
    const size = yield* source.size();
    const bytes = yield* readRange(source, 0, Math.min(size, 2 * SHORT_LINE_MAX));
    if (bytes.subarray(0, header.length).equals(header)) return { kind: 'whole', bytes: size };
    const torn = bytes.length === size && isTornFormOf(bytes, header, 0);
    return { kind: torn ? 'torn' : 'wrong', bytes: size };
  });
}
