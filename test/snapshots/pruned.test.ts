/** What a program can still do when one of its definitions needs events that retention dropped. */
import { describe, expect, test } from 'vitest';
import { defineIndex, defineProjection, HistoryPrunedError, type Store } from '#src/index.js';
import { append, openOn } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const counted = (name: string, version: number) =>
  defineProjection({
    name,
    version,
    initial: () => ({ n: 0 }),
    on: {
      added: (draft) => {
        draft.n += 1;
      },
    },
  });

const healthy = counted('healthy', 1);
const first = counted('changed', 1);
const second = counted('changed', 2);
const total = defineIndex({
  name: 'total',
  version: 1,
  create: () => ({ n: 0 }),
  apply(index, group) {
    index.n += group.filter(({ type }) => type === 'added').length;
  },
  save: ({ n }, sink) => sink.write('n', Buffer.from(String(n))),
  load: (source) => ({ n: Number(Buffer.from(source.read('n')).toString()) }),
  bytes: () => 8,
});

const options = { retention: { bytes: 1 }, compaction: { automatic: false } } as const;

/** A store whose history was dropped, opened by a program with another version of one projection. */
async function upgraded(): Promise<{ disk: SimulatedDisk; store: Store }> {
  const disk = new SimulatedDisk();
  const before = { ...options, projections: [healthy, first], indexes: [total] };
  const old = await openOn(disk, 'a', before);
  await append(old, disk, ['a/1', 'b/1'], 60);
  expect((await old.compact()).dropped.length).toBeGreaterThan(0);
  await old.close();
  const after = { ...options, projections: [second, healthy], indexes: [total] };
  const store = await openOn(disk, 'b', after);
  await append(store, disk, ['a/1', 'b/1'], 10);
  return { disk, store };
}

describe('a projection that needs dropped events', () => {
  test('tells its own readers, and no others', async () => {
    const { store } = await upgraded();
    await store.refresh();
    store.refreshSync();
    await expect(store.get(second, 'a/1')).rejects.toThrow(HistoryPrunedError);
    expect(() => store.getSync(second, 'a/1')).toThrow(HistoryPrunedError);
    await expect(store.entries(second).toArray()).rejects.toThrow(HistoryPrunedError);
    await expect(store.history(second, 'a/1').toArray()).rejects.toThrow(HistoryPrunedError);
    expect(await store.get(healthy, 'a/1')).toEqual({ n: 35 });
    expect(await store.entries(healthy).toArray()).toHaveLength(2);
    expect(store.getSync(healthy, 'b/1')).toEqual({ n: 35 });
    expect((await store.index(total)).n).toBe(70);
    const told = await store.transaction((transaction) => transaction.get(healthy, 'a/1'));
    expect(told).toEqual({ n: 35 });
    await store.close();
  });

  test('ends no snapshot and no compaction of the others', async () => {
    const { store } = await upgraded();
    const { position } = store.head;
    const skipped = expect.stringContaining('it cannot be built');
    const plan = await store.compact({ dryRun: true });
    const covered = new Map(plan.projections.map((part) => [part.name, part.covered]));
    expect(covered).toEqual(
      new Map(Object.entries({ healthy: position, total: position, changed: 0 })),
    );
    for (const report of [await store.snapshot(), store.snapshotSync()]) {
      expect(report.position).toBe(position);
      const parts = new Map(report.parts.map((part) => [part.name, part.skipped]));
      expect(parts.get('changed')).toEqual(skipped);
      expect([...parts.values()].filter((reason) => reason === undefined)).toHaveLength(2);
    }
    const report = await store.compact();
    expect(report.position).toBe(position);
    expect(report.refused).toMatchObject([{ projection: 'changed' }]);
    await store.close();
  });
});
