/**
 * The mark: 128 bytes at the beginning of the lock file that say how far the log is proven durable
 * (docs/FORMAT.md). It lives in the page cache and is never synced: what it proves does not outlive a power loss either.
 */
import { crc32 } from 'node:zlib';
import type { Disk } from './disk.js';
import type { Io } from './io.js';
import { readFully } from './open-files.js';
import type { Place } from './place.js';

export const MARK_BYTES = 128;
const HOST_OFFSET = 92;
const CRC_OFFSET = 124;

/** Who writes a mark. */
export interface Writer {
  readonly pid: number;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export interface Mark extends Place {
  readonly writer: Writer;
  /** Boot id as 32 hex digits. */
  readonly boot: string;
  readonly inode: number;
}

/** A boot id in the form the mark keeps it: 32 hex digits. */
export function bootDigits(bootId: string): string {
  return bootId.replaceAll('-', '').toLowerCase().padEnd(32, '0').slice(0, 32);
}

/** Writes marks that differ in their place alone, into one buffer: a writer moves its mark after every group. */
export class MarkEncoder {
  readonly bytes: Buffer = Buffer.alloc(MARK_BYTES);
  readonly #covered: Buffer = this.bytes.subarray(0, CRC_OFFSET);

  constructor(writer: Writer, boot: string, inode: number) {
    const { bytes } = this;
    bytes.write(boot, 0, 'hex');
    bytes.writeBigUInt64LE(BigInt(inode), 16);
    bytes.writeUInt32LE(writer.pid >>> 0, 80);
    bytes.writeDoubleLE(writer.startedAt, 84);
    bytes.write(writer.host, HOST_OFFSET, CRC_OFFSET - HOST_OFFSET, 'utf8');
  }

  /** The mark for that place: `bytes`, until the next call. */
  encode(place: Place): Buffer {
    const { bytes } = this;
    writeInteger(bytes, place.segment, 24);
    writeInteger(bytes, place.offset, 32);
    writeInteger(bytes, place.position, 40);
    bytes.write(place.seal, 48, 'hex');
    bytes.writeUInt32LE(crc32(this.#covered), CRC_OFFSET);
    return bytes;
  }
}

/** A safe integer as 64 bits, little-endian. */
function writeInteger(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, offset);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}

export function encodeMark({ writer, boot, inode, ...place }: Mark): Buffer {
  return new MarkEncoder(writer, boot, inode).encode(place);
}

/** The mark in these bytes, or `undefined` when they are none. */
export function decodeMark(bytes: Buffer): Mark | undefined {
  if (bytes.length < MARK_BYTES) return undefined;
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32(bytes.subarray(0, CRC_OFFSET))) return undefined;
  const host = bytes.toString('utf8', HOST_OFFSET, CRC_OFFSET);
  const end = host.indexOf('\0');
  return {
    boot: bytes.toString('hex', 0, 16),
    inode: Number(bytes.readBigUInt64LE(16)),
    segment: Number(bytes.readBigUInt64LE(24)),
    offset: Number(bytes.readBigUInt64LE(32)),
    position: Number(bytes.readBigUInt64LE(40)),
    seal: bytes.toString('hex', 48, 80),
    writer: {
      pid: bytes.readUInt32LE(80),
      startedAt: bytes.readDoubleLE(84),
      host: end < 0 ? host : host.slice(0, end),
    },
  };
}

/** Whether a mark proves anything here and now: written since this boot, for this very lock file. */
export function markHolds(mark: Mark, disk: Disk, inode: number): boolean {
  return mark.inode === inode && mark.boot === bootDigits(disk.bootId());
}

/** A mark, and the bytes that it was read from. */
export interface ReadMark {
  readonly mark: Mark;
  readonly bytes: Buffer;
}

/**
 * Reads the mark; `undefined` when there is none. A mark caught half written is read again, a few times.
 * @param known - what was read last: when the same bytes stand there still, it is given back
 */
export function* rereadMark(
  lockFile: number,
  known: ReadMark | undefined,
): Io<ReadMark | undefined> {
  const bytes = Buffer.allocUnsafe(MARK_BYTES);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const count = yield* readFully(lockFile, bytes, 0, MARK_BYTES, 0);
    if (count < MARK_BYTES) return undefined;
    if (known?.bytes.equals(bytes)) return known;
    const mark = decodeMark(bytes);
    if (mark) return { mark, bytes };
  }
  return undefined;
}

/** Reads the mark; `undefined` when there is none. A mark caught half written is read again, a few times. */
export function* readMark(lockFile: number): Io<Mark | undefined> {
  return (yield* rereadMark(lockFile, undefined))?.mark;
}
