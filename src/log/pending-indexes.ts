/** Index files are derived and never needed for writing: they are written when there is time, and a failure is none of the caller's. */
import type { Disk } from './disk.js';
import { runAsync } from './io.js';
import type { Segments } from './segments.js';

export class PendingIndexes {
  readonly #disk: Disk;
  readonly #segments: Segments;
  #writing: Promise<void> | undefined;
  #isMore = false;

  constructor(disk: Disk, segments: Segments) {
    this.#disk = disk;
    this.#segments = segments;
  }

  /** A segment was closed: its index is written, off the caller's path. */
  write(): void {
    this.#isMore = true;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when none is being written; never rejects. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // A segment may be closed while the index of the one before it is written.
    while (this.#isMore) {
      this.#isMore = false;
      await runAsync(this.#disk, this.#segments.writePendingIndexes()).catch(() => {});
    }
    this.#writing = undefined;
  }
}
