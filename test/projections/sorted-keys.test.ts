import { describe, expect, test } from 'vitest';
import { SortedKeys } from '#src/projections/sorted-keys.js';
import { SeededRandom } from '../support/random.js';

function sorted(keys: Iterable<string>): string[] {
  return [...keys].sort((a, b) => (a < b ? -1 : Number(a > b)));
}

function randomKey(random: SeededRandom): string {
  const letters = ['a', 'b', '/', '\u{1f600}', '\uffee', 'z'];
  return Array.from({ length: random.below(6) }, () => random.pick(letters)).join('');
}

function keysOf(...keys: readonly string[]): SortedKeys {
  const all = new SortedKeys();
  for (const key of keys) all.add(key);
  return all;
}

describe('sorted keys', () => {
  test('come in the order of UTF-16 code units', () => {
    // By code points the smiley would come last.
    expect([...keysOf('\uffee', '\u{1f600}', 'a', 'B', '').range()]).toEqual([
      '',
      'B',
      'a',
      '\u{1f600}',
      '\uffee',
    ]);
  });

  test('are found by prefix and behind a key, after any number of additions', () => {
    const random = new SeededRandom(3);
    const all = new SortedKeys();
    const model = new Set<string>();
    for (let round = 0; round < 60; round += 1) {
      const additions = random.chance(0.1) ? random.below(3000) : random.below(4);
      for (let number = 0; number < additions; number += 1) {
        const key = randomKey(random) + random.below(5000);
        if (model.has(key)) continue;
        model.add(key);
        all.add(key);
      }
      const prefix = randomKey(random).slice(0, random.below(3));
      const after = random.chance(0.5) ? randomKey(random) : undefined;
      expect([...all.range(prefix, after)]).toEqual(
        sorted(model).filter(
          (key) => key.startsWith(prefix) && (after === undefined || key > after),
        ),
      );
      expect(all.size).toBe(model.size);
    }
  });

  test('are each given once while others are added before and behind', () => {
    const random = new SeededRandom(4);
    const first = Array.from({ length: 3000 }, (_, index) => `m${index}`);
    const all = keysOf(...first);
    const added = new Set<string>();
    const seen: string[] = [];
    for (const key of all.range()) {
      seen.push(key);
      for (const addition of [`a${seen.length}`, `m${random.below(3000)}x`, `z${seen.length}`]) {
        if (added.has(addition) || seen.length > 2000) continue;
        added.add(addition);
        all.add(addition);
      }
    }
    expect(seen).toEqual(sorted(new Set(seen)));
    const found = new Set(seen);
    const missed = [...first, ...added].filter((key) => !found.has(key) && !/^m.*x$|^a/.test(key));
    expect(missed).toEqual([]);
  });

  test('begin behind a key that stands before the prefix, with the prefix itself', () => {
    const all = keysOf('a', 'b', 'b/', 'b/1', 'c');
    expect([...all.range('b/', 'a')]).toEqual(['b/', 'b/1']);
    expect([...all.range('b/', 'b/')]).toEqual(['b/1']);
    expect([...all.range('b/', 'c')]).toEqual([]);
  });
});
