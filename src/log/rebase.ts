/**
 * Moves a decided group behind what others wrote meanwhile, without deciding it again. The decision saw the versions of the streams that the
 * group writes and the absence of its keys; when what others wrote names none of them, deciding anew would give the same, and only
 * positions, tag and time of the lines change. That is done by whoever holds the lock, at once: a new decision takes a turn of
 * the thread that made the first one, and everybody else waits for it.
 */
import { decodeHead } from './decode.js';
import { commitStamp, groupTag, SEAL_LINE_ROOM } from './encode.js';
import { writeLatin1 } from './envelope.js';
import { LF } from './format.js';
import type { Place } from './place.js';
import { type CommitRef, SegmentWalker } from './walk.js';

/** The clock may be this far behind the log before the raw clock is kept too. */
export const SKEW_MS_MAX = 1000;

/** What moving a group takes to know; only of a group whose every commit was accepted on the streams it writes and on its key alone. */
export interface RebaseFacts {
  /** Time of the last commit before the group's base, `''` when there was none. */
  readonly before: string;
  /** The group's own. */
  readonly time: string;
  /** What the clock said when the group was decided: `time`, or a little earlier. */
  readonly clock: string;
}

/** Commit lines ready to be sealed and written behind `base`. */
export interface GroupLines {
  /** Where the log ended when the group was decided. */
  readonly base: Place;
  /** Holds the commit lines at `[0, bytes)`, with room for the seal line behind them. */
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly firstPosition: number;
  /** `firstPosition - 1` for a group that only refuses or repeats: it is checked against the end of the log and nothing is written. */
  readonly lastPosition: number;
  readonly salt: string;
}

/** Where the group's lines stand now, in the same buffer. */
export interface Rebased {
  readonly bytes: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly time: string;
}

/**
 * Rewrites the group's lines for their place behind `others`, the whole groups between its base and `end`; `undefined`, with nothing changed,
 * when it must be decided anew.
 * @throws SegmentProblem when what others wrote is not what the format says
 */
export function rebase(
  lines: GroupLines,
  facts: RebaseFacts,
  others: Buffer,
  end: Place,
  storeId: string,
): Rebased | undefined {
  const names = namesOf(lines);
  let touched = false;
  const walker = new SegmentWalker(
    { place: lines.base, time: facts.before, storeId },
    { group: (commits) => (touched ||= commits.some((commit) => touches(commit, names))) },
  );
  walker.feed(others, 0, others.length, lines.base.offset);
  if (touched || walker.place.position !== end.position || walker.place.seal !== end.seal) {
    return undefined;
  }
  const time = walker.time > facts.time ? walker.time : facts.time;
  if (Date.parse(time) - Date.parse(facts.clock) > SKEW_MS_MAX) return undefined;
  return rewrite(lines, facts.time, end.position + 1, time);
}

interface Names {
  readonly streams: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
}

function touches({ head }: CommitRef, { streams, keys }: Names): boolean {
  return (head.k !== undefined && keys.has(head.k)) || head.e.some(([name]) => streams.has(name));
}

function namesOf({ buffer, bytes }: GroupLines): Names {
  const streams = new Set<string>();
  const keys = new Set<string>();
  for (let at = 0; at < bytes; ) {
    const next = buffer.indexOf(LF, at) + 1;
    const { e, k } = decodeHead(buffer, at, next);
    for (const [stream] of e) streams.add(stream);
    if (k !== undefined) keys.add(k);
    at = next;
  }
  return { streams, keys };
}

/** Length of `{"p":…` and the stamp behind it. */
function beginBytes(position: number, stamp: string): number {
  return 5 + String(position).length + stamp.length;
}

function rewrite(
  { buffer, bytes, firstPosition, lastPosition, salt }: GroupLines,
  timeBefore: string,
  first: number,
  time: string,
): Rebased | undefined {
  const oldStamp = commitStamp(groupTag(firstPosition, salt), timeBefore, undefined);
  const stamp = commitStamp(groupTag(first, salt), time, undefined);
  const last = first + (lastPosition - firstPosition);
  const commits = last - first + 1;
  const growthMax = commits * (beginBytes(last, stamp) - beginBytes(firstPosition, oldStamp));
  if (bytes + growthMax + SEAL_LINE_ROOM > buffer.length) return undefined;
  const old = Buffer.from(buffer.subarray(0, bytes));
  let position = first;
  let filled = 0;
  for (let at = 0; at < bytes; position += 1) {
    const next = old.indexOf(LF, at) + 1;
    const rest = at + beginBytes(firstPosition + (position - first), oldStamp);
    const begin = `{"p":${position}${stamp}`;
    writeLatin1(buffer, begin, filled);
    filled += begin.length;
    filled += old.copy(buffer, filled, rest, next);
    at = next;
  }
  return { bytes: filled, firstPosition: first, lastPosition: last, time };
}

/** Bytes by which the commit line grew whose position went from `before` to `after` in a group moved from `first` to `next`. */
export function lineGrowth(before: number, after: number, first: number, next: number): number {
  const digits = (number: number) => String(number).length;
  return digits(after) - digits(before) + digits(next) - digits(first);
}
