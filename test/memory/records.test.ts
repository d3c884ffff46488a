/** Records: what is stored under a key, and deleted, on stores of both kinds. */
import { describe, expect, test } from 'vitest';
import { InvalidEventError } from '#src/errors.js';
import type { RecordOptions } from '#src/memory/record-input.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { kinds, type Memory, openMemoryOf } from './support-records.js';

const START = '2026-01-01T00:00:00.000Z';
const invalid = { name: 'TypeError', code: 'INVALID_ARGUMENT' };

describe.each(kinds)('records on a %s', (kind) => {
  const open = (): Promise<Memory> => openMemoryOf(kind);

  describe('storing', () => {
    test('keeps the value and all that was said of it', async () => {
      const memory = (await open()).as('alice');
      const options = {
        section: 'facts',
        importance: 0.7,
        tags: ['a', 'b', 'a'],
        persona: 'scout',
        metadata: { source: { page: 1 } },
        expiresAt: '2026-01-02T00:00:00+01:00',
      };
      const written = await memory.records.store('sky', { colour: 'blue' }, options);
      expect(written).toEqual({
        id: 'records/sky',
        position: 1,
        version: 1,
        changed: true,
        repeated: false,
      });
      expect(await memory.records.get('sky')).toEqual({
        id: 'records/sky',
        key: 'sky',
        value: { colour: 'blue' },
        section: 'facts',
        importance: 0.7,
        tags: ['a', 'b'],
        persona: 'scout',
        metadata: { source: { page: 1 } },
        actor: 'alice',
        createdAt: START,
        updatedAt: START,
        expiresAt: '2026-01-01T23:00:00.000Z',
      });
    });

    test('replaces everything that was stored under the key, but for when it was first stored', async () => {
      const memory = await open();
      await memory.records.store('k', 1, { tags: ['t'], persona: 'p', ttlMs: 1e6 });
      memory.clock.advance(1000);
      await memory.records.store('k', 2);
      expect(memory.records.getSync('k')).toEqual({
        id: 'records/k',
        key: 'k',
        value: 2,
        section: 'semantic',
        tags: [],
        metadata: {},
        createdAt: START,
        updatedAt: '2026-01-01T00:00:01.000Z',
      });
    });

    test('the same again changes nothing and writes nothing', async () => {
      const memory = await open();
      const options = { tags: ['t'], metadata: { a: 1 }, expiresAt: '2027-01-01' };
      await memory.records.store('k', { a: [1] }, options);
      const again = await memory.records.store('k', { a: [1] }, options);
      expect(again).toMatchObject({ changed: false, position: 1, version: 1 });
      expect(memory.records.storeSync('k', { a: [1] }, options).changed).toBe(false);
      expect(await memory.count()).toBe(1);
      expect(memory.records.storeSync('k', { a: [2] }, options).changed).toBe(true);
    });

    test('takes any JSON, also null and names that objects have', async () => {
      const memory = await open();
      const strange: unknown = JSON.parse('{"__proto__":{"x":1},"constructor":"c","list":[null]}');
      for (const value of [null, 0, '', false, [], strange]) {
        await memory.records.store('__proto__', value);
        expect((await memory.records.get('__proto__'))?.value).toEqual(value);
      }
      expect(({} as { x?: number }).x).toBeUndefined();
    });

    test('takes the value as it is when it is called', async () => {
      const memory = await open();
      const value = { n: 1 };
      const storing = memory.records.store('k', value);
      value.n = 2;
      await storing;
      expect(memory.records.getSync('k')?.value).toEqual({ n: 1 });
      expect(Object.isFrozen(value)).toBe(false);
    });

    test.each<[string, RecordOptions, string]>([
      ['episodic:monday', {}, 'episodic'],
      ['cache:x', { ttlMs: 5 }, 'cache'],
      ['note', { ttlMs: 5 }, 'working'],
      ['note', { expiresAt: '2030-01-01' }, 'working'],
      ['note', {}, 'semantic'],
      ['https://example.org', {}, 'semantic'],
      ['episodic:monday', { section: 'diary' }, 'diary'],
    ])('puts %s with %o into the section %s', async (key, options, section) => {
      const memory = await open();
      await memory.records.store(key, 'x', options);
      expect((await memory.records.get(key))?.section).toBe(section);
    });

    test.each<[string, unknown, unknown, unknown]>([
      ['no key', '', 1, {}],
      ['a key that is no text', 7, 1, {}],
      ['a key with a control character', 'a\nb', 1, {}],
      ['a key that is too long for a stream', 'k'.repeat(193), 1, {}],
      ['an importance beyond 1', 'k', 1, { importance: 1.1 }],
      ['an importance below 0', 'k', 1, { importance: -0.1 }],
      ['an importance that is no number', 'k', 1, { importance: Number.NaN }],
      ['tags that are no list', 'k', 1, { tags: 'a' }],
      ['a ttl of 0', 'k', 1, { ttlMs: 0 }],
      ['a ttl and an end', 'k', 1, { ttlMs: 1, expiresAt: '2030-01-01' }],
      ['an end without a zone', 'k', 1, { expiresAt: '2030-01-01T00:00:00' }],
      ['metadata that are a list', 'k', 1, { metadata: [] }],
      ['an empty persona', 'k', 1, { persona: ' ' }],
      ['an option that there is none', 'k', 1, { actor: 'me' }],
      ['options that are none', 'k', 1, 'working'],
    ])('refuses %s', async (_, key, value, options) => {
      const memory = await open();
      const [k, o] = [key as string, options as RecordOptions];
      await expect(memory.records.store(k, value, o)).rejects.toMatchObject(invalid);
      expect(() => memory.records.storeSync(k, value, o)).toThrow(TypeError);
      expect(await memory.count()).toBe(0);
    });

    test('says of a key that is too long what to do', async () => {
      const memory = await open();
      const storing = memory.records.store('ü'.repeat(100), 1);
      await expect(storing).rejects.toThrow(
        /at most 192 bytes without control characters; shorten it/,
      );
      expect((await memory.records.store('k'.repeat(192), 1)).changed).toBe(true);
    });

    test('refuses what is not JSON with the path to it', async () => {
      const memory = await open();
      const bad = { list: [{ when: new Date(0) }] };
      await expect(memory.records.store('k', bad)).rejects.toMatchObject({
        code: 'INVALID_EVENT',
        path: 'value.list[0].when',
      });
      expect(() => memory.records.storeSync('k', undefined)).toThrow(InvalidEventError);
      const metadata = { at: Number.NaN };
      await expect(memory.records.store('k', 1, { metadata })).rejects.toMatchObject({
        path: 'metadata.at',
      });
      expect(await memory.count()).toBe(0);
    });
  });

  describe('storing many', () => {
    test('is one commit', async () => {
      const memory = await open();
      const written = await memory.records.storeMany([
        { key: 'a', value: 1, tags: ['t'] },
        { key: 'episodic:b', value: 2 },
      ]);
      expect(written).toMatchObject([
        { id: 'records/a', position: 1, changed: true },
        { id: 'records/episodic:b', position: 1, changed: true },
      ]);
      expectDeeplyFrozen(written);
      const again = memory.records.storeManySync([
        { key: 'a', value: 1, tags: ['t'] },
        { key: 'c', value: 3 },
      ]);
      expect(again).toMatchObject([{ changed: false }, { changed: true, position: 2 }]);
      expect(memory.records.listSync().items.map(({ key }) => key)).toEqual([
        'a',
        'c',
        'episodic:b',
      ]);
    });

    test('finds nothing to change in one of them only as long as that is so', async () => {
      const memory = await open();
      await memory.records.storeMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 1 },
      ]);
      const both = [
        { key: 'a', value: 1 },
        { key: 'b', value: 2 },
      ];
      const other = memory.records.store('a', 2);
      const [[a, b]] = await Promise.all([memory.records.storeMany(both), other]);
      const { position = 0 } = b ?? {};
      const then = memory.at(position, START).records;
      expect(then.getSync('a')?.value).toBe(1);
      expect(then.getSync('b')?.value).toBe(2);
      expect(a?.version).toBe(await memory.store.at(position).version('records/a'));
    });

    test('takes thousands at once, and each is there', async () => {
      const memory = await open();
      const inputs = Array.from({ length: 9000 }, (_, index) => ({
        key: `k${index}`,
        value: index,
      }));
      const written = await memory.records.storeMany(inputs);
      expect(new Set(written.map(({ position }) => position))).toEqual(new Set([1]));
      const { items } = memory.records.listSync({ limit: 10_000 });
      expect(new Map(items.map(({ key, value }) => [key, value]))).toEqual(
        new Map(inputs.map(({ key, value }) => [key, value])),
      );
      const tooMany = Array.from({ length: 10_001 }, (_, index) => ({
        key: `m${index}`,
        value: 1,
      }));
      await expect(memory.records.storeMany(tooMany)).rejects.toMatchObject({
        code: 'LIMIT_EXCEEDED',
      });
      expect(memory.store.head.position).toBe(1);
    });

    test('stores nothing when one of them is refused, and says which', async () => {
      const memory = await open();
      const good = { key: 'a', value: 1 };
      const bad = { key: 'b', value: { f: () => 1 } };
      await expect(memory.records.storeMany([good, bad])).rejects.toMatchObject({
        path: 'records[1].value.f',
      });
      await expect(memory.records.storeMany([good, good])).rejects.toThrow('twice');
      await expect(memory.records.storeMany([])).rejects.toMatchObject(invalid);
      await expect(memory.records.storeMany([null as never])).rejects.toMatchObject(invalid);
      expect(await memory.count()).toBe(0);
    });
  });

  describe('deleting', () => {
    test('takes the record away, and what is stored again begins anew', async () => {
      const memory = await open();
      await memory.records.store('k', 1, { tags: ['t'] });
      expect(await memory.records.delete('k')).toMatchObject({ changed: true, version: 2 });
      expect(await memory.records.get('k')).toBeUndefined();
      expect((await memory.records.list()).items).toEqual([]);
      memory.clock.advance(1000);
      memory.records.storeSync('k', 1);
      expect(memory.records.getSync('k')).toMatchObject({
        tags: [],
        createdAt: '2026-01-01T00:00:01.000Z',
      });
    });

    test('what is not there changes nothing', async () => {
      const memory = await open();
      expect((await memory.records.delete('k')).changed).toBe(false);
      await memory.records.store('k', 1);
      memory.records.deleteSync('k');
      expect(memory.records.deleteSync('k').changed).toBe(false);
      expect(await memory.count()).toBe(2);
    });
  });
});
