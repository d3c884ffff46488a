/** What states are made of, and that nobody can change them. */
import { expect, test } from 'vitest';
import { defineProjection, ProjectionFailedError, removed } from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import type { MakePlace } from './suite.js';
import { bothWays, expectFailure, plain } from './support.js';

interface Collections {
  map: Map<string, { n: number }>;
  set: Set<string>;
  nested: { list: { deep: Map<number, string[]> }[] };
  untouched: { here: string[] };
}

const collections = defineProjection({
  name: 'collections',
  version: 1,
  initial: (): Collections => ({
    map: new Map(),
    set: new Set(),
    nested: { list: [{ deep: new Map([[1, ['one']]]) }] },
    untouched: { here: ['always'] },
  }),
  on: {
    put: (draft, { data }) => {
      const { key, n } = data as { key: string; n: number };
      draft.map.set(key, { n });
      draft.set.add(key);
      draft.nested.list[0]?.deep.get(1)?.push(key);
    },
    deleted: (draft, { data }) => {
      draft.map.delete(data as string);
      draft.set.delete(data as string);
    },
  },
});
const total = defineProjection({
  name: 'total',
  version: 1,
  initial: 0,
  on: { put: (sum, { data }) => sum + (data as { n: number }).n, deleted: () => removed },
});
const last = defineProjection({
  name: 'last',
  version: 1,
  initial: null as string | null | boolean,
  on: {
    put: (_, { data }) => (data as { key: string }).key,
    deleted: (state) => state === null,
  },
});
const options = { projections: [collections, total, last] };

export function states(make: MakePlace): void {
  bothWays('states', (way) => {
    test('may be Maps and Sets, deep inside too', async () => {
      const store = await make().open(options);
      const calls = way(store);
      await calls.append('a', [plain('put', { key: 'x', n: 1 }), plain('put', { key: 'y', n: 2 })]);
      const first = await calls.get(collections, 'a');
      expect(first).toEqual({
        map: new Map([
          ['x', { n: 1 }],
          ['y', { n: 2 }],
        ]),
        set: new Set(['x', 'y']),
        nested: { list: [{ deep: new Map([[1, ['one', 'x', 'y']]]) }] },
        untouched: { here: ['always'] },
      });
      await calls.append('a', plain('deleted', 'x'));
      const second = await calls.get(collections, 'a');
      expect([...(second?.map.keys() ?? [])]).toEqual(['y']);
      expect(second?.set).toEqual(new Set(['y']));
      // What was read before stays what it was.
      expect(first?.map.size).toBe(2);
      expect(await way.at(store.at(1)).get(collections, 'a')).toEqual(first);
    });

    test('are deeply frozen, Maps and Sets included', async () => {
      const store = await make().open(options);
      const calls = way(store);
      await calls.append('a', plain('put', { key: 'x', n: 1 }));
      expectDeeplyFrozen(await calls.get(collections, 'a'));
      expectDeeplyFrozen(await calls.entries(collections).then(([entry]) => entry));
      expectDeeplyFrozen(await way.at(store.at(1)).get(collections, 'a'));
      const state = await calls.get(collections, 'a');
      expect(() => state?.map.set('z', { n: 1 })).toThrow();
      expect(() => state?.nested.list.push({ deep: new Map() })).toThrow();
    });

    test('share what did not change', async () => {
      const calls = way(await make().open(options));
      await calls.append('a', plain('put', { key: 'x', n: 1 }));
      const first = await calls.get(collections, 'a');
      await calls.append('a', plain('put', { key: 'y', n: 2 }));
      const second = await calls.get(collections, 'a');
      expect(second).not.toBe(first);
      expect(second?.untouched).toBe(first?.untouched);
      expect(second?.map.get('x')).toBe(first?.map.get('x'));
      expect(second?.map).not.toBe(first?.map);
    });

    test('may be numbers, text, booleans and null', async () => {
      const store = await make().open(options);
      const calls = way(store);
      await calls.append('a', [plain('put', { key: 'x', n: 1 }), plain('put', { key: 'y', n: 2 })]);
      expect(await calls.get(total, 'a')).toBe(3);
      expect(await calls.get(last, 'a')).toBe('y');
      await calls.append('a', plain('deleted', 'x'));
      expect(await calls.get(total, 'a')).toBeUndefined();
      expect(await calls.get(last, 'a')).toBe(false);
      await calls.append('a', plain('put', { key: '', n: 0 }));
      expect(await calls.get(total, 'a')).toBe(0);
      expect(await calls.get(last, 'a')).toBe('');
      expect(await calls.entries(total)).toEqual([['a', 0]]);
      expect(await calls.entries(last)).toEqual([['a', '']]);
    });

    test('that are null are there, and differ from absent ones', async () => {
      const nothing = defineProjection({
        name: 'nothing',
        version: 1,
        initial: null as null | { n: number },
        on: { put: () => null, other: () => ({ n: 1 }) },
      });
      const calls = way(await make().open({ projections: [nothing] }));
      await calls.append('a', plain('put', 1));
      expect(await calls.get(nothing, 'a')).toBeNull();
      expect(await calls.entries(nothing)).toEqual([['a', null]]);
      expect(await calls.get(nothing, 'b')).toBeUndefined();
    });

    test('cannot be anything else', async () => {
      const broken = defineProjection({
        name: 'broken',
        version: 1,
        initial: (): { at: unknown } => ({ at: 0 }),
        on: {
          dated: (draft) => {
            draft.at = new Date(0);
          },
          dateless: (draft) => {
            draft.at = 1;
          },
        },
      });
      const calls = way(await make().open({ projections: [broken] }));
      await calls.append('a', plain('dated', 1));
      await calls.append('b', plain('dateless', 1));
      await expectFailure(() => calls.get(broken, 'a'), ProjectionFailedError, { key: 'a' });
      expect(await calls.get(broken, 'b')).toEqual({ at: 1 });
    });
  });
}
