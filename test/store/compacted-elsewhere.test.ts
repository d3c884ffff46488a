/** What a process does with files that another one moved, and what is kept of definitions that nobody has any more. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OTHERS_KEPT } from '#src/compaction/old-snapshots.js';
import { defineProjection, openStore } from '#src/store.js';
import { append, DAY_MS, listing, openOn, paths } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('a process that another one compacts beside', () => {
  test.each([true, false])('keeps no file open that was moved, readOnly %s', async (readOnly) => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a');
    await append(store, disk, ['a/1', 'b/1'], 80);
    const other = await openOn(disk, 'r', { readOnly });
    expect(await other.readAll().toArray()).toHaveLength(80);
    const moved = () => listing(disk).archived.map((first) => paths.segment(first));
    const open = () => disk.process('r').openFiles;
    await store.compact();
    expect(open().filter((path) => moved().includes(path))).not.toEqual([]);
    await other.refresh();
    await other.flush();
    await expect.poll(() => open().filter((path) => moved().includes(path))).toEqual([]);
    expect(await other.readAll().toArray()).toHaveLength(80);
    await Promise.all([store.close(), other.close()]);
  });

  test.each([
    ['b/1', 40],
    // Found in none of them, so that all are open.
    ['b/2', 0],
  ])(
    'writes a commit anew whose key went with what was dropped, after a look at %s',
    async (stream, version) => {
      const disk = new SimulatedDisk();
      const store = await openOn(disk, 'a', { retention: { days: 3 } });
      await append(store, disk, ['a/1', 'b/1'], 80);
      const other = await openOn(disk, 'w', { retention: { days: 3 } });
      // What it knows of the closed segments from now on is as of before.
      expect(await other.version(stream)).toBe(version);
      const { dropped } = await store.compact();
      expect(dropped.length).toBeGreaterThan(0);
      const event = { type: 'added', data: { by: 1, text: 'x'.repeat(60) } };
      const again = await other.append('a/1', event, { idempotencyKey: 'a/1-0' });
      expect(again).toMatchObject({ repeated: false, version: 41 });
      await Promise.all([store.close(), other.close()]);
    },
  );
});

describe('snapshots of other versions', () => {
  const version = (number: number) =>
    defineProjection({
      name: 'counted',
      version: number,
      initial: () => ({ n: 0 }),
      on: {
        added: (draft) => {
          draft.n += 1;
        },
      },
    });

  test('stay while a program reads them, and of all others the latest', async () => {
    const directory = join(temporaryDirectory(), 'store');
    let now = Date.UTC(2026, 0, 1);
    const snapshot = async (number: number) => {
      const projections = [version(number)];
      const clock = () => now;
      await using store = await openStore(directory, { clock, projections, durability: 'os' });
      await store.append('s/1', { type: 'added', data: null });
      await store.snapshot();
      now += 1000;
    };
    const kept = () =>
      readdirSync(join(directory, 'snapshots'))
        .map((name) => /^projection-counted-([0-9]+)-/.exec(name)?.[1])
        .filter((found) => found !== undefined)
        .map(Number)
        .sort((a, b) => a - b);
    const versions = Array.from({ length: OTHERS_KEPT + 3 }, (_, index) => index + 1);
    for (const each of versions) await snapshot(each);
    expect(kept()).toEqual(versions);
    // For a month nobody opens the store.
    now += 31 * DAY_MS;
    await snapshot(99);
    expect(kept()).toEqual([...versions.slice(-OTHERS_KEPT), 99]);
  });
});
