/**
 * Gives way to writers: whoever works beside them stops for a while after each portion of work as long as groups are being written. The mark
 * tells that they are, without a lock that could be in their way.
 */
import type { Disk } from '../log/disk.js';
import { MARK_BYTES } from '../log/mark.js';

/** Of the time that a portion took, so much is left to others while they write. */
const SHARE_LEFT = 1;
const PAUSE_MS_MAX = 25;

export class WayGiver {
  readonly #disk: Disk;
  readonly #file: number;
  readonly #mark: Buffer = Buffer.alloc(MARK_BYTES);
  readonly #before: Buffer = Buffer.alloc(MARK_BYTES);
  #since = performance.now();

  /** @param lockFile - whose mark is watched */
  constructor(disk: Disk, lockFile: string) {
    this.#disk = disk;
    this.#file = disk.open(lockFile, 'read');
    this.#look();
  }

  /** Blocks this thread for about as long as it worked, if somebody wrote meanwhile. */
  giveWay(): void {
    const worked = performance.now() - this.#since;
    if (this.#look()) this.#disk.pause(Math.min(PAUSE_MS_MAX, worked * SHARE_LEFT));
    this.#since = performance.now();
  }

  /** True when the mark moved since the last look. */
  #look(): boolean {
    this.#mark.copy(this.#before);
    this.#disk.read(this.#file, this.#mark, 0, MARK_BYTES, 0);
    return !this.#mark.equals(this.#before);
  }

  close(): void {
    this.#disk.close(this.#file);
  }
}
