/** Commits whose places are known: from memory where they are at hand, else with as few reads as their lines allow. */
import { decodeEvents, LineProblem } from './decode.js';
import { EventFilter } from './event-filter.js';
import { LF } from './format.js';
import type { Io } from './io.js';
import type { RecentBlock, RecentBytes } from './recent-bytes.js';
import { eventsOf, type LineBuffer } from './segment-lines.js';
import type { Segments } from './segments.js';
import type { RecordedEvent } from './types.js';

export interface CommitsSource {
  readonly segments: Segments;
  readonly recent?: RecentBytes | undefined;
}

/** Lines further apart are read one by one. */
const GAP_BYTES = 16 * 1024;
const READ_BYTES_MAX = 256 * 1024;
const everything = new EventFilter(undefined, undefined);

/** The events of the one commit that stands at that offset. @throws StoreDamagedError */
export function* commitAt(
  source: CommitsSource,
  segment: number,
  offset: number,
): Io<readonly RecordedEvent[]> {
  const [events] = yield* commitsAt(source, segment, [offset]);
  return events ?? [];
}

/** The same when they are in memory, else `undefined`. @throws StoreDamagedError */
export function commitNow(
  { segments, recent }: CommitsSource,
  segment: number,
  offset: number,
): readonly RecordedEvent[] | undefined {
  const block = recent?.at(segment, offset);
  return block && kept(segments, block, offset);
}

/** The events of the commits that stand at these ascending offsets, one list for each. @throws StoreDamagedError */
export function* commitsAt(
  source: CommitsSource,
  segment: number,
  offsets: readonly number[],
): Io<(readonly RecordedEvent[])[]> {
  const { segments, recent } = source;
  const commits: (readonly RecordedEvent[])[] = [];
  let lines: LineBuffer | undefined;
  for (let from = 0; from < offsets.length; ) {
    const offset = offsets[from] as number;
    const block = recent?.at(segment, offset);
    if (block) {
      commits.push(kept(segments, block, offset));
      from += 1;
      continue;
    }
    lines ??= segments.lineBuffers.take();
    const to = neighboursEnd(offsets, from);
    const group = offsets.slice(from, to);
    const found = yield* lines.linesAt(segment, group, Number.POSITIVE_INFINITY, undefined);
    for (const line of found) {
      try {
        commits.push(eventsOf(lines.bytes, line, everything));
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error;
        throw yield* lines.damagedLine(segment, line, error.message);
      }
    }
    from = to;
  }
  if (lines) segments.lineBuffers.give(lines);
  return commits;
}

function kept(segments: Segments, block: RecentBlock, offset: number): readonly RecordedEvent[] {
  const { bytes, segment } = block;
  const start = offset - block.offset;
  try {
    return decodeEvents(bytes, start, bytes.indexOf(LF, start) + 1);
  } catch (error) {
    if (!(error instanceof LineProblem)) throw error;
    throw segments.damaged(segment, offset, undefined, error.message);
  }
}

/** The end of the run of offsets from `from` on that one read can take. */
function neighboursEnd(offsets: readonly number[], from: number): number {
  const first = offsets[from] as number;
  let to = from + 1;
  for (let before = first; to < offsets.length; to += 1) {
    const offset = offsets[to] as number;
    if (offset - before > GAP_BYTES || offset - first > READ_BYTES_MAX) break;
    before = offset;
  }
  return to;
}
