/** `store.compact`: what moves, what is dropped, what must stay, and what every question is answered afterwards. */
import { afterAll, describe, expect, test, vi } from 'vitest';
import { register } from '#src/compaction/registry.js';
import {
  defineProjection,
  HistoryPrunedError,
  type RecordedEvent,
  type RetentionOptions,
  type Store,
  type StoreOptions,
  StoreReadOnlyError,
} from '#src/index.js';
import { runSync } from '#src/log/io.js';
import { salvageLog } from '#src/log/salvage.js';
import { append, DAY_MS, listing, openOn, paths, verified } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { environmentOn, randomOn } from '../support/story.js';

afterAll(() => {
  vi.useRealTimers();
});

const sum = defineProjection({
  name: 'sum',
  version: 1,
  initial: () => ({ n: 0 }),
  on: {
    added: (draft, event) => {
      draft.n += (event.data as { by: number }).by;
    },
  },
});

/** A store with 100 commits on ten days, most of them in closed segments. */
async function tenDays(retention?: RetentionOptions, options: StoreOptions = {}) {
  const disk = new SimulatedDisk();
  const store = await openOn(disk, 'a', { ...(retention ? { retention } : {}), ...options });
  await append(store, disk, ['a/1', 'b/1', 'b/2'], 100);
  const events = await store.readAll().toArray();
  return { disk, store, events };
}

describe('compact', () => {
  test('moves closed segments to the archive and tells what it did', async () => {
    const { disk, store, events } = await tenDays();
    const { plain } = listing(disk);
    const plan = await store.compact({ dryRun: true });
    expect(listing(disk)).toEqual({ plain, archived: [], dropped: [] });
    const report = await store.compact();
    expect(report).toMatchObject({ dryRun: false, position: 100, dropped: [], refused: [] });
    expect(report.moved.length).toBeGreaterThan(4);
    const { elapsedMs } = report;
    expect({ ...plan, dryRun: false, elapsedMs }).toEqual(report);
    expect(report.bytesAfter).toBeLessThan(report.bytesBefore);
    expect(listing(disk).archived).toEqual(report.moved.map(({ first }) => first));
    expect(await store.readAll().toArray()).toEqual(events);
    expect(store.stats().compaction).toEqual({ running: false, runs: 1, lastReport: report });
    expect(Object.isFrozen(report.moved[0])).toBe(true);
    expect((await store.compact()).moved.length).toBeLessThanOrEqual(1);
    await store.close();
  });

  test('leaves history, the past and projections as they were', async () => {
    const { disk, store, events } = await tenDays(undefined, { projections: [sum] });
    const { time = '' } = events[30] as RecordedEvent;
    const ask = async (asked: Store) => ({
      state: await asked.get(sum, 'b/1'),
      entries: await asked.entries(sum).toArray(),
      past: await asked.at(40).get(sum, 'b/1'),
      earlier: await asked.at(time).entries(sum).toArray(),
      history: (await asked.history(sum, 'a/1').toArray()).length,
      blame: await asked.blame(sum, 'a/1'),
    });
    const before = await ask(store);
    await store.compact();
    expect(await ask(store)).toEqual(before);
    const other = await openOn(disk, 'b', { projections: [sum] });
    expect(await ask(other)).toEqual(before);
    await Promise.all([store.close(), other.close()]);
  });

  test('is refused to a reader, and while another process compacts for longer than a caller waits', async () => {
    const { disk, store } = await tenDays(undefined, { lockTimeoutMs: 0 });
    const reader = await openOn(disk, 'r', { readOnly: true });
    await expect(reader.compact()).rejects.toThrow(StoreReadOnlyError);
    const planned = await reader.compact({ dryRun: true });
    expect(planned.moved.length).toBeGreaterThan(4);
    const held = disk.process('h');
    const file = held.open(paths.lock, 'write');
    held.tryLock(file, { offset: 2 ** 40 + 1, length: 1 }, 'exclusive');
    // The lock file names who wrote last, which is not the one that compacts.
    for (const late of [store.compact(), store.snapshot()]) {
      const told = {
        code: 'LOCK_TIMEOUT',
        pid: undefined,
        label: expect.stringMatching('compaction'),
      };
      await expect(late).rejects.toThrow(expect.objectContaining(told));
    }
    expect(listing(disk).archived).toEqual([]);
    held.close(file);
    expect((await store.compact()).moved.length).toBeGreaterThan(4);
    await Promise.all([store.close(), reader.close()]);
  });

  test.each([
    [{ compaction: { tailByte: 1 } }, /no option "?tailByte/],
    [{ compaction: 1 }, /compaction must be/],
    [{ compaction: { tailCommits: -1 } }, /tailCommits/],
    [{ retention: { days: '3' } }, /retention.days/],
    [{ retention: { categories: { a: { bytes: 1 } } } }, /no option "?bytes/],
    [{ retention: [] }, /retention must be/],
  ])('takes no options like %j', async (options, message) => {
    await expect(openOn(new SimulatedDisk(), 'a', options as StoreOptions)).rejects.toThrow(
      message,
    );
  });
});

describe('retention', () => {
  test('drops the oldest segments, and records it', async () => {
    const { disk, store, events } = await tenDays({ days: 5 });
    const plan = await store.compact({ dryRun: true });
    const { dropped, moved } = await store.compact();
    expect(plan.dropped).toEqual(dropped);
    const last = dropped.at(-1)?.last ?? 0;
    expect(last).toBeGreaterThan(20);
    expect(last).toBeLessThan(51);
    const { archived, dropped: remains } = listing(disk);
    expect(remains).toEqual(dropped.map(({ first }) => first));
    expect(archived).toEqual(moved.map(({ first }) => first).filter((first) => first > last));
    const [note, ...others] = await store.readStream('$store/retention').toArray();
    expect(others).toEqual([]);
    expect(note).toMatchObject({
      type: '$retention.dropped',
      data: {
        firstPosition: 1,
        lastPosition: last,
        segments: dropped.length,
        firstTime: events[0]?.time,
      },
    });
    expect(verified(disk)).toMatchObject({
      ok: true,
      firstPosition: last + 1,
      commits: 101 - last,
    });
    await store.close();
  });

  test('answers what it can, and says so where it cannot', async () => {
    const { disk, store, events } = await tenDays({ days: 5 });
    const { dropped } = await store.compact();
    const first = (dropped.at(-1)?.last ?? 0) + 1;
    const kept = events.slice(first - 1);
    const other = await openOn(disk, 'b');
    const reader = await openOn(disk, 'r', { readOnly: true });
    for (const asked of [store, other, reader]) {
      const pruned = expect.objectContaining({ code: 'HISTORY_PRUNED', firstPosition: first });
      await expect(asked.readAll().toArray()).rejects.toThrow(pruned);
      await expect(asked.readStream('a/1').toArray()).rejects.toThrow(HistoryPrunedError);
      expect(() => asked.readAllSync({ from: first - 1 }).toArray()).toThrow(pruned);
      expect(await asked.readAll({ from: first, to: 100 }).toArray()).toEqual(kept);
      const latest = { direction: 'backward', limit: 5, to: 100 } as const;
      expect(await asked.readAll(latest).toArray()).toEqual(kept.slice(-5).reverse());
      const version = kept.filter(({ stream }) => stream === 'b/2')[0]?.version ?? 0;
      expect((await asked.readStream('b/2', { from: version }).toArray())[0]?.version).toBe(
        version,
      );
      expect(await asked.version('a/1')).toBe(34);
      expect(await asked.version('absent')).toBe(0);
    }
    // Versions and positions go on where they were, keys of what was dropped are free again.
    const written = await other.append(
      'a/1',
      { type: 'added', data: { by: 1 } },
      { expectedVersion: 34, idempotencyKey: 'a/1-0' },
    );
    expect(written).toMatchObject({ repeated: false, version: 35, position: 102 });
    await Promise.all([store.close(), other.close(), reader.close()]);
  });

  test('makes no wrong state of a history that is not all there', async () => {
    const { disk, store, events } = await tenDays({ days: 5 });
    const { dropped } = await store.compact();
    await store.close();
    const first = (dropped.at(-1)?.last ?? 0) + 1;
    const pruned = expect.objectContaining({ code: 'HISTORY_PRUNED', firstPosition: first });
    const other = await openOn(disk, 'b', { projections: [sum] });
    await expect(other.get(sum, 'a/1')).rejects.toThrow(pruned);
    await expect(other.entries(sum).toArray()).rejects.toThrow(pruned);
    await expect(other.at(first - 2).get(sum, 'a/1')).rejects.toThrow(pruned);
    await expect(other.history(sum, 'a/1').toArray()).rejects.toThrow(pruned);
    await expect(other.blame(sum, 'a/1')).rejects.toThrow(pruned);
    await other.close();
    const environment = environmentOn(disk.process('s'), disk, randomOn(disk, 3));
    const report = runSync(environment.disk, salvageLog(environment, paths, '/saved'));
    expect(report).toMatchObject({ lost: [], firstPosition: first });
    expect(report.commits).toBe(events.length + 1 - (first - 1));
  });

  test('waits for every projection that programs read, and names it', async () => {
    const { disk, store } = await tenDays({ days: 5 });
    const identity = { name: 'sum', version: 1, fingerprint: sum.fingerprint };
    const process = disk.process('p');
    const random = (count: number) => Buffer.alloc(count, 7);
    runSync(process, register(paths, identity, 0, disk.clock.now(), random));
    const { dropped, refused } = await store.compact();
    expect(dropped).toEqual([]);
    expect(refused).toEqual([
      expect.objectContaining({
        first: 1,
        projection: 'sum',
        reason: expect.stringContaining('covered nothing yet'),
      }),
    ]);
    // A program that has it open and makes a snapshot of it takes the hold away.
    const other = await openOn(disk, 'b', { projections: [sum], retention: { days: 5 } });
    expect((await other.compact()).dropped.length).toBeGreaterThan(1);
    expect(await other.get(sum, 'a/1')).toEqual({ n: 34 });
    runSync(process, register(paths, { ...identity, version: 2 }, 0, disk.clock.now(), random));
    // Nobody had it open for a month.
    disk.clock.advance(31 * DAY_MS);
    expect((await store.compact()).dropped.length).toBeGreaterThan(4);
    await Promise.all([store.close(), other.close()]);
  });

  test('keeps a segment while one of its events is to be kept', async () => {
    const { store } = await tenDays({ days: 1, categories: { b: {} } });
    const { dropped, refused } = await store.compact();
    expect(dropped).toEqual([]);
    expect(refused).toEqual([
      expect.objectContaining({ first: 1, reason: 'events of the category b are kept for ever' }),
    ]);
    await store.close();
  });

  test('drops by size, as far as categories let it', async () => {
    const { store } = await tenDays({ bytes: 2500, categories: { b: { days: 7 } } });
    const { dropped, refused } = await store.compact();
    expect(dropped.length).toBeGreaterThan(1);
    expect(refused).toEqual([
      expect.objectContaining({ reason: 'events of the category b are kept for 7 days' }),
    ]);
    await store.close();
  });

  test('leaves damage where remains are broken or missing', async () => {
    const { disk, store } = await tenDays({ days: 5 });
    await store.compact();
    await store.close();
    const process = disk.process('d');
    const file = process.open(paths.remains(1), 'write');
    process.write(file, Buffer.from('X'), 0, 1, 40);
    expect(verified(disk)).toMatchObject({ ok: false, damage: { file: paths.remains(1) } });
    process.remove(paths.remains(1));
    await expect(openOn(disk, 'c')).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED', file: paths.segment(1) }),
    );
    expect(verified(disk)).toMatchObject({ ok: false });
  });
});
