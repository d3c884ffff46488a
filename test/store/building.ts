/** Projections added to a store with a long history: built in the background, while it is written to. */
import { describe, expect, test } from 'vitest';
import { ProjectionNotReadyError, StoreClosedError } from '#src/index.js';
import { tagIndexOf } from '../support/tag-index.js';
import type { AnyStore, MakePlace, PlaceUnderTest } from './suite.js';
import {
  added,
  byTag,
  counter,
  events,
  expectFailure,
  options,
  type TestEvents,
  tagged,
} from './support.js';

/** More than is brought up in one go. */
const COMMITS = 20_500;
const KEYS = 50;
const tags = tagIndexOf(true);
const added3 = { events, projections: [counter, byTag], indexes: [tags] };
const OS = { durability: 'os', segmentBytes: 256 * 1024 } as const;

/** A place with a long history in several segments, and nothing open. */
async function longHistory(place: PlaceUnderTest): Promise<PlaceUnderTest> {
  const writer = await place.open({ ...options, projections: [], ...OS });
  const calls: Promise<unknown>[] = [];
  for (let n = 0; n < COMMITS; n += 1) {
    calls.push(writer.append(`c/${n % KEYS}`, n % 100 === 0 ? tagged(`t${n}`, 'a') : added()));
    if (calls.length === 2000) await Promise.all(calls.splice(0));
  }
  await Promise.all(calls);
  await writer.close();
  return place;
}

function progressOf(store: AnyStore<TestEvents>): number[] {
  return store.stats().projections.map(({ progress }) => progress);
}

function expectBuilt(store: AnyStore<TestEvents>, more = 0): void {
  expect(progressOf(store)).toEqual([1, 1, 1]);
  const sum = store.entriesSync(counter).toArray();
  expect(sum.reduce((total, [, { n }]) => total + n, 0)).toBe(COMMITS - 205 + more);
  expect(store.getSync(byTag, 'a')?.texts).toHaveLength(205);
  expect(store.indexSync(tags).positions).toHaveLength(205);
}

export function building(make: MakePlace): void {
  describe('a projection of a store with a long history', () => {
    test('is built in the background: asynchronous reads wait, synchronous ones say so', async () => {
      const { open } = await longHistory(make());
      const store = await open(added3);
      expect(progressOf(store)).toEqual([0, 0, 0]);
      const notReady = [
        () => store.getSync(counter, 'c/1'),
        () => store.entriesSync(counter),
        () => store.indexSync(tags),
        () => store.at(5).getSync(counter, 'c/1'),
        () => store.at(5).entriesSync(byTag),
      ];
      for (const call of notReady) {
        await expectFailure(call, ProjectionNotReadyError, {
          code: 'PROJECTION_NOT_READY',
          progress: 0,
        });
      }
      // What needs no projection needs no waiting.
      expect(store.versionSync('c/1')).toBe(COMMITS / KEYS);
      expect(store.at(5).versionSync('c/1')).toBe(1);
      const [state, entries, view, index] = await Promise.all([
        store.get(counter, 'c/1'),
        store.entries(byTag).toArray(),
        store.at(KEYS + 2).get(counter, 'c/1'),
        store.index(tags),
      ]);
      expect(state).toEqual({ n: COMMITS / KEYS });
      expect(entries).toHaveLength(1);
      expect(view).toEqual({ n: 2 });
      expect(index.positions).toHaveLength(205);
      expectBuilt(store);
    });

    test('tells how far it is, and never goes back', async () => {
      const { open } = await longHistory(make());
      const store = await open(added3);
      const seen: number[] = [];
      while ((progressOf(store)[0] ?? 1) < 1) {
        seen.push(progressOf(store)[0] ?? 0);
        // Between the slices, which nobody waits for.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.some((progress) => progress > 0)).toBe(true);
      expectBuilt(store);
    });

    test('is built at once by refreshSync and by openStoreSync', async () => {
      const place = await longHistory(make());
      const store = await place.open(added3);
      store.refreshSync();
      expectBuilt(store);
      await store.close();
      const again = place.openSync(added3);
      expectBuilt(again);
      again.closeSync();
      const third = await place.open(added3);
      const waiting = third.get(counter, 'c/1');
      // In the middle of a slice that reads the disk.
      await new Promise((resolve) => setTimeout(resolve, 3));
      third.refreshSync();
      expectBuilt(third);
      expect(await waiting).toEqual({ n: COMMITS / KEYS });
      await third.refresh();
      expectBuilt(third);
    });

    test('takes in what is appended while it is built', async () => {
      const { open } = await longHistory(make());
      const store = await open(added3);
      const other = await open({ ...added3, projections: [], indexes: [] });
      let more = 0;
      while ((progressOf(store)[0] ?? 1) < 1) {
        await store.append('c/1', added());
        await other.append('c/2', added());
        store.appendSync('c/3', added());
        more += 3;
      }
      expect(await store.get(counter, 'c/3')).toEqual({ n: COMMITS / KEYS + more / 3 });
      expectBuilt(store, more);
    });

    test('ends with its store: who waits is told', async () => {
      const { open } = await longHistory(make());
      for (const close of ['close', 'closeSync'] as const) {
        const store = await open(added3);
        const waiting = Promise.allSettled([
          store.get(counter, 'c/1'),
          store.entries(byTag).toArray(),
          store.index(tags),
          store.at(3).get(counter, 'c/1'),
          store.refresh(),
        ]);
        await store[close]();
        for (const outcome of await waiting) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_CLOSED' } });
        }
        await expectFailure(() => store.get(counter, 'c/1'), StoreClosedError);
        await expectFailure(() => store.refresh(), StoreClosedError);
      }
    });
  });
}
