/** Comparing two moments before a snapshot looks at the keys that were changed in between, not at all of the segment they stand in. */
import { describe, expect, test } from 'vitest';
import { defineProjection, type Store } from '#src/store.js';
import { openOn } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const KEYS = 1500;

const sums = {
  initial: { n: 0 },
  on: {
    added: (draft: { n: number }, { data }: { data: unknown }) => {
      draft.n += data as number;
    },
  },
};
const byStream = defineProjection({ name: 'by-stream', version: 1, ...sums });
const byLetter = defineProjection({
  name: 'by-key',
  version: 1,
  ...sums,
  key: ({ stream }) => `of ${stream}`,
});

async function snapshotted(disk: SimulatedDisk): Promise<Store> {
  const options = { projections: [byStream, byLetter], segmentBytes: 64 * 1024 };
  const store = await openOn(disk, 'a', options);
  for (let n = 0; n < KEYS; n += 1) void store.append(`s/${n}`, { type: 'added', data: 1 });
  for (let n = 0; n < KEYS; n += 7) void store.append(`s/${n}`, { type: 'added', data: 2 });
  await store.flush();
  await store.snapshot();
  await store.close();
  // What was just written would be in memory.
  return await openOn(disk, 'b', options);
}

describe.each([
  ['whose keys are streams', byStream, 's/'],
  ['whose keys are its own', byLetter, 'of s/'],
])('moments before the snapshot of a projection %s', (_, projection, prefix) => {
  test('are compared by the keys changed between them', async () => {
    const disk = new SimulatedDisk();
    const store = await snapshotted(disk);
    const { position: head } = store.head;
    const before = disk.trace.filter(({ method }) => method === 'read').length;
    const last = await store.diff(projection, { prefix: '' }, head - 3, head).toArray();
    expect(last.map(({ key, before, after }) => [key, before, after])).toEqual(
      [1484, 1491, 1498]
        .map((n) => [`${prefix}${n}`, { n: 1 }, { n: 3 }] as const)
        .sort(([one], [other]) => (one < other ? -1 : 1)),
    );
    // Each of the hundreds of keys in that segment would take a read or more.
    const reads = disk.trace.filter(({ method }) => method === 'read').length - before;
    expect(reads).toBeLessThan(100);
    await store.close();
  });

  test('have the same differences as without a snapshot, wherever they stand in their segments', async () => {
    const disk = new SimulatedDisk();
    const store = await snapshotted(disk);
    const { position: head } = store.head;
    const changed = async (from: number, to: number) =>
      (await store.diff(projection, { prefix: '' }, from, to).toArray()).map(({ key }) => key);
    for (const [from, to] of [
      [KEYS, head],
      [KEYS - 1, KEYS],
      [1, 2],
      [700, 1400],
      [KEYS - 10, KEYS + 10],
      [head, head],
    ] as const) {
      const streams = new Set<string>();
      for (let position = from + 1; position <= to; position += 1) {
        const n = position <= KEYS ? position - 1 : 7 * (position - KEYS - 1);
        streams.add(`${prefix}${n}`);
      }
      expect(await changed(from, to)).toEqual([...streams].sort());
    }
    await store.close();
  });
});
