import { describe, expect, test } from 'vitest';
import { compactionSettings, type RetentionOptions } from '#src/compaction/options.js';
import { judge, type Verdict } from '#src/compaction/retention.js';

const DAY_MS = 86_400_000;

/** A segment of that age in days, in an archive of that many bytes, with events of these categories. */
function verdict(
  retention: RetentionOptions,
  age: number,
  categories: readonly string[],
  { bytes = 0, covered = 100 } = {},
): Verdict {
  const { retention: rules } = compactionSettings(undefined, retention);
  if (!rules) throw new Error('there are no rules');
  const candidate = { first: 1, last: 50, lastTime: 0, categories: new Set(categories) };
  return judge(rules, candidate, bytes, age * DAY_MS, [{ name: 'sum', covered }]);
}

const kind = (found: Verdict) => found.kind;

describe('a segment', () => {
  test('goes once it is older than the days, and not before', () => {
    expect(kind(verdict({ days: 5 }, 5, ['a']))).toBe('keep');
    expect(kind(verdict({ days: 5 }, 5.01, ['a']))).toBe('drop');
    expect(kind(verdict({}, 10_000, ['a']))).toBe('keep');
  });

  test('goes when the archive is too large, whatever its age', () => {
    expect(kind(verdict({ bytes: 1000 }, 0, ['a'], { bytes: 1000 }))).toBe('keep');
    expect(kind(verdict({ bytes: 1000 }, 0, ['a'], { bytes: 1001 }))).toBe('drop');
    expect(kind(verdict({ days: 5, bytes: 1000 }, 0, ['a'], { bytes: 1001 }))).toBe('drop');
  });

  test('stays while an event of a category with a longer rule is in it', () => {
    const rules = { days: 5, categories: { audit: { days: 50 }, orders: {} } };
    expect(verdict(rules, 20, ['a', 'audit'])).toMatchObject({
      kind: 'refused',
      reason: 'events of the category audit are kept for 50 days',
    });
    expect(kind(verdict(rules, 51, ['a', 'audit']))).toBe('drop');
    expect(verdict(rules, 9999, ['orders', 'a'])).toMatchObject({ kind: 'refused' });
    // Nothing asks for it to go.
    expect(kind(verdict(rules, 2, ['a', 'audit']))).toBe('keep');
    expect(kind(verdict(rules, 20, ['audit']))).toBe('keep');
  });

  test('goes by the rule of its categories alone when it holds nothing else', () => {
    const rules = { categories: { drafts: { days: 1 } } };
    expect(kind(verdict(rules, 2, ['drafts']))).toBe('drop');
    expect(kind(verdict(rules, 2, ['drafts', '$store']))).toBe('drop');
    expect(kind(verdict(rules, 2, ['drafts', 'a']))).toBe('keep');
    expect(kind(verdict(rules, 2, ['$store']))).toBe('keep');
  });

  test('is not dropped by size when its category is to be kept', () => {
    const rules = { bytes: 10, categories: { audit: { days: 50 } } };
    expect(kind(verdict(rules, 20, ['audit'], { bytes: 100 }))).toBe('refused');
    expect(kind(verdict(rules, 51, ['audit'], { bytes: 100 }))).toBe('drop');
  });

  test('stays while a projection has not covered all of it', () => {
    expect(verdict({ days: 5 }, 6, ['a'], { covered: 49 })).toEqual({
      kind: 'refused',
      reason: 'the projection sum has covered events up to position 49 only',
      projection: 'sum',
    });
    expect(kind(verdict({ days: 5 }, 6, ['a'], { covered: 50 }))).toBe('drop');
  });
});
