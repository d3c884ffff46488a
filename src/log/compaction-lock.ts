/** The right to write snapshots and to compact: one holder over all processes, given back by the kernel when it dies. */
import { LockTimeoutError } from '../errors.js';
import type { Disk } from './disk.js';
import { COMPACTION_LOCK, COPY_LOCK } from './format.js';
import { closeQuietly } from './io.js';
import { pathsOf } from './paths.js';

/**
 * Gives the call that gives the right back, or `undefined` when another has it. Where a lock covers a whole file (macOS), the one on the lock file is
 * the writers', so that store.json, which nobody else locks, stands for this one.
 */
export function tryCompactionLock(disk: Disk, directory: string): (() => void) | undefined {
  const paths = pathsOf(directory);
  const file = disk.open(disk.rangeLocks ? paths.lock : paths.store, 'write');
  try {
    // A descriptor of its own: what one descriptor holds is never in its own way.
    if (!isAwaited(disk, file) && disk.tryLock(file, COMPACTION_LOCK, 'exclusive')) {
      return () => closeQuietly(disk, file);
    }
  } catch (error) {
    closeQuietly(disk, file);
    throw error;
  }
  closeQuietly(disk, file);
  return undefined;
}

/** Nobody knows who holds it: the mark names the last writer, which need not be the one that compacts or copies. */
export function compactionLockTimeout(file: string, timeoutMs: number): LockTimeoutError {
  return new LockTimeoutError({ file, timeoutMs, label: 'snapshots, compaction and copies' });
}

/** Whether a copy waits for its turn. */
function isAwaited(disk: Disk, file: number): boolean {
  if (!disk.rangeLocks) return false;
  if (!disk.tryLock(file, COPY_LOCK, 'exclusive')) return true;
  disk.unlock(file, COPY_LOCK);
  return false;
}
