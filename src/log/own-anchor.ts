/** The anchor as the holder of the lock moves it. One that stands there already is not written again, unless it may not be durable. */
import { type Anchor, moveAnchor, readAnchor } from './anchor.js';
import type { Disk } from './disk.js';
import { runSync } from './io.js';
import { type Place, samePlace } from './place.js';
import type { SectionFiles } from './section-files.js';

export class OwnAnchor {
  readonly #disk: Disk;
  readonly #files: SectionFiles;
  #last: Anchor | undefined;
  /** The last move failed: what the file seems to hold may not be durable. */
  #failed = false;

  constructor(disk: Disk, files: SectionFiles) {
    this.#disk = disk;
    this.#files = files;
  }

  /** `undefined` when neither slot is whole. @throws StoreDamagedError when the file is missing */
  read(): Anchor | undefined {
    return runSync(this.#disk, readAnchor(this.#files.anchor()));
  }

  /** @param place - synced already */
  move(place: Place): void {
    const before = this.read();
    if (before && samePlace(before, place) && !this.#failed) return;
    this.#failed = true;
    this.#last = moveAnchor(this.#disk, this.#files.anchor(), before, place);
    this.#failed = false;
  }

  /** The place it was last moved to here. */
  get last(): Place | undefined {
    return this.#last;
  }
}
