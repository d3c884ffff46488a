import { describe, expect, test } from 'vitest';
import { FORGOTTEN_MS, register, registered } from '#src/compaction/registry.js';
import { runSync } from '#src/log/io.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { pathsOf } from '#src/log/paths.js';
import { SeededRandom } from '../support/random.js';

const paths = pathsOf('/store');
const random = new SeededRandom(1);
const randomBytes = (count: number) => random.bytes(count);
const sum = { name: 'sum "of" it', version: 2, fingerprint: 'abc' };
const DAY_MS = 86_400_000;

function disk(): MemoryDisk {
  const made = new MemoryDisk();
  made.makeDirectory('/store');
  return made;
}

function put(on: MemoryDisk, covered: number, now: number, identity = sum): void {
  runSync(on, register(paths, identity, covered, now, randomBytes));
}

function coveredOn(on: MemoryDisk, now: number) {
  return runSync(on, registered(paths, now)).map(({ name, covered }) => ({ name, covered }));
}

describe('the registry', () => {
  test('says what each projection has covered, and never less than before', () => {
    const on = disk();
    expect(coveredOn(on, 0)).toEqual([]);
    put(on, 0, 0);
    expect(coveredOn(on, 0)).toEqual([{ name: sum.name, covered: 0 }]);
    put(on, 70, 0);
    put(on, 30, 2 * DAY_MS);
    put(on, 5, 0, { ...sum, version: 3 });
    const found = coveredOn(on, 0).sort((a, b) => a.covered - b.covered);
    expect(found).toEqual([
      { name: sum.name, covered: 5 },
      { name: sum.name, covered: 70 },
    ]);
    expect(on.list(paths.registry)).toHaveLength(2);
  });

  test('is written again when a program that opens the store takes its file for one that was left over', () => {
    const on = disk();
    let taken = 0;
    const rename = on.rename.bind(on);
    on.rename = (from, to) => {
      if (taken < 3) on.remove(from);
      taken += 1;
      rename(from, to);
    };
    put(on, 7, 0);
    expect(taken).toBe(4);
    expect(coveredOn(on, 0)).toEqual([{ name: sum.name, covered: 7 }]);
    expect(on.list(paths.registry)).toHaveLength(1);
  });

  test('forgets a projection that no program had open for a month', () => {
    const on = disk();
    put(on, 1, 0);
    expect(coveredOn(on, FORGOTTEN_MS - 1)).toHaveLength(1);
    expect(coveredOn(on, FORGOTTEN_MS)).toHaveLength(0);
    put(on, 1, FORGOTTEN_MS);
    expect(coveredOn(on, FORGOTTEN_MS)).toHaveLength(1);
  });

  test('takes a broken file for a projection that has covered nothing, until it is written anew', () => {
    const on = disk();
    put(on, 70, 0);
    const [name = ''] = on.list(paths.registry);
    const path = `${paths.registry}/${name}`;
    const file = on.open(path, 'write');
    for (let at = 0; at < on.size(file); at += 1) {
      const before = Buffer.alloc(1);
      on.read(file, before, 0, 1, at);
      on.write(file, Buffer.of((before[0] as number) ^ 1), 0, 1, at);
      expect(coveredOn(on, 0)).toEqual([{ name: expect.stringContaining(name), covered: 0 }]);
      on.write(file, before, 0, 1, at);
    }
    on.truncate(file, 10);
    on.close(file);
    put(on, 40, 0);
    expect(coveredOn(on, 0)).toEqual([{ name: sum.name, covered: 40 }]);
  });
});
