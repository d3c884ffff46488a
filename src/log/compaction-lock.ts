/** The right to write snapshots and to compact: one holder over all processes, given back by the kernel when it dies. */
import type { Disk } from './disk.js';
import { COMPACTION_LOCK } from './format.js';
import { closeQuietly } from './io.js';
import { pathsOf } from './paths.js';

/**
 * Gives the call that gives the right back, or `undefined` when another has it. Where a lock covers a whole file (macOS), it would be that of the
 * writers, so there is none: two who write the same snapshot then write it twice.
 */
export function tryCompactionLock(disk: Disk, directory: string): (() => void) | undefined {
  if (!disk.rangeLocks) return () => {};
  const file = disk.open(pathsOf(directory).lock, 'write');
  try {
    // A descriptor of its own: what one descriptor holds is never in its own way.
    if (disk.tryLock(file, COMPACTION_LOCK, 'exclusive')) return () => closeQuietly(disk, file);
  } catch (error) {
    closeQuietly(disk, file);
    throw error;
  }
  closeQuietly(disk, file);
  return undefined;
}
