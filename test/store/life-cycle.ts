/** Opening and closing, and what is refused before and after. */
import { describe, expect, test, vi } from 'vitest';
import { StoreClosedError, StoreNotFoundError, StoreReadOnlyError } from '#src/index.js';
import { tagIndexOf } from '../support/tag-index.js';
import type { AnyStore, Factory, MakePlace } from './suite.js';
import {
  added,
  bothWays,
  byTag,
  counter,
  events,
  expectFailure,
  expectInvalidArgument,
  options,
  type TestEvents,
} from './support.js';

const tags = tagIndexOf(true);
const all = { ...options, indexes: [tags] };
type OpenStore = AnyStore<TestEvents>;

const writing: readonly (readonly [string, (store: OpenStore) => unknown])[] = [
  ['append', (store) => store.append('c/1', added())],
  ['appendSync', (store) => store.appendSync('c/1', added())],
  ['commit', (store) => store.commit([{ stream: 'c/1', events: added() }])],
  ['commitSync', (store) => store.commitSync([{ stream: 'c/1', events: added() }])],
  ['command', (store) => store.command(counter, 'c/1', () => added())],
];

/** Every call of an open store, as one that fails with a promise or at once. */
const everyCall: readonly (readonly [string, (store: OpenStore) => unknown])[] = [
  ...writing,
  ['readAll', (store) => store.readAll().toArray()],
  ['readAllSync', (store) => store.readAllSync().toArray()],
  ['readStream', (store) => store.readStream('c/1').toArray()],
  ['readStreamSync', (store) => store.readStreamSync('c/1').toArray()],
  ['get', (store) => store.get(counter, 'c/1')],
  ['getSync', (store) => store.getSync(counter, 'c/1')],
  ['entries', (store) => store.entries(counter).toArray()],
  ['entriesSync', (store) => store.entriesSync(counter).toArray()],
  ['version', (store) => store.version('c/1')],
  ['versionSync', (store) => store.versionSync('c/1')],
  ['index', (store) => store.index(tags)],
  ['indexSync', (store) => store.indexSync(tags)],
  ['at', (store) => store.at(0)],
  ['transaction', (store) => store.transaction(() => 1)],
  ['refresh', (store) => store.refresh()],
  ['refreshSync', (store) => store.refreshSync()],
  ['flush', (store) => store.flush()],
  ['flushSync', (store) => store.flushSync()],
  ['verify', (store) => store.verify()],
  ['verifySync', (store) => store.verifySync()],
];

export function lifeCycle(make: MakePlace, { canReopen }: Factory): void {
  describe('closing a store', () => {
    test('again changes nothing, whichever way', async () => {
      const store = await make().open(all);
      await store.append('c/1', added());
      const closing = store.close();
      expect(store.close()).toBe(closing);
      await closing;
      store.closeSync();
      await store.close();
      store[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    });

    test('at once, then again', async () => {
      const store = make().openSync(all);
      store.appendSync('c/1', added());
      store.closeSync();
      store.closeSync();
      await store.close();
    });

    test('waits for what was appended', async () => {
      const store = await make().open(all);
      const calls = Array.from({ length: 30 }, () => store.append('c/1', added()));
      await store.close();
      expect((await Promise.all(calls)).at(-1)).toMatchObject({ position: 30 });
    });

    test('comes with the end of a block', async () => {
      const { open, openSync } = make();
      const kept: OpenStore[] = [];
      {
        await using store = (await open(all)) as OpenStore & AsyncDisposable;
        await store.append('c/1', added());
        kept.push(store);
      }
      {
        using store = openSync(all) as OpenStore & Disposable;
        kept.push(store);
        expect(store.getSync(counter, 'c/1')).toEqual(canReopen ? { n: 1 } : undefined);
      }
      for (const store of kept)
        await expectFailure(() => store.get(counter, 'c/1'), StoreClosedError);
    });

    test.each(everyCall)('makes %s fail', async (_, call) => {
      for (const freshnessMs of [0, Number.POSITIVE_INFINITY]) {
        for (const close of ['close', 'closeSync'] as const) {
          const store = await make().open({ ...all, freshnessMs });
          await store.append('c/1', added());
          // It is known, and current.
          store.getSync(counter, 'c/1');
          await store[close]();
          await expectFailure(async () => await call(store), StoreClosedError, {
            code: 'STORE_CLOSED',
          });
        }
      }
    });

    test('is not the end of what can be asked about the store', async () => {
      const store = await make().open(all);
      await store.append('c/1', added());
      const { head, id } = store;
      await store.close();
      expect(store.head).toEqual(head);
      expect(store.id).toBe(id);
      expect(store.recovery).toMatchObject({ state: 'clean' });
      expect(store.stats()).toMatchObject({ head, commits: 1 });
      expect(store.stats().projections.map(({ name }) => name)).toEqual([
        'counter',
        'by-tag',
        'tags',
      ]);
    });
  });

  bothWays('an open store', (way) => {
    test('tells figures of its projections and its cache', async () => {
      const store = await make().open(all);
      const calls = way(store);
      await calls.append('c/1', added());
      await calls.append('c/2', added());
      await calls.get(counter, 'c/1');
      const { projections, cache, head } = store.stats();
      expect(head).toEqual(store.head);
      expect(projections[0]).toMatchObject({
        name: 'counter',
        version: 1,
        position: 2,
        progress: 1,
        keys: 2,
      });
      expect(cache.states).toBe(1);
      expect(cache.bytes).toBeGreaterThan(0);
    });

    test('prints nothing', async () => {
      const spies = [
        ...(['log', 'warn', 'error', 'info', 'debug'] as const).map((name) =>
          vi.spyOn(console, name),
        ),
        vi.spyOn(process.stdout, 'write'),
        vi.spyOn(process.stderr, 'write'),
        vi.spyOn(process, 'emitWarning'),
      ];
      try {
        const store = await make().open(all);
        const calls = way(store);
        await calls.append('c/1', added());
        await calls.entries(byTag);
        await expectInvalidArgument(() => calls.get(counter, 1 as never));
        await store.close();
        for (const spy of spies) expect(spy).not.toHaveBeenCalled();
      } finally {
        for (const spy of spies) spy.mockRestore();
      }
    });
  });

  describe('a store', () => {
    test.each<[unknown]>([
      [{ events: {} }],
      [{ events: null }],
      [{ projections: {} }],
      [{ projections: [undefined] }],
      [{ indexes: 'tags' }],
      [{ upcasters: 'x' }],
      [{ cacheBytes: '1' }],
      [{ freshnessMs: -1 }],
    ])('is not opened with %o, and nothing is left open', async (wrong) => {
      const { open, openSync } = make();
      await expectInvalidArgument(() => open(wrong as never));
      await expectInvalidArgument(() => openSync(wrong as never));
      const store = await open({ events });
      expect(store.head.position).toBe(0);
    });

    test('is made only when it is meant to be', async () => {
      for (const options of [{ create: false }, { readOnly: true }]) {
        const { open, openSync } = make();
        await expectFailure(() => open({ ...all, ...options }), StoreNotFoundError);
        await expectFailure(() => openSync({ ...all, ...options }), StoreNotFoundError);
      }
    });
  });

  if (!canReopen) return;

  describe('a store that is opened for reading', () => {
    test.each(writing)('refuses %s', async (_, call) => {
      const { open } = make();
      const writer = await open(all);
      await writer.append('c/1', added());
      const reader = await open({ ...all, readOnly: true });
      await expectFailure(async () => await call(reader), StoreReadOnlyError);
      expect(reader.getSync(counter, 'c/1')).toEqual({ n: 1 });
      expect(await reader.index(tags)).toMatchObject({ positions: [] });
    });
  });
}
