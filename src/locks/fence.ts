/**
 * Tokens of a lock file: each holder gets a higher one than all holders before it, also when the power failed between them.
 *
 * Tokens are handed out of ranges. A range is reserved before the first of it is handed out: its end is written into one of two slots, in
 * turn, and synced. What was handed out last is kept in a record that is not synced, which holds until the machine stops; after that the next
 * token comes behind the end of the last range, so that at most a range is skipped.
 *
 * Invariants, all under the exclusive lock:
 * - a token is handed out only when a range that holds it was synced successfully, as far as the record of this boot says: a slot that is
 *   read may be of a sync that failed, and proves nothing;
 * - a record that says less than this process has handed out is of a write that the disk lost, and proves no range: a new one is reserved behind
 *   what was handed out;
 * - the slot that is overwritten is never the one with the higher end;
 * - every new range is written before it is synced, so that no sync is repeated over bytes that a failed one left.
 *
 *   128  record (40 bytes): `rcfr`, boot id (16), last token (8, float64), end of the proven range (8, float64), CRC-32 of the 36 bytes before
 *   512  slot (16 bytes): `rcfs`, end of the range (8, float64), CRC-32 of the 12 bytes before
 *  1024  the other slot
 */
import { crc32 } from 'node:zlib';
import { RecollectError } from '../errors.js';

/** What is done to the lock file. All calls are made under its exclusive lock. */
export interface FenceFile {
  /** Bytes that are read; what lies behind the end of the file stays zero. */
  read(bytes: Buffer, position: number): void;
  /** Writes all of them or throws. */
  write(bytes: Buffer, position: number): void;
  /** Makes durable what was written, and that the file stands in its directory. */
  sync(): void;
  /** Changes whenever the machine starts: 32 hex digits. */
  readonly boot: string;
}

/** Tokens that are reserved by one sync. */
export const TOKENS_PER_RANGE = 1000;

/** Where the lock file ends. */
export const FENCE_END = 1040;

const RECORD_OFFSET = 128;
const RECORD_BYTES = 40;
const SLOT_OFFSETS = [512, 1024] as const;
const SLOT_BYTES = 16;

interface Given {
  readonly last: number;
  readonly provenEnd: number;
}

export interface TokenOptions {
  readonly tokensPerRange?: number | undefined;
  /** The highest one that the caller knows to be handed out. A record that says less was lost on its way to the disk, and proves nothing. Default 0. */
  readonly highest?: number | undefined;
}

/** The next token, written down as handed out. @throws what the calls throw: then no token was handed out; RecollectError `LOCK_DAMAGED` */
export function nextToken(
  file: FenceFile,
  { tokensPerRange = TOKENS_PER_RANGE, highest = 0 }: TokenOptions = {},
): number {
  const bytes = Buffer.alloc(FENCE_END);
  file.read(bytes.subarray(RECORD_OFFSET), RECORD_OFFSET);
  const given = decodeRecord(bytes, file.boot);
  if (given !== undefined && given.last >= highest && given.last < given.provenEnd) {
    return handOut(file, given.last + 1, given.provenEnd);
  }
  const ends = SLOT_OFFSETS.map((offset) => decodeSlot(bytes, offset));
  checkReadable(bytes, ends);
  const [first = 0, second = 0] = ends;
  const last = Math.max(first, second, given?.last ?? 0, highest);
  const end = last + tokensPerRange;
  file.write(encodeSlot(end), first <= second ? SLOT_OFFSETS[0] : SLOT_OFFSETS[1]);
  file.sync();
  return handOut(file, last + 1, end);
}

function handOut(file: FenceFile, token: number, provenEnd: number): number {
  file.write(encodeRecord(file.boot, { last: token, provenEnd }), RECORD_OFFSET);
  return token;
}

/** Power loss can leave one slot half written, never both: the other one was not touched. */
function checkReadable(bytes: Buffer, ends: readonly (number | undefined)[]): void {
  if (ends.some((end) => end !== undefined)) return;
  const written = SLOT_OFFSETS.filter((offset) => !isZero(bytes, offset, SLOT_BYTES));
  if (written.length < 2) return;
  throw new RecollectError(
    'LOCK_DAMAGED',
    'The lock file does not tell any more which tokens it has given out: both of its records are damaged. Make a new lock file, and let the resource that checks the tokens begin anew.',
  );
}

function isZero(bytes: Buffer, offset: number, length: number): boolean {
  return bytes.subarray(offset, offset + length).every((byte) => byte === 0);
}

function encodeRecord(boot: string, given: Given): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.write('rcfr', 0, 'latin1');
  bytes.write(boot, 4, 16, 'hex');
  bytes.writeDoubleLE(given.last, 20);
  bytes.writeDoubleLE(given.provenEnd, 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 36)), 36);
  return bytes;
}

/** Undefined when there is none of this boot. */
function decodeRecord(file: Buffer, boot: string): Given | undefined {
  const bytes = file.subarray(RECORD_OFFSET, RECORD_OFFSET + RECORD_BYTES);
  if (bytes.readUInt32LE(36) !== crc32(bytes.subarray(0, 36))) return undefined;
  if (bytes.toString('latin1', 0, 4) !== 'rcfr') return undefined;
  if (bytes.toString('hex', 4, 20) !== boot) return undefined;
  return { last: bytes.readDoubleLE(20), provenEnd: bytes.readDoubleLE(28) };
}

function encodeSlot(end: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES);
  bytes.write('rcfs', 0, 'latin1');
  bytes.writeDoubleLE(end, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

/** Whether the content of a file proves that tokens were given out of it. */
export function holdsTokens(content: Buffer): boolean {
  return SLOT_OFFSETS.some(
    (offset) => content.length >= offset + SLOT_BYTES && decodeSlot(content, offset) !== undefined,
  );
}

function decodeSlot(file: Buffer, offset: number): number | undefined {
  const bytes = file.subarray(offset, offset + SLOT_BYTES);
  if (bytes.readUInt32LE(12) !== crc32(bytes.subarray(0, 12))) return undefined;
  return bytes.toString('latin1', 0, 4) === 'rcfs' ? bytes.readDoubleLE(4) : undefined;
}
