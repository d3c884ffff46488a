/** A disk that takes bytes and gives back others: whatever is made is read back before it counts, and nothing goes that it was to replace. */
import { describe, expect, test } from 'vitest';
import type { Disk } from '#src/log/disk.js';
import { agedStore, DAY_MS, listing, paths, verified } from '../support/aging-store.js';
import { again, copyings, environmentOf, furnishedDisk, SOURCE } from '../support/copying.js';
import type { SimulatedDisk } from '../support/simulated-disk.js';

/** The same disk, which changes one bit of the first write of some bytes behind `from` to such a file. */
function lying(disk: Disk, isMeant: (path: string) => boolean, from = 0) {
  const opened = new Map<number, string>();
  const told = { lies: 0 };
  const calls: Partial<Disk> = {
    open(path, mode) {
      const file = disk.open(path, mode);
      opened.set(file, path);
      return file;
    },
    write(file, buffer, offset, length, position) {
      const path = opened.get(file) ?? '';
      if (told.lies > 0 || position < from || length < 20 || !isMeant(path)) {
        return disk.write(file, buffer, offset, length, position);
      }
      told.lies += 1;
      const bytes = Buffer.from(buffer.subarray(offset, offset + length));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      return disk.write(file, bytes, 0, length, position);
    },
  };
  const liar = new Proxy(disk, {
    get(target, name) {
      const own = (calls as Record<string | symbol, unknown>)[name];
      const value = own ?? (Reflect.get(target, name, target) as unknown);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
  return { liar, told };
}

describe('in a store', () => {
  test.each([
    ['a snapshot of the log', /snapshots\/log-/],
    ['a snapshot of a projection', /snapshots\/projection-/],
    ['a segment in the archive', /archive\/[0-9]+\.ndjson\.gz/],
    ['what stays of a dropped segment', /archive\/[0-9]+\.dropped/],
  ])('%s is not believed to be there', async (_name, pattern) => {
    let told = { lies: 0 };
    const { disk, store } = await agedStore({ retention: { days: 2 } }, (own) => {
      const lie = lying(own, (path) => pattern.test(path));
      ({ told } = lie);
      return lie.liar;
    });
    disk.clock.advance(DAY_MS);
    const before = listing(disk);
    await expect(store.compact()).rejects.toMatchObject({ code: 'STORE_ACCESS' });
    expect(told.lies).toBe(1);
    const made = disk.paths().filter((path) => pattern.test(path));
    expect(made).toEqual([]);
    const after = listing(disk);
    expect([...after.archived, ...after.plain]).toEqual(expect.arrayContaining([...before.plain]));
    expect(await store.readAll().toArray()).toHaveLength(60);
    expect(verified(disk).ok).toBe(true);
    // The disk tells the truth from now on.
    const { dropped } = await store.compact();
    expect(dropped.length).toBeGreaterThan(0);
    expect(
      disk.paths().filter((path) => path.startsWith(paths.archive) && path.endsWith('.tmp')),
    ).toEqual([]);
    await store.close();
  });
});

/** A file that only its size and digest tell of. */
async function withFinishedFile(): Promise<SimulatedDisk> {
  const disk = await furnishedDisk();
  const process = disk.process('setup');
  for (const directory of [SOURCE, '/full']) {
    const name = `${directory}/snapshots`;
    if (process.facts(name) === undefined) process.makeDirectory(name);
  }
  const file = process.open(`${SOURCE}/snapshots/kept`, 'create');
  const bytes = Buffer.from('what stands in a snapshot, at some length');
  process.write(file, bytes, 0, bytes.length, 0);
  process.sync(file);
  process.close(file);
  return disk;
}

describe('of a store', () => {
  const last = 'the last commit of a restore';
  test.each([
    ['a finished file of a backup', 'a backup', /target.*\/snapshots\/kept/, 0],
    ['a segment of a backup', 'a backup', /target.*\/log\//, 0],
    ['a finished file of a restore', 'a restore of a store', /target.*\/snapshots\/kept/, 0],
    ['a segment of a restore', 'a restore of a store', /target.*\/log\//, 0],
    [last, 'a restore of a store', /target.*\/log\//, 1],
    ['a restore to an earlier position', 'a restore to an earlier position', /target.*\/log\//, 0],
    ['an import', 'an import', /target.*\/log\//, 0],
  ])('%s is not believed to be there', async (_name, kind, pattern, from) => {
    const copying = copyings[kind] as (typeof copyings)[string];
    const base = await withFinishedFile();
    const disk = again(base);
    const environment = environmentOf(disk.process('a'), disk);
    const { liar, told } = lying(environment.disk, (path) => pattern.test(path), from);
    const made = copying.run({ ...environment, disk: liar });
    await expect(made).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_(ACCESS|DAMAGED)$/) as string,
    });
    expect(told.lies).toBe(1);
    expect(disk.paths().filter((path) => path.startsWith('/there/target'))).toEqual([]);
  });
});
