/** An open store that did not look while another process wrote much and dropped it: it goes on from what that one left, as one opened anew would. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  defineIndex,
  defineProjection,
  openMemory,
  openStore,
  type Store,
  type StoreOptions,
} from '#src/index.js';
import { counted } from '../support/counted.js';
import { oneOf } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const byFirst = defineProjection({
  name: 'by-first',
  version: 1,
  key: ({ stream }) => stream.slice(0, 3),
  initial: () => ({ n: 0 }),
  on: {
    added: (draft) => {
      draft.n += 1;
    },
  },
});
const total = defineIndex({
  name: 'total',
  version: 1,
  create: () => ({ n: 0 }),
  apply: (index, group) => {
    index.n += group.length;
  },
  save: (index, sink) => sink.write('n', Buffer.from(String(index.n))),
  load: (source) => ({ n: Number(Buffer.from(source.read('n')).toString()) }),
  bytes: () => 8,
});

const options = {
  segmentBytes: 8 * 1024,
  compaction: false,
  retention: { bytes: 1 },
  projections: [counted, byFirst],
  indexes: [total],
} as const satisfies StoreOptions;
const event = { type: 'added', data: 'x'.repeat(300) };

/** In groups, so that there are many segments and few syncs. */
async function appendTo(store: Store, count: number): Promise<void> {
  for (let n = 0; n < count; n += 10) {
    const group = Array.from({ length: 10 }, (_, i) => store.append(`s/${(n + i) % 50}`, event));
    await Promise.all(group);
  }
}

/** One that read a little and then did not look, another one that wrote much behind it, and dropped it. */
async function leftBehind(after: number) {
  const directory = join(temporaryDirectory(), 'store');
  const store = await openStore(directory, options);
  for (let n = 0; n < 5; n += 1) await store.append(`s/${n}`, event);
  expect(await store.get(counted, 's/1')).toEqual({ n: 1 });
  expect(await store.get(byFirst, 's/1')).toEqual({ n: 1 });
  expect((await store.index(total)).n).toBe(5);
  const other = await openStore(directory, options);
  await appendTo(other, 100);
  const { dropped } = await other.compact();
  expect(dropped.length).toBeGreaterThan(2);
  await appendTo(other, after);
  return { directory, store, other, head: other.head.position };
}

const FIRSTS = [
  'get',
  'entries',
  'index',
  'getSync',
  'entriesSync',
  'indexSync',
  'refresh',
] as const;
/** Each of them with one of the lengths at least, and with all of them in long runs. */
const among = oneOf(3);

describe.each([0, 20, 100])(
  'a store left behind, with %i commits behind what was dropped',
  (after) => {
    test('appends with the versions that streams have', async () => {
      const { store, other, head } = await leftBehind(after);
      const version = await other.version('s/1');
      await expect(store.append('s/1', event, { expectedVersion: 1 })).rejects.toMatchObject({
        code: 'VERSION_CONFLICT',
      });
      expect(await store.append('s/1', event, { expectedVersion: version })).toMatchObject({
        position: head + 1,
        version: version + 1,
      });
      expect(store.appendSync('new/1', event)).toMatchObject({ position: head + 2, version: 1 });
      expect(await store.version('s/7')).toBe(await other.version('s/7'));
      expect((await other.verify()).ok).toBe(true);
      await Promise.all([store.close(), other.close()]);
    });

    test.each(FIRSTS.filter((_, place) => among(place + after)))(
      'reads what is there, beginning with %s',
      async (first) => {
        const { store, other } = await leftBehind(after);
        const reads = {
          get: () => store.get(counted, 's/1'),
          entries: () => store.entries(counted).toArray(),
          index: () => store.index(total),
          getSync: () => store.getSync(byFirst, 's/1'),
          entriesSync: () => [...store.entriesSync(byFirst)],
          indexSync: () => store.indexSync(total),
          refresh: () => store.refresh(),
        };
        await reads[first]();
        for (const projection of [counted, byFirst]) {
          const expected = await other.entries(projection).toArray();
          expect(expected.length).toBeGreaterThan(9);
          expect(await store.entries(projection).toArray()).toEqual(expected);
          for (const [key, state] of expected) {
            expect(await store.get(projection, key)).toEqual(state);
            expect(store.getSync(projection, key)).toEqual(state);
          }
        }
        expect((await store.index(total)).n).toBe((await other.index(total)).n);
        const { version } = await store.append('s/1', event);
        expect(await store.get(counted, 's/1')).toEqual({ n: version });
        expect((await store.snapshot()).position).toBe(store.head.position);
        await Promise.all([store.close(), other.close()]);
      },
    );
  },
);

test('a memory left behind goes on as well', async () => {
  const directory = join(temporaryDirectory(), 'memory');
  const small = {
    segmentBytes: 16 * 1024,
    compaction: false,
    retention: { bytes: 1 },
  } as const;
  const memory = await openMemory(directory, small);
  await memory.records.store('tea', 'Anna likes green tea');
  expect(await memory.recall('tea')).toHaveLength(1);
  const other = await openMemory(directory, small);
  for (let n = 0; n < 100; n += 1) await other.records.store(`k${n % 20}`, `note ${n} about boats`);
  const { dropped } = await other.engine.compact();
  expect(dropped.length).toBeGreaterThan(0);
  expect(await memory.records.get('k3')).toMatchObject({ value: 'note 83 about boats' });
  expect((await memory.recall('boats', { limit: 50 })).length).toBe(20);
  expect(await memory.recall('tea')).toHaveLength(1);
  await memory.records.store('k3', 'new');
  expect(await other.records.get('k3')).toMatchObject({ value: 'new' });
  await Promise.all([memory.close(), other.close()]);
});
