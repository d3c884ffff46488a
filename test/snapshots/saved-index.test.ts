/** An index that was saved is loaded when the store is open already, once, and saved again whatever is read and written meanwhile. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  defineIndex,
  defineProjection,
  HistoryPrunedError,
  IndexFailedError,
  type IndexSource,
  openStore,
  openStoreSync,
  type Store,
  StoreClosedError,
  type StoreOptions,
} from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Counted {
  n: number;
  /** Sizes of the groups that were applied. */
  readonly groups: number[];
}

/** Portions of saving and loading. */
const PORTIONS = 40;

/** Counts events, and what is done with it; `trouble` is thrown where it says. */
function counting(trouble: { load?: boolean; create?: boolean } = {}) {
  const calls = { loads: 0, loadPortions: 0, savePortions: 0, groups: [] as number[][] };
  let onPortion = () => {};
  const definition = defineIndex({
    name: 'counting',
    version: 1,
    create: (): Counted => {
      if (trouble.create) throw new RangeError('cannot be made');
      const groups: number[] = [];
      calls.groups.push(groups);
      return { n: 0, groups };
    },
    apply(index, group) {
      index.n += group.length;
      index.groups.push(group.length);
    },
    *save({ n }, sink) {
      for (let portion = 0; portion < PORTIONS; portion += 1) {
        calls.savePortions += 1;
        onPortion();
        // So that others have their turn before all is saved.
        spend(1);
        yield;
      }
      sink.write('n', Buffer.from(String(n)));
    },
    *load(source: IndexSource) {
      calls.loads += 1;
      for (let portion = 0; portion < PORTIONS; portion += 1) {
        calls.loadPortions += 1;
        spend(1);
        yield;
      }
      if (trouble.load) throw new Error('not mine');
      const groups: number[] = [];
      calls.groups.push(groups);
      return { n: Number(Buffer.from(source.read('n')).toString()), groups };
    },
    bytes: () => 8,
  });
  const during = (work: () => void) => {
    onPortion = work;
  };
  return { definition, calls, during };
}

/** Work of so many milliseconds. */
function spend(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

const settings: StoreOptions = {
  segmentBytes: 4096,
  durability: 'os',
  compaction: { automatic: false },
};
const event = { type: 'added', data: { text: 'x'.repeat(300) } };

async function append(store: Store, count: number): Promise<void> {
  const calls = Array.from({ length: count }, (_, n) => store.append(`a/${n % 3}`, event));
  await Promise.all(calls);
}

type Counting = ReturnType<typeof counting>['definition'];

const opened = async (directory: string, index: Counting, more: StoreOptions = {}) =>
  (await openStore(directory, { ...settings, ...more, indexes: [index] })) as Store;

const openedSync = (directory: string, index: Counting) =>
  openStoreSync(directory, { ...settings, indexes: [index] }) as Store;

/** A store of so many events, whose index is saved as of the first 30. */
async function saved(more = 5): Promise<string> {
  const directory = join(temporaryDirectory(), 'store');
  const { definition } = counting();
  const store = await opened(directory, definition);
  await append(store, 30);
  await store.snapshot();
  await append(store, more);
  await store.close();
  return directory;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const sumOf = (groups: readonly number[]) => groups.reduce((sum, each) => sum + each, 0);
const progressOf = (store: Store) => store.stats().projections[0]?.progress;

describe('an index that was saved', () => {
  test('is not loaded before the store is open, but by its first reader', async () => {
    const directory = await saved();
    const { definition, calls } = counting();
    const store = await opened(directory, definition);
    expect(calls).toMatchObject({ loads: 0, groups: [] });
    expect(store.stats().projections[0]).toMatchObject({ position: 30, progress: 0, bytes: 0 });
    expect((await store.index(definition)).n).toBe(35);
    expect(calls.loads).toBe(1);
    expect(calls.groups.map(sumOf)).toEqual([5]);
    expect(store.stats().projections[0]).toMatchObject({ position: 35, progress: 1, bytes: 8 });
    await store.close();

    const sync = openedSync(directory, definition);
    expect(calls.loads).toBe(1);
    expect(sync.indexSync(definition).n).toBe(35);
    expect(calls.loads).toBe(2);
    sync.closeSync();
  });

  test('is loaded in the background, in slices, when nobody reads it', async () => {
    const { definition, calls } = counting();
    const store = await opened(await saved(), definition);
    const seen = new Set<number>();
    await until(() => {
      seen.add(calls.loadPortions);
      return progressOf(store) === 1;
    });
    expect(seen.size).toBeGreaterThan(3);
    expect(calls.loads).toBe(1);
    expect(store.indexSync(definition).n).toBe(35);
    expect(calls.loads).toBe(1);
    await store.close();
  });

  test('is loaded once for all who read it at the same time', async () => {
    const { definition, calls } = counting();
    const store = await opened(await saved(), definition);
    const [one, other] = await Promise.all([store.index(definition), store.index(definition)]);
    expect(other).toBe(one);
    await store.refresh();
    expect(calls.loads).toBe(1);
    await store.close();
  });

  test('is loaded at once by a synchronous call, also while it is loaded for others', async () => {
    const { definition, calls } = counting();
    const store = await opened(await saved(), definition);
    const waiting = store.index(definition);
    await until(() => calls.loadPortions > 0);
    expect(calls.loadPortions).toBeLessThan(PORTIONS);
    const index = store.indexSync(definition);
    expect(index.n).toBe(35);
    expect(await waiting).toBe(index);
    await append(store, 3);
    expect((await store.index(definition)).n).toBe(38);
    expect(store.indexSync(definition)).toBe(index);
    await store.close();
  });

  test('is not loaded anew by a synchronous call that finds it half loaded', async () => {
    const loads: number[] = [];
    // Now and then the background may wait for its turn at that very moment, and cannot be gone on with.
    for (let turn = 0; turn < 5; turn += 1) {
      const { definition, calls } = counting();
      const store = await opened(await saved(), definition);
      await until(() => calls.loadPortions > 0);
      expect(calls.loadPortions).toBeLessThan(PORTIONS);
      expect(store.indexSync(definition).n).toBe(35);
      loads.push(calls.loads);
      await store.close();
    }
    expect(loads).toContain(1);
  });

  test('is loaded before a projection is built whose history is long', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const { definition } = counting();
    const before = await opened(directory, definition, { segmentBytes: 1024 * 1024 });
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 21_000; n += 1) {
      calls.push(before.append('a/1', { type: 'added', data: n }));
      if (n % 1000 === 0) await Promise.all(calls.splice(0));
    }
    await Promise.all(calls);
    await before.snapshot();
    await before.close();
    const fresh = defineProjection({
      name: 'fresh',
      version: 1,
      initial: () => ({ n: 0 }),
      on: {
        added: (draft) => {
          draft.n += 1;
        },
      },
    });
    const store = await openStore(directory, {
      ...settings,
      projections: [fresh],
      indexes: [definition],
    });
    expect((await store.index(definition)).n).toBe(21_000);
    const [progress] = store
      .stats()
      .projections.filter(({ name }) => name === 'fresh')
      .map((each) => each.progress);
    expect(progress).toBeLessThan(1);
    expect(await store.get(fresh, 'a/1')).toEqual({ n: 21_000 });
    await store.close();
  });

  test.each(['close', 'closeSync'] as const)(
    'that is being loaded ends with its store: %s',
    async (close) => {
      const { definition, calls } = counting();
      const store = await opened(await saved(), definition);
      const waiting = Promise.allSettled([store.index(definition), store.refresh()]);
      await until(() => calls.loadPortions > 0);
      await store[close]();
      const { loadPortions } = calls;
      expect(loadPortions).toBeLessThan(PORTIONS);
      for (const outcome of await waiting) {
        expect(outcome).toMatchObject({ reason: { code: 'STORE_CLOSED' } });
      }
      await expect(store.index(definition)).rejects.toThrow(StoreClosedError);
      expect(() => store.indexSync(definition)).toThrow(StoreClosedError);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(calls.loadPortions).toBe(loadPortions);
    },
  );

  test('and cannot be loaded is built again from the log, for whoever reads it', async () => {
    const directory = await saved();
    const { definition, calls } = counting({ load: true });
    const store = await opened(directory, definition);
    expect((await store.index(definition)).n).toBe(35);
    await store.close();
    const sync = openedSync(directory, definition);
    expect(sync.indexSync(definition).n).toBe(35);
    sync.closeSync();
    expect(calls.loads).toBe(2);
  });

  test('and cannot be loaded is taken as it was saved before, where that can be', async () => {
    const directory = await saved();
    const { definition } = counting();
    const before = await opened(directory, definition);
    await before.snapshot();
    await before.close();
    let refused = 0;
    const picky = defineIndex({
      name: 'counting',
      version: 1,
      create: (): { n: number } => {
        throw new Error('not from the beginning');
      },
      apply(index, group) {
        index.n += group.length;
      },
      save: ({ n }, sink) => sink.write('n', Buffer.from(String(n))),
      load(source: IndexSource) {
        const n = Number(Buffer.from(source.read('n')).toString());
        if (n > 30) {
          refused += 1;
          throw new Error('not the newest');
        }
        return { n };
      },
      bytes: () => 8,
    });
    const store = await openStore(directory, { ...settings, indexes: [picky] });
    expect((await store.index(picky)).n).toBe(35);
    expect(refused).toBe(1);
    await store.close();
  });

  test('and can neither be loaded nor made tells so to its readers, and is left out of snapshots', async () => {
    const directory = await saved();
    const { definition } = counting({ load: true, create: true });
    const store = await opened(directory, definition);
    const failed = { code: 'INDEX_FAILED', index: 'counting', cause: expect.any(RangeError) };
    await expect(store.index(definition)).rejects.toMatchObject(failed);
    expect(() => store.indexSync(definition)).toThrow(IndexFailedError);
    await store.refresh();
    store.refreshSync();
    const skipped = expect.stringContaining('it cannot be built') as string;
    expect((await store.snapshot()).parts).toMatchObject([{ name: 'counting', skipped }]);
    expect((await store.compact()).projections).toEqual([{ name: 'counting', covered: 0 }]);
    await store.close();
  });

  test('and cannot be loaded covers nothing that retention would drop, and its readers are told what was dropped before', async () => {
    const directory = await saved();
    const first = await opened(directory, counting().definition, { retention: { bytes: 1 } });
    const { dropped, projections } = await first.compact();
    expect(projections).toEqual([{ name: 'counting', covered: 35 }]);
    expect(dropped.length).toBeGreaterThan(0);
    await append(first, 30);
    await first.close();
    const { definition } = counting({ load: true });
    const store = await opened(directory, definition, { retention: { bytes: 1 } });
    const refused = await store.compact();
    expect(refused.projections).toEqual([{ name: 'counting', covered: 0 }]);
    // What the other program had covered, and nothing of what came since.
    expect(refused.dropped.every(({ last }) => last <= 35)).toBe(true);
    await expect(store.index(definition)).rejects.toThrow(HistoryPrunedError);
    expect(() => store.indexSync(definition)).toThrow(HistoryPrunedError);
    await store.close();
  });

  test('is the newer one when another process took away the one that was there at the opening', async () => {
    const directory = await saved();
    const { definition, calls } = counting();
    const reader = await opened(directory, definition);
    // All in one turn, before the background has its first.
    const other = openedSync(directory, counting().definition);
    for (let n = 0; n < 30; n += 1) other.appendSync('a/1', event);
    other.snapshotSync();
    for (const name of readdirSync(join(directory, 'snapshots'))) {
      if (!name.startsWith('index-') || !name.endsWith('030.ndjson')) continue;
      // The reader may have it open still.
      writeFileSync(join(directory, 'snapshots', name), 'nothing');
      rmSync(join(directory, 'snapshots', name));
    }
    expect((await reader.index(definition)).n).toBe(65);
    // Nothing was built from the log's beginning.
    expect(sumOf(calls.groups.flat())).toBe(0);
    other.closeSync();
    await reader.close();
  });

  test('and cannot be loaded is built at once in a store that was opened synchronously, however long its history is', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const many = { ...settings, segmentBytes: 1024 * 1024 };
    const writer = openStoreSync(directory, { ...many, indexes: [counting().definition] }) as Store;
    const commits = Array.from({ length: 20_500 }, () => writer.append('a/1', event));
    await Promise.all(commits);
    await writer.snapshot();
    await append(writer, 1);
    await writer.close();
    const { definition, calls } = counting({ load: true });
    const store = openStoreSync(directory, { ...many, indexes: [definition] }) as Store;
    expect(calls.loads).toBe(0);
    expect(store.indexSync(definition).n).toBe(20_501);
    store.closeSync();
  });
});

describe('an index that is saved', () => {
  test('while it is read and written to keeps no reader waiting, and is saved as of the position', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const { definition, calls, during } = counting();
    const store = await opened(directory, definition);
    await append(store, 30);
    const live = await store.index(definition);
    let reads = 0;
    during(() => {
      // A busy reader: at each portion something new was written, and is read.
      if (reads >= 3) return;
      reads += 1;
      store.appendSync('a/1', event);
      setImmediate(() => expect(store.indexSync(definition).n).toBe(30 + reads));
    });
    const { position, parts } = await store.snapshot();
    expect({ position, parts }).toMatchObject({ position: 30, parts: [{ name: 'counting' }] });
    expect(parts[0]?.skipped).toBeUndefined();
    expect(parts[0]?.bytes).toBeGreaterThan(0);
    expect(await store.index(definition)).toBe(live);
    // The live one was left after a few portions; another one was saved from beginning to end.
    expect(calls.groups).toHaveLength(2);
    expect(calls.savePortions).toBeGreaterThan(PORTIONS);
    expect(calls.savePortions).toBeLessThan(2 * PORTIONS);
    await store.close();
    const again = await opened(directory, definition);
    expect((await again.index(definition)).n).toBe(30 + reads);
    expect(sumOf(calls.groups.at(-1) ?? [])).toBe(reads);
    await again.close();
  });

  test('as of a position that it has passed is brought there in small groups', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const { definition, calls, during } = counting();
    const store = await opened(directory, definition);
    const commit = Array.from({ length: 50 }, () => event);
    for (let n = 0; n < 40; n += 1) store.appendSync('a/1', commit);
    store.indexSync(definition);
    during(() => {
      during(() => {});
      store.appendSync('a/1', event);
      setImmediate(() => store.indexSync(definition));
    });
    expect((await store.snapshot()).parts[0]?.bytes).toBeGreaterThan(0);
    const [, other] = calls.groups;
    expect(sumOf(other ?? [])).toBe(2000);
    expect(Math.max(...(other ?? []))).toBeLessThanOrEqual(64);
    await store.close();
  });

  test('and is read meanwhile is left out, with the reason, where no other one can be made', async () => {
    const directory = await saved();
    const { definition, during } = counting();
    const store = await opened(directory, definition, { retention: { bytes: 1 } });
    expect((await store.compact()).dropped.length).toBeGreaterThan(0);
    await append(store, 10);
    const { n } = await store.index(definition);
    for (const name of readdirSync(join(directory, 'snapshots'))) {
      if (name.startsWith('index-')) writeFileSync(join(directory, 'snapshots', name), 'nothing');
    }
    during(() => {
      during(() => {});
      store.appendSync('a/1', event);
      setImmediate(() => store.indexSync(definition));
    });
    const skipped = expect.stringContaining('it was read while it was saved') as string;
    expect((await store.snapshot()).parts).toMatchObject([{ name: 'counting', skipped }]);
    expect((await store.index(definition)).n).toBe(n + 1);
    // When nobody reads it, it is saved.
    expect((await store.snapshot()).parts[0]?.bytes).toBeGreaterThan(0);
    await store.close();
  });
});
