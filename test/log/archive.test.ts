/** Archived segments: moved whole or not at all, read like any other, and their damage found. */
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { StoreDamagedError, systemCode } from '#src/errors.js';
import { archivable } from '#src/log/archivable.js';
import { runSync } from '#src/log/io.js';
import type { Log } from '#src/log/log.js';
import { verifyStoreOnSync } from '#src/log/maintenance.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { listLog, pathsOf } from '#src/log/paths.js';
import { salvageLog } from '#src/log/salvage.js';
import type { RecordedEvent } from '#src/log/types.js';
import { archiveAll, archiving } from '../support/archiving.js';
import { readBytes } from '../support/built-store.js';
import { keepNewest, keepOldest, seededChooser } from '../support/chooser.js';
import { SeededRandom } from '../support/random.js';
import { times } from '../support/runs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError } from '../support/simulated-process.js';
import { DIRECTORY, environmentOn, randomOn } from '../support/story.js';
import { verificationOf } from '../support/verification.js';

afterAll(() => {
  vi.useRealTimers();
});

const paths = pathsOf(DIRECTORY);
/** Between the calls at which it dies or that fail. */
const STEP = times(1) > 1 ? 1 : 3;

function openOn(disk: SimulatedDisk, name: string, readOnly = false): Log {
  const random = randomOn(disk, name.charCodeAt(0));
  const environment = environmentOn(disk.process(name), disk, random);
  return openLogOnSync(environment, DIRECTORY, { segmentBytes: 4096, readOnly });
}

/** A log of several small segments, and all of its events. */
function written(commits = 90): {
  disk: SimulatedDisk;
  id: string;
  events: readonly RecordedEvent[];
} {
  const disk = new SimulatedDisk();
  const random = new SeededRandom(7);
  const log = openOn(disk, 'a');
  for (let number = 1; number <= commits; number += 1) {
    const stream = random.chance(0.3) ? 'busy' : `quiet/${random.below(30)}`;
    const data = { number, text: 'é'.repeat(random.below(120)) };
    const idempotencyKey = number % 5 === 0 ? `key-${number}` : undefined;
    log.appendSync(stream, { type: 'happened', data }, { idempotencyKey });
    disk.clock.advance(1000);
  }
  const events = log.readAllSync().toArray();
  const { id } = log;
  log.closeSync();
  return { disk, id, events };
}

function listing(disk: SimulatedDisk) {
  return runSync(disk.process('lister'), listLog(paths));
}

function verified(disk: SimulatedDisk, name = 'v') {
  const environment = environmentOn(disk.process(name), disk, randomOn(disk, 1));
  return verifyStoreOnSync(environment, verificationOf(paths));
}

/** Everything that can be asked of a log, in one value. */
function answers(log: Log): unknown {
  const streams = ['busy', 'quiet/3', 'quiet/11', 'absent'];
  return {
    all: log.readAllSync().toArray(),
    backward: log.readAllSync({ direction: 'backward', limit: 20 }).toArray(),
    middle: log.readAllSync({ from: 11, to: 43, streams: ['quiet/*', 'busy'] }).toArray(),
    streams: streams.map((stream) => log.readStreamSync(stream).toArray()),
    backwards: streams.map((stream) =>
      log.readStreamSync(stream, { direction: 'backward', to: 9 }).toArray(),
    ),
    versions: streams.map((stream) => log.versionSync(stream)),
    at: ['2000-01-01T00:00:00.000Z', log.readAllSync().toArray()[40]?.time ?? ''].map((time) =>
      log.internals.runSync(log.internals.positionAt(time, 1000)),
    ),
  };
}

describe('a segment in the archive', () => {
  test('is what the segment was, to zcat as well', () => {
    const { disk, id } = written();
    const { plain } = listing(disk);
    const before = plain.map((first) => readBytes(disk.process('r'), paths.segment(first)));
    const moved = archiveAll(disk.process('c'), DIRECTORY, id);
    expect(moved.length).toBeGreaterThan(3);
    const after = listing(disk);
    expect(after.archived).toEqual(plain.slice(0, moved.length));
    expect(after.plain).toEqual(plain.slice(moved.length));
    moved.forEach(({ first, bytes, archiveBytes }, index) => {
      const archive = readBytes(disk.process('r'), paths.archived(first));
      expect(archive.length).toBe(archiveBytes);
      expect(bytes).toBe(before[index]?.length);
      expect(gunzipSync(archive).equals(before[index] as Buffer)).toBe(true);
    });
    expect(disk.process('c').openFiles).toEqual([]);
  });

  test('answers everything that it answered before', () => {
    const { disk, id } = written();
    const open = openOn(disk, 'a');
    const expected = answers(open);
    const moved = archiveAll(disk.process('c'), DIRECTORY, id);
    expect(moved.length).toBeGreaterThan(3);
    // To a log that was open all along, to one that is opened now, and to one that may not write.
    expect(answers(open)).toEqual(expected);
    const found = openOn(disk, 'b');
    expect(answers(found)).toEqual(expected);
    expect(found.appendSync('busy', { type: 'happened', data: null }).position).toBe(91);
    expect(
      found.appendSync('x', { type: 'happened', data: null }, { idempotencyKey: 'once' }).repeated,
    ).toBe(false);
    const again = { idempotencyKey: 'key-5' };
    const first = found.readAllSync({ from: 5, to: 5 }).toArray()[0] as RecordedEvent;
    const { type, data } = first;
    expect(found.appendSync(first.stream, { type, data }, again)).toMatchObject({
      position: 5,
      repeated: true,
    });
    expect(openOn(disk, 'd', true).readAllSync().toArray()).toHaveLength(92);
    open.closeSync();
    found.closeSync();
  });

  test('is read without its index file, too, which is then made again', () => {
    const { disk, id, events } = written();
    archiveAll(disk.process('c'), DIRECTORY, id);
    const process = disk.process('i');
    for (const name of process.list(paths.index)) process.remove(`${paths.index}/${name}`);
    const log = openOn(disk, 'a');
    for (const stream of ['busy', 'quiet/3']) {
      const expected = events.filter((event) => event.stream === stream);
      expect(log.readStreamSync(stream).toArray()).toEqual(expected);
    }
    log.closeSync();
    expect(process.list(paths.index).length).toBeGreaterThan(3);
  });

  test('is verified as deeply as it was in the log', () => {
    const { disk, id } = written();
    const before = verified(disk);
    expect(archiveAll(disk.process('c'), DIRECTORY, id).length).toBeGreaterThan(3);
    expect(verified(disk, 'w')).toEqual(before);
    expect(before).toMatchObject({ ok: true, commits: 90 });
  });

  test('is found by its name only once the anchor is beyond it', () => {
    const { disk, id } = written();
    archiveAll(disk.process('c'), DIRECTORY, id);
    const { plain } = listing(disk);
    // The last closed one stays when a slot of the anchor still names it.
    expect(plain.length).toBeLessThanOrEqual(2);
    const process = disk.process('n');
    const mark = process.open(paths.lock, 'write');
    process.write(mark, Buffer.alloc(128), 0, 128, 0);
    const log = openOn(disk, 'a');
    expect(log.recovery.state).toBe('clean');
    expect(log.readAllSync().toArray()).toHaveLength(90);
    log.closeSync();
  });
});

describe('moving a segment', () => {
  function afterwards(disk: SimulatedDisk, id: string, events: readonly RecordedEvent[]): void {
    const log = openOn(disk, 'x');
    expect(log.readAllSync().toArray()).toEqual(events);
    log.closeSync();
    archiveAll(disk.process('y'), DIRECTORY, id);
    const left = disk.process('y').list(paths.archive);
    expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const { plain, archived } = listing(disk);
    expect(plain.filter((first) => archived.includes(first))).toEqual([]);
    expect(verified(disk)).toMatchObject({ ok: true, commits: events.length });
  }

  test.each(['before', 'during', 'after'] as const)(
    'survives a death and a power loss %s every call',
    (moment) => {
      for (let call = 1; ; call += STEP) {
        const { disk, id, events } = written(30);
        const process = disk.process('c');
        process.crashAt(call, moment);
        let died = false;
        try {
          archiveAll(process, DIRECTORY, id);
        } catch (error) {
          if (!(error instanceof CrashError)) throw error;
          died = true;
        }
        if (!died && process.calls < call) {
          expect(call).toBeGreaterThan(40);
          break;
        }
        const choosers = [keepOldest, keepNewest, seededChooser(call)];
        for (const choose of choosers) afterwards(disk.powerLoss(choose), id, events);
        afterwards(disk, id, events);
      }
    },
  );

  test.each(['EIO', 'ENOSPC', 'EMFILE'])(
    'leaves the segment or the archive when a call fails with %s',
    (code) => {
      for (let call = 1; ; call += STEP) {
        const { disk, id, events } = written(30);
        const process = disk.process('c');
        const lift = process.inject({ call, code });
        let failed = false;
        try {
          archiveAll(process, DIRECTORY, id);
        } catch (error) {
          expect(systemCode(error)).toBe(code);
          failed = true;
        }
        lift();
        expect(process.openFiles).toEqual([]);
        afterwards(disk, id, events);
        if (!failed && call > 100) break;
      }
    },
  );

  test('refuses a segment that is damaged, and leaves it as it is', () => {
    const { disk, id } = written();
    const process = disk.process('d');
    const file = process.open(paths.segment(1), 'write');
    process.write(file, Buffer.from('X'), 0, 1, 1500);
    const before = readBytes(process, paths.segment(1));
    expect(() => archiveAll(disk.process('c'), DIRECTORY, id)).toThrow(StoreDamagedError);
    expect(readBytes(process, paths.segment(1)).equals(before)).toBe(true);
    expect(listing(disk).archived).toEqual([]);
    expect(process.list(paths.archive)).toEqual([]);
  });

  test('refuses a segment with a changed event', () => {
    const { disk, id } = written();
    const process = disk.process('d');
    const before = readBytes(process, paths.segment(1));
    const at = before.indexOf('"number":', 1500) + '"number":'.length;
    const file = process.open(paths.segment(1), 'write');
    process.write(file, Buffer.from(before[at] === 0x39 ? '8' : '9'), 0, 1, at);
    expect(() => archiveAll(disk.process('c'), DIRECTORY, id)).toThrow(StoreDamagedError);
    expect(listing(disk).archived).toEqual([]);
  });

  test('leaves what lies behind the position that is covered', () => {
    const { disk, id } = written();
    const { plain } = listing(disk);
    const third = plain[2] as number;
    const through = (last: number) =>
      runSync(disk.process('c'), archivable(paths, id, last)).map(({ first }) => first);
    expect(through(third - 1)).toEqual(plain.slice(0, 2));
    expect(through(third - 2)).toEqual(plain.slice(0, 1));
    expect(through(0)).toEqual([]);
  });

  test('shows readers the segment or the archive at every moment', () => {
    const { disk, id, events } = written();
    const reader = openOn(disk, 'r');
    const work = archiving(DIRECTORY, id);
    const process = disk.process('c');
    let step = work.next();
    let calls = 0;
    while (!step.done) {
      const { method, args } = step.value;
      const call =
        method === 'rest' ? undefined : (process[method] as (...values: unknown[]) => unknown);
      try {
        const answer = call?.apply(process, [...args]);
        step = work.next(answer);
      } catch (error) {
        step = work.throw(error);
      }
      calls += 1;
      if (calls % 3 === 0) expect(reader.readAllSync().toArray()).toEqual(events);
      if (calls % 7 === 0) {
        const fresh = openOn(disk, 's', true);
        expect(fresh.readStreamSync('busy').toArray()).toEqual(
          events.filter(({ stream }) => stream === 'busy'),
        );
        fresh.closeSync();
      }
    }
    expect(reader.readAllSync().toArray()).toEqual(events);
    reader.closeSync();
  });
});

describe('a damaged archive', () => {
  test('is never a wrong answer, whichever byte is changed', () => {
    const { disk, id, events } = written(40);
    archiveAll(disk.process('c'), DIRECTORY, id);
    const process = disk.process('d');
    const path = paths.archived(1);
    const bytes = readBytes(process, path);
    const file = process.open(path, 'write');
    let found = 0;
    for (let at = 0; at < bytes.length; at += at % 64 === 0 ? 1 : 11) {
      process.write(file, Buffer.of((bytes[at] as number) ^ 0x41), 0, 1, at);
      try {
        const log = openOn(disk, 'r', true);
        const { state } = log.recovery;
        expect(log.readAllSync().toArray()).toEqual(state === 'damaged' ? [] : events);
        if (state === 'damaged') found += 1;
        log.closeSync();
      } catch (error) {
        expect(error).toBeInstanceOf(StoreDamagedError);
        expect(error).toMatchObject({ file: path });
        found += 1;
      }
      const report = verified(disk);
      expect(report.ok).toBe(false);
      expect(report.damage?.file).toBe(path);
      process.write(file, bytes, at, 1, at);
    }
    expect(found).toBeGreaterThan(100);
  });

  test('says where, and which position', () => {
    const { disk, id } = written();
    archiveAll(disk.process('c'), DIRECTORY, id);
    const process = disk.process('d');
    const second = listing(disk).archived[1] as number;
    const file = process.open(paths.archived(second), 'write');
    process.write(file, Buffer.from('X'), 0, 1, 30);
    const log = openOn(disk, 'r');
    expect(() => log.readAllSync().toArray()).toThrow(
      expect.objectContaining({
        code: 'STORE_DAMAGED',
        file: paths.archived(second),
        offset: 0,
        position: second,
      }),
    );
    log.closeSync();
  });

  test('keeps what its other members hold from being lost', () => {
    const { disk, id, events } = written();
    archiveAll(disk.process('c'), DIRECTORY, id);
    const process = disk.process('d');
    const { archived } = listing(disk);
    const [first = 0, second = 0, third = 0] = archived;
    // One without its directory, one with a broken member.
    const whole = readBytes(process, paths.archived(first));
    process.truncate(process.open(paths.archived(first), 'write'), whole.length - 200);
    process.write(process.open(paths.archived(second), 'write'), Buffer.from('X'), 0, 1, 30);
    const environment = environmentOn(disk.process('s'), disk, randomOn(disk, 3));
    const report = runSync(environment.disk, salvageLog(environment, paths, '/saved'));
    expect(report.lost).toEqual([
      expect.objectContaining({ file: paths.archived(second), positions: [second, third - 1] }),
    ]);
    expect(report.commits).toBe(events.length - (third - second));
  });
});
