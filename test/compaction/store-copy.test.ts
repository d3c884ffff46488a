import { describe, expect, test } from 'vitest';
import { backupStoreOn } from '#src/compaction/backup.js';
import { Course } from '#src/compaction/course.js';
import { StoreCopy } from '#src/compaction/store-copy.js';
import { isStoreFile } from '#src/compaction/store-files.js';
import { COMPACTION_LOCK } from '#src/log/format.js';
import { runSync } from '#src/log/io.js';
import { writeWhole } from '#src/log/whole-file.js';
import { BuiltStore } from '../support/built-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const built = (disk: SimulatedDisk) =>
  new BuiltStore({ groups: [2, 3, 1], segmentBytes: 700, disk: disk.process() });

describe('a copy of a store', () => {
  test('takes the successor of a snapshot that is replaced while it is copied', () => {
    const { disk, paths, put } = make();
    const copy = new StoreCopy(paths.directory, '/copy', new Course({}));
    disk.makeDirectory('/copy');
    const work = copy.takeFinished();
    let step = work.next();
    let isReplaced = false;
    while (!step.done) {
      const { method, args } = step.value;
      if (!isReplaced && method === 'open' && args[0] === '/store/snapshots/b') {
        isReplaced = true;
        put('/store/snapshots/c', 'newer');
        disk.remove('/store/snapshots/b');
      }
      const call = disk[method as 'open'] as unknown as (...all: readonly unknown[]) => unknown;
      try {
        step = work.next(call.apply(disk, [...args]));
      } catch (error) {
        step = work.throw(error);
      }
    }
    expect([...copy.digests.keys()]).toEqual(['snapshots/a', 'snapshots/c']);
  });

  test('waits for a compaction, and tells when it does not end in time', async () => {
    const disk = new SimulatedDisk();
    const { environment } = built(disk);
    const other = disk.process('other');
    const lock = other.open('/store/lock', 'write');
    expect(other.tryLock(lock, COMPACTION_LOCK, 'exclusive')).toBe(true);
    const access = { lockTimeoutMs: 0 };
    const backup = () => backupStoreOn(environment, '/store', '/backup', {}, access);
    await expect(backup()).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', file: '/store/lock' });
    expect(disk.process().list('/')).toEqual(['store']);
    // Another copy is in nobody's way, and keeps compaction away while it lasts.
    other.unlock(lock, COMPACTION_LOCK);
    expect(other.tryLock(lock, COMPACTION_LOCK, 'shared')).toBe(true);
    let during: boolean | undefined;
    const compacting = disk.process('compacting');
    const file = compacting.open('/store/lock', 'write');
    const onProgress = () => {
      during ??= compacting.tryLock(file, COMPACTION_LOCK, 'exclusive');
    };
    other.close(lock);
    await backupStoreOn(environment, '/store', '/backup', { onProgress }, access);
    expect(during).toBe(false);
    expect(compacting.tryLock(file, COMPACTION_LOCK, 'exclusive')).toBe(true);
  });
});

function make() {
  const simulated = new SimulatedDisk();
  const disk = simulated.process();
  const { paths } = built(simulated);
  disk.makeDirectory('/store/snapshots');
  const put = (path: string, text: string) => runSync(disk, writeWhole(path, Buffer.from(text)));
  put('/store/snapshots/a', 'old');
  put('/store/snapshots/b', 'also old');
  return { disk, paths, put };
}

describe('names of files that belong to a store', () => {
  test.each([
    'store.json',
    'anchor',
    'lock',
    'log/00000000000000000001.ndjson',
    'archive/00000000000000000001.ndjson.gz',
    'snapshots/by stream@2/100',
  ])('%s is one', (name) => {
    expect(isStoreFile(name)).toBe(true);
  });

  test.each([
    '',
    'log',
    'manifest.json',
    'index/00000000000000000001.ndjson',
    'log/1.ndjson',
    'log/a/00000000000000000001.ndjson',
    '../store.json',
    'snapshots/../../secret',
    'snapshots//a',
    'snapshots/',
    'snapshots/.hidden',
    'archive/a\\b',
    'archive/c:d',
    'archive/\u0000',
    'archive/a.tmp',
    '/archive/a',
    `archive/${'a'.repeat(300)}`,
    `archive/${'a/'.repeat(20)}a`,
  ])('%j is none', (name) => {
    expect(isStoreFile(name)).toBe(false);
  });
});
