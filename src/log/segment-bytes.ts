/**
 * The bytes of a segment, wherever they are kept: in its file, or compressed in the archive. Whoever reads segments reads them through
 * this, and sees the same bytes at the same offsets either way.
 *
 * A segment moves from log/ to archive/ and never back, and stands in both for a moment: who looks in this order finds it.
 */
import { HistoryPrunedError, StoreDamagedError, systemCode } from '../errors.js';
import {
  type ArchiveBlock,
  type ArchiveFacts,
  ArchiveProblem,
  decodeBlock,
  decodeDirectory,
  decodeEnding,
  ENDING_BYTES,
} from './archive-file.js';
import { ByteLru } from './byte-lru.js';
import { ask, type Io } from './io.js';
import { readFully } from './open-files.js';
import { listLog, type Paths, readable } from './paths.js';

/** Bytes that can be read at any offset. */
export interface ByteSource {
  /** Reads up to `length` bytes at `at` into `buffer` from `start`; 0 only at the end. */
  read(buffer: Uint8Array, start: number, length: number, at: number): Io<number>;
}

export interface SegmentBytes extends ByteSource {
  /** The file they come from. */
  readonly path: string;
  /** There for a segment in the archive. */
  readonly archive: ArchiveFacts | undefined;
  size(): Io<number>;
}

/** Fills the buffer with what stands at `at`; less only at the end. Gives the number of bytes. */
export function* readAll(source: ByteSource, buffer: Uint8Array, at: number): Io<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = yield* source.read(buffer, filled, buffer.length - filled, at + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Inflated blocks, by the archive's first position and the block's offset. */
export type BlockCache = ByteLru<string, Buffer>;

export function blockCache(bytesMax: number): BlockCache {
  return new ByteLru(bytesMax);
}

/** An open file as it is. */
export function plainBytes(file: number, path: string): SegmentBytes {
  return {
    path,
    archive: undefined,
    read: (buffer, start, length, at) => ask('read', file, buffer, start, length, at),
    size: () => ask('size', file),
  };
}

/** Reads what an archive says of itself. @throws StoreDamagedError */
export function* readArchiveFacts(paths: Paths, first: number, file: number): Io<ArchiveFacts> {
  const size = yield* ask('size', file);
  try {
    const ending = yield* bytesAt(file, Math.max(0, size - ENDING_BYTES), ENDING_BYTES);
    const place = decodeEnding(ending, size);
    return decodeDirectory(yield* bytesAt(file, place.offset, place.bytes), place, first);
  } catch (error) {
    throw told(paths, first, first, error);
  }
}

function* bytesAt(file: number, offset: number, length: number): Io<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  return bytes.subarray(0, yield* readFully(file, bytes, 0, length, offset));
}

function told(paths: Paths, first: number, position: number, error: unknown): unknown {
  if (!(error instanceof ArchiveProblem)) return error;
  const { directory } = paths;
  const { offset, message: problem } = error;
  return new StoreDamagedError({
    directory,
    file: paths.archived(first),
    offset,
    position,
    problem,
    cause: error,
  });
}

/** The segment in an open archive. Reading throws StoreDamagedError where a block is not what was written. */
export function archivedBytes(
  paths: Paths,
  file: number,
  facts: ArchiveFacts,
  cache: BlockCache,
): SegmentBytes {
  const { first } = facts;
  function* inflated(block: ArchiveBlock): Io<Buffer> {
    const key = `${first}/${block.offset}`;
    const known = cache.get(key);
    if (known) return known;
    const member = yield* bytesAt(file, block.offset, block.bytes);
    let plain: Buffer;
    try {
      plain = decodeBlock(member, block);
    } catch (error) {
      throw told(paths, first, block.position, error);
    }
    cache.set(key, plain, plain.length);
    return plain;
  }
  return {
    path: paths.archived(first),
    archive: facts,
    *read(buffer, start, length, at) {
      const block = blockAt(facts.blocks, at);
      if (!block || length <= 0) return 0;
      const plain = yield* inflated(block);
      const from = at - block.start;
      const count = Math.min(length, plain.length - from);
      buffer.set(plain.subarray(from, from + count), start);
      return count;
    },
    // biome-ignore lint/correctness/useYield: the archive's directory knows it
    *size() {
      return facts.bytes;
    },
  };
}

function blockAt(blocks: readonly ArchiveBlock[], at: number): ArchiveBlock | undefined {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((blocks[middle] as ArchiveBlock).end > at) high = middle;
    else low = middle + 1;
  }
  return blocks[low];
}

/** A segment's file, where it stands in log/, or else its archive, opened as `openArchived` does. */
export function* openSegment(
  paths: Paths,
  first: number,
  openArchived: (missing: unknown) => Io<number>,
): Io<{ readonly file: number; readonly archived: boolean }> {
  try {
    return { file: yield* ask('open', paths.segment(first), 'read'), archived: false };
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return { file: yield* openArchived(error), archived: true };
  }
}

/**
 * Does work with the bytes of a segment, opened for this alone.
 * @throws the disk's ENOENT when it is neither in log/ nor in archive/; HistoryPrunedError when it was dropped; StoreDamagedError
 */
export function* withSegment<T>(
  paths: Paths,
  first: number,
  work: (bytes: SegmentBytes) => Io<T>,
): Io<T> {
  const { file, archived } = yield* openSegment(paths, first, (missing) =>
    openArchive(paths, first, missing),
  );
  try {
    if (!archived) return yield* work(plainBytes(file, paths.segment(first)));
    const facts = yield* readArchiveFacts(paths, first, file);
    // What is read in one go needs the last block alone.
    return yield* work(archivedBytes(paths, file, facts, blockCache(0)));
  } finally {
    yield* ask('close', file);
  }
}

function* openArchive(paths: Paths, first: number, missing: unknown): Io<number> {
  try {
    return yield* ask('open', paths.archived(first), 'read');
  } catch (error) {
    // That there is no archive either says nothing new: what is missing is the segment.
    throw systemCode(error) === 'ENOENT' ? yield* missingOrDropped(paths, first, missing) : error;
  }
}

/** The error for a segment that is not there: it was dropped, or what the disk said. */
export function* missingOrDropped(paths: Paths, first: number, missing: unknown): Io<unknown> {
  if ((yield* ask('facts', paths.remains(first))) === undefined) return missing;
  return new HistoryPrunedError(readable(yield* listLog(paths))[0] ?? first);
}
