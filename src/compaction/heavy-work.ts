/** The part of a compaction that takes long: compressing and checking segments. Where it runs is decided here, what it does is the log's. */
import { StoreClosedError } from '../errors.js';
import {
  type ArchivedSegment,
  type ArchiveJob,
  archiveSegment,
  type GiveWay,
  measureArchive,
} from '../log/archive-write.js';
import type { Disk } from '../log/disk.js';
import { newPace, rest, runAsync } from '../log/io.js';
import { type DropJob, writeRemains } from '../log/remains-write.js';

export interface HeavyWork {
  /** Moves a segment to the archive. */
  archive(job: ArchiveJob): Promise<ArchivedSegment>;
  /** What moving it would give; nothing is written. */
  measure(job: ArchiveJob): Promise<ArchivedSegment>;
  /** Writes what stays of a segment that is to be dropped. */
  remains(job: DropJob): Promise<void>;
  /** Somebody waits from now on for what may be under way already. */
  await(): void;
  /** Ends what is under way, which leaves nothing that the next compaction cannot go on from. */
  stop(): Promise<void>;
}

/** On the calling thread, in slices between which others have their turn. */
export class SlicedWork implements HeavyWork {
  readonly #disk: Disk;
  readonly #pace = newPace();
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  archive(job: ArchiveJob): Promise<ArchivedSegment> {
    return this.#run(() => runAsync(this.#disk, archiveSegment(job, this.#giveWay), this.#pace));
  }

  measure(job: ArchiveJob): Promise<ArchivedSegment> {
    return this.#run(() => runAsync(this.#disk, measureArchive(job, this.#giveWay), this.#pace));
  }

  remains(job: DropJob): Promise<void> {
    return this.#run(() => runAsync(this.#disk, writeRemains(job, this.#giveWay), this.#pace));
  }

  /** What is done here keeps the process as it is. */
  await(): void {}

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#stopped) throw new StoreClosedError();
    const running = work();
    this.#running = running.catch(() => {});
    return await running;
  }

  readonly #giveWay: GiveWay = function* (this: SlicedWork) {
    if (this.#stopped) throw new StoreClosedError();
    // One portion is as long as a slice may be: the next one always waits for its turn.
    this.#pace.began = Number.NEGATIVE_INFINITY;
    yield* rest();
  }.bind(this);

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
