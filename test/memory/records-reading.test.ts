/** Records: how long they live, how they are listed, and what holds for all calls, on stores of both kinds. */
import { describe, expect, test } from 'vitest';
import { MemoryNotFoundError } from '#src/errors.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { kinds, type Memory, openMemoryOf } from './support-records.js';

const HOUR = 3_600_000;
const START = '2026-01-01T00:00:00.000Z';
const invalid = { name: 'TypeError', code: 'INVALID_ARGUMENT' };

describe.each(kinds)('records on a %s', (kind) => {
  const open = (): Promise<Memory> => openMemoryOf(kind);

  describe('expiry', () => {
    test('hides a record from every call at the moment it is over', async () => {
      const memory = await open();
      const { records } = memory;
      await records.store('k', 'red apple', { ttlMs: HOUR, importance: 1 });
      memory.clock.advance(HOUR - 1);
      expect(records.getSync('k')?.expiresAt).toBe('2026-01-01T01:00:00.000Z');
      memory.clock.advance(1);
      expect(await records.get('k')).toBeUndefined();
      expect(records.getSync('k')).toBeUndefined();
      expect((await records.list()).items).toEqual([]);
      expect(records.listSync().items).toEqual([]);
      expect(await records.recall('red apple')).toEqual([]);
      expect((await records.getContext('p', 'red apple')).items).toEqual([]);
      await expect(records.update('k', () => 'x')).rejects.toThrow(MemoryNotFoundError);
      expect((await records.delete('k')).changed).toBe(false);
    });

    test('of a ttl is counted from the commit, and the event keeps what was given', async () => {
      const memory = await open();
      await memory.records.store('k', 1, { ttlMs: 5000 });
      const [event] = await memory.store.readStream('records/k').toArray();
      expect(event?.data).toEqual({ value: 1, section: 'working', ttlMs: 5000 });
    });

    test('makes room for a record that begins anew', async () => {
      const memory = await open();
      await memory.records.store('k', 1, { ttlMs: 1000 });
      memory.clock.advance(5000);
      expect((await memory.records.store('k', 1, { section: 'working' })).changed).toBe(true);
      expect(await memory.records.get('k')).toMatchObject({
        createdAt: '2026-01-01T00:00:05.000Z',
      });
      expect(memory.records.getSync('k')?.expiresAt).toBeUndefined();
    });

    test('is put off by storing again, not by an update', async () => {
      const memory = await open();
      await memory.records.store('k', 1, { ttlMs: HOUR });
      memory.clock.advance(HOUR / 2);
      expect((await memory.records.store('k', 1, { ttlMs: HOUR })).changed).toBe(true);
      memory.clock.advance(HOUR / 2);
      await memory.records.update('k', () => 2);
      expect(memory.records.getSync('k')?.expiresAt).toBe('2026-01-01T01:30:00.000Z');
      memory.clock.advance(HOUR / 2);
      expect(memory.records.getSync('k')).toBeUndefined();
    });

    test('is judged at the moment that is looked at', async () => {
      const memory = await open();
      await memory.records.store('k', 'old', { ttlMs: HOUR });
      memory.clock.advance(2 * HOUR);
      await memory.records.store('other', 1);
      expect(memory.at(1, START).records.getSync('k')?.value).toBe('old');
      expect((await memory.at(1, START).records.list()).items).toHaveLength(1);
      expect(memory.at(2, '2026-01-01T02:00:00.000Z').records.getSync('k')).toBeUndefined();
      const past = memory.at(1, START).records.store('k', 2);
      await expect(past).rejects.toMatchObject({
        code: 'STORE_READ_ONLY',
        message: expect.stringContaining('Write to the memory that it was taken of.') as string,
      });
    });
  });

  describe('listing', () => {
    test('goes through all keys in their order, a page at a time', async () => {
      const memory = await open();
      const keys = Array.from({ length: 25 }, (_, index) => `k${String(index).padStart(2, '0')}`);
      await memory.records.storeMany(keys.toReversed().map((key) => ({ key, value: key })));
      const seen: string[] = [];
      let after: string | undefined;
      let pages = 0;
      do {
        const page = await memory.records.list({ after, limit: 10 });
        seen.push(...page.items.map(({ key }) => key));
        after = page.next;
        pages += 1;
      } while (after !== undefined);
      expect(seen).toEqual(keys);
      expect(pages).toBe(3);
    });

    test('names no next page when nothing is on it', async () => {
      const memory = await open();
      await memory.records.storeMany([
        { key: 'a', value: 1, tags: ['t'] },
        { key: 'b', value: 2, tags: ['t'] },
        { key: 'c', value: 3 },
      ]);
      const page = memory.records.listSync({ limit: 2, filters: { tags: ['t'] } });
      expect(page.items).toHaveLength(2);
      expect(page).not.toHaveProperty('next');
    });

    test('gives 100 at most unless told otherwise', async () => {
      const memory = await open();
      const inputs = Array.from({ length: 101 }, (_, index) => ({
        key: `k${index}`,
        value: index,
      }));
      await memory.records.storeMany(inputs);
      expect((await memory.records.list()).items).toHaveLength(100);
      expect((await memory.records.list({ limit: 1000 })).items).toHaveLength(101);
    });

    test.each<[string, unknown]>([
      ['a filter that there is none', { filters: { tag: 'a' } }],
      ['tags that are no list', { filters: { tags: 'a' } }],
      ['a time without a zone', { filters: { since: '2026-01-01T00:00:00' } }],
      ['a time that is a position', { filters: { until: 7 } }],
      ['an importance beyond 1', { filters: { minImportance: 2 } }],
      ['a limit below 0', { limit: -1 }],
      ['an option that there is none', { prefix: 'a' }],
    ])('refuses %s', async (_, listing) => {
      const memory = await open();
      await expect(memory.records.list(listing as never)).rejects.toMatchObject(invalid);
      expect(() => memory.records.listSync(listing as never)).toThrow(TypeError);
    });
  });

  test('what calls give is frozen, nested too', async () => {
    const memory = await open();
    await memory.records.store('k', { a: [{ b: 'apple' }] }, { tags: ['t'], metadata: { m: [1] } });
    expectDeeplyFrozen(await memory.records.get('k'));
    expectDeeplyFrozen(memory.records.getSync('k'));
    expectDeeplyFrozen(await memory.records.list());
    expectDeeplyFrozen(await memory.records.recall('apple'));
    expectDeeplyFrozen(await memory.records.getContext('p', 'apple'));
    expectDeeplyFrozen(await memory.records.store('k', 2));
  });

  test('asynchronous and synchronous calls on one instance see each other', async () => {
    const memory = await open();
    for (let round = 0; round < 5; round += 1) {
      await memory.records.store('k', round);
      expect(memory.records.getSync('k')?.value).toBe(round);
      memory.records.storeSync('k', -round - 1);
      expect((await memory.records.get('k'))?.value).toBe(-round - 1);
    }
    const waiting = memory.records.store('late', 1);
    memory.records.storeSync('k', 'sync');
    await waiting;
    expect(memory.records.listSync().items.map(({ value }) => value)).toEqual(['sync', 1]);
  });

  test('a transaction writes all of it, or nothing', async () => {
    const memory = await open();
    await memory.transaction(async ({ records }) => {
      await records.store('a', 1);
      await records.update<number>('a', (n) => n + 1);
      expect((await records.get('a'))?.value).toBe(2);
    });
    expect(memory.records.getSync('a')?.value).toBe(2);
    const failing = memory.transaction(async ({ records }) => {
      await records.store('b', 1);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(memory.records.getSync('b')).toBeUndefined();
  });

  test('patches of an undo take a change back, and a deletion, and a first storing', async () => {
    const memory = await open();
    const { records, store } = memory;
    await records.store('k', { n: 1 }, { tags: ['t'] });
    const data = (patches: unknown[]) => [
      { type: 'record.reverted', data: { undoes: '1.0', patches } },
    ];
    await records.update<{ n: number }>('k', (draft) => {
      draft.n = 2;
    });
    await store.append('records/k', data([{ op: 'replace', path: '/value/n', value: 1 }]), {
      actor: 'undoer',
    });
    expect(records.getSync('k')).toMatchObject({ value: { n: 1 }, actor: 'undoer' });
    const state = { value: { n: 1 }, section: 'semantic', createdAt: START, updatedAt: START };
    await records.delete('k');
    await store.append(
      'records/k',
      data([{ op: 'add', path: '', value: { ...state, position: 1 } }]),
    );
    expect(records.getSync('k')).toMatchObject({ value: { n: 1 }, createdAt: START });
    await store.append('records/k', data([{ op: 'remove', path: '' }]));
    expect(records.getSync('k')).toBeUndefined();
  });

  test('calls are counted, with those that failed', async () => {
    const memory = await open();
    await memory.records.store('k', 1);
    memory.records.getSync('k');
    await expect(memory.records.get('')).rejects.toThrow(TypeError);
    expect(memory.meter.operations).toMatchObject({
      'records.store': { count: 1, sync: 0 },
      'records.get': { count: 2, sync: 1, errors: 1 },
    });
  });
});

describe('records on a file store', () => {
  test('are the same after opening it again, without a cache, and at an earlier moment', async () => {
    const memory = await openMemoryOf('file store');
    for (let index = 0; index < 30; index += 1) {
      const key = `k${index % 7}`;
      memory.records.storeSync(key, { index, list: [index] }, { tags: [`t${index % 3}`] });
      memory.records.updateSync<{ list: number[] }>(key, (draft) => {
        draft.list.push(100 + index);
      });
      if (index % 5 === 0) memory.records.deleteSync(key);
    }
    const before = memory.records.listSync();
    const past = memory.at(20, START).records.listSync();
    const uncached = await memory.reopened({ cacheBytes: 0 });
    expect(uncached.records.listSync()).toEqual(before);
    expect(await uncached.records.list()).toEqual(before);
    expect(uncached.at(20, START).records.listSync()).toEqual(past);
  });
});
