/** The segments of a damaged store, whatever of them can still be read: of an archive, its members one by one. */
import { systemCode } from '../errors.js';
import {
  type ArchiveFacts,
  ArchiveProblem,
  decodeBlock,
  decodeDirectory,
  decodeEnding,
  decodeMember,
  ENDING_BYTES,
  memberBeginnings,
} from './archive-file.js';
import { ask, type Io } from './io.js';
import { readFully } from './open-files.js';
import type { Paths } from './paths.js';
import {
  archivedBytes,
  blockCache,
  openSegment,
  plainBytes,
  type SegmentBytes,
} from './segment-bytes.js';

/** Behind how many later beginnings the end of a member is looked for: what looks like a beginning can stand inside of one. */
const BEGINNINGS_TRIED = 4;

/**
 * Does work with what can be read of a segment. What is broken of an archive reads as zeros, which no line can hold.
 * @throws the disk's errors when neither the file nor an archive of it can be opened
 */
export function* withSalvaged<T>(
  paths: Paths,
  first: number,
  work: (bytes: SegmentBytes) => Io<T>,
): Io<T> {
  const { file, archived } = yield* openSegment(paths, first, () =>
    ask('open', paths.archived(first), 'read'),
  );
  try {
    return yield* work(
      archived ? yield* looseBytes(paths, first, file) : plainBytes(file, paths.segment(first)),
    );
  } finally {
    yield* ask('close', file);
  }
}

function* looseBytes(paths: Paths, first: number, file: number): Io<SegmentBytes> {
  const size = yield* ask('size', file);
  const facts = yield* factsIfWhole(first, file, size);
  if (!facts) return yield* membersOf(paths, first, file, size);
  const whole = archivedBytes(paths, file, facts, blockCache(0));
  const bad = yield* badBlocks(file, facts);
  return {
    ...whole,
    *read(buffer, start, length, at) {
      const hole = bad.find((block) => block.start <= at && at < block.end);
      const next = bad.find((block) => block.start > at);
      const room = Math.min(length, (hole ? hole.end : (next?.start ?? facts.bytes)) - at);
      if (!hole) return yield* whole.read(buffer, start, room, at);
      buffer.fill(0, start, start + room);
      return room;
    },
  };
}

function* bytesAt(file: number, offset: number, length: number): Io<Buffer> {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, yield* readFully(file, bytes, 0, length, offset));
}

function* factsIfWhole(first: number, file: number, size: number): Io<ArchiveFacts | undefined> {
  try {
    const ending = yield* bytesAt(file, Math.max(0, size - ENDING_BYTES), ENDING_BYTES);
    const place = decodeEnding(ending, size);
    return decodeDirectory(yield* bytesAt(file, place.offset, place.bytes), place, first);
  } catch (error) {
    if (error instanceof ArchiveProblem || systemCode(error) === 'EIO') return undefined;
    throw error;
  }
}

function* badBlocks(file: number, facts: ArchiveFacts): Io<ArchiveFacts['blocks']> {
  const bad = [];
  for (const block of facts.blocks) {
    try {
      decodeBlock(yield* bytesAt(file, block.offset, block.bytes), block);
    } catch (error) {
      if (!(error instanceof ArchiveProblem) && systemCode(error) !== 'EIO') throw error;
      bad.push(block);
    }
  }
  return bad;
}

/** Without a directory: every member that is whole, wherever it stands. */
function* membersOf(paths: Paths, first: number, file: number, size: number): Io<SegmentBytes> {
  const archive = yield* bytesAt(file, 0, size);
  const begins = memberBeginnings(archive);
  const members: Buffer[] = [];
  for (let index = 0, free = 0; index < begins.length; index += 1) {
    const from = begins[index] as number;
    if (from < free) continue;
    const ends = [...begins.slice(index + 1, index + 1 + BEGINNINGS_TRIED), archive.length];
    for (const end of ends) {
      const member = memberWithin(archive.subarray(from, end));
      if (!member) continue;
      members.push(member);
      free = end;
      break;
    }
  }
  const plain = Buffer.concat(members);
  return {
    path: paths.archived(first),
    archive: undefined,
    // biome-ignore lint/correctness/useYield: all of it is in memory
    *read(buffer, start, length, at) {
      const bytes = plain.subarray(at, at + length);
      buffer.set(bytes, start);
      return bytes.length;
    },
    // biome-ignore lint/correctness/useYield: all of it is in memory
    *size() {
      return plain.length;
    },
  };
}

/** A deflate stream cannot grow more than about a thousandfold: what claims more is no member. */
const GROWTH_MAX = 1100;

/** What the member at the beginning of these bytes holds, if they are one. */
function memberWithin(bytes: Buffer): Buffer | undefined {
  const last = decodeLast(bytes);
  if (last) return last;
  // The member before the directory is followed by it, not by another member.
  const directory = bytes.indexOf(Buffer.from('1f8b08100000000000ff', 'hex'));
  return directory > 0 ? decodeLast(bytes.subarray(0, directory)) : undefined;
}

function decodeLast(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 18) return undefined;
  const length = bytes.readUInt32LE(bytes.length - 4);
  if (length > GROWTH_MAX * bytes.length) return undefined;
  try {
    return decodeMember(bytes, length);
  } catch {
    return undefined;
  }
}
