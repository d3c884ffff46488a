import { expect, test } from 'vitest';
import { RangeLocks } from '#src/locks/range-locks.js';

test('ranges collide where they overlap, not where they touch', () => {
  const locks = new RangeLocks<string>();
  expect(locks.tryLock('a', 10, 10, true)).toBe(true);
  expect(locks.tryLock('b', 0, 10, true)).toBe(true);
  expect(locks.tryLock('b', 20, 10, true)).toBe(true);
  expect(locks.tryLock('c', 19, 1, true)).toBe(false);
  expect(locks.tryLock('c', 5, 20, false)).toBe(false);
});

test('unlocking the middle leaves both ends locked', () => {
  const locks = new RangeLocks<string>();
  locks.tryLock('a', 0, 30, true);
  locks.unlock('a', 10, 10);
  expect(locks.tryLock('b', 10, 10, true)).toBe(true);
  expect(locks.tryLock('b', 9, 1, false)).toBe(false);
  expect(locks.tryLock('b', 20, 1, false)).toBe(false);
});

test('a refused lock changes nothing, not even the kind of what its owner holds', () => {
  const locks = new RangeLocks<string>();
  locks.tryLock('a', 0, 1, false);
  locks.tryLock('b', 0, 1, false);
  expect(locks.tryLock('a', 0, 1, true)).toBe(false);
  locks.unlock('b', 0, 1);
  expect(locks.tryLock('b', 0, 1, true)).toBe(false);
  expect(locks.tryLock('b', 0, 1, false)).toBe(true);
});

test('releasing takes all that an owner held, and nothing of another', () => {
  const locks = new RangeLocks<string>();
  locks.tryLock('a', 0, 1, true);
  locks.tryLock('a', 5, 1, true);
  locks.tryLock('b', 7, 1, true);
  locks.release('a');
  expect(locks.tryLock('c', 0, 6, true)).toBe(true);
  expect(locks.tryLock('c', 7, 1, false)).toBe(false);
});
