import { expect, test } from 'vitest';
import { bytesOf } from '#src/projections/size.js';

test('every value takes some bytes', () => {
  const values = [null, undefined, false, 0, 0.5, '', 1n, {}, [], new Map(), new Set()];
  for (const value of values) expect(bytesOf(value)).toBeGreaterThan(0);
});

test('a text takes at least a byte a character', () => {
  expect(bytesOf('a'.repeat(1000))).toBeGreaterThan(1000);
  expect(bytesOf({ text: 'a'.repeat(1000) })).toBeGreaterThan(1000);
});

test.each<[string, (count: number) => unknown]>([
  ['an array', (count) => Array.from({ length: count }, () => 'text')],
  [
    'an object',
    (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, 'text'])),
  ],
  ['a Map', (count) => new Map(Array.from({ length: count }, (_, i) => [i, 'text']))],
  ['a Set', (count) => new Set(Array.from({ length: count }, (_, i) => `text ${i}`))],
  ['nested arrays', (count) => Array.from({ length: count }, () => [['text']])],
])('%s of ten times as many parts takes about ten times the bytes', (_name, make) => {
  const ratio = bytesOf(make(10_000)) / bytesOf(make(1000));
  expect(ratio).toBeGreaterThan(9);
  expect(ratio).toBeLessThan(11.5);
});

test('a member named like a prototype counts like any other', () => {
  const member = (name: string) => JSON.parse(`{"${name}":"${'x'.repeat(500)}"}`) as unknown;
  expect(bytesOf(member('__proto__'))).toBe(bytesOf(member('a')));
});
