/**
 * Looks at what stands behind a proven place: whole groups, a torn end, or damage. Changes nothing; repair.ts acts on its report,
 * a reader only tells it.
 */
import { classifyTail, isTornFormOf, type Verdict } from './classify.js';
import { closingLine, headerLine } from './encode.js';
import { LF, lineBytesMax } from './format.js';
import { ask, type Io } from './io.js';
import { groupBytesMax } from './limits.js';
import { LineReader } from './line-reader.js';
import { listSegments, type Paths } from './paths.js';
import type { Place } from './place.js';
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

function* readRange(file: number, from: number, to: number): Io<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  let filled = 0;
  while (filled < bytes.length) {
    const count = yield* ask('read', file, bytes, filled, bytes.length - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** Whether the log contains the place: a seal line, or the segment's header, with that seal ends there. */
export function* placeStands(paths: Paths, place: Place, storeId: string): Io<string | undefined> {
  const path = paths.segment(place.segment);
  const facts = yield* ask('facts', path);
  if (facts === undefined) return 'the segment is missing';
  if (facts.size < place.offset) {
    return `the file ends at byte ${facts.size}, but it was durable up to byte ${place.offset}`;
  }
  const file = yield* ask('open', path, 'read');
  try {
    const from = Math.max(0, place.offset - SHORT_LINE_MAX);
    const bytes = yield* readRange(file, from, place.offset);
    if (bytes.at(-1) !== LF) return 'no line ends where the log was durable';
    const start = bytes.lastIndexOf(LF, bytes.length - 2) + 1;
    const line = bytes.subarray(start);
    if (place.position === place.segment - 1) {
      const header = headerLine(place.segment, storeId, place.seal);
      return line.equals(header) ? undefined : 'another header stands there than was durable';
    }
    const right =
      line.includes(`"seal":"${place.seal}"`) && line.includes(`"p":${place.position},`);
    return right ? undefined : 'another seal stands there than was durable';
  } finally {
    yield* ask('close', file);
  }
}

/** Walks from a place that stands to the end of the log and says what is there. */
export function* examineTail(
  paths: Paths,
  storeId: string,
  from: Place,
  options: ExamineOptions,
): Io<TailReport> {
  let place = from;
  let time = '';
  for (;;) {
    const path = paths.segment(place.segment);
    const file = yield* ask('open', path, 'read');
    try {
      const size = yield* ask('size', file);
      const walker = new SegmentWalker({ place, time, storeId }, {});
      const problem = yield* walkOn(file, walker, place.offset, size);
      place = walker.place;
      time = walker.time;
      const later = (yield* listSegments(paths)).filter((first) => first > place.segment);
      const damaged = (offset: number, text: string): TailReport => ({
        place,
        time,
        end: {
          kind: 'damaged',
          file: path,
          offset,
          position: place.position + 1,
          problem: text,
          bytes: size - offset,
        },
      });
      if (walker.closed && place.offset === size) {
        const next = place.position + 1;
        const [first] = later;
        if (first !== undefined && first !== next) {
          return damaged(size, `the segment of position ${next} is missing`);
        }
        const header = headerLine(next, storeId, place.seal);
        const state = first === undefined ? undefined : yield* headerState(paths, next, header);
        if (state?.kind === 'whole') {
          place = { ...place, segment: next, offset: header.length };
          continue;
        }
        if (state?.kind === 'wrong' || later.length > 1) {
          return {
            place,
            time,
            end: {
              kind: 'damaged',
              file: paths.segment(next),
              offset: 0,
              position: next,
              problem: 'a segment header that does not fit what stands before it',
              bytes: state?.bytes ?? 0,
            },
          };
        }
        const exists = state !== undefined;
        return {
          place,
          time,
          end: { kind: 'unfinished-segment', bytes: state?.bytes ?? 0, exists },
        };
      }
      if (walker.closed) return damaged(place.offset, 'bytes behind the closing line');
      if (later.length > 0) {
        const text = problem?.message ?? 'a segment that is not closed although another follows';
        return damaged(problem?.offset ?? place.offset, text);
      }
      if (place.offset === size) return { place, time, end: { kind: 'clean' } };
      if (problem === undefined && size - place.offset > TAIL_BYTES_MAX) {
        return damaged(place.offset, 'more bytes than one group can have');
      }
      const verdict = yield* classify(file, place, size, options, problem);
      if (verdict.kind === 'damaged') return damaged(verdict.offset, verdict.problem);
      return {
        place,
        time,
        end: { kind: 'torn', offset: place.offset, bytes: size - place.offset },
      };
    } finally {
      yield* ask('close', file);
    }
  }
}

/** Feeds the walker until the end or the first problem, which it gives. */
function* walkOn(
  file: number,
  walker: SegmentWalker,
  from: number,
  to: number,
): Io<SegmentProblem | undefined> {
  const reader = new LineReader(file, from, to);
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
  file: number,
  place: Place,
  size: number,
  options: ExamineOptions,
  problem: SegmentProblem | undefined,
): Io<Verdict> {
  if (size - place.offset > TAIL_BYTES_MAX) {
    const text = problem?.message ?? 'more bytes than one group can have';
    return { kind: 'damaged', offset: problem?.offset ?? place.offset, problem: text };
  }
  const bytes = yield* readRange(file, place.offset, size);
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
  const file = yield* ask('open', paths.segment(first), 'read');
  try {
    const size = yield* ask('size', file);
    const bytes = yield* readRange(file, 0, Math.min(size, 2 * SHORT_LINE_MAX));
    if (bytes.subarray(0, header.length).equals(header)) return { kind: 'whole', bytes: size };
    const torn = bytes.length === size && isTornFormOf(bytes, header, 0);
    return { kind: torn ? 'torn' : 'wrong', bytes: size };
  } finally {
    yield* ask('close', file);
  }
}
