/** Copies of a store where no lock keeps compaction away, as on a system whose locks always cover a whole file: segments move under them. */
import { describe, expect, test } from 'vitest';
import { backupStoreOn } from '#src/compaction/backup.js';
import { restoreStoreOn } from '#src/compaction/restore.js';
import type { Disk } from '#src/log/disk.js';
import type { Environment } from '#src/log/environment.js';
import { runSync } from '#src/log/io.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { listLog, pathsOf } from '#src/log/paths.js';
import { archiveAll } from '../support/archiving.js';
import { problemsOfTarget, TARGET } from '../support/copying.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { DIRECTORY, environmentOn, randomOn } from '../support/story.js';

const COMMITS = 90;
const paths = pathsOf(DIRECTORY);

const copies = {
  'a backup': (environment: Environment) => backupStoreOn(environment, DIRECTORY, TARGET),
  'a restore': (environment: Environment) => restoreStoreOn(environment, DIRECTORY, TARGET),
};

function filled(): { disk: SimulatedDisk; id: string } {
  const disk = new SimulatedDisk({ rangeLocks: false });
  const log = openLogOnSync(environmentOf(disk, 'a'), DIRECTORY, { segmentBytes: 4096 });
  for (let number = 0; number < COMMITS; number += 1) {
    log.appendSync(`s/${number % 3}`, { type: 'added', data: { number, text: 'x'.repeat(200) } });
  }
  const { id } = log;
  log.closeSync();
  return { disk, id };
}

function environmentOf(disk: SimulatedDisk, name: string): Environment {
  return environmentOn(disk.process(name), disk, randomOn(disk, name.charCodeAt(0)));
}

/** The same disk, on which something else happens right before each file is opened. */
function beforeOpening(disk: Disk, happens: (path: string) => void): Disk {
  return new Proxy(disk, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'open') happens(String(args[0]));
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

function plainSegments(disk: SimulatedDisk): readonly number[] {
  return runSync(disk.process('lister'), listLog(paths)).plain;
}

describe.each(Object.entries(copies))('%s', (name, copy) => {
  test.each([1, 2, 3])('takes what moves while it is made, from its segment %i on', async (nth) => {
    const { disk, id } = filled();
    const segments = plainSegments(disk);
    expect(segments.length).toBeGreaterThan(4);
    const opened = paths.segment(segments[nth - 1] as number);
    let moved = 0;
    const environment = environmentOf(disk, 'c');
    const slow = beforeOpening(environment.disk, (path) => {
      if (path !== opened || moved > 0) return;
      moved = archiveAll(disk.process('m'), DIRECTORY, id).length;
    });
    await copy({ ...environment, disk: slow });
    expect(moved).toBeGreaterThan(nth);
    const commits = name === 'a backup' ? COMMITS : COMMITS + 1;
    const facts = { commits, isBackup: name === 'a backup', run: copy };
    expect(problemsOfTarget(disk, facts)).toEqual([]);
  });

  test('gives up, and leaves nothing, when something moves each time', async () => {
    const { disk } = filled();
    const [first = 1] = plainSegments(disk);
    const mover = disk.process('m');
    mover.makeDirectory(paths.archive);
    let attempts = 0;
    const environment = environmentOf(disk, 'c');
    const slow = beforeOpening(environment.disk, (path) => {
      if (path !== paths.segment(first)) return;
      attempts += 1;
      mover.close(mover.open(`${paths.archive}/moved-${attempts}`, 'create'));
    });
    const made = copy({ ...environment, disk: slow });
    await expect(made).rejects.toMatchObject({
      code: 'STORE_ACCESS',
      message: expect.stringMatching(/\/memory.*moved.*try again/) as string,
    });
    expect(attempts).toBe(10);
    expect(disk.paths().filter((path) => path.startsWith('/there/'))).toEqual(['/there/']);
    expect(disk.process('c').openFiles).toEqual([]);
  });
});
