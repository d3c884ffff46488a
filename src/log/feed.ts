/**
 * Walks the durable log once, commit by commit, for what is derived from it: from memory where the bytes are at hand, else from the
 * file in large pieces.
 *
 * Invariants:
 * - every commit behind the beginning is handed out exactly once, in order, whoever drives the feed: the place moves only forward,
 *   and who comes back from a read to find it moved begins again from where it is;
 * - nothing is handed out beyond what this process knows to be durable, and nothing that was read from a file unchecked;
 * - a commit whose consumer threw was not handed out: it comes again.
 */
import { RecollectError } from '../errors.js';
import { checksumHolds, type LineKind, LineProblem, lineKind } from './decode.js';
import { CommitCursor, type FeedCommit } from './feed-commit.js';
import { LF, lineBytesMax } from './format.js';
import type { Io } from './io.js';
import type { Place } from './place.js';
import type { RecentBytes } from './recent-bytes.js';
import type { Segments } from './segments.js';

export type { FeedCommit };

/** The durable log as this process knows it. */
export interface FeedSource {
  readonly segments: Segments;
  readonly place: Place;
  readonly recent?: RecentBytes | undefined;
}

/** Whole lines, `bytes[0, end)`, that stand at `offset` in a segment. */
interface Piece {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly end: number;
  /** True for what this process wrote or checked before. */
  readonly checked: boolean;
}

/** Read at once. */
const PIECE_BYTES = 1024 * 1024;

export class LogFeed {
  readonly #source: FeedSource;
  readonly #commit: CommitCursor = new CommitCursor((problem) =>
    this.#damaged(this.#commit.segment, this.#commit.offset, problem),
  );
  #position: number;
  /** Where the next line begins, once that is known. */
  #segment = 0;
  #offset = 0;
  /** Position of the last commit before that line: lower than `#position` while the beginning is looked for. */
  #walked = 0;
  #piece: Piece | undefined;
  /** A buffer that the next read may take. */
  #spare: Buffer | undefined;
  #handingOut = false;
  #isPaused = false;

  /** Begins behind position `after`. */
  constructor(source: FeedSource, after: number) {
    this.#source = source;
    this.#position = after;
    const { place } = source;
    if (after === 0) this.#goTo(1, 0, 0);
    else if (after === place.position) this.#goTo(place.segment, place.offset, after);
  }

  /** Of the last commit handed out. */
  get position(): number {
    return this.#position;
  }

  /**
   * Hands out the commits up to position `to`, or up to the end of the log as this process knows it. Others may drive the feed meanwhile:
   * what they handed out is not handed out here. `consume` may end it by {@link LogFeed.pause}.
   * @throws StoreDamagedError, and whatever `consume` throws
   */
  *advance(consume: (commit: FeedCommit) => void, to: number = Number.MAX_SAFE_INTEGER): Io<void> {
    while (!this.advanceNow(consume, to)) {
      if (this.#segment === 0) yield* this.#find();
      else yield* this.#read();
    }
  }

  /** {@link LogFeed.advance} as far as it goes without reading a file; true when that is all the way that it was to go. */
  advanceNow(consume: (commit: FeedCommit) => void, to: number = Number.MAX_SAFE_INTEGER): boolean {
    if (this.#handingOut) {
      const problem =
        'A read was made from inside a function that is given the events of the log. Read before or after.';
      throw new RecollectError('REENTRANT_SYNC_CALL', problem);
    }
    const { recent } = this.#source;
    this.#handingOut = true;
    this.#isPaused = false;
    recent?.hold();
    try {
      for (;;) {
        const last = Math.min(to, this.#source.place.position);
        if (this.#position >= last || this.#isPaused) break;
        const piece = this.#atHand();
        if (!piece) return false;
        this.#walk(piece, consume, last);
      }
    } finally {
      recent?.release();
      this.#handingOut = false;
    }
    if (this.#position >= this.#source.place.position) {
      // What comes next is mostly in memory: no need to keep the buffers.
      this.#piece = undefined;
      this.#spare = undefined;
    }
    return true;
  }

  /** From inside `consume`: nothing is handed out behind this commit until the feed is driven again. */
  pause(): void {
    this.#isPaused = true;
  }

  #goTo(segment: number, offset: number, walked: number): void {
    this.#segment = segment;
    this.#offset = offset;
    this.#walked = walked;
  }

  /** The piece with the next line, when there is one that need not be read. */
  #atHand(): Piece | undefined {
    const piece = this.#piece;
    if (piece?.segment === this.#segment) {
      const at = this.#offset - piece.offset;
      if (at >= 0 && at < piece.end) return piece;
    }
    const block = this.#source.recent?.holding(this.#position + 1);
    if (!block) return undefined;
    const { segment, offset, first, bytes, filled: end } = block;
    const inside = this.#segment === segment && this.#walked >= first && this.#offset > offset;
    if (!inside) this.#goTo(segment, offset, first - 1);
    return { segment, offset, bytes, end, checked: true };
  }

  /** Goes along the lines of the piece, from where the feed stands to its end or to the commit at position `last`. */
  #walk(piece: Piece, consume: (commit: FeedCommit) => void, last: number): void {
    const { segment, offset, bytes, end } = piece;
    let at = this.#offset - offset;
    try {
      while (at < end && this.#position < last && !this.#isPaused) {
        const next = bytes.indexOf(LF, at) + 1;
        const kind = lineKind(bytes, at);
        if (kind === 'commit' && this.#walked < this.#position) {
          // On the way to the beginning; what is wrong with it is not this reader's business.
          this.#walked += 1;
        } else {
          if (!piece.checked) checkLine(kind, bytes, at, next);
          if (kind === 'commit') this.#handOut(piece, at, next, consume);
        }
        at = next;
        this.#offset = offset + at;
        if (kind === 'close') {
          this.#goTo(this.#walked + 1, 0, this.#walked);
          return;
        }
      }
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      throw this.#damaged(segment, offset + at, error.message);
    }
  }

  #handOut(piece: Piece, start: number, end: number, consume: (commit: FeedCommit) => void): void {
    const commit = this.#commit;
    commit.moveTo(piece.bytes, start, end, piece.segment, piece.offset + start);
    const { position } = commit;
    if (position !== this.#walked + 1) {
      throw new LineProblem(`position ${position} where ${this.#walked + 1} must stand`);
    }
    consume(commit);
    this.#position = position;
    this.#walked = position;
  }

  /** Finds where the commit behind the beginning stands, or one not far before it. */
  *#find(): Io<void> {
    const { segments } = this.#source;
    const next = this.#position + 1;
    const first = yield* segments.segmentOf(next);
    const { offset, position } = yield* segments.commitBefore(first, next);
    // Somebody else may have found it meanwhile, and gone on.
    if (this.#segment === 0) this.#goTo(first, offset, position - 1);
  }

  /** Reads the next piece, unless the feed was taken elsewhere meanwhile. */
  *#read(): Io<void> {
    const { segments, place } = this.#source;
    const [segment, offset] = [this.#segment, this.#offset];
    const bound = segment === place.segment ? place.offset - offset : Number.POSITIVE_INFINITY;
    let bytes = this.#takeSpare();
    let filled = 0;
    for (let wanted = PIECE_BYTES; ; wanted *= 2) {
      const size = Math.max(0, Math.min(wanted, bound));
      if (bytes.length < size) {
        const larger = Buffer.allocUnsafeSlow(size);
        bytes.copy(larger, 0, 0, filled);
        bytes = larger;
      }
      const at = offset + filled;
      filled += yield* segments.read(segment, bytes, filled, size - filled, at);
      if (this.#segment !== segment || this.#offset !== offset) return;
      const end = bytes.subarray(0, filled).lastIndexOf(LF) + 1;
      if (end > 0) {
        this.#spare = this.#piece?.bytes;
        this.#piece = { segment, offset, bytes, end, checked: false };
        return;
      }
      if (filled < wanted) {
        throw this.#damaged(segment, offset, 'the log ends here, but what follows was durable');
      }
      if (wanted >= lineBytesMax) {
        throw this.#damaged(segment, offset, `a line longer than ${lineBytesMax} bytes`);
      }
    }
  }

  /** The spare buffer, or an empty one: two reads may be under way, and each needs its own. */
  #takeSpare(): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare ?? Buffer.alloc(0);
  }

  #damaged(segment: number, offset: number, problem: string): Error {
    return this.#source.segments.damaged(segment, offset, this.#walked + 1, problem);
  }
}

/** @throws LineProblem */
function checkLine(kind: LineKind, bytes: Buffer, start: number, end: number): void {
  if (kind === 'other') throw new LineProblem('a line of no known kind');
  if (!checksumHolds(bytes, start, end)) throw new LineProblem('a wrong checksum');
}
