/** Moves segments of a log to its archive, as compaction does, without the lock for it. */
import { archivable } from '#src/log/archivable.js';
import { type ArchivedSegment, archiveSegment } from '#src/log/archive-write.js';
import type { Disk } from '#src/log/disk.js';
import { type Io, rest, runSync } from '#src/log/io.js';
import { pathsOf } from '#src/log/paths.js';

export function* archiving(
  directory: string,
  storeId: string,
  through: number = Number.MAX_SAFE_INTEGER,
): Io<ArchivedSegment[]> {
  const moved: ArchivedSegment[] = [];
  for (const job of yield* archivable(pathsOf(directory), storeId, through)) {
    moved.push(yield* archiveSegment(job, rest));
  }
  return moved;
}

export function archiveAll(disk: Disk, directory: string, storeId: string): ArchivedSegment[] {
  return runSync(disk, archiving(directory, storeId));
}
