import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runAsync, runSync } from '#src/log/io.js';
import { LogBuilder } from '#src/log/log-builder.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { pathsOf } from '#src/log/paths.js';
import { verifyLog } from '#src/log/verify.js';
import {
  addTo,
  BuiltStore,
  commitsOf,
  contentOf,
  environmentFor,
  readBytes,
} from '../support/built-store.js';
import { keepOldest, seededChooser } from '../support/chooser.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError } from '../support/simulated-process.js';
import { problemsOfBytes } from '../support/stored-bytes.js';

const GROUPS = [1, 3, 2, 7, 5, 9, 1, 4];

describe('log builder', () => {
  test('writes what it was given, contiguous, in several segments, each byte as the format says', () => {
    const disk = new SimulatedDisk();
    const built = new BuiltStore({ groups: GROUPS, segmentBytes: 2048, disk: disk.process() });
    expect(built.segments.length).toBeGreaterThan(2);
    expect(problemsOfBytes(disk, '/store')).toEqual([]);
    const commits = commitsOf(built.disk, built.paths);
    expect(commits.map(({ position }) => position)).toEqual(commits.map((_, index) => index + 1));
    expect(commits.map(({ content }) => content)).toEqual(
      commits.map((_, index) => contentOf(index + 1)),
    );
  });

  test('makes a store that opens and takes the next commit', () => {
    const built = new BuiltStore({ groups: GROUPS, segmentBytes: 2048 });
    const log = openLogOnSync(built.environment, '/store');
    expect(log.recovery.state).toBe('clean');
    expect(log.head).toMatchObject({ position: 32, seal: built.place.seal });
    const version = log.versionSync('users/anna');
    const { position } = log.appendSync(
      'users/anna',
      { type: 'added', data: 1 },
      { expectedVersion: version },
    );
    expect(position).toBe(33);
    const recorded = log.readAllSync({ from: 4, to: 4 }).toArray();
    expect(recorded.map(({ stream, data, actor }) => ({ stream, data, actor }))).toEqual(
      contentOf(4).events.map(({ stream, data }) => ({ stream, data, actor: 'agent' })),
    );
    log.closeSync();
  });

  test('takes payloads as text, and gives out positions and versions anew', () => {
    const disk = new MemoryDisk();
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'));
    const t = '2026-01-01T00:00:00.000Z';
    runSync(disk, builder.add({ p: 1, t, e: [['a', 1, 'x']] }, ',"d":[{"n":1}]'));
    expect(builder.renumbered).toBe(false);
    runSync(
      disk,
      builder.add(
        {
          p: 7,
          t,
          e: [
            ['a', 5, 'x'],
            ['b', 1, 'y', 2],
          ],
        },
        ',"d":[2,3],"m":[null,{}]',
      ),
    );
    expect(builder.renumbered).toBe(true);
    const report = runSync(disk, builder.publish());
    expect(report).toMatchObject({ ok: true, commits: 2, events: 3, streams: 2 });
    expect(
      commitsOf(disk, pathsOf('/store')).map((commit) => [commit.position, commit.versions]),
    ).toEqual([
      [1, [1]],
      [2, [2, 1]],
    ]);
  });

  test('never lets a time go back, and keeps the one that did', () => {
    const disk = new MemoryDisk();
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'));
    for (const t of [
      '2026-01-02T00:00:00.000Z',
      '2026-01-01T00:00:00.000Z',
      '2026-01-03T00:00:00.000Z',
    ]) {
      runSync(disk, builder.add({ t, e: [['a', 0, 'x']] }, { data: [t] }));
    }
    expect(runSync(disk, builder.publish()).ok).toBe(true);
    const commits = commitsOf(disk, pathsOf('/store'));
    expect(commits.map(({ content }) => [content.time, content.context['w']])).toEqual([
      ['2026-01-02T00:00:00.000Z', undefined],
      ['2026-01-02T00:00:00.000Z', '2026-01-01T00:00:00.000Z'],
      ['2026-01-03T00:00:00.000Z', undefined],
    ]);
  });

  test('seals groups by itself once they are long enough', () => {
    const disk = new MemoryDisk();
    const options = { groupBytes: 1000 };
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store', options));
    for (let number = 1; number <= 50; number += 1) {
      const text = 'x'.repeat(number * 20);
      runSync(disk, builder.add({ t: contentOf(1).time, e: [['a', 0, 'x']] }, { data: [text] }));
    }
    const report = runSync(disk, builder.publish());
    expect(report.ok).toBe(true);
    expect(report.groups).toBeGreaterThan(15);
  });

  test('takes a commit that is larger than its buffer, and refuses one longer than a line may be', () => {
    const disk = new MemoryDisk();
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'));
    const head = { t: contentOf(1).time, e: [['a', 0, 'x']] as const };
    runSync(disk, builder.add(head, { data: ['ü'.repeat(2_000_000)] }));
    const tooLong = `,"d":["${'x'.repeat(64 * 1024 * 1024)}"]`;
    expect(() => runSync(disk, builder.add(head, tooLong))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', limit: 'lineBytesMax' }),
    );
    runSync(disk, builder.add(head, { data: ['after'] }));
    expect(runSync(disk, builder.publish())).toMatchObject({ ok: true, commits: 2 });
  });

  test('puts nothing at the target before it publishes, and nothing beside it afterwards', async () => {
    const disk = new MemoryDisk();
    const builder = await runAsync(disk, LogBuilder.begin(environmentFor(disk), '/a/b/store'));
    expect(disk.facts('/a/b/store')).toBeUndefined();
    expect(disk.list('/a/b')).toEqual([expect.stringMatching(/^store\.[0-9a-f]{12}\.tmp$/)]);
    await runAsync(disk, builder.publish());
    expect(disk.list('/a/b')).toEqual(['store']);
    expect(disk.list('/a/b/store')).toEqual(['anchor', 'index', 'lock', 'log', 'store.json']);
  });

  test('refuses a target where something stands, at the beginning and at the end', () => {
    const disk = new MemoryDisk();
    disk.makeDirectory('/store');
    const refusal = expect.objectContaining({ code: 'TARGET_EXISTS' });
    expect(() => runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'))).toThrow(refusal);
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/other'));
    disk.close(disk.open('/other', 'create'));
    expect(() => runSync(disk, builder.publish())).toThrow(refusal);
    expect(disk.list('/')).toEqual(['other', 'store']);
  });

  test('leaves nothing behind when it is given up', () => {
    const disk = new MemoryDisk();
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'));
    runSync(disk, builder.discard());
    expect(disk.list('/')).toEqual([]);
  });
});

/** Builds a small store; gives the number of calls it took. */
function build(disk: SimulatedDisk): number {
  const process = disk.process();
  const environment = environmentFor(process);
  const options = { segmentBytes: 1024, groupBytes: 700 };
  const builder = runSync(process, LogBuilder.begin(environment, '/home/store', options));
  for (let number = 1; number <= 6; number += 1)
    runSync(process, addTo(builder, contentOf(number)));
  runSync(process, builder.publish());
  return process.calls;
}

function home(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.process().makeDirectory('/home');
  disk.process().syncDirectory('/');
  return disk;
}

describe('log builder, when things go wrong', () => {
  const calls = build(home());

  test('survives a power loss right after it published', () => {
    const disk = home();
    build(disk);
    expect(problemsOfBytes(disk.powerLoss(keepOldest), '/home/store')).toEqual([]);
  });

  test('leaves a whole store or none, wherever it dies and whatever a power loss does then', () => {
    for (let call = 3; call <= calls; call += 1) {
      for (const moment of ['before', 'during', 'after'] as const) {
        const disk = home();
        disk.process().crashAt(call, moment);
        try {
          build(disk);
        } catch (error) {
          if (!(error instanceof CrashError)) throw error;
        }
        const found = disk.powerLoss(seededChooser(call * 3 + moment.length));
        if (!found.paths().includes('/home/store/')) continue;
        expect(problemsOfBytes(found, '/home/store'), `${moment} call ${call}`).toEqual([]);
      }
    }
  });

  test('fails with the error of the disk and leaves nothing, whichever call fails', () => {
    for (let call = 3; call <= calls; call += 1) {
      const disk = home();
      const process = disk.process();
      process.inject({ call: call - 2, code: 'EIO' });
      let failure: unknown;
      try {
        build(disk);
      } catch (error) {
        failure = error;
      }
      const left = process.list('/home');
      if (failure === undefined) {
        expect(left, `call ${call}`).toEqual(['store']);
        expect(problemsOfBytes(disk, '/home/store')).toEqual([]);
      } else expect(left, `call ${call}`).toEqual([]);
      expect(process.openFiles, `call ${call}`).toEqual([]);
    }
  });

  test('tells when the disk does not give back what was written', () => {
    const disk = new MemoryDisk();
    const builder = runSync(disk, LogBuilder.begin(environmentFor(disk), '/store'));
    runSync(disk, builder.add({ t: contentOf(1).time, e: [['a', 0, 'x']] }, { data: [1] }));
    runSync(disk, builder.seal());
    const [temporary] = disk.list('/');
    const path = pathsOf(`/${temporary}`).segment(1);
    const file = disk.open(path, 'write');
    disk.write(file, Buffer.from('X'), 0, 1, readBytes(disk, path).indexOf('"x"') + 1);
    disk.close(file);
    expect(() => runSync(disk, builder.publish())).toThrow(/does not read back/);
    expect(disk.list(dirname(path.slice(0, 1)))).toEqual([]);
  });

  test('goes on after short writes', () => {
    const disk = new SimulatedDisk();
    disk.process().inject({ method: 'write', lasting: true });
    const built = new BuiltStore({ groups: [3, 2], disk: disk.process() });
    expect(built.run(verifyLog(built.paths, built.store, built.place)).ok).toBe(true);
  });
});
