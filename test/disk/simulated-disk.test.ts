/** Shows that the simulated disk really loses, tears and reorders what was not synced, and nothing else. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemCode } from '#src/errors.js';
import type { Disk } from '#src/log/disk.js';
import { keepNewest, keepOldest, seededChooser } from '../support/chooser.js';
import { SeededRandom } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedFile } from '../support/simulated-file.js';
import { CrashError } from '../support/simulated-process.js';
import { diskContract } from './disk-contract.js';

for (const rangeLocks of [true, false]) {
  let latest = new SimulatedDisk();
  diskContract(
    rangeLocks ? 'simulated disk' : 'simulated disk without range locks',
    () => {
      latest = new SimulatedDisk({ rangeLocks });
      const process = latest.process();
      process.makeDirectory('/root');
      return { disk: process, calls: process, root: '/root' };
    },
    { modes: true, writableLocks: true, makeLink: (_, path) => latest.makeLink(path) },
  );
}

/** A file that is durable with its entry, open for writing. */
function durableFile(disk: Disk, path: string, text: string): number {
  const file = disk.open(path, 'create');
  write(disk, file, text, 0);
  disk.sync(file);
  disk.syncDirectory('/');
  return file;
}

function write(disk: Disk, file: number, text: string, position: number): void {
  const bytes = Buffer.from(text);
  expect(disk.write(file, bytes, 0, bytes.length, position)).toBe(bytes.length);
}

/** The contents of a file that a power loss can leave; `undefined` when it can be gone. */
function contents(disk: SimulatedDisk, path: string): (string | undefined)[] {
  return [...disk.statesAfterPowerLoss()].map((state) => state.contentOf(path)?.toString('latin1'));
}

/** `a` 512 times and so on: a text that shows its sectors. */
function sectors(letters: string): string {
  return [...letters].map((letter) => letter.repeat(512)).join('');
}

describe('a power loss', () => {
  test('leaves what was synced, in every state', () => {
    const disk = new SimulatedDisk();
    durableFile(disk.process(), '/file', sectors('abc'));
    expect(contents(disk, '/file')).toEqual([sectors('abc')]);
  });

  test('may take a file whose entry was not synced, though its bytes were', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = process.open('/file', 'create');
    write(process, file, 'content', 0);
    process.sync(file);
    expect(contents(disk, '/file')).toEqual([undefined, 'content']);
    process.syncDirectory('/');
    expect(contents(disk, '/file')).toEqual(['content']);
  });

  test('may leave a file empty whose bytes were not synced, though its entry was', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = process.open('/file', 'create');
    write(process, file, 'ab', 0);
    process.syncDirectory('/');
    expect(contents(disk, '/file')).toEqual(['', '\0', 'a', '\0\0', 'ab']);
  });

  test('tears an unsynced append at any byte and in any sector', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', 'd'.repeat(600));
    write(process, file, 'n'.repeat(600), 600);
    const found = contents(disk, '/file').map((text) => text ?? '');
    // Sizes 600; 601-1024, the first sector's end there or not; 1025-1200, each of two sectors there or not.
    expect(found).toHaveLength(1 + 424 * 2 + 176 * 4);
    expect(new Set(found).size).toBe(found.length);
    for (const text of found) {
      expect(text.startsWith('d'.repeat(600))).toBe(true);
      expect(text.slice(600)).toMatch(/^(n*|\0{424}n*|n{424}\0*|\0*)$/);
    }
    expect(found).toContain('d'.repeat(600));
    expect(found).toContain(`${'d'.repeat(600)}${'n'.repeat(600)}`);
    expect(found).toContain(`${'d'.repeat(600)}${'\0'.repeat(424)}${'n'.repeat(176)}`);
  });

  test('loses the middle of a write and keeps its ends', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', '');
    write(process, file, sectors('abc'), 0);
    const hole = `${sectors('a')}${'\0'.repeat(512)}${sectors('c')}`;
    expect(contents(disk, '/file')).toContain(hole);
  });

  test('leaves an overwritten sector old or new, never zero and never mixed', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', sectors('abc'));
    write(process, file, 'X'.repeat(600), 500);
    const a = [sectors('a'), `${'a'.repeat(500)}${'X'.repeat(12)}`];
    const b = [sectors('b'), sectors('X')];
    const c = [sectors('c'), `${'X'.repeat(76)}${'c'.repeat(436)}`];
    const expected = a.flatMap((one) => b.flatMap((two) => c.map((three) => one + two + three)));
    expect(contents(disk, '/file').toSorted()).toEqual(expected.toSorted());
  });

  test('may leave what stood in a sector between two unsynced writes', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', 'one');
    write(process, file, 'two', 0);
    write(process, file, 'six', 0);
    expect(contents(disk, '/file').toSorted()).toEqual(['one', 'six', 'two']);
    process.sync(file);
    expect(contents(disk, '/file')).toEqual(['six']);
  });

  test('undoes an unsynced cut or leaves it', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', sectors('ab'));
    process.truncate(file, 700);
    expect(contents(disk, '/file')).toEqual([sectors('ab'), sectors('ab').slice(0, 700)]);
    process.sync(file);
    expect(contents(disk, '/file')).toEqual([sectors('ab').slice(0, 700)]);
  });

  test('mixes what was cut off with what was written over it, unless the cut was synced', () => {
    const mixed = `${sectors('a')}${sectors('b')}${sectors('Z')}`;
    for (const synced of [false, true]) {
      const disk = new SimulatedDisk();
      const process = disk.process();
      const file = durableFile(process, '/file', sectors('abc'));
      process.truncate(file, 512);
      if (synced) process.sync(file);
      write(process, file, sectors('YZ'), 512);
      expect(contents(disk, '/file').includes(mixed)).toBe(!synced);
    }
  });

  test('keeps or undoes each change of names for itself', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    process.makeDirectory('/made');
    process.close(process.open('/file', 'create'));
    const states = [...disk.statesAfterPowerLoss()].map((state) => state.paths());
    expect(states).toEqual([[], ['/file'], ['/made/'], ['/file', '/made/']]);
  });

  test('undoes a rename without a sync of the directory, or leaves it whole', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    durableFile(process, '/old', 'old');
    durableFile(process, '/new', 'new');
    process.rename('/new', '/old');
    const states = () =>
      [...disk.statesAfterPowerLoss()].map((state) =>
        state.paths().map((path) => `${path} ${state.contentOf(path)?.toString()}`),
      );
    expect(states()).toEqual([['/new new', '/old old'], ['/old new']]);
    process.syncDirectory('/');
    expect(states()).toEqual([['/old new']]);
  });

  test('leaves a file that was renamed twice under one of its names', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    durableFile(process, '/a', 'x');
    process.rename('/a', '/b');
    process.rename('/b', '/c');
    const states = [...disk.statesAfterPowerLoss()].map((state) => state.paths());
    expect(states.toSorted()).toEqual([['/a'], ['/b'], ['/c']]);
  });

  test('undoes a rename between two directories until both were synced', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    process.makeDirectory('/from');
    process.makeDirectory('/to');
    process.syncDirectory('/');
    process.close(process.open('/from/file', 'create'));
    process.syncDirectory('/from');
    process.rename('/from/file', '/to/file');
    const states = () => [...disk.statesAfterPowerLoss()].map((state) => state.paths());
    const both = [
      ['/from/', '/from/file', '/to/'],
      ['/from/', '/to/', '/to/file'],
    ];
    expect(states()).toEqual(both);
    process.syncDirectory('/to');
    expect(states()).toEqual(both);
    // What comes later in one of them is durable on its own.
    process.close(process.open('/from/file', 'create'));
    process.syncDirectory('/from');
    expect(states()).toEqual([['/from/', '/from/file', '/to/', '/to/file']]);
  });

  test('brings a removed file back until the directory was synced', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    durableFile(process, '/file', 'content');
    process.remove('/file');
    expect(contents(disk, '/file')).toEqual(['content', undefined]);
    process.syncDirectory('/');
    expect(contents(disk, '/file')).toEqual([undefined]);
  });

  test('takes a directory with all in it when its own entry was not synced', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    process.makeDirectory('/made');
    const file = process.open('/made/file', 'create');
    write(process, file, 'x', 0);
    process.sync(file);
    process.syncDirectory('/made');
    expect(disk.powerLoss(keepOldest).paths()).toEqual([]);
    expect(disk.powerLoss(keepNewest).paths()).toEqual(['/made/', '/made/file']);
  });

  test('ends every process, every lock and the boot', () => {
    const disk = new SimulatedDisk({ seed: 7 });
    const process = disk.process();
    const file = durableFile(process, '/lock', '');
    expect(process.tryLock(file, { offset: 0, length: 1 }, 'exclusive')).toBe(true);
    const after = disk.powerLoss(keepNewest);
    expect(() => process.size(file)).toThrow(CrashError);
    expect(() => process.pause(1)).toThrow(CrashError);
    const next = after.process();
    expect(next.bootId()).not.toBe(disk.bootId);
    const again = next.open('/lock', 'write');
    expect(next.tryLock(again, { offset: 0, length: 1 }, 'exclusive')).toBe(true);
  });

  test('leaves states that are durable: a second one changes nothing', () => {
    const disk = new SimulatedDisk();
    const file = durableFile(disk.process(), '/file', 'abc');
    write(disk.process(), file, sectors('xyz'), 3);
    for (let seed = 0; seed < 50; seed += 1) {
      const once = disk.powerLoss(seededChooser(seed));
      expect(once.powerLoss(seededChooser(seed)).fingerprint()).toBe(once.fingerprint());
    }
  });

  test('is refused where it has too many outcomes to look at each', () => {
    const disk = new SimulatedDisk();
    const file = durableFile(disk.process(), '/file', '');
    write(disk.process(), file, sectors('abcdefgh'), 0);
    expect(() => [...disk.statesAfterPowerLoss(1000)]).toThrow(RangeError);
    expect([...disk.statesAfterPowerLoss(1000, (path) => path !== '/file')]).toHaveLength(1);
  });
});

describe('a failed sync', () => {
  function afterFailedSync() {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', sectors('ab'));
    write(process, file, sectors('XY'), 0);
    process.inject({ method: 'sync', code: 'EIO' });
    expect(() => process.sync(file)).toThrow('EIO');
    return { disk, process, file };
  }

  test('leaves bytes that read well and that no later sync makes durable', () => {
    const { disk, process, file } = afterFailedSync();
    process.sync(file);
    expect(disk.contentOf('/file')?.toString()).toBe(sectors('XY'));
    const lost = [sectors('ab'), sectors('aY'), sectors('Xb'), sectors('XY')];
    expect(contents(disk, '/file').toSorted()).toEqual(lost.toSorted());
  });

  test('leaves durable what was written again and synced', () => {
    const { disk, process, file } = afterFailedSync();
    write(process, file, 'Y', 512);
    process.sync(file);
    expect(contents(disk, '/file')).toEqual([sectors('aY'), sectors('XY')]);
  });

  test('can show other bytes once the kernel reads them again', () => {
    const { disk, process, file } = afterFailedSync();
    process.sync(file);
    disk.evict(keepOldest);
    expect(disk.contentOf('/file')?.toString()).toBe(sectors('ab'));
    expect(contents(disk, '/file')).toEqual([sectors('ab')]);
  });

  test('of a directory makes nothing durable', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    process.makeDirectory('/made');
    process.inject({ method: 'syncDirectory', code: 'EIO' });
    expect(() => process.syncDirectory('/')).toThrow('EIO');
    expect(disk.powerLoss(keepOldest).paths()).toEqual([]);
  });

  test('of appended bytes leaves zeros in their place, though the size was synced later', () => {
    const disk = new SimulatedDisk();
    const process = disk.process();
    const file = durableFile(process, '/file', '');
    write(process, file, sectors('a'), 0);
    process.inject({ method: 'sync', code: 'EIO' });
    expect(() => process.sync(file)).toThrow('EIO');
    write(process, file, sectors('b'), 512);
    process.sync(file);
    expect(contents(disk, '/file')).toEqual([`${'\0'.repeat(512)}${sectors('b')}`, sectors('ab')]);
  });
});

/** Creates and renames in two directories, which are synced now and then. */
function workOnNames(disk: SimulatedDisk, random: SeededRandom, steps: number): void {
  const process = disk.process();
  const directories = ['/', '/a'];
  process.makeDirectory('/a');
  const somewhere = () => join(random.pick(directories), random.pick(['x', 'y']));
  for (let step = 0; step < steps; step += 1) {
    const [from, to] = [somewhere(), somewhere()];
    if (process.facts(from)) process.rename(from, to);
    else process.close(process.open(from, 'create'));
    if (random.chance(0.3)) process.syncDirectory(random.pick(directories));
  }
}

describe('any order of writes, cuts, syncs and renames', () => {
  /** Random work on one file, with what must survive written down beside it. */
  function work(seed: number) {
    const random = new SeededRandom(seed);
    const file = new SimulatedFile(1);
    let durable = Buffer.alloc(0);
    /** Bytes of `durable` that nothing has touched since they were synced. */
    let safe: boolean[] = [];
    for (let step = random.below(30); step >= 0; step -= 1) {
      const position = random.below(3000);
      const kind = random.below(4);
      if (kind === 0) {
        file.truncate(position);
        safe = safe.map((still, place) => still && place < position);
      } else if (kind === 1) {
        file.sync();
        durable = Buffer.from(file.content);
        safe = Array.from(durable, () => true);
      } else {
        const bytes = random.bytes(random.below(1500));
        file.write(bytes, position);
        safe = safe.map((is, at) => is && (at < position || at >= position + bytes.length));
      }
    }
    return { file, durable, safe };
  }

  test('what was synced and not touched since is there after every power loss', () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const { file, durable, safe } = work(seed);
      for (let loss = 0; loss < 10; loss += 1) {
        const left = file.afterPowerLoss(seededChooser(seed * 100 + loss));
        safe.forEach((is, at) => {
          if (is && left[at] !== durable[at]) throw new Error(`seed ${seed}: byte ${at} is lost`);
        });
      }
    }
  });

  test('the luckiest power loss leaves what processes saw, the unluckiest what was synced', () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const { file, durable } = work(seed);
      expect(file.afterPowerLoss(keepNewest).equals(file.content)).toBe(true);
      expect(file.afterPowerLoss(keepOldest).equals(durable)).toBe(true);
    }
  });

  test('the luckiest power loss leaves all names as processes saw them, any when all was synced', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new SeededRandom(seed);
      const disk = new SimulatedDisk();
      const process = disk.process();
      const directories = ['/', '/a', '/b'];
      for (const directory of directories.slice(1)) process.makeDirectory(directory);
      const somewhere = () => join(random.pick(directories), random.pick(['x', 'y', 'z']));
      for (let step = 0; step < 40; step += 1) {
        const act = random.pick([
          () => process.close(process.open(somewhere(), 'create')),
          () => process.rename(somewhere(), somewhere()),
          () => process.remove(somewhere()),
          () => process.syncDirectory(random.pick(directories)),
        ]);
        try {
          act();
        } catch (error) {
          // Missing or there already: as good as another step.
          expect(systemCode(error)).toMatch(/^E(NOENT|EXIST)$/);
        }
      }
      const names = disk.fingerprint();
      expect(disk.powerLoss(keepNewest).fingerprint()).toBe(names);
      const other = disk.powerLoss(keepNewest);
      for (const directory of directories) other.process().syncDirectory(directory);
      expect(other.powerLoss(keepOldest).fingerprint()).toBe(names);
    }
  });

  test('names that were all synced survive any power loss', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const disk = new SimulatedDisk();
      workOnNames(disk, new SeededRandom(seed), 30);
      disk.process().syncDirectory('/');
      disk.process().syncDirectory('/a');
      const names = disk.fingerprint();
      expect(disk.powerLoss(keepOldest).fingerprint()).toBe(names);
      expect(disk.powerLoss(seededChooser(seed)).fingerprint()).toBe(names);
    }
  });

  test('no file is ever found under two names', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new SeededRandom(seed);
      const disk = new SimulatedDisk();
      workOnNames(disk, random, 15);
      const after = disk.powerLoss(seededChooser(random));
      const inodes = after.paths().map((path) => after.find(path)?.inode);
      expect(new Set(inodes).size).toBe(inodes.length);
    }
  });
});
