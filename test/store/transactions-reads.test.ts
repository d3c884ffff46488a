/** What a transaction sees: the store at one position, and its own writes. */
import { describe, expect, test } from 'vitest';
import { defineEvents, defineProjection, event, ProjectionFailedError } from '#src/index.js';
import {
  added,
  type CountedStore,
  counted,
  countedStore,
  dropped,
  failure,
  opened,
  places,
  sums,
  tags,
} from './transactions-places.js';

describe.each(places)('a transaction over a store in $name', (place) => {
  const keysAndSums = (list: readonly (readonly [string, { readonly n: number }])[]) =>
    list.map(([key, { n }]) => [key, n]);

  async function filled(): Promise<CountedStore> {
    const store = await countedStore(place);
    await store.append('a', added(1, 'x', 'y'));
    await store.append('b', added(2, 'y'));
    await store.append('c', added(3, 'z/1'));
    return store;
  }

  test('reads keys, listings and versions as of the position it began at, whatever is appended meanwhile', async () => {
    const store = await filled();
    const { position } = store.head;
    await store.transaction(async (tx) => {
      expect(tx.position).toBe(position);
      for (let round = 0; round < 2; round += 1) {
        expect((await tx.get(sums, 'a'))?.n).toBe(1);
        expect((await tx.get(tags, 'y'))?.n).toBe(3);
        expect(keysAndSums(await tx.entries(sums).toArray())).toEqual([
          ['a', 1],
          ['b', 2],
          ['c', 3],
        ]);
        expect(await tx.version('a')).toBe(1);
        expect(await tx.version('new')).toBe(0);
        expect(await tx.get(sums, 'new')).toBeUndefined();
        if (round === 0) {
          await store.append('a', added(10, 'y'));
          await store.append('new', added(10));
          await store.append('b', dropped);
        }
      }
    });
    expect((await store.get(sums, 'a'))?.n).toBe(11);
  });

  test('reads its own writes, also of other streams through a projection with keys of its own', async () => {
    const store = await filled();
    await store.transaction(async (tx) => {
      tx.append('a', added(10, 'y'));
      tx.append('d', [added(20, 'y', 'new'), added(30, 'new')]);
      tx.append('a', added(40));
      expect((await tx.get(sums, 'a'))?.n).toBe(51);
      expect((await tx.get(sums, 'd'))?.n).toBe(50);
      expect((await tx.get(sums, 'b'))?.n).toBe(2);
      expect((await tx.get(tags, 'y'))?.n).toBe(33);
      expect((await tx.get(tags, 'new'))?.n).toBe(50);
      expect(await tx.version('a')).toBe(3);
      expect(await tx.version('d')).toBe(2);
      tx.append('d', dropped);
      expect(await tx.get(sums, 'd')).toBeUndefined();
      expect(await tx.version('d')).toBe(3);
      expect(await store.version('d')).toBe(0);
    });
    expect((await store.get(tags, 'new'))?.n).toBe(50);
    expect(await store.get(sums, 'd')).toBeUndefined();
    expect(await store.version('d')).toBe(3);
  });

  test('lists by prefix and page with its own writes merged in', async () => {
    const store = await filled();
    await store.append('z/2', added(4, 'z/2'));
    await store.transaction(async (tx) => {
      tx.append('bb', added(5, 'z/0', 'z/3'));
      tx.append('b', dropped);
      tx.append('c', added(10, 'z/1'));
      const list = async (options: Parameters<typeof tx.entries>[1]) =>
        keysAndSums(await tx.entries(sums, options).toArray());
      const all = [
        ['a', 1],
        ['bb', 5],
        ['c', 13],
        ['z/2', 4],
      ];
      expect(await list({})).toEqual(all);
      expect(await list({ limit: 0 })).toEqual([]);
      expect(await list({ limit: 2 })).toEqual(all.slice(0, 2));
      expect(await list({ after: 'a' })).toEqual(all.slice(1));
      expect(await list({ after: 'a', limit: 1 })).toEqual(all.slice(1, 2));
      expect(await list({ after: 'bb' })).toEqual(all.slice(2));
      expect(await list({ after: 'zz' })).toEqual([]);
      expect(await list({ prefix: 'z/' })).toEqual(all.slice(3));
      expect(await list({ prefix: 'b' })).toEqual(all.slice(1, 2));
      expect(keysAndSums(await tx.entries(tags, { prefix: 'z/' }).toArray())).toEqual([
        ['z/0', 5],
        ['z/1', 13],
        ['z/2', 4],
        ['z/3', 5],
      ]);
      const first: string[] = [];
      for await (const [key] of tx.entries(sums)) {
        first.push(key);
        if (first.length === 2) break;
      }
      expect(first).toEqual(['a', 'bb']);
    });
  });

  test('sees a listing as it was when it began, whatever it appends on the way', async () => {
    const store = await filled();
    await store.transaction(async (tx) => {
      const seen: unknown[] = [];
      for await (const [key, { n }] of tx.entries(sums)) {
        seen.push([key, n]);
        tx.append('c', added(10));
        tx.append(`more/${key}`, added(1));
      }
      expect(seen).toEqual([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]);
      expect((await tx.get(sums, 'c'))?.n).toBe(33);
    });
  });

  test('gives its own events who writes them', async () => {
    const store = await countedStore(place, { actor: 'somebody' });
    const by = async (options: { actor?: string }) =>
      await store.transaction(async (tx) => {
        tx.append('a', added(1));
        return (await tx.get(sums, 'a'))?.by;
      }, options);
    expect(await by({ actor: 'anna' })).toBe('anna');
    expect(await by({})).toBe('somebody');
    expect((await store.get(sums, 'a'))?.by).toBe('somebody');
  });

  test('reads its own writes of an older shape as they will be read', async () => {
    const events = defineEvents({ named: event<{ name: string; group: string }>() });
    const names = defineProjection({
      name: 'names',
      version: 1,
      events,
      initial: { names: [] as string[] },
      key: (e) => e.data.group,
      on: { named: (draft, e) => void draft.names.push(e.data.name) },
    });
    const store = await opened(place, {
      events,
      projections: [names],
      upcasters: {
        named: { 1: (data: unknown) => ({ name: String(data), group: 'old' }) },
      },
    });
    await store.transaction(async (tx) => {
      tx.append('a', { type: 'named', data: 'anna' as never, schemaVersion: 1 });
      tx.append('a', { type: 'named', data: { name: 'bo', group: 'old' } });
      expect(await tx.get(names, 'old')).toEqual({ names: ['anna', 'bo'] });
    });
    expect(await store.get(names, 'old')).toEqual({ names: ['anna', 'bo'] });
  });

  test('tells of an event of its own that its projection fails for', async () => {
    const strict = defineProjection({
      name: 'strict',
      version: 1,
      events: counted,
      initial: { n: 0 },
      on: {
        added: (draft, e) => {
          if (e.data.by < 0) throw new Error('negative');
          draft.n += e.data.by;
        },
      },
    });
    const store = await countedStore(place, { projections: [strict] });
    const error = await failure(
      store.transaction(async (tx) => {
        tx.append('a', added(-1));
        await tx.get(strict, 'a');
      }),
    );
    expect(error).toBeInstanceOf(ProjectionFailedError);
    expect(error).toMatchObject({ projection: 'strict', key: 'a' });
    expect(store.head.position).toBe(0);
  });

  test('waits for schemas that answer with a promise, in the order in which events were appended', async () => {
    const slow = defineEvents({
      added: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: async (value: unknown) => {
            const { by } = value as { by: number };
            await new Promise((resolve) => setTimeout(resolve, by === 1 ? 10 : 1));
            if (by < 0) return { issues: [{ message: 'negative' }] };
            return { value: { by: by * 100 } };
          },
        },
      },
    });
    const list = defineProjection({
      name: 'list',
      version: 1,
      events: slow,
      initial: { list: [] as number[] },
      on: { added: (draft, e) => void draft.list.push((e.data as { by: number }).by) },
    });
    const store = await opened(place, { events: slow, projections: [list] });
    await store.transaction(async (tx) => {
      tx.append(
        'a',
        [1, 2].map((by) => ({ type: 'added' as const, data: { by } })),
      );
      const reading = tx.get(list, 'a');
      tx.append('a', { type: 'added', data: { by: 3 } });
      const bad = tx.savepoint();
      tx.append('a', { type: 'added', data: { by: -1 } });
      tx.rollbackTo(bad);
      tx.append('a', { type: 'added', data: { by: 4 } });
      expect(await reading).toEqual({ list: [100, 200, 300, 400] });
      tx.append('a', { type: 'added', data: { by: 5 } });
    });
    expect(await store.get(list, 'a')).toEqual({ list: [100, 200, 300, 400, 500] });
    await expect(
      store.transaction((tx) => tx.append('b', { type: 'added', data: { by: -1 } })),
    ).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    await expect(
      store.transaction((tx) =>
        tx.append('b', [
          { type: 'added', data: { by: -1 } },
          { type: 'unknown' as never, data: { by: 1 } },
        ]),
      ),
    ).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    expect(await store.version('b')).toBe(0);
  });
});
