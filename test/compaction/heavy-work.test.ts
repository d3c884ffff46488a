/** Where the heavy part of a compaction is done, and what becomes of it when that ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Compaction } from '#src/compaction/compaction.js';
import { ThreadDied, ThreadWork } from '#src/compaction/heavy-thread.js';
import { type HeavyWork, SlicedWork } from '#src/compaction/heavy-work.js';
import { type Log, openLog, verifyStore } from '#src/index.js';
import { archivable } from '#src/log/archivable.js';
import { listLog } from '#src/log/paths.js';
import { run } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

async function written(): Promise<{ directory: string; log: Log }> {
  const directory = temporaryDirectory();
  const log = await openLog(directory, { segmentBytes: 8192 });
  const data = { text: 'x'.repeat(300) };
  for (let round = 0; round < 10; round += 1) {
    const events = Array.from({ length: 10 }, () => log.append('a/1', { type: 'added', data }));
    await Promise.all(events);
  }
  return { directory, log };
}

function compactionOf(log: Log, work?: HeavyWork): Compaction {
  const { internals } = log;
  const source = {
    log: internals,
    snapshotAll: async () => ({ position: internals.position, projections: [] }),
    append: () => Promise.reject(new Error('there is nothing to note')),
    retention: undefined,
    isAwaited: () => true,
  };
  return new Compaction(source, work);
}

function scriptIn(directory: string, text: string): URL {
  const path = join(directory, 'thread.mjs');
  writeFileSync(path, text);
  return pathToFileURL(path);
}

describe('heavy work', () => {
  test('is done in a thread, whose damage is the caller’s error', async () => {
    const { directory, log } = await written();
    const work = new ThreadWork(directory, () => true);
    const { internals } = log;
    const jobs = await internals.run(archivable(internals.paths, log.id, internals.position));
    const [first, second] = jobs;
    if (!first || !second) throw new Error('there is too little to move');
    expect(await work.archive(first)).toMatchObject({ first: 1, last: first.last });
    const wrong = { ...second, seal: '0'.repeat(64) };
    await expect(work.archive(wrong)).rejects.toThrow(
      expect.objectContaining({
        code: 'STORE_DAMAGED',
        file: internals.paths.segment(second.first),
      }),
    );
    await expect(work.archive(first)).rejects.toThrow(expect.objectContaining({ code: 'ENOENT' }));
    await work.stop();
    await expect(work.archive(second)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }),
    );
    await log.close();
    expect((await verifyStore(directory)).ok).toBe(true);
  });

  test.each([
    ['ends at once', 'process.exit(3);'],
    ['throws', 'throw new Error("no");'],
    [
      'dies at its first piece of work',
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(1));',
    ],
  ])('goes on in slices when the thread %s', async (_name, text) => {
    const { directory, log } = await written();
    const script = scriptIn(temporaryDirectory(), text);
    const dying = new ThreadWork(directory, () => true, script);
    const compaction = compactionOf(log, dying);
    const report = await compaction.run(false, true);
    expect(report?.moved.length).toBeGreaterThan(2);
    const listing = await log.internals.run(listLog(log.internals.paths));
    expect(listing.archived).toEqual(report?.moved.map(({ first }) => first));
    expect(await log.readAll().toArray()).toHaveLength(100);
    await compaction.close();
    await log.close();
    expect((await verifyStore(directory)).ok).toBe(true);
  });

  test('tells of a thread that died while nobody else could do the work', async () => {
    const { directory, log } = await written();
    const work = new ThreadWork(
      directory,
      () => true,
      scriptIn(temporaryDirectory(), 'process.exit(3);'),
    );
    const { internals } = log;
    const [job] = await internals.run(archivable(internals.paths, log.id, internals.position));
    if (!job) throw new Error('there is nothing to move');
    await expect(work.archive(job)).rejects.toThrow(ThreadDied);
    await work.stop();
    await log.close();
  });
});

describe('a process', () => {
  test('stays for heavy work that somebody began to wait for late', async () => {
    const { directory, log } = await written();
    await log.close();
    const ending = await run('awaiting-work.mjs', { task: { directory } });
    expect(ending).toMatchObject({ code: 0, errors: '' });
    expect(ending.output).toMatch(/^moved 1\nmoved [0-9]+\nmoved [0-9]+\ndone\n$/);
  });
});

describe('a dry run', () => {
  test('begins anew when another process moves what it looks at', async () => {
    const { log } = await written();
    const { internals } = log;
    const other = new SlicedWork(internals.disk);
    const own = new SlicedWork(internals.disk);
    const taken: number[] = [];
    const work: HeavyWork = {
      archive: (job) => own.archive(job),
      async measure(job) {
        if (taken.length < 2) taken.push((await other.archive(job)).first);
        return await own.measure(job);
      },
      remains: (job) => own.remains(job),
      await: () => own.await(),
      stop: () => own.stop(),
    };
    const compaction = compactionOf(log, work);
    const report = await compaction.run(true, true);
    expect(taken).toHaveLength(2);
    expect(report?.moved.length).toBeGreaterThan(0);
    expect(report?.moved.map(({ first }) => first)).not.toContain(taken[0]);
    await compaction.close();
    await log.close();
  });
});
