/**
 * Copies a store that others go on writing. Where a lock on a part of a file can be had, nobody compacts meanwhile (see `holdCompaction`); where it cannot,
 * a segment may move to the archive, or be dropped, under the copy: whatever changes in the archive tells of that, and then what is missing is copied.
 */
import { StoreAccessError, systemCode } from '../errors.js';
import type { Disk } from '../log/disk.js';
import { closeQuietly, type Io, runAsync } from '../log/io.js';
import type { Found } from '../log/open-settings.js';
import type { StoreCopy } from './store-copy.js';

/** So often it begins anew because segments were moved meanwhile. */
const ATTEMPTS_MAX = 10;

/**
 * Copies all but store.json and the anchor; gives where the log ended.
 * @param find - looks where it ends now
 * @throws StoreAccessError when segments were moved during every attempt
 */
export async function copyLive(
  disk: Disk,
  copy: StoreCopy,
  find: () => Promise<Found>,
): Promise<Found> {
  const run = <T>(work: Io<T>): Promise<T> => runAsync(disk, work);
  for (let attempt = 1; ; attempt += 1) {
    const before = await run(copy.listArchive());
    let cause: unknown = new Error('segments were moved to the archive while it was copied');
    try {
      const found = await copyOnce();
      if ((await run(copy.listArchive())).join() === before.join()) return found;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      cause = error;
    }
    if (attempt === ATTEMPTS_MAX) {
      throw new StoreAccessError(
        copy.source.directory,
        cause,
        'It is being compacted: try again when that has ended.',
      );
    }
    await run(copy.keepUnmoved());
  }

  async function copyOnce(): Promise<Found> {
    await run(copy.takeFinished());
    const found = await find();
    try {
      await run(copy.takeLog(found.place));
    } finally {
      closeQuietly(disk, found.lockFile);
    }
    return found;
  }
}
