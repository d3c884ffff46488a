/**
 * Moves a closed segment to the archive (docs/FORMAT.md, "Moving a segment"). A crash at any call leaves the segment where it was, or
 * in the archive, or, whole, in both.
 *
 * Invariants:
 * - the segment's file goes only once the archive that takes its place was synced, read back, renamed, and its directory synced;
 * - only what was checked line by line, up to the closing line that the log goes on from, is put into an archive;
 * - one at a time over all processes: whoever calls this holds the lock for compaction.
 */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { systemCode } from '../errors.js';
import {
  type ArchiveBlock,
  type ArchiveFacts,
  BLOCK_BYTES,
  decodeBlock,
  decodeDirectory,
  decodeEnding,
  ENDING_BYTES,
  encodeDirectory,
  encodeMember,
} from './archive-file.js';
import { ask, type Io } from './io.js';
import { LineReader, type Lines } from './line-reader.js';
import type { Paths } from './paths.js';
import { damagedError } from './repair.js';
import { type ByteSource, plainBytes, readAll } from './segment-bytes.js';
import { SegmentProblem, SegmentWalker } from './walk.js';
import { writeAll } from './whole-file.js';

export interface ArchiveJob {
  readonly paths: Paths;
  readonly storeId: string;
  /** First and last position of the segment. */
  readonly first: number;
  readonly last: number;
  /** The seal before the segment, and the one in its closing line. */
  readonly before: string;
  readonly seal: string;
}

/** A segment and what it takes in the archive, bytes. */
export interface ArchivedSegment {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  readonly archiveBytes: number;
}

/** Called between two portions of work, so that others have their turn. */
export type GiveWay = () => Io<void>;

/** What is written is synced in pieces of this size, so that no writer waits for a large one. */
const SYNC_BYTES = 512 * 1024;

/**
 * Moves the segment to the archive. Whatever an earlier attempt left is replaced.
 * @throws StoreDamagedError when the segment is not what it must be; then it stays where it is. And the disk's errors.
 */
export function* archiveSegment(job: ArchiveJob, giveWay: GiveWay): Io<ArchivedSegment> {
  const { paths, first, last } = job;
  const target = paths.archived(first);
  const temporary = `${target}.tmp`;
  yield* makeArchiveDirectory(paths);
  yield* removeIfThere(temporary);
  let archiveBytes: number;
  let facts: ArchiveFacts;
  try {
    const output = yield* ask('open', temporary, 'create');
    try {
      ({ facts, archiveBytes } = yield* compress(job, output, giveWay));
      yield* readBack(output, facts, giveWay);
    } finally {
      yield* ask('close', output);
    }
    yield* ask('rename', temporary, target);
  } catch (error) {
    if (systemCode(error) !== undefined) yield* removeIfThere(temporary);
    throw error;
  }
  yield* ask('syncDirectory', paths.archive);
  yield* ask('remove', paths.segment(first));
  yield* ask('syncDirectory', paths.log);
  return { first, last, bytes: facts.bytes, archiveBytes };
}

/**
 * What {@link archiveSegment} would give. Nothing is written.
 * @throws what it throws
 */
export function* measureArchive(job: ArchiveJob, giveWay: GiveWay): Io<ArchivedSegment> {
  const { first, last } = job;
  const { facts, archiveBytes } = yield* compress(job, undefined, giveWay);
  return { first, last, bytes: facts.bytes, archiveBytes };
}

/** Only the folder itself: a store that was moved or deleted meanwhile must not appear again. */
export function* makeArchiveDirectory(paths: Paths): Io<void> {
  if ((yield* ask('facts', paths.archive)) !== undefined) return;
  yield* ask('makeDirectory', paths.archive);
  yield* ask('syncDirectory', paths.directory);
}

/** Removes a file; one that is not there, or cannot be removed, is left to the next attempt. */
export function* removeIfThere(path: string): Io<void> {
  try {
    yield* ask('remove', path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

interface Compressed {
  readonly facts: ArchiveFacts;
  readonly archiveBytes: number;
}

/** Checks the segment line by line and writes it as an archive, synced; without an output nowhere. */
function* compress(job: ArchiveJob, output: number | undefined, giveWay: GiveWay): Io<Compressed> {
  const path = job.paths.segment(job.first);
  const input = yield* ask('open', path, 'read');
  try {
    const writer = new ArchiveWriter(job, output);
    const source = plainBytes(input, path);
    const size = yield* source.size();
    const reader = new LineReader(source, 0, size);
    for (;;) {
      const lines = yield* reader.next();
      if (!lines) break;
      writer.feed(lines);
      yield* giveWay();
      for (;;) {
        if (!(yield* writer.writeBlock())) break;
        yield* giveWay();
      }
    }
    if (reader.rest.bytes > 0) throw writer.damaged(reader.rest.offset, 'a line without its end');
    return yield* writer.finish();
  } finally {
    yield* ask('close', input);
  }
}

interface GroupEnd {
  readonly offset: number;
  readonly position: number;
}

/** Bytes that wait, in one piece of memory that is used again: new ones would pile up until they are collected. */
class Pending {
  #bytes: Buffer = Buffer.allocUnsafeSlow(4 * BLOCK_BYTES);
  #filled = 0;

  add(bytes: Buffer): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * filled);
      this.#bytes.copy(larger, 0, 0, this.#filled);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#filled);
    this.#filled = filled;
  }

  /** Valid until bytes are added or dropped. */
  first(length: number): Buffer {
    return this.#bytes.subarray(0, length);
  }

  drop(length: number): void {
    this.#bytes.copyWithin(0, length, this.#filled);
    this.#filled -= length;
  }
}

/** The lines of a segment on their way into an archive. */
class ArchiveWriter {
  readonly #job: ArchiveJob;
  readonly #output: number | undefined;
  readonly #walker: SegmentWalker;
  readonly #hash: Hash = createHash('sha256');
  readonly #blocks: ArchiveBlock[] = [];
  /** Lines that stand in no block yet, and the ends of groups among them. */
  readonly #pending: Pending = new Pending();
  readonly #ends: GroupEnd[] = [];
  #begin: GroupEnd;
  #read = 0;
  #written = 0;
  #synced = 0;
  #firstTime = '';
  #lastTime = '';

  constructor(job: ArchiveJob, output: number | undefined) {
    this.#job = job;
    this.#output = output;
    this.#begin = { offset: 0, position: job.first };
    const place = { segment: job.first, offset: 0, position: job.first - 1, seal: job.before };
    this.#walker = new SegmentWalker(
      { place, time: '', storeId: job.storeId },
      {
        envelope: (envelope, buffer, _start, end) => {
          envelope.checkPayload(buffer, end);
          this.#lastTime = envelope.time;
          if (this.#firstTime === '') this.#firstTime = this.#lastTime;
        },
        sealed: ({ offset, position }) => this.#ends.push({ offset, position: position + 1 }),
      },
    );
  }

  /** @throws StoreDamagedError */
  feed({ buffer, start, end, offset }: Lines): void {
    try {
      this.#walker.feed(buffer, start, end, offset);
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      throw this.damaged(error.offset, error.message, error.position);
    }
    const lines = buffer.subarray(start, end);
    this.#hash.update(lines);
    this.#pending.add(lines);
    this.#read += lines.length;
  }

  /** Writes a block, if there are groups enough for one and more behind it. */
  *writeBlock(): Io<boolean> {
    const enough = this.#ends.findIndex(({ offset }) => offset - this.#begin.offset >= BLOCK_BYTES);
    // What follows the last group is its closing line alone, which belongs to the block of that group.
    if (enough < 0 || enough === this.#ends.length - 1) return false;
    const end = this.#ends[enough] as GroupEnd;
    this.#ends.splice(0, enough + 1);
    yield* this.#block(end.offset);
    this.#begin = end;
    return true;
  }

  *#block(end: number): Io<void> {
    const { offset: start, position } = this.#begin;
    const member = encodeMember(this.#pending.first(end - start));
    this.#pending.drop(end - start);
    const offset = this.#written;
    const bytes = member.length;
    this.#blocks.push({ offset, bytes, start, end, position, checksum: crc32(member) });
    yield* this.#write(member);
    if (this.#written - this.#synced >= SYNC_BYTES) yield* this.#sync();
  }

  *#write(bytes: Buffer): Io<void> {
    if (this.#output !== undefined) yield* writeAll(this.#output, bytes, this.#written);
    this.#written += bytes.length;
  }

  *#sync(): Io<void> {
    if (this.#output !== undefined) yield* ask('sync', this.#output);
    this.#synced = this.#written;
  }

  /** The last block, the directory, and a sync. @throws StoreDamagedError when the segment ended otherwise than it must */
  *finish(): Io<Compressed> {
    const { first, last, storeId, before, seal } = this.#job;
    const { place, closed } = this.#walker;
    if (!closed) throw this.damaged(this.#read, 'the segment ends without its closing line');
    if (place.position !== last || place.seal !== seal) {
      throw this.damaged(this.#read, 'the segment ends otherwise than the log goes on');
    }
    yield* this.#block(this.#read);
    const facts: ArchiveFacts = {
      ...{ first, last, storeId, before, seal },
      bytes: this.#read,
      sha256: this.#hash.digest('hex'),
      firstTime: this.#firstTime,
      lastTime: this.#lastTime,
      blocks: this.#blocks,
    };
    yield* this.#write(encodeDirectory(facts));
    yield* this.#sync();
    return { facts, archiveBytes: this.#written };
  }

  damaged(offset: number, problem: string, position = this.#walker.place.position + 1): Error {
    const { paths, first } = this.#job;
    return damagedError(paths.directory, { file: paths.segment(first), offset, position, problem });
  }
}

/** Reads an archive as whoever comes later will, and compares. @throws Error with code EIO: the disk gave back something else */
function* readBack(file: number, facts: ArchiveFacts, giveWay: GiveWay): Io<void> {
  try {
    const source = plainBytes(file, '');
    const size = yield* source.size();
    const ending = yield* bytesAt(source, Math.max(0, size - ENDING_BYTES), ENDING_BYTES);
    const place = decodeEnding(ending, size);
    const directory = yield* bytesAt(source, place.offset, place.bytes);
    const found = decodeDirectory(directory, place, facts.first);
    const hash = createHash('sha256');
    for (const block of found.blocks) {
      hash.update(decodeBlock(yield* bytesAt(source, block.offset, block.bytes), block));
      yield* giveWay();
    }
    if (hash.digest('hex') !== facts.sha256) throw new Error('other bytes');
  } catch (cause) {
    if (systemCode(cause) !== undefined) throw cause;
    const message = 'the disk gave back other bytes than were written to it';
    throw Object.assign(new Error(message, { cause }), { code: 'EIO' });
  }
}

function* bytesAt(source: ByteSource, offset: number, length: number): Io<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, yield* readAll(source, bytes, offset));
}
