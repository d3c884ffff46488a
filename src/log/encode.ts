/** From values to the lines of docs/FORMAT.md. Nothing here does I/O or decides anything. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ATTEMPT_DIGITS, FORMAT, LF, LINE_TAIL_BYTES } from './format.js';

/** `Buffer.prototype.utf8Write` without the argument checks of `write`: it is called once per commit. */
interface FastBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

const CRC_PLACEHOLDER = ',"c":"00000000"}\n';
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** The parts of a commit line that are encoded in the caller's turn, before position and versions are known. */
export interface CommitText {
  /** `,"a":…,"r":…,"o":…,"u":…,"k":…`, or empty. */
  readonly context: string;
  /** Each event's stream, as an index into the commit's streams. */
  readonly parts: readonly number[];
  /** Each event's `,"type"[,schemaVersion]]`. */
  readonly types: readonly string[];
  /** `,"d":[…]` and, when there is any, `,"m":[…]`. */
  readonly payload: string;
}

export function groupTag(firstPosition: number, salt: string): string {
  return `${firstPosition}-${salt.slice(0, ATTEMPT_DIGITS)}`;
}

/** The beginning of a commit line that all commits of a group share behind their position. */
export function commitStamp(tag: string, time: string, rawTime: string | undefined): string {
  const raw = rawTime === undefined ? '' : `,"w":"${rawTime}"`;
  return `,"g":"${tag}","t":"${time}"${raw}`;
}

/** A commit line whose checksum is still zeros (`checksumLines` fills it in). */
export function commitLine(
  position: number,
  stamp: string,
  text: CommitText,
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
  return `{"p":${position}${stamp}${text.context},"e":[${events}]${text.payload}${CRC_PLACEHOLDER}`;
}

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

/** The seal of a group whose commit lines stand, with their checksums, at `[start, end)`. */
export function sealOf(before: string, lines: Buffer, salt: string): string {
  return createHash('sha256').update(before).update(lines).update(salt).digest('hex');
}

export interface GroupFacts {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly salt: string;
}

/** Bytes to keep free behind a group's commit lines for its seal line. */
export const SEAL_LINE_ROOM = 256;

export function sealLine(seal: string, group: GroupFacts, bytes: number): Buffer {
  const tag = groupTag(group.firstPosition, group.salt);
  const commits = group.lastPosition - group.firstPosition + 1;
  return finishedLine(
    `{"seal":"${seal}","g":"${tag}","p":${group.lastPosition},"n":${commits},"b":${bytes},"salt":"${group.salt}"`,
  );
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
  const line = sealLine(seal, group, end);
  line.copy(buffer, end);
  return { seal, length: end + line.length };
}

export function closingLine(position: number, seal: string): Buffer {
  return finishedLine(`{"close":${position},"seal":"${seal}"`);
}

export function headerLine(firstPosition: number, storeId: string, seal: string): Buffer {
  return finishedLine(
    `{"segment":${firstPosition},"format":${FORMAT},"store":"${storeId}","seal":"${seal}"`,
  );
}
