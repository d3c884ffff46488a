/** A store that is copied or read as a whole while others write to it. */

import { StoreDamagedError } from '../errors.js';
import { compactionLockTimeout } from '../log/compaction-lock.js';
import type { Environment } from '../log/environment.js';
import { COMPACTION_LOCK, COPY_LOCK } from '../log/format.js';
import { closeQuietly } from '../log/io.js';
import { checkOptions } from '../log/log-options.js';
import { findStore } from '../log/open.js';
import type { Found, OpenSettings } from '../log/open-settings.js';
import { type Paths, pathsOf } from '../log/paths.js';
import type { Course } from './course.js';

export interface SourceOptions {
  /** How long to wait while another process writes or compacts, ms. Default 10 000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Accept a directory in which other users may write. Default false. */
  readonly allowSharedDirectory?: boolean | undefined;
  /** Accept a file system on which locks or syncs may not hold. Default false. */
  readonly allowFileSystem?: boolean | undefined;
}

const POLL_MS = 5;

export function sourceSettings(directory: string, options: SourceOptions): OpenSettings {
  const { lockTimeoutMs, allowSharedDirectory, allowFileSystem } = options;
  const checked = checkOptions({ lockTimeoutMs, allowSharedDirectory, allowFileSystem });
  return {
    paths: pathsOf(directory),
    create: undefined,
    readOnly: true,
    lockTimeoutMs: checked.lockTimeoutMs,
    segmentBytes: checked.segmentBytes,
    label: '',
    allowSharedDirectory: checked.allowSharedDirectory,
    allowFileSystem: checked.allowFileSystem,
  };
}

/** What `openLogOn` takes to read the same. */
export function readingOptions(
  options: SourceOptions,
): SourceOptions & { readonly readOnly: true } {
  const { lockTimeoutMs, allowSharedDirectory, allowFileSystem } = options;
  return { lockTimeoutMs, allowSharedDirectory, allowFileSystem, readOnly: true };
}

/** Finds where the log ends now; its lock file is open afterwards. @throws StoreDamagedError, and what opening throws */
export async function findSource(environment: Environment, settings: OpenSettings): Promise<Found> {
  const found = await findStore(environment, settings);
  const { state, file, offset, position = 0, problem = 'it is damaged' } = found.recovery;
  if (state !== 'damaged') return found;
  closeQuietly(environment.disk, found.lockFile);
  const { paths } = settings;
  throw new StoreDamagedError({
    directory: paths.directory,
    file: file ?? paths.anchor,
    offset: offset ?? 0,
    position: position + 1,
    problem,
  });
}

/**
 * Keeps compaction away, so that no file is moved while the store is copied. Writers and readers go on, and so do other copies. Gives the call that
 * ends it. Where a lock always covers the whole file it would keep writers away, too, and is left out: what moves under a copy is then copied once more
 * (`copyLive`).
 */
export async function holdCompaction(
  environment: Environment,
  paths: Paths,
  lockTimeoutMs: number,
  course: Course,
): Promise<() => void> {
  const { disk } = environment;
  if (!disk.rangeLocks) return () => {};
  const file = disk.open(paths.lock, 'read');
  try {
    const deadline = environment.monotonic() + lockTimeoutMs;
    let isAnnounced = false;
    while (!disk.tryLock(file, COMPACTION_LOCK, 'shared')) {
      // No other compaction begins then, and this one ends.
      isAnnounced ||= disk.tryLock(file, COPY_LOCK, 'shared');
      course.check();
      if (environment.monotonic() >= deadline) {
        throw compactionLockTimeout(paths.lock, lockTimeoutMs);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (isAnnounced) disk.unlock(file, COPY_LOCK);
  } catch (error) {
    closeQuietly(disk, file);
    throw error;
  }
  return () => closeQuietly(disk, file);
}
