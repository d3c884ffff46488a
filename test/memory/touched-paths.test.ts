import { describe, expect, test } from 'vitest';
import { isAtOrBelow, overlaps, touchedPaths } from '#src/memory/touched-paths.js';

describe('the places that patches change', () => {
  test.each<[string, unknown, unknown, Parameters<typeof touchedPaths>[2], string[]]>([
    ['a member', { a: 1 }, { a: 2 }, [{ op: 'replace', path: '/a', value: 2 }], ['/a']],
    ['a member that came', {}, { a: 2 }, [{ op: 'add', path: '/a', value: 2 }], ['/a']],
    ['all of it', undefined, { a: 2 }, [{ op: 'add', path: '', value: { a: 2 } }], ['']],
    ['an element', [1], [2], [{ op: 'replace', path: '/0', value: 2 }], ['/0']],
    [
      'a list, when elements came',
      { l: [] },
      { l: [2] },
      [{ op: 'add', path: '/l/0', value: 2 }],
      ['/l'],
    ],
    [
      'a list, when elements went',
      { 'a/b': [2] },
      { 'a/b': [] },
      [{ op: 'remove', path: '/a~1b/0' }],
      ['/a~1b'],
    ],
    [
      'a member named like an index',
      { o: {} },
      { o: { 0: 1 } },
      [{ op: 'add', path: '/o/0', value: 1 }],
      ['/o/0'],
    ],
  ])('are %s', (_what, before, after, patches, touched) => {
    expect(touchedPaths(before, after, patches, [])).toEqual(touched);
  });

  test('leave out what is to be ignored, and what lies below it', () => {
    const patches = ['/at', '/at/x', '/ats', '/value'].map(
      (path) => ({ op: 'replace', path, value: 1 }) as const,
    );
    expect(touchedPaths({}, {}, patches, ['/at'])).toEqual(['/ats', '/value']);
  });

  test('overlap when one leads through the other', () => {
    expect(overlaps('/a', '/a/b')).toBe(true);
    expect(overlaps('/a/b', '/a')).toBe(true);
    expect(overlaps('', '/a')).toBe(true);
    expect(overlaps('/a', '/ab')).toBe(false);
    expect(isAtOrBelow('/a', '/a/b')).toBe(false);
  });
});
