/** What a thread remembers of the tokens that it gave out: enough for each file's next one to be higher, in memory that does not grow. */
import { describe, expect, test } from 'vitest';
import { type FenceFile, nextToken } from '#src/locks/fence.js';
import { GivenTokens } from '#src/locks/given-tokens.js';

/** A file that forgets all that was written to it, like one that was made anew, or whose disk lost it. */
function forgetful(): FenceFile {
  return { boot: '0'.repeat(32), read() {}, write() {}, sync() {} };
}

/** One that keeps it. */
function faithful(): FenceFile & { syncs: number } {
  const content = Buffer.alloc(2048);
  return {
    boot: '0'.repeat(32),
    syncs: 0,
    read: (bytes, position) => void content.copy(bytes, 0, position),
    write: (bytes, position) => void bytes.copy(content, position),
    sync() {
      this.syncs += 1;
    },
  };
}

function take(tokens: GivenTokens, name: string, file: FenceFile): number {
  const token = nextToken(file, { highest: tokens.highest(name) });
  tokens.given(name, token);
  return token;
}

describe('tokens of many files', () => {
  test('grow in each of them, remembered or not, also where the file forgot', () => {
    const tokens = new GivenTokens(3);
    const last = new Map<string, number>();
    for (let turn = 0; turn < 500; turn += 1) {
      // Some come again at once, others when ten have come between.
      const name = `file ${(turn * turn) % 13}`;
      const token = take(tokens, name, forgetful());
      expect(token).toBeGreaterThan(last.get(name) ?? 0);
      last.set(name, token);
    }
    expect(last.size).toBeGreaterThan(3);
  });

  test('are remembered of the files that were used last', () => {
    const tokens = new GivenTokens(2);
    tokens.given('a', 7);
    tokens.given('b', 3);
    tokens.given('a', 8);
    tokens.given('c', 5);
    expect(tokens.highest('a')).toBe(8);
    expect(tokens.highest('c')).toBe(5);
    // One that is not remembered, and one that was never used, which nobody can tell apart.
    expect(tokens.highest('b')).toBe(3);
    expect(tokens.highest('d')).toBe(3);
    tokens.given('d', 1001);
    expect(tokens.highest('a')).toBe(8);
  });

  test('count on without a sync as long as nothing higher stands for the file', () => {
    const tokens = new GivenTokens(1);
    const file = faithful();
    expect([1, 2, 3].map(() => take(tokens, 'a', file))).toEqual([1, 2, 3]);
    expect(file.syncs).toBe(1);
    tokens.given('b', 50);
    // What is remembered instead is no higher than its own.
    expect(take(tokens, 'a', file)).toBe(4);
    expect(file.syncs).toBe(1);
    tokens.given('c', 60);
    expect(take(tokens, 'a', file)).toBe(1001);
    expect(file.syncs).toBe(2);
  });
});
