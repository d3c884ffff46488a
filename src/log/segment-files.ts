/**
 * The segments of a log, kept open for reading: their files, a few at a time, what archives say of themselves, and the blocks inflated
 * last. All of it is bounded, however long the log is.
 */
import { systemCode } from '../errors.js';
import type { ArchiveFacts } from './archive-file.js';
import { ByteLru } from './byte-lru.js';
import type { Io } from './io.js';
import type { OpenFiles } from './open-files.js';
import type { Paths } from './paths.js';
import {
  archivedBytes,
  type BlockCache,
  blockCache,
  plainBytes,
  readArchiveFacts,
  type SegmentBytes,
} from './segment-bytes.js';

/** Inflated blocks kept for the next read, unless told otherwise. */
export const blockBytesMaxDefault: number = 8 * 1024 * 1024;
const FACTS_BYTES_MAX = 4 * 1024 * 1024;
/** About what one archive's facts, and one block of them, take. */
const FACTS_BYTES = 600;
const BLOCK_FACTS_BYTES = 100;

export class SegmentFiles {
  readonly #paths: Paths;
  readonly #files: OpenFiles;
  readonly #blocks: BlockCache;
  readonly #facts = new ByteLru<number, ArchiveFacts>(FACTS_BYTES_MAX);
  /** Segments that were found in the archive: their file is not looked for again. */
  readonly #archived = new Set<number>();

  constructor(paths: Paths, files: OpenFiles, blockBytesMax: number = blockBytesMaxDefault) {
    this.#paths = paths;
    this.#files = files;
    this.#blocks = blockCache(blockBytesMax);
  }

  /**
   * Does work with the bytes of a segment.
   * @throws the disk's ENOENT when it is neither in log/ nor in archive/; StoreDamagedError
   */
  *use<T>(first: number, work: (bytes: SegmentBytes) => Io<T>): Io<T> {
    if (!this.#archived.has(first)) {
      const path = this.#paths.segment(first);
      try {
        return yield* this.#files.use(path, (file) => work(plainBytes(file, path)));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
      this.#archived.add(first);
    }
    try {
      return yield* this.#files.use(this.#paths.archived(first), (file) =>
        this.#inArchive(first, file, work),
      );
    } catch (error) {
      if (systemCode(error) === 'ENOENT') this.#archived.delete(first);
      throw error;
    }
  }

  *#inArchive<T>(first: number, file: number, work: (bytes: SegmentBytes) => Io<T>): Io<T> {
    let facts = this.#facts.get(first);
    if (!facts) {
      facts = yield* readArchiveFacts(this.#paths, first, file);
      this.#facts.set(first, facts, FACTS_BYTES + BLOCK_FACTS_BYTES * facts.blocks.length);
    }
    return yield* work(archivedBytes(this.#paths, file, facts, this.#blocks));
  }

  /** Lets go of the files of a segment that was moved or dropped, so that the disk gets their room back. */
  *forget(first: number): Io<void> {
    this.#archived.delete(first);
    this.#facts.delete(first);
    yield* this.#files.forget(this.#paths.segment(first));
    yield* this.#files.forget(this.#paths.archived(first));
  }
}
