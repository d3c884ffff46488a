/** Rankings of several sources as one. */
import { describe, expect, test } from 'vitest';
import { fuse } from '#src/recall/fuse.js';

const items = (ranking: readonly string[][], weights?: number[]) =>
  fuse(ranking, (item) => item, weights).map(({ item }) => item);

describe('reciprocal rank fusion', () => {
  test('leaves the order of a single source as it is', () => {
    expect(items([['b', 'a', 'c']])).toEqual(['b', 'a', 'c']);
  });

  test('scores a place as 1 / (60 + place), added up over the sources', () => {
    const fused = fuse(
      [
        ['a', 'b'],
        ['b', 'c'],
      ],
      (item) => item,
    );
    expect(fused.map(({ item }) => item)).toEqual(['b', 'a', 'c']);
    expect(fused[0]?.score).toBeCloseTo(1 / 62 + 1 / 61, 12);
  });

  test('counts a source as its weight says', () => {
    expect(items([['a'], ['b']], [1, 2])).toEqual(['b', 'a']);
  });

  test('gives equals by key', () => {
    expect(items([['b'], ['a']])).toEqual(['a', 'b']);
    expect(items([])).toEqual([]);
  });
});
