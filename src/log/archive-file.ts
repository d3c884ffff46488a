/**
 * The bytes of an archived segment (docs/FORMAT.md, "The archive"): gzip members of whole groups, then an empty member whose comment is
 * the directory of the others. Only here is anything known about gzip.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { checksumHolds } from './decode.js';
import { finishedLine } from './encode.js';
import { LF } from './format.js';

/** A member holds whole groups, as many as it takes to reach this many bytes. */
export const BLOCK_BYTES: number = 256 * 1024;
/** Higher levels take half as long again and save a hundredth. */
const LEVEL = 4;
const FORMAT = 1;

const MEMBER_HEADER = Buffer.from('1f8b08000000000000ff', 'hex');
const DIRECTORY_HEADER = Buffer.from('1f8b08100000000000ff', 'hex');
/** The end of the comment, an empty deflate stream, its CRC-32 and its length. */
const DIRECTORY_END = Buffer.from('0003000000000000000000', 'hex');
const MEMBER_END_BYTES = 8;
/** The line that says where the directory stands, filled up with spaces. */
const TRAILER_BYTES = 128;
/** So many bytes at the end of each archive tell where the rest is. */
export const ENDING_BYTES: number = TRAILER_BYTES + DIRECTORY_END.length;

/** Bytes that are not what they must be. */
export class ArchiveProblem extends Error {
  /** In the archive. */
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(problem);
    this.offset = offset;
  }
}

/** One member, and what of the segment is in it. */
export interface ArchiveBlock {
  /** In the archive. */
  readonly offset: number;
  readonly bytes: number;
  /** In the segment. */
  readonly start: number;
  readonly end: number;
  /** Of its first commit. */
  readonly position: number;
  /** Of the member as it is stored. */
  readonly checksum: number;
}

export interface ArchiveFacts {
  /** First and last position. */
  readonly first: number;
  readonly last: number;
  readonly storeId: string;
  /** The seal in the segment's header and the one in its closing line. */
  readonly before: string;
  readonly seal: string;
  /** Of the segment, not of the archive. */
  readonly bytes: number;
  readonly sha256: string;
  /** Times of its first and last commit. */
  readonly firstTime: string;
  readonly lastTime: string;
  readonly blocks: readonly ArchiveBlock[];
}

/** The directory's line with the member's header before it. */
export interface DirectoryPlace {
  readonly offset: number;
  readonly bytes: number;
}

const PIECE_BYTES_MIN = 1024;
const PIECE_BYTES_MAX = 1024 * 1024;

/** Of zlib's output: in small pieces everything would be copied once more. */
function pieceFor(bytes: number): number {
  return Math.min(PIECE_BYTES_MAX, Math.max(PIECE_BYTES_MIN, Math.ceil(bytes)));
}

/** A gzip member that holds these bytes. */
export function encodeMember(plain: Uint8Array): Buffer {
  const end = Buffer.alloc(MEMBER_END_BYTES);
  end.writeUInt32LE(crc32(plain), 0);
  end.writeUInt32LE(plain.length % 2 ** 32, 4);
  return Buffer.concat([
    MEMBER_HEADER,
    deflateRawSync(plain, { level: LEVEL, chunkSize: pieceFor(plain.length / 8) }),
    end,
  ]);
}

/** What a member holds, of `length` bytes. @throws Error when it is not whole, or holds another number of bytes */
export function decodeMember(member: Buffer, length: number): Buffer {
  const end = member.length - MEMBER_END_BYTES;
  if (!member.subarray(0, MEMBER_HEADER.length).equals(MEMBER_HEADER)) throw new Error('no member');
  const plain = inflateRawSync(member.subarray(MEMBER_HEADER.length, end), {
    maxOutputLength: Math.max(1, length),
    chunkSize: pieceFor(length),
  });
  if (plain.length !== length || member.readUInt32LE(end) !== crc32(plain)) {
    throw new Error('another content');
  }
  return plain;
}

/** What the block's member holds. @throws ArchiveProblem */
export function decodeBlock(member: Buffer, block: ArchiveBlock): Buffer {
  if (member.length !== block.bytes || crc32(member) !== block.checksum) {
    throw new ArchiveProblem(block.offset, 'a wrong checksum of a member');
  }
  try {
    return decodeMember(member, block.end - block.start);
  } catch (cause) {
    throw new ArchiveProblem(block.offset, `a member that cannot be inflated (${String(cause)})`);
  }
}

/** The last member, which ends the archive. */
export function encodeDirectory(facts: ArchiveFacts): Buffer {
  const { first, last, storeId, before, bytes, seal, sha256, firstTime, lastTime } = facts;
  const blocks = facts.blocks.map(
    (block) =>
      `[${block.bytes},${block.end - block.start},${block.position},"${digits(block.checksum)}"]`,
  );
  const line = finishedLine(
    `{"archive":${first},"format":${FORMAT},"last":${last},"store":"${storeId}","before":"${before}","bytes":${bytes},"seal":"${seal}","sha256":"${sha256}","firstTime":"${firstTime}","lastTime":"${lastTime}","blocks":[${blocks.join(',')}]`,
  );
  const end = facts.blocks.at(-1);
  const offset = (end ? end.offset + end.bytes : 0) + DIRECTORY_HEADER.length;
  const trailer = Buffer.alloc(TRAILER_BYTES, ' ');
  const place = finishedLine(`{"end":1,"directory":[${offset},${line.length}]`);
  place.copy(trailer, 0, 0, place.length - 1);
  trailer[TRAILER_BYTES - 1] = LF;
  return Buffer.concat([DIRECTORY_HEADER, line, trailer, DIRECTORY_END]);
}

function digits(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

/** Where the directory stands, from the archive's last bytes. @throws ArchiveProblem */
export function decodeEnding(ending: Buffer, size: number): DirectoryPlace {
  const problem = (text: string) => new ArchiveProblem(Math.max(0, size - ENDING_BYTES), text);
  if (ending.length !== ENDING_BYTES) throw problem('it is too short');
  if (!ending.subarray(TRAILER_BYTES).equals(DIRECTORY_END)) throw problem('it has no end');
  const close = ending.indexOf('}') + 1;
  const line = Buffer.concat([ending.subarray(0, close), Buffer.of(LF)]);
  const filled = Buffer.alloc(TRAILER_BYTES - close, ' ');
  filled[filled.length - 1] = LF;
  if (
    !checksumHolds(line, 0, line.length) ||
    !filled.equals(ending.subarray(close, TRAILER_BYTES))
  ) {
    throw problem('a wrong checksum');
  }
  const { directory } = JSON.parse(line.toString('latin1')) as { directory: unknown };
  const [offset, bytes] = Array.isArray(directory) ? (directory as unknown[]) : [];
  if (!isCount(offset) || !isCount(bytes) || offset + bytes + ENDING_BYTES !== size) {
    throw problem('it has another size than its end says');
  }
  const header = DIRECTORY_HEADER.length;
  if (offset < header) throw problem('its end names no directory');
  return { offset: offset - header, bytes: bytes + header };
}

interface DirectoryLine {
  readonly archive: number;
  readonly format: number;
  readonly last: number;
  readonly store: string;
  readonly before: string;
  readonly bytes: number;
  readonly seal: string;
  readonly sha256: string;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly blocks: readonly (readonly [number, number, number, string])[];
}

/** The facts in the directory, which must be about the segment `first`. @throws ArchiveProblem */
export function decodeDirectory(
  member: Buffer,
  place: DirectoryPlace,
  first: number,
): ArchiveFacts {
  const problem = (text: string) => new ArchiveProblem(place.offset, text);
  const begin = DIRECTORY_HEADER.length;
  if (member.length !== place.bytes || !checksumHolds(member, begin, member.length)) {
    throw problem('a wrong checksum of the directory');
  }
  let facts: ArchiveFacts;
  try {
    facts = factsOf(JSON.parse(member.toString('utf8', begin)) as DirectoryLine);
  } catch (cause) {
    throw problem(`a directory that cannot be read (${String(cause)})`);
  }
  const end = facts.blocks.at(-1);
  const fits =
    end !== undefined &&
    facts.first === first &&
    end.end === facts.bytes &&
    end.offset + end.bytes === place.offset;
  if (!fits || !encodeDirectory(facts).subarray(0, -ENDING_BYTES).equals(member)) {
    throw problem('a directory that does not fit its archive');
  }
  return facts;
}

function factsOf(line: DirectoryLine): ArchiveFacts {
  const { archive, last, store, before, bytes, seal, sha256, firstTime, lastTime } = line;
  const blocks: ArchiveBlock[] = [];
  let [offset, start] = [0, 0];
  for (const [stored, plain, position, checksum] of line.blocks) {
    const block = { offset, bytes: stored, start, end: start + plain, position };
    blocks.push({ ...block, checksum: Number.parseInt(checksum, 16) });
    offset += stored;
    start += plain;
  }
  const names = { first: archive, last, storeId: store, before, seal };
  return { ...names, bytes, sha256, firstTime, lastTime, blocks };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Where members begin, or may begin, for whoever has no directory to tell. */
export function memberBeginnings(archive: Buffer): number[] {
  const found: number[] = [];
  for (let at = archive.indexOf(MEMBER_HEADER); at >= 0; ) {
    found.push(at);
    at = archive.indexOf(MEMBER_HEADER, at + 1);
  }
  return found;
}
