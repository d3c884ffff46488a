/** Everything that is made of a store, or in it, is durable before it gets its name, before what it replaces goes, and before anybody is told of it. */
import { describe, expect, test } from 'vitest';
import type { StoreOptions } from '#src/store.js';
import { agedStore, DAY_MS, openOn } from '../support/aging-store.js';
import {
  again,
  callsOf,
  copyings,
  environmentOf,
  furnishedDisk,
  runAndDie,
} from '../support/copying.js';
import { counted } from '../support/counted.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { syncProblems } from '../support/sync-order.js';

async function aged(options: StoreOptions = {}) {
  const { disk, store } = await agedStore(options);
  const from = disk.trace.length;
  const calls = () => disk.trace.slice(from).filter(({ process }) => process === 'a');
  return { disk, store, calls };
}

describe('what is durable when it must be', () => {
  test.each(Object.entries(copyings))('of %s', async (_name, copying) => {
    expect(syncProblems(await callsOf(await furnishedDisk(), copying))).toEqual([]);
  });

  test('of an import that goes on where a killed one had come to', async () => {
    const copying = copyings['an import'] as (typeof copyings)[string];
    const base = await furnishedDisk();
    const calls = await callsOf(base, copying);
    const points = calls.filter(({ method, detail }) => {
      return method === 'rename' && detail.endsWith('import.json');
    });
    expect(points.length).toBeGreaterThan(2);
    // Some way behind the second point.
    const died = await runAndDie(base, copying, (points[1]?.number ?? 0) + 12, 'after');
    const from = died.trace.length;
    expect(await copying.run(environmentOf(died.process('b'), died))).toMatchObject({
      resumed: true,
    });
    const own = died.trace.slice(from).filter(({ process }) => process === 'b');
    expect(own.some(({ method }) => method === 'truncate')).toBe(true);
    expect(syncProblems(own)).toEqual([]);
    expect(again(died).contentOf('/there/target/store.json')).toBeDefined();
  });

  test('of a snapshot', async () => {
    const { store, calls } = await aged();
    await store.snapshot();
    expect(syncProblems(calls())).toEqual([]);
    await store.close();
  });

  test('of a compaction that moves and drops segments', async () => {
    const { disk, store, calls } = await aged({ retention: { days: 2 } });
    disk.clock.advance(DAY_MS);
    const { moved, dropped } = await store.compact();
    expect([moved.length, dropped.length].every((count) => count > 1)).toBe(true);
    expect(syncProblems(calls())).toEqual([]);
    await store.close();
  });

  test('of a store that registers its projections as it opens', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { projections: [counted] });
    await store.compact();
    const calls = disk.trace.filter(({ process }) => process === 'a');
    expect(calls.some(({ path }) => path.includes('/registry/'))).toBe(true);
    expect(syncProblems(calls)).toEqual([]);
    await store.close();
  });
});
