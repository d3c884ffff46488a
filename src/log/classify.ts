/**
 * The one function that tells a torn end from damage (docs/FORMAT.md, "What the end of a log can look like").
 *
 * It is asked about the bytes behind the last whole group, once the walk found them not to be a whole group. Power loss leaves
 * each 512-byte sector of an unsynced write old, new or zero, and the file any size in between; it never changes a bit. So the end is
 * torn when every bad byte is explained by a missing end or by such a run of zeros, and damaged otherwise.
 */
import { checksumHolds, decodeHead, decodeSeal, LineProblem, lineKind } from './decode.js';
import { LF, SECTOR_BYTES } from './format.js';

export type Verdict =
  | { readonly kind: 'torn' }
  | { readonly kind: 'damaged'; readonly offset: number; readonly problem: string };

export interface TailFacts {
  /** Offset in the segment at which the bytes begin: the end of the last whole group. */
  readonly offset: number;
  /** The position the next commit must have. */
  readonly position: number;
  /** The only closing line that could stand there. */
  readonly closing: Buffer;
}

interface Piece {
  readonly start: number;
  readonly end: number;
}

/** The stretches between runs of zeros, or the offset of a run that no lost sector explains. */
function piecesOf(bytes: Buffer, offset: number): Piece[] | { unexplained: number } {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < bytes.length) {
    const zero = bytes.indexOf(0, at);
    const end = zero < 0 ? bytes.length : zero;
    if (end > at) pieces.push({ start: at, end });
    if (zero < 0) break;
    let after = zero;
    while (after < bytes.length && bytes[after] === 0) after += 1;
    const beginsWell = zero === 0 || (offset + zero) % SECTOR_BYTES === 0;
    const endsWell = after === bytes.length || (offset + after) % SECTOR_BYTES === 0;
    if (!beginsWell || !endsWell) return { unexplained: zero };
    at = after;
  }
  return pieces;
}

/** Whether the bytes are a torn form of `expected`, given where they stand: what is there is equal, what is missing is explained. */
export function isTornFormOf(bytes: Buffer, expected: Buffer, offset: number): boolean {
  if (bytes.length > expected.length) {
    const beyond = bytes.subarray(expected.length);
    if (beyond.some((byte) => byte !== 0)) return false;
  }
  const pieces = piecesOf(bytes, offset);
  if (!Array.isArray(pieces)) return false;
  return pieces.every(({ start, end }) => expected.compare(bytes, start, end, start, end) === 0);
}

function isControl(byte: number): boolean {
  return byte < 0x20;
}

/** The classification. `bytes` is everything from the end of the last whole group to the end of the file. */
export function classifyTail(bytes: Buffer, facts: TailFacts): Verdict {
  const damaged = (at: number, problem: string): Verdict => ({
    kind: 'damaged',
    offset: facts.offset + at,
    problem,
  });
  const pieces = piecesOf(bytes, facts.offset);
  if (!Array.isArray(pieces)) {
    return damaged(pieces.unexplained, 'zeros that no lost sector explains');
  }
  if (isTornFormOf(bytes, facts.closing, facts.offset)) return { kind: 'torn' };

  let tag: string | undefined;
  let sealEnd: number | undefined;
  let position = facts.position - 1;
  for (const piece of pieces) {
    let at = piece.start;
    // Between two lines that stand side by side no position may be missing; a hole may have taken some.
    let sideBySide = at === 0;
    // A piece that follows a hole begins in the middle of a line.
    if (at > 0) {
      const lf = bytes.subarray(at, piece.end).indexOf(LF);
      const fragmentEnd = lf < 0 ? piece.end : at + lf;
      const control = bytes.subarray(at, fragmentEnd).findIndex(isControl);
      if (control >= 0) return damaged(at + control, 'a byte that no line can hold');
      at = lf < 0 ? piece.end : fragmentEnd + 1;
    }
    while (at < piece.end) {
      if (sealEnd !== undefined) {
        return damaged(at, 'bytes behind the seal of a group that is not whole');
      }
      const lf = bytes.subarray(at, piece.end).indexOf(LF);
      if (lf < 0) {
        const control = bytes.subarray(at, piece.end).findIndex(isControl);
        if (control >= 0) return damaged(at + control, 'a byte that no line can hold');
        const first = sideBySide ? `${position + 1},"g":"${tag ?? `${facts.position}-`}` : '';
        if (!beginsWell(bytes, at, piece.end, `{"p":${first}`)) {
          return damaged(at, 'no beginning of a line that could stand here');
        }
        break;
      }
      const end = at + lf + 1;
      try {
        if (!checksumHolds(bytes, at, end)) throw new LineProblem('a wrong checksum');
        const kind = lineKind(bytes, at);
        if (kind === 'commit') {
          const head = decodeHead(bytes, at, end);
          tag ??= head.g;
          if (head.g !== tag || !head.g.startsWith(`${facts.position}-`)) {
            throw new LineProblem('a commit of another group');
          }
          if (sideBySide ? head.p !== position + 1 : head.p <= position) {
            throw new LineProblem(`position ${head.p} out of order`);
          }
          position = head.p;
          sideBySide = true;
        } else if (kind === 'seal') {
          const seal = decodeSeal(bytes, at, end);
          const fits =
            (tag === undefined || seal.g === tag) &&
            seal.g.startsWith(`${facts.position}-`) &&
            seal.p - seal.n + 1 === facts.position &&
            seal.p >= position &&
            seal.b === at;
          if (!fits) throw new LineProblem('a seal that does not fit its group');
          sealEnd = end;
        } else {
          throw new LineProblem('a line that cannot stand here');
        }
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error;
        return damaged(at, error.message);
      }
      at = end;
    }
  }
  const holes = pieces.reduce((sum, piece) => sum + piece.end - piece.start, 0) < bytes.length;
  if (sealEnd !== undefined && !holes) {
    return damaged(0, 'every line is whole, but the seal does not fit them');
  }
  if (sealEnd !== undefined && sealEnd < bytes.length) {
    return damaged(sealEnd, 'the file goes on behind the seal of a group that is not whole');
  }
  return { kind: 'torn' };
}

const NUMBER = '[0-9]{1,16}';
const hex = (digits: number): string[] => Array<string>(digits).fill('[0-9a-f]');
const literally = (text: string): string[] =>
  [...text.replace(/[{}]/g, '\\$&').matchAll(/\\?./g)].map(String);
const SEAL_PARTS = [
  ...[...literally('{"seal":"'), ...hex(64)],
  ...[...literally('","g":"'), NUMBER, '-', ...hex(4)],
  ...[...literally('","p":'), NUMBER, ...literally(',"n":'), NUMBER, ...literally(',"b":'), NUMBER],
  ...[
    ...literally(',"salt":"'),
    ...hex(32),
    ...literally('","c":"'),
    ...hex(8),
    ...literally('"}'),
  ],
];
/** A seal line without its LF, as far as it goes: after every part it may be cut off. */
const SEAL_BEGINNING = new RegExp(
  `^${SEAL_PARTS.reduceRight((rest, part) => `(?:${part}${rest})?`, '')}$`,
);
/** Longer than a seal line. */
const BEGINNING_BYTES_MAX = 512;

/** A line without its end must be the beginning of a seal, or of a commit as far as that is known. */
function beginsWell(bytes: Buffer, start: number, end: number, commit: string): boolean {
  const text = bytes.toString('latin1', start, Math.min(end, start + BEGINNING_BYTES_MAX));
  return text.startsWith(commit.slice(0, text.length)) || SEAL_BEGINNING.test(text);
}
