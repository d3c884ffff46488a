/**
 * Walks the lines of a segment and checks all that can be checked on the way: checksums, kinds, positions, groups,
 * the chain of seals, times. Opening, reading on, repair, verify and salvage all stand on it.
 *
 * Invariant: a group is handed to the visitor only after its seal was found right.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import {
  areHexDigits,
  type CommitHead,
  checksumHolds,
  decodeSeal,
  lineKind,
  type SealFacts,
} from './decode.js';
import { closingLine, headerLine, sealOf } from './encode.js';
import { Envelope, LineProblem, latin1, QUOTE } from './envelope.js';
import { ATTEMPT_DIGITS, LF, LINE_TAIL_BYTES, SALT_DIGITS, SEAL_DIGITS } from './format.js';
import type { Place } from './place.js';

/** Bytes that are not what they must be, at an offset of the segment being walked. */
export class SegmentProblem extends Error {
  readonly offset: number;
  /** The position expected there. */
  readonly position: number;

  constructor(offset: number, position: number, problem: string) {
    super(problem);
    this.offset = offset;
    this.position = position;
  }
}

export interface CommitRef {
  readonly head: CommitHead;
  /** Offset of its line in the segment, and the line's length with LF. */
  readonly offset: number;
  readonly length: number;
}

export interface WalkVisitor {
  /** A whole group, its seal right. `buffer` holds the bytes of its last line only. */
  group?(commits: readonly CommitRef[], seal: SealFacts, end: Place): void;
  /** A commit line, before its group is known to be whole. */
  commit?(ref: CommitRef, buffer: Buffer, start: number, end: number): void;
  /**
   * A commit line by the places of its parts, before its group is known to be whole. Costs less than the other calls, which make
   * values. A LineProblem that it throws counts as one of the line.
   */
  envelope?(envelope: Envelope, buffer: Buffer, start: number, end: number): void;
  /** The seal of a whole group was found right. */
  sealed?(end: Place): void;
}

export interface WalkStart {
  readonly place: Place;
  /** Time of the commit before, `''` when there is none. */
  readonly time: string;
  readonly storeId: string;
}

const SEAL_BEGINNING = '{"seal":"';

/** Whether `text`, which is ASCII, stands at `at`. */
function stands(text: string, buffer: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (buffer[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** Offset of the first line at or behind `start` that is not UTF-8; `end` when all are. */
function firstBadLine(buffer: Buffer, start: number, end: number): number {
  if (isUtf8(buffer.subarray(start, end))) return end;
  let at = start;
  while (at < end) {
    const next = buffer.indexOf(LF, at) + 1;
    if (!isUtf8(buffer.subarray(at, next))) return at;
    at = next;
  }
  return end;
}

export class SegmentWalker {
  readonly #visitor: WalkVisitor;
  readonly #wantsRefs: boolean;
  readonly #envelope = new Envelope();
  readonly #storeId: string;
  #place: Place;
  #time: string;
  #closed = false;
  /** How many commits of the group were seen; kept as values only if the visitor wants them. */
  #count = 0;
  #commits: CommitRef[] = [];
  #tag = '';
  /** Of the part of the group that came with earlier pieces. */
  #hash: Hash | undefined;
  #groupOffset = 0;

  constructor(start: WalkStart, visitor: WalkVisitor) {
    this.#place = start.place;
    this.#time = start.time;
    this.#storeId = start.storeId;
    this.#visitor = visitor;
    this.#wantsRefs = visitor.group !== undefined || visitor.commit !== undefined;
  }

  /** The end of the last whole group (or header, or closing line). */
  get place(): Place {
    return this.#place;
  }

  /** Time of the last commit walked, `''` when there was none. */
  get time(): string {
    return this.#time;
  }

  /** True behind a closing line. */
  get closed(): boolean {
    return this.#closed;
  }

  /** True while commits were seen whose seal was not. */
  get insideGroup(): boolean {
    return this.#count > 0;
  }

  /** The position that the next commit must have. */
  get nextPosition(): number {
    return this.#place.position + this.#count + 1;
  }

  /**
   * Walks whole lines: `buffer[start, end)`, standing at `offset` in the segment.
   * @throws SegmentProblem, after which the walker is of no more use
   */
  feed(buffer: Buffer, start: number, end: number, offset: number): void {
    const bad = firstBadLine(buffer, start, end);
    let at = start;
    let hashed = start;
    while (at < end) {
      const next = buffer.indexOf(LF, at) + 1;
      const lineOffset = offset + at - start;
      try {
        if (this.#closed) throw new LineProblem('a line behind the closing line');
        const kind = lineKind(buffer, at);
        if (lineOffset === 0 && kind !== 'segment') throw new LineProblem('no segment header');
        switch (kind) {
          case 'commit':
            this.#commit(buffer, at, next, lineOffset);
            break;
          case 'seal':
            this.#seal(buffer, hashed, at, next, lineOffset);
            hashed = next;
            break;
          case 'close':
            this.#close(buffer, at, next, lineOffset);
            hashed = next;
            break;
          case 'segment':
            this.#header(buffer, at, next, lineOffset);
            hashed = next;
            break;
          default:
            throw new LineProblem('a line of no known kind');
        }
        if (at === bad) throw new LineProblem('bytes that are not UTF-8');
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error;
        throw new SegmentProblem(lineOffset, this.nextPosition, error.message);
      }
      at = next;
    }
    if (hashed < end && this.#count > 0) {
      this.#hash ??= createHash('sha256').update(this.#place.seal);
      this.#hash.update(buffer.subarray(hashed, end));
    }
  }

  #header(buffer: Buffer, start: number, end: number, lineOffset: number): void {
    if (lineOffset !== 0) throw new LineProblem('a segment header inside a segment');
    const { segment, seal } = this.#place;
    const expected = headerLine(segment, this.#storeId, seal);
    this.#exactly(expected, buffer, start, end, 'segment header');
    this.#place = { ...this.#place, offset: end - start };
  }

  #close(buffer: Buffer, start: number, end: number, lineOffset: number): void {
    const { position, seal, segment } = this.#place;
    if (position < segment) throw new LineProblem('a closing line of a segment without commits');
    this.#exactly(closingLine(position, seal), buffer, start, end, 'closing line');
    this.#closed = true;
    this.#place = { ...this.#place, offset: lineOffset + end - start };
  }

  #exactly(expected: Buffer, buffer: Buffer, start: number, end: number, what: string): void {
    if (this.insideGroup) throw new LineProblem(`a ${what} inside a group`);
    if (expected.compare(buffer, start, end) !== 0) {
      throw new LineProblem(`a ${what} that does not fit what stands before it`);
    }
  }

  #commit(buffer: Buffer, start: number, end: number, lineOffset: number): void {
    if (!checksumHolds(buffer, start, end)) throw new LineProblem('a wrong checksum');
    const envelope = this.#envelope;
    envelope.scan(buffer, start, end);
    const { position, tag, time } = envelope;
    if (position !== this.nextPosition) {
      throw new LineProblem(`position ${position} where ${this.nextPosition} must stand`);
    }
    // Lines of one group share their time, so that most need no comparison.
    if (time !== this.#time && time < this.#time) {
      throw new LineProblem('a time before that of the commit before');
    }
    if (this.#count === 0) {
      const first = `${position}-`;
      if (!tag.startsWith(first) || tag.length !== first.length + ATTEMPT_DIGITS) {
        throw new LineProblem('a commit of another group');
      }
      this.#tag = tag;
      this.#groupOffset = lineOffset;
      this.#hash = undefined;
    } else if (tag !== this.#tag) {
      throw new LineProblem('a commit of another group');
    }
    this.#visitor.envelope?.(envelope, buffer, start, end);
    this.#time = time;
    this.#count += 1;
    if (!this.#wantsRefs) return;
    const ref = { head: envelope.head(buffer), offset: lineOffset, length: end - start };
    this.#commits.push(ref);
    this.#visitor.commit?.(ref, buffer, start, end);
  }

  /** A seal at `[start, end)`; the group's lines, or what of them did not come with earlier pieces, begin at `lines`. */
  #seal(buffer: Buffer, lines: number, start: number, end: number, lineOffset: number): void {
    if (!checksumHolds(buffer, start, end)) throw new LineProblem('a wrong checksum');
    const saltAt = end - LINE_TAIL_BYTES - 1 - SALT_DIGITS;
    const bytes = lineOffset - this.#groupOffset;
    if (this.#count === 0 || !this.#fits(buffer, start, saltAt, bytes)) {
      decodeSeal(buffer, start, end);
      throw new LineProblem('a seal that does not fit its group');
    }
    const seal = this.#sealOf(buffer, lines, start, saltAt);
    if (!stands(seal, buffer, start + SEAL_BEGINNING.length)) {
      throw new LineProblem('a seal that does not fit the lines before it');
    }
    const { segment, position } = this.#place;
    this.#place = {
      segment,
      offset: lineOffset + end - start,
      position: position + this.#count,
      seal,
    };
    this.#count = 0;
    this.#hash = undefined;
    this.#visitor.sealed?.(this.#place);
    if (!this.#wantsRefs) return;
    const commits = this.#commits;
    this.#commits = [];
    this.#visitor.group?.(commits, decodeSeal(buffer, start, end), this.#place);
  }

  /** Whether all of a seal line but the seal itself is what it must be: everything follows from the group, except the salt. */
  #fits(buffer: Buffer, start: number, saltAt: number, bytes: number): boolean {
    const tag = this.#tag;
    const last = this.#place.position + this.#count;
    const middle = `","g":"${tag}","p":${last},"n":${this.#count},"b":${bytes},"salt":"`;
    const middleAt = start + SEAL_BEGINNING.length + SEAL_DIGITS;
    return (
      middleAt + middle.length === saltAt &&
      stands(SEAL_BEGINNING, buffer, start) &&
      stands(middle, buffer, middleAt) &&
      stands(tag.slice(-ATTEMPT_DIGITS), buffer, saltAt) &&
      areHexDigits(buffer, saltAt, saltAt + SALT_DIGITS) &&
      buffer[saltAt + SALT_DIGITS] === QUOTE
    );
  }

  #sealOf(buffer: Buffer, start: number, end: number, saltAt: number): string {
    const salt = latin1(buffer, saltAt, saltAt + SALT_DIGITS);
    const lines = buffer.subarray(start, end);
    if (!this.#hash) return sealOf(this.#place.seal, lines, salt);
    return this.#hash.update(lines).update(salt).digest('hex');
  }
}
