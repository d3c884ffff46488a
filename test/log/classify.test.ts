/** Torn or damaged: the words of docs/FORMAT.md, one by one. */
import { describe, expect, test } from 'vitest';
import { classifyTail, isTornFormOf, type TailFacts } from '#src/log/classify.js';
import {
  checksumLine,
  closingLine,
  finishedLine,
  groupTag,
  headerLine,
  sealLine,
  sealOf,
} from '#src/log/encode.js';
import { firstSeal } from '#src/log/place.js';

const SECTOR = 512;
const STORE = '00000000-0000-4000-8000-000000000000';
const before = firstSeal(STORE);
const salt = 'feed'.padEnd(32, '0');

/** A commit line of a group that begins at position 5, unless told otherwise. */
function commit(position: number, tag = groupTag(5, salt), text = 'x'.repeat(300)): Buffer {
  const time = '2026-01-01T00:00:00.000Z';
  return finishedLine(
    `{"p":${position},"g":"${tag}","t":"${time}","e":[["a/1",${position},"x"]],"d":["${text}"]`,
  );
}

const lines = [5, 6, 7, 8].map((position) => commit(position));
const body = Buffer.concat(lines);
const group = { firstPosition: 5, lastPosition: 8, salt };
const seal = sealLine(sealOf(before, body, salt), group, body.length);
const whole = Buffer.concat([body, seal]);

/** The group stands behind 700 bytes: its first sector is shared with what is durable. */
const facts: TailFacts = { offset: 700, position: 5, closing: closingLine(4, before) };
const border = (number: number) => number * SECTOR - facts.offset;

function zeroed(bytes: Buffer, ...holes: readonly (readonly [number, number])[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const [from, to] of holes) copy.fill(0, from, to);
  return copy;
}

function changed(bytes: Buffer, offset: number, byte: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = byte;
  return copy;
}

function replaced(index: number, line: Buffer): Buffer {
  return Buffer.concat([...lines.with(index, line), seal]);
}

const lineEnds = lines.map((_, index) => Buffer.concat(lines.slice(0, index + 1)).length);
const [firstEnd = 0, secondEnd = 0] = lineEnds;

describe('the end of a log is torn', () => {
  const torn: readonly (readonly [string, Buffer])[] = [
    ['when nothing of the group is there', Buffer.alloc(0)],
    ['when a commit line is cut off', whole.subarray(0, firstEnd + 100)],
    ['when it ends in the middle of an envelope', whole.subarray(0, firstEnd + 9)],
    ['when it ends at the end of a line', whole.subarray(0, secondEnd)],
    ['when a line only lacks its LF', whole.subarray(0, secondEnd - 1)],
    ['when only the seal is missing', body],
    ['when the seal is cut off', whole.subarray(0, body.length + 30)],
    ['when only the last LF is missing', whole.subarray(0, whole.length - 1)],
    ['when a sector in the middle is zeros, the seal kept', zeroed(whole, [border(2), border(3)])],
    ['when a whole line was lost with its sector', zeroed(whole, [border(2), border(4)])],
    ['when its first bytes are zeros up to a sector border', zeroed(whole, [0, border(2)])],
    [
      'when all is zeros up to the seal',
      zeroed(whole, [0, border(Math.ceil(facts.offset / SECTOR) + 2)]),
    ],
    ['when it is zeros to the end', zeroed(whole, [border(3), whole.length])],
    [
      'when it is zeros to the end of a shorter file',
      zeroed(whole, [border(3), whole.length]).subarray(0, -40),
    ],
    ['when all of it is zeros', Buffer.alloc(whole.length)],
    ['when it has several holes', zeroed(whole, [0, border(2)], [border(3), border(4)])],
    [
      'when it has a hole and no end',
      zeroed(whole, [border(2), border(3)]).subarray(0, border(4) + 20),
    ],
  ];

  test.each(torn)('%s', (_, bytes) => {
    expect(classifyTail(bytes, facts)).toEqual({ kind: 'torn' });
  });

  test('wherever the group is cut off', () => {
    for (let size = 0; size < whole.length; size += 1) {
      expect(classifyTail(whole.subarray(0, size), facts), `at ${size}`).toEqual({ kind: 'torn' });
    }
  });

  test('whatever sectors of the group are lost', () => {
    const first = Math.floor(facts.offset / SECTOR);
    const sectors = Math.ceil((facts.offset + whole.length) / SECTOR) - first;
    for (let lost = 1; lost < 2 ** sectors; lost += 1) {
      const holes = Array.from({ length: sectors }, (_, n) => n)
        .filter((n) => (lost & (1 << n)) !== 0)
        .map(
          (n) =>
            [
              Math.max(0, border(first + n)),
              Math.min(border(first + n + 1), whole.length),
            ] as const,
        );
      const bytes = zeroed(whole, ...holes);
      expect(classifyTail(bytes, facts), lost.toString(2)).toEqual({ kind: 'torn' });
    }
  });

  test('wherever the closing line is cut off, and where it is zeros', () => {
    const { closing } = facts;
    for (let size = 0; size < closing.length; size += 1) {
      expect(classifyTail(closing.subarray(0, size), facts)).toEqual({ kind: 'torn' });
    }
    expect(classifyTail(Buffer.alloc(closing.length), facts)).toEqual({ kind: 'torn' });
    const acrossBorder: TailFacts = { ...facts, offset: SECTOR - 50 };
    for (const hole of [
      [0, 50],
      [50, closing.length],
    ] as const) {
      expect(classifyTail(zeroed(closing, hole), acrossBorder)).toEqual({ kind: 'torn' });
    }
  });
});

describe('the end of a log is damaged', () => {
  const otherSalt = 'beef'.padEnd(32, '0');
  const unknown = finishedLine('{"erased":5');
  const damaged: readonly (readonly [string, Buffer, number, RegExp])[] = [
    ['by a changed byte in a line', changed(whole, firstEnd + 200, 0x79), firstEnd, /checksum/],
    ['by a changed byte in a checksum', changed(whole, firstEnd - 4, 0x67), 0, /checksum/],
    [
      'by a changed byte in the seal',
      changed(whole, body.length + 20, 0x7a),
      body.length,
      /checksum/,
    ],
    [
      'by another byte in place of the last LF',
      changed(whole, whole.length - 1, 0x2a),
      body.length,
      /beginning/,
    ],
    ['by an LF that is gone between two lines', changed(whole, firstEnd - 1, 0x20), 0, /checksum/],
    [
      'by zeros that begin inside a sector',
      zeroed(whole, [border(2) + 1, border(3)]),
      border(2) + 1,
      /zeros/,
    ],
    [
      'by zeros that end inside a sector',
      zeroed(whole, [border(2), border(3) - 1]),
      border(2),
      /zeros/,
    ],
    ['by one zero byte', zeroed(whole, [firstEnd + 50, firstEnd + 51]), firstEnd + 50, /zeros/],
    [
      'by a control character in a line without its end',
      changed(body, body.length - 1, 0x07),
      body.length - 1,
      /byte/,
    ],
    [
      'by a commit of another group',
      replaced(1, commit(6, groupTag(6, salt))),
      firstEnd,
      /another group/,
    ],
    [
      'by a commit of another attempt',
      replaced(1, commit(6, groupTag(5, otherSalt))),
      firstEnd,
      /another group/,
    ],
    [
      'by a first commit of another group',
      replaced(0, commit(5, groupTag(4, salt))),
      0,
      /another group/,
    ],
    [
      'by a commit that is missing',
      Buffer.concat([lines[0] as Buffer, lines[2] as Buffer]),
      firstEnd,
      /order/,
    ],
    ['by a first commit that is missing', Buffer.concat(lines.slice(1)), 0, /order/],
    [
      'by a commit that stands twice',
      Buffer.concat([lines[0] as Buffer, ...lines]),
      firstEnd,
      /order/,
    ],
    [
      'by two commits that changed places',
      Buffer.concat([lines[1] as Buffer, lines[0] as Buffer]),
      0,
      /order/,
    ],
    ['by a seal too early', Buffer.concat([...lines.slice(0, 2), seal]), secondEnd, /seal/],
    [
      'by a seal that does not fit the lines',
      Buffer.concat([body, sealLine(before, group, body.length)]),
      0,
      /seal/,
    ],
    [
      'by the seal of another attempt',
      Buffer.concat([body, sealLine(before, { ...group, salt: otherSalt }, body.length)]),
      body.length,
      /seal/,
    ],
    [
      'by bytes behind the seal of a broken group',
      Buffer.concat([zeroed(whole, [border(2), border(3)]), lines[0] as Buffer]),
      whole.length,
      /behind/,
    ],
    [
      'by a good group behind a broken one',
      Buffer.concat([changed(whole, 60, 0x79), commit(9, groupTag(9, salt))]),
      0,
      /checksum/,
    ],
    [
      'by a line of no known kind',
      Buffer.concat([lines[0] as Buffer, unknown]),
      firstEnd,
      /cannot stand/,
    ],
    [
      'by a closing line inside a group',
      Buffer.concat([lines[0] as Buffer, facts.closing]),
      firstEnd,
      /cannot stand/,
    ],
    ['by a closing line for another position', closingLine(5, before), 0, /cannot stand/],
    ['by a header', headerLine(5, STORE, before), 0, /cannot stand/],
    ['by text that is no line', Buffer.from('once upon a time'), 0, /beginning/],
    [
      'by the beginning of a closing line inside a group',
      Buffer.concat([lines[0] as Buffer, Buffer.from('{"close":')]),
      firstEnd,
      /beginning/,
    ],
    [
      'by the beginning of a commit of another position',
      Buffer.concat([lines[0] as Buffer, Buffer.from('{"p":9,"g":"')]),
      firstEnd,
      /beginning/,
    ],
    [
      'by the beginning of a commit of another group',
      Buffer.from('{"p":5,"g":"4-'),
      0,
      /beginning/,
    ],
    [
      'by the beginning of a seal that is none',
      Buffer.concat([body, Buffer.from('{"seal":"xyz')]),
      body.length,
      /beginning/,
    ],
  ];

  test.each(damaged)('%s', (_, bytes, offset, problem) => {
    expect(classifyTail(bytes, facts)).toEqual({
      kind: 'damaged',
      offset: facts.offset + offset,
      problem: expect.stringMatching(problem) as string,
    });
  });

  test('by any flipped bit of a whole group', () => {
    for (let offset = 0; offset < whole.length; offset += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const bytes = changed(whole, offset, (whole[offset] as number) ^ (1 << bit));
        const { kind } = classifyTail(bytes, facts);
        expect(kind, `bit ${bit} of byte ${offset}`).toBe('damaged');
      }
    }
  });

  test('by any flipped bit of a closing line', () => {
    const { closing } = facts;
    for (let offset = 0; offset < closing.length; offset += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const bytes = changed(closing, offset, (closing[offset] as number) ^ (1 << bit));
        expect(classifyTail(bytes, facts).kind, `bit ${bit} of byte ${offset}`).toBe('damaged');
      }
    }
  });
});

describe('a line whose bytes are known', () => {
  const header = headerLine(9, STORE, before);

  test('is torn when its end is missing, or sectors of it', () => {
    for (let size = 0; size <= header.length; size += 1) {
      expect(isTornFormOf(header.subarray(0, size), header, 0)).toBe(true);
    }
    expect(isTornFormOf(Buffer.alloc(header.length), header, 0)).toBe(true);
    expect(isTornFormOf(zeroed(header, [0, 12]), header, SECTOR - 12)).toBe(true);
    expect(isTornFormOf(zeroed(header, [12, header.length]), header, SECTOR - 12)).toBe(true);
  });

  test('is not torn when it is another line, too long, or has other holes', () => {
    const other = headerLine(10, STORE, before);
    expect(isTornFormOf(other, header, 0)).toBe(false);
    expect(isTornFormOf(other.subarray(0, 14), header, 0)).toBe(false);
    expect(isTornFormOf(Buffer.concat([header, Buffer.from('x')]), header, 0)).toBe(false);
    expect(isTornFormOf(zeroed(header, [20, 30]), header, 0)).toBe(false);
    expect(isTornFormOf(zeroed(header, [0, 13]), header, SECTOR - 12)).toBe(false);
    const recounted = changed(header, 12, 0x38);
    checksumLine(recounted, 0, recounted.length);
    expect(isTornFormOf(recounted, header, 0)).toBe(false);
  });
});
