/** Which segments may be moved to the archive, and which are there already. */
import { readSlots } from './anchor.js';
import type { ArchiveJob } from './archive-write.js';
import { ask, type Io } from './io.js';
import { closedEnd, remainsEnd } from './layout.js';
import { listLog, type Paths, readable } from './paths.js';
import { firstSeal, type Place } from './place.js';

/**
 * The segments in log/ that may leave it, oldest first: closed, up to position `through`, and before what either slot of the anchor
 * names, so that what proves the end of the log stays where it is.
 * @param ending - as it will be when the segment that is being written was ended, which moves the older slot
 * @throws StoreDamagedError
 */
export function* archivable(
  paths: Paths,
  storeId: string,
  through: number,
  ending = false,
): Io<ArchiveJob[]> {
  const { plain, archived, dropped } = yield* listLog(paths);
  const anchored = yield* anchoredSegment(paths, ending);
  const all = readable({ plain, archived, dropped });
  const jobs: ArchiveJob[] = [];
  let before: Place | undefined;
  for (const first of plain) {
    const following = all.find((other) => other > first);
    if (following === undefined || following > anchored || following - 1 > through) break;
    const previous = [...all, ...dropped].reduce((a, b) => (b < first && b > a ? b : a), 0);
    if (before?.segment !== previous) {
      before = yield* endBefore(paths, storeId, previous, first, all.includes(previous));
    }
    const end = yield* closedEnd(paths, first, following);
    const { position: last, seal } = end;
    jobs.push({ paths, storeId, first, last, before: before.seal, seal });
    before = end;
  }
  return jobs;
}

function* endBefore(
  paths: Paths,
  storeId: string,
  previous: number,
  first: number,
  isReadable: boolean,
): Io<Place> {
  if (previous === 0) return { segment: 0, offset: 0, position: 0, seal: firstSeal(storeId) };
  return isReadable ? yield* closedEnd(paths, previous, first) : yield* remainsEnd(paths, previous);
}

/** First position of the earliest segment that a slot of the anchor names, or of that of the newer slot; 0 when no slot is whole. */
function* anchoredSegment(paths: Paths, newer: boolean): Io<number> {
  const file = yield* ask('open', paths.anchor, 'read');
  try {
    const slots = (yield* readSlots(file)).filter((slot) => slot !== undefined);
    if (newer) slots.sort((a, b) => b.counter - a.counter).splice(1);
    return slots.length === 0 ? 0 : Math.min(...slots.map(({ segment }) => segment));
  } finally {
    yield* ask('close', file);
  }
}
