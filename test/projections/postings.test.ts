import { describe, expect, test } from 'vitest';
import { Postings } from '#src/projections/postings.js';
import { SeededRandom } from '../support/random.js';

interface Added {
  readonly key: string;
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  readonly index: number;
}

/** Keys from those with a single event to those with thousands. */
function filled(count: number, seed = 5): { postings: Postings; added: Added[] } {
  const random = new SeededRandom(seed);
  const postings = new Postings();
  const added: Added[] = [];
  let position = 1;
  let segment = 1;
  let offset = 0;
  for (let number = 0; number < count; number += 1) {
    const key = `k${Math.floor(random.fraction() ** 4 * 200)}`;
    const index = added.at(-1)?.position === position ? (added.at(-1)?.index ?? 0) + 1 : 0;
    added.push({ key, position, segment, offset, index });
    postings.add(key, position, segment, offset, index);
    if (random.chance(0.7)) {
      position += 1 + random.below(3);
      offset += 100 + random.below(100);
    }
    if (random.chance(0.001)) {
      position += 1;
      segment = position;
      offset = 0;
    }
  }
  return { postings, added };
}

function expected(added: readonly Added[], key: string, from = 1, to = Number.MAX_SAFE_INTEGER) {
  return added
    .filter((one) => one.key === key && one.position >= from && one.position <= to)
    .map(({ key: _, ...place }) => place);
}

describe('postings', () => {
  test('give the places of each key in order, with segment, offset and index', () => {
    const { postings, added } = filled(20_000);
    for (const key of new Set(added.map((one) => one.key))) {
      expect([...postings.places(key)]).toEqual(expected(added, key));
    }
  });

  test('give the places between any two positions', () => {
    const { postings, added } = filled(20_000);
    const random = new SeededRandom(1);
    const end = added.at(-1)?.position ?? 0;
    for (let turn = 0; turn < 400; turn += 1) {
      const { key } = random.pick(added);
      const from = 1 + random.below(end);
      const to = from - 1 + random.below(random.chance(0.5) ? 50 : end);
      expect([...postings.places(key, from, to)]).toEqual(expected(added, key, from, to));
    }
  });

  test('know the last position of a key at or before any other', () => {
    const { postings, added } = filled(20_000);
    const random = new SeededRandom(2);
    const end = added.at(-1)?.position ?? 0;
    for (let turn = 0; turn < 400; turn += 1) {
      const { key } = random.pick(added);
      const to = random.below(end + 2);
      expect(postings.last(key, to)).toBe(expected(added, key, 1, to).at(-1)?.position ?? 0);
      expect(postings.last(key)).toBe(expected(added, key).at(-1)?.position);
    }
  });

  test('have nothing for a key without an event, whatever it is called', () => {
    const { postings } = filled(10);
    for (const key of ['none', '', '__proto__', 'constructor']) {
      expect(postings.has(key)).toBe(false);
      expect([...postings.places(key)]).toEqual([]);
      expect(postings.last(key)).toBe(0);
    }
  });

  test('stay right for an iteration while more is added', () => {
    const postings = new Postings();
    for (let position = 1; position <= 300; position += 1) {
      postings.add('a', position, 1, position, 0);
    }
    const seen: number[] = [];
    for (const { position } of postings.places('a', 1, 300)) {
      seen.push(position);
      postings.add('a', 300 + position, 1, 300 + position, 0);
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  test('tell a new key from a known one', () => {
    const postings = new Postings();
    expect(postings.add('a', 1, 1, 0, 0)).toBe(true);
    expect(postings.add('a', 1, 1, 0, 1)).toBe(false);
    expect(postings.add('b', 2, 1, 90, 0)).toBe(true);
    expect(postings.size).toBe(2);
  });

  test('take 36 bytes for a key with one event, and hardly more than 20 an event for a long one', () => {
    const single = new Postings();
    for (let number = 0; number < 8192; number += 1) single.add(`k${number}`, number, 1, 0, 0);
    expect(single.bytes / 8192).toBe(36);
    const long = new Postings();
    for (let number = 0; number < 100_000; number += 1) long.add('k', number, 1, 0, 0);
    expect(long.bytes / 100_000).toBeLessThan(21);
  });

  test('take at most 44 bytes an event, however many a key has', () => {
    for (let events = 2; events < 40; events += 1) {
      const postings = new Postings();
      for (let number = 0; number < 2048 * events; number += 1) {
        postings.add(`k${number % 2048}`, number, 1, 0, 0);
      }
      expect(postings.bytes / (2048 * events)).toBeLessThan(44);
    }
  });
});
