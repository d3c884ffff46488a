/** How far a snapshot and a compaction have come is told with how far they have to go. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineProjection, openStore, type Progress, type Store } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const counts = ['counts', 'counts-again'].map((name) =>
  defineProjection({
    name,
    version: 1,
    initial: () => ({ n: 0 }),
    on: {
      'note.taken': (draft) => {
        draft.n += 1;
      },
    },
  }),
);

async function filled(directory: string): Promise<Store> {
  const store = await openStore(directory, {
    segmentBytes: 4096,
    compaction: false,
    projections: counts,
  });
  const data = { text: 'x'.repeat(500) };
  for (let n = 0; n < 40; n += 1) await store.append(`n/${n}`, { type: 'note.taken', data });
  return store;
}

test('snapshot: its parts, those of the log and of every projection', async () => {
  const store = await filled(join(temporaryDirectory(), 'store'));
  const told: Progress[] = [];
  await store.snapshot({ onProgress: (progress) => told.push(progress) });
  expect(told.at(-1)).toEqual({ phase: 'snapshot', unit: 'parts', done: 3, total: 3 });
  for (const { done, total = 0 } of told) expect(done).toBeLessThanOrEqual(total);
  await store.close();
});

test('compact: the snapshot, then the bytes of the segments that are moved, also when it is tried', async () => {
  const directory = join(temporaryDirectory(), 'store');
  const store = await filled(directory);
  const log = join(directory, 'log');
  const bytes = (): number =>
    readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0);
  await store.snapshot();
  const before = bytes();
  for (const dryRun of [true, false]) {
    const told: Progress[] = [];
    await store.compact({ dryRun, onProgress: (progress) => told.push(progress) });
    const last = told.at(-1);
    expect(last).toMatchObject({ phase: 'archive', unit: 'bytes', done: last?.total });
    expect(told.some(({ phase }) => phase === 'snapshot')).toBe(!dryRun);
    if (!dryRun) expect(last?.total).toBe(before - bytes());
  }
  await store.close();
});

test('what the one who is told throws ends it, and the store goes on', async () => {
  const store = await filled(join(temporaryDirectory(), 'store'));
  const onProgress = (): never => {
    throw new Error('enough');
  };
  await expect(store.snapshot({ onProgress })).rejects.toThrow('enough');
  await expect(store.compact({ onProgress })).rejects.toThrow('enough');
  await expect(store.compact({ onProgress: 7 as never })).rejects.toThrow(TypeError);
  await expect(store.snapshot({ onProgres: 7 } as never)).rejects.toThrow(TypeError);
  await store.append('n/0', { type: 'note.taken', data: {} });
  const { moved } = await store.compact();
  expect(moved.length).toBeGreaterThan(0);
  for (const projection of counts) expect(await store.get(projection, 'n/0')).toEqual({ n: 2 });
  await store.close();
});
