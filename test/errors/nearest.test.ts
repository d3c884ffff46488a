/** What a message offers to somebody who mistyped a name. */
import { describe, expect, test } from 'vitest';
import { nearest } from '#src/errors.js';

describe('the nearest names', () => {
  test('are those that differ by a few characters, the nearest first', () => {
    const names = ['counter.dropped', 'counter.aged', 'counter.added', 'user.named'];
    expect(nearest('counter.aded', names)).toEqual(['counter.aged', 'counter.added']);
    expect(nearest('conuter.dropped', names)).toEqual(['counter.dropped']);
  });

  test('are found whatever the capitals', () => {
    expect(nearest('COUNTER', ['counter'])).toEqual(['counter']);
  });

  test('are none when nothing looks like it', () => {
    expect(nearest('counter', ['a', 'something.else', ''])).toEqual([]);
    expect(nearest('counter', [])).toEqual([]);
  });

  test('are at most as many as asked for', () => {
    const names = Array.from({ length: 9 }, (_, index) => `type.${index}`);
    expect(nearest('type.x', names)).toHaveLength(3);
    expect(nearest('type.x', names, 1)).toEqual(['type.0']);
  });
});
