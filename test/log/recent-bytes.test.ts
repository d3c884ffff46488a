/** The bytes of the last groups: whatever is kept is right, and never more than may be. */
import { describe, expect, test } from 'vitest';
import { RecentBytes } from '#src/log/recent-bytes.js';
import { SeededRandom } from '../support/random.js';

const GAP = 20;

interface Line {
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  readonly text: string;
}

/** Groups of lines, one behind the other over several segments, and the model of what was put in. */
class Groups {
  readonly recent: RecentBytes;
  readonly lines: Line[] = [];
  #segment = 1;
  #offset = 100;

  constructor(recent: RecentBytes) {
    this.recent = recent;
  }

  add(lengths: readonly number[]): void {
    const first = this.lines.length + 1;
    const texts = lengths.map((length, at) => `${first + at}:${'x'.repeat(length)}\n`);
    const buffer = Buffer.from(`before${texts.join('')}behind`);
    const [start, end] = [6, buffer.length - 6];
    const { lines, recent } = this;
    recent.add({
      segment: this.#segment,
      offset: this.#offset,
      first,
      last: first + texts.length - 1,
      buffer,
      start,
      end,
    });
    // A writer takes the buffer for the next group.
    for (const text of texts) {
      const line = { position: lines.length + 1, segment: this.#segment, offset: this.#offset };
      lines.push({ ...line, text });
      this.#offset += text.length;
    }
    buffer.fill(0);
    this.#offset += GAP;
  }

  rotate(): void {
    this.#segment = this.lines.length + 1;
    this.#offset = 100;
  }

  get kept(): Line[] {
    const first = this.recent.first ?? Number.POSITIVE_INFINITY;
    return this.lines.filter(({ position }) => position >= first);
  }
}

function expectKept(groups: Groups): void {
  const kept = new Set(groups.kept);
  for (const line of groups.lines) {
    const { position, segment, offset, text } = line;
    const byPosition = groups.recent.holding(position);
    const byPlace = groups.recent.at(segment, offset);
    expect(byPlace).toBe(byPosition);
    expect(byPosition !== undefined).toBe(kept.has(line));
    if (!byPosition) continue;
    const at = offset - byPosition.offset;
    expect(byPosition.bytes.toString('utf8', at, at + text.length)).toBe(text);
  }
}

function keptBytes(groups: Groups): number {
  return groups.kept.reduce((sum, { text }) => sum + text.length, 0);
}

describe('recent bytes', () => {
  test.each([1, 2, 3, 4, 5, 6])('are found by position and by place (seed %i)', (seed) => {
    const random = new SeededRandom(seed);
    const bytesMax = random.pick([500, 2000, 20_000]);
    const groups = new Groups(new RecentBytes(bytesMax));
    for (let round = 0; round < 120; round += 1) {
      const longest = random.chance(0.1) ? 400 : 40;
      groups.add(Array.from({ length: 1 + random.below(5) }, () => random.below(longest)));
      if (random.chance(0.1)) groups.rotate();
      expect(keptBytes(groups)).toBeLessThanOrEqual(bytesMax);
    }
    expectKept(groups);
    expect(groups.recent.holding(groups.lines.length + 1)).toBeUndefined();
    expect(groups.recent.holding(0)).toBeUndefined();
  });

  test('hold nothing at first', () => {
    const recent = new RecentBytes();
    expect(recent.first).toBeUndefined();
    expect(recent.holding(1)).toBeUndefined();
    expect(recent.at(1, 0)).toBeUndefined();
  });

  test('are the newest ones', () => {
    const groups = new Groups(new RecentBytes(1600));
    for (let round = 0; round < 50; round += 1) groups.add([30]);
    expect(groups.recent.first).toBeGreaterThan(1);
    expect(groups.recent.holding(50)).toBeDefined();
    expectKept(groups);
  });

  test('begin anew behind a group that is too large to be kept', () => {
    const groups = new Groups(new RecentBytes(1600));
    groups.add([10, 10]);
    groups.add([1700]);
    expect(groups.recent.first).toBeUndefined();
    groups.add([10]);
    expect(groups.recent.first).toBe(4);
    expectKept(groups);
  });

  test('begin anew behind a gap', () => {
    const recent = new RecentBytes(1600);
    const buffer = Buffer.from('line\n');
    const lines = { segment: 1, buffer, start: 0, end: 5 };
    recent.add({ ...lines, offset: 0, first: 1, last: 1 });
    recent.add({ ...lines, offset: 90, first: 3, last: 3 });
    expect(recent.first).toBe(3);
    expect(recent.holding(1)).toBeUndefined();
  });

  test('show a blank line for what stands between two groups', () => {
    const groups = new Groups(new RecentBytes());
    groups.add([1]);
    groups.add([2]);
    const block = groups.recent.holding(1);
    const text = block?.bytes.toString('utf8', 0, block.filled);
    expect(text).toBe(`1:x\n${' '.repeat(GAP - 1)}\n2:xx\n`);
  });

  test('stay as they are while somebody reads them, also when they make room', () => {
    const groups = new Groups(new RecentBytes(1600));
    groups.add([30]);
    groups.recent.hold();
    const block = groups.recent.holding(1);
    const before = block?.bytes.toString();
    for (let round = 0; round < 100; round += 1) groups.add([30]);
    groups.recent.release();
    expect(groups.recent.holding(1)).toBeUndefined();
    expect(block?.bytes.toString().slice(0, 33)).toBe(before?.slice(0, 33));
    for (let round = 0; round < 100; round += 1) groups.add([30]);
    expectKept(groups);
  });
});
