import { readAnchor } from './anchor.js';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import { examineTail, placeStands } from './examine.js';
import { WRITE_LOCK } from './format.js';
import { runSync } from './io.js';
import { markHolds, readMark } from './mark.js';
import type { Found, OpenFiles, OpenSettings } from './open-settings.js';
import { listLog, listSegments, type Paths, readable } from './paths.js';
import type { Place } from './place.js';
import { beginningOf } from './remains.js';
import type { Recovery } from './types.js';

/** Changes nothing. Without a mark it says what it found only if it got the shared lock: otherwise a group is being written. */
export function endForReading(
  environment: Environment,
  settings: OpenSettings,
  files: OpenFiles,
): Found | undefined {
  const { disk } = environment;
  const { paths } = settings;
  const { store, lockFile, lockInode } = files;
  const found = (place: Place, recovery: Recovery): Found => {
    return { ...files, section: undefined, place, recovery };
  };
  const marked = () => {
    const mark = runSync(disk, readMark(lockFile));
    return mark && markHolds(mark, disk, lockInode) ? mark : undefined;
  };
  let from = marked();
  const stands = from && runSync(disk, placeStands(paths, from, store.id)) === undefined;
  const untouched = (): Found | undefined =>
    from && stands ? found(placeOf(from), { state: 'clean', position: from.position }) : undefined;
  if (from && stands && !goesOn(disk, paths, from)) return untouched();
  // What stands behind the mark while the lock is held is a group being written.
  if (!disk.tryLock(lockFile, WRITE_LOCK, 'shared')) return untouched();
  try {
    // Others may have gone on meanwhile, and what was the last segment may be in the archive by now.
    from = marked();
    const base = from ?? anchorOf(disk, paths);
    const problem = base
      ? runSync(disk, placeStands(paths, base, store.id))
      : 'neither slot of the anchor is whole';
    if (!base || problem) return fromTheStart(environment, settings, files, base, problem ?? '');
    const report = runSync(
      disk,
      examineTail(paths, store.id, placeOf(base), {
        laterGroupsProve: store.durability === 'sync',
      }),
    );
    // Nobody may use bytes that a power loss could still take away: groups behind a mark are told of and not read.
    if (!from) syncForReading(disk, paths, base.segment, report.place.segment);
    const place = from ? placeOf(from) : report.place;
    const { position } = place;
    const file = paths.segment(report.place.segment);
    const { end: tail } = report;
    if (tail.kind === 'clean') return found(place, { state: 'clean', position });
    if (tail.kind === 'unfinished-segment') {
      if (tail.bytes === 0) return found(place, { state: 'clean', position });
      const next = paths.segment(report.place.position + 1);
      return found(place, { state: 'torn', position, file: next, bytes: tail.bytes, offset: 0 });
    }
    const { offset, bytes } = tail;
    if (tail.kind === 'torn') {
      return found(place, { state: 'torn', file, offset, bytes, position });
    }
    return found(place, {
      state: 'damaged',
      file: tail.file,
      offset,
      bytes,
      position,
      problem: tail.problem,
    });
  } finally {
    disk.unlock(lockFile, WRITE_LOCK);
  }
}

/** Whether anything stands behind the place. */
function goesOn(disk: Disk, paths: Paths, place: Place): boolean {
  const { size } = disk.facts(paths.segment(place.segment)) ?? { size: 0 };
  if (size !== place.offset) return true;
  return runSync(disk, listSegments(paths)).some((first) => first > place.segment);
}

function placeOf(place: Place): Place {
  const { segment, offset, position, seal } = place;
  return { segment, offset, position, seal };
}

function anchorOf(disk: Disk, paths: Paths): Place | undefined {
  if (disk.facts(paths.anchor) === undefined) return undefined;
  const file = disk.open(paths.anchor, 'read');
  try {
    return runSync(disk, readAnchor(file));
  } finally {
    disk.close(file);
  }
}

function syncForReading(disk: Disk, paths: Paths, first: number, last: number): void {
  for (const segment of runSync(disk, listSegments(paths))) {
    if (segment < first || segment > last) continue;
    const file = disk.open(paths.segment(segment), 'read');
    try {
      disk.sync(file);
    } finally {
      disk.close(file);
    }
  }
}

/** The log does not contain what it must: what stands before the damage can still be read, from its very beginning. */
function fromTheStart(
  environment: Environment,
  settings: OpenSettings,
  files: OpenFiles,
  base: Place | undefined,
  problem: string,
): Found {
  const { disk } = environment;
  const { paths } = settings;
  const { store } = files;
  const start = runSync(disk, beginningOf(paths, store.id));
  const listing = runSync(disk, listLog(paths));
  const place = readable(listing).includes(start.segment)
    ? runSync(disk, examineTail(paths, store.id, start, { laterGroupsProve: true })).place
    : start;
  const recovery: Recovery = {
    state: 'damaged',
    file: base ? paths.segment(base.segment) : paths.anchor,
    offset: base?.offset ?? 0,
    position: place.position,
    problem,
  };
  return { ...files, section: undefined, place, recovery };
}
