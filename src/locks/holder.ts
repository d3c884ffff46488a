/** The record of who took a lock last: 128 bytes beside the lock. It only serves error messages; the lock itself is the kernel's. */
import { crc32 } from 'node:zlib';

export const HOLDER_BYTES = 128;
const HOST_OFFSET = 12;
const LABEL_OFFSET = 68;
const CRC_OFFSET = 124;

export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When that process started, milliseconds since 1970. */
  readonly startedAt: number;
  readonly label: string;
}

/** pid (4), start (8, float64), host (56), label (56), CRC-32 (4); little-endian, texts cut and padded with zeros. */
export function encodeHolder(holder: Holder): Buffer {
  const bytes = Buffer.alloc(HOLDER_BYTES);
  bytes.writeUInt32LE(holder.pid >>> 0, 0);
  bytes.writeDoubleLE(holder.startedAt, 4);
  bytes.write(holder.host, HOST_OFFSET, LABEL_OFFSET - HOST_OFFSET);
  bytes.write(holder.label, LABEL_OFFSET, CRC_OFFSET - LABEL_OFFSET);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

export function decodeHolder(bytes: Buffer): Holder | undefined {
  if (bytes.length < HOLDER_BYTES) return undefined;
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32(bytes.subarray(0, CRC_OFFSET))) return undefined;
  const text = (start: number, end: number): string => {
    const [first = ''] = bytes.toString('utf8', start, end).split('\0');
    return first;
  };
  return {
    pid: bytes.readUInt32LE(0),
    startedAt: bytes.readDoubleLE(4),
    host: text(HOST_OFFSET, LABEL_OFFSET),
    label: text(LABEL_OFFSET, CRC_OFFSET),
  };
}

/** Any time between 2001 and 2286, in milliseconds. */
const TIME_MIN = 1e12;
const TIME_MAX = 1e13;

/**
 * Whether the bytes, fewer than a record has, are the beginning of one that could not be written to its end. Fewer than process and time fill
 * prove nothing: they could be a counter of somebody else.
 */
export function isTornHolder(bytes: Buffer): boolean {
  if (bytes.length < HOST_OFFSET || bytes.length >= HOLDER_BYTES) return false;
  const startedAt = bytes.readDoubleLE(4);
  if (bytes.readUInt32LE(0) === 0 || !Number.isInteger(startedAt)) return false;
  if (startedAt < TIME_MIN || startedAt > TIME_MAX) return false;
  return (
    isPadded(bytes.subarray(HOST_OFFSET, LABEL_OFFSET)) &&
    isPadded(bytes.subarray(LABEL_OFFSET, CRC_OFFSET))
  );
}

/** A text, then nothing but zeros. */
function isPadded(bytes: Buffer): boolean {
  const end = bytes.indexOf(0);
  return end < 0 || bytes.subarray(end).every((byte) => byte === 0);
}
