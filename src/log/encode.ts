/** From values to the lines of docs/FORMAT.md. Nothing here does I/O or decides anything. */
import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ATTEMPT_DIGITS, FORMAT, LF, LINE_TAIL_BYTES, SALT_DIGITS, SEAL_DIGITS } from './format.js';

/** Writes without the argument checks of `Buffer.prototype.write`: they are called once per commit or group. */
interface FastBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
  latin1Write(text: string, offset: number): number;
}

const CRC_PLACEHOLDER = ',"c":"00000000"}\n';
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** The parts of a commit line's envelope that are encoded in the caller's turn, before position and versions are known. */
export interface EnvelopeText {
  /** `,"a":…,"r":…,"o":…,"u":…,"k":…`, or empty. */
  readonly context: string;
  /** Each event's stream, as an index into the commit's streams. */
  readonly parts: readonly number[];
  /** Each event's `,"type"[,schemaVersion]]`. */
  readonly types: readonly string[];
}

export interface CommitText extends EnvelopeText {
  /** Each event's data as JSON, joined by commas. */
  readonly data: string;
  /** The same of metadata, `null` where an event has none; `undefined` when none has any. */
  readonly metadata: string | undefined;
}

const DATA_BEGIN = ',"d":[';

function metadataPart({ metadata }: CommitText): string {
  return metadata === undefined ? ']' : `],"m":[${metadata}]`;
}

/** `,"d":[…]` and, when there is any, `,"m":[…]`. */
export function payloadOf(text: CommitText): string {
  return DATA_BEGIN + text.data + metadataPart(text);
}

export function groupTag(firstPosition: number, salt: string): string {
  return `${firstPosition}-${salt.slice(0, ATTEMPT_DIGITS)}`;
}

/** The beginning of a commit line that all commits of a group share behind their position. */
export function commitStamp(tag: string, time: string, rawTime: string | undefined): string {
  const raw = rawTime === undefined ? '' : `,"w":"${rawTime}"`;
  return `,"g":"${tag}","t":"${time}"${raw}`;
}

/** The line up to its payload. */
function lineBegin(
  position: number,
  stamp: string,
  text: EnvelopeText,
  streams: readonly string[],
  firstVersions: readonly number[],
): string {
  const { parts, types } = text;
  let events = `[${streams[0]},${firstVersions[0]}${types[0]}`;
  if (types.length > 1) {
    const next = firstVersions.slice();
    next[0] = (next[0] as number) + 1;
    for (let index = 1; index < types.length; index += 1) {
      const part = parts[index] as number;
      const version = next[part] as number;
      next[part] = version + 1;
      events += `,[${streams[part]},${version}${types[index]}`;
    }
  }
  return `{"p":${position}${stamp}${text.context},"e":[${events}]`;
}

/** A commit line whose checksum is still zeros (`checksumLines` fills it in). */
export function commitLine(
  position: number,
  stamp: string,
  text: EnvelopeText,
  payload: string,
  streams: readonly string[],
  firstVersions: readonly number[],
): string {
  return lineBegin(position, stamp, text, streams, firstVersions) + payload + CRC_PLACEHOLDER;
}

/**
 * Writes that line at `offset` and gives its length in bytes. In pieces, because joining them first would copy the data once more
 * and leave the copy to the garbage collector.
 */
export function writeCommitLine(
  buffer: Buffer,
  offset: number,
  position: number,
  stamp: string,
  text: CommitText,
  streams: readonly string[],
  firstVersions: readonly number[],
): number {
  const bytes = buffer as FastBuffer;
  const begin = lineBegin(position, stamp, text, streams, firstVersions) + DATA_BEGIN;
  let end = offset + bytes.utf8Write(begin, offset);
  end += bytes.utf8Write(text.data, end);
  const rest = text.metadata === undefined ? LINE_END : metadataPart(text) + CRC_PLACEHOLDER;
  return end + bytes.utf8Write(rest, end) - offset;
}

const LINE_END = `]${CRC_PLACEHOLDER}`;

/** Writes a text as UTF-8 and gives the number of bytes. The caller made sure that there is room. */
export function writeText(buffer: Buffer, text: string, offset: number): number {
  return (buffer as FastBuffer).utf8Write(text, offset);
}

/** Fills in the checksum of the one line at `[start, end)`. */
export function checksumLine(buffer: Buffer, start: number, end: number): void {
  let sum = crc32(buffer.subarray(start, end - LINE_TAIL_BYTES));
  for (let index = end - 4; index >= end - 11; index -= 1) {
    buffer[index] = HEX[sum & 15] as number;
    sum >>>= 4;
  }
}

/** Fills in the checksum of every line between `start` and `end`. */
export function checksumLines(buffer: Buffer, start: number, end: number): void {
  let at = start;
  while (at < end) {
    const next = buffer.indexOf(LF, at) + 1;
    if (next === 0 || next > end) throw new Error('a group whose last line has no end');
    checksumLine(buffer, at, next);
    at = next;
  }
}

/** A body with its checksum and LF. */
export function finishedLine(body: string): Buffer {
  const line = Buffer.from(body + CRC_PLACEHOLDER);
  checksumLine(line, 0, line.length);
  return line;
}

/** Groups up to this size are hashed with one call, which costs less than a running hash although they are copied. */
const HASHED_AT_ONCE_MAX = 64 * 1024;
const scratch = Buffer.allocUnsafe(HASHED_AT_ONCE_MAX + SEAL_DIGITS + SALT_DIGITS) as FastBuffer;

/** The seal of a group whose commit lines stand, with their checksums, at `[start, end)`. */
export function sealOf(before: string, lines: Buffer, salt: string): string {
  if (lines.length <= HASHED_AT_ONCE_MAX) {
    let end = scratch.latin1Write(before, 0);
    end += lines.copy(scratch, end);
    end += scratch.latin1Write(salt, end);
    return hash('sha256', scratch.subarray(0, end), 'hex');
  }
  return createHash('sha256').update(before).update(lines).update(salt).digest('hex');
}

export interface GroupFacts {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly salt: string;
}

/** Bytes to keep free behind a group's commit lines for its seal line. */
export const SEAL_LINE_ROOM = 256;

function sealBody(seal: string, group: GroupFacts, bytes: number): string {
  const tag = groupTag(group.firstPosition, group.salt);
  const commits = group.lastPosition - group.firstPosition + 1;
  return `{"seal":"${seal}","g":"${tag}","p":${group.lastPosition},"n":${commits},"b":${bytes},"salt":"${group.salt}"`;
}

export function sealLine(seal: string, group: GroupFacts, bytes: number): Buffer {
  return finishedLine(sealBody(seal, group, bytes));
}

/**
 * Completes a group: checksums of the commit lines at `[0, end)` of the buffer, and the seal line behind them.
 * Gives the seal and the length of it all.
 */
export function sealGroup(
  buffer: Buffer,
  end: number,
  before: string,
  group: GroupFacts,
): { seal: string; length: number } {
  checksumLines(buffer, 0, end);
  const seal = sealOf(before, buffer.subarray(0, end), group.salt);
  const line = sealBody(seal, group, end) + CRC_PLACEHOLDER;
  const length = end + (buffer as FastBuffer).latin1Write(line, end);
  checksumLine(buffer, end, length);
  return { seal, length };
}

export function closingLine(position: number, seal: string): Buffer {
  return finishedLine(`{"close":${position},"seal":"${seal}"`);
}

export function headerLine(firstPosition: number, storeId: string, seal: string): Buffer {
  return finishedLine(
    `{"segment":${firstPosition},"format":${FORMAT},"store":"${storeId}","seal":"${seal}"`,
  );
}
