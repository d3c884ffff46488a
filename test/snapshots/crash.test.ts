/** A snapshot that is cut short at any call to the disk, of one process or of the whole machine: nothing acknowledged is lost, and no read is wrong. */
import { describe, expect, test } from 'vitest';
import { openStoreOnSync, type Store } from '#src/store.js';
import { keepNewest, keepOldest, seededChooser } from '../support/chooser.js';
import { changes } from '../support/crash-search.js';
import { SeededRandom } from '../support/random.js';
import { oneOf, times } from '../support/runs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError, type SimulatedProcess } from '../support/simulated-process.js';
import { expectFold, expectHistories, expectLog } from '../support/snapshot-check.js';
import { derived, eventBy, type Told } from '../support/snapshots.js';
import { environmentOn, randomOn } from '../support/story.js';

const DIRECTORY = '/store';
/** Between the calls that fail. */
const STEP = times(1) > 1 ? 1 : 8;

function open(disk: SimulatedDisk, process: SimulatedProcess): Store {
  const environment = environmentOn(process, disk, randomOn(disk, 7));
  return openStoreOnSync(environment, DIRECTORY, { ...derived, segmentBytes: 4096 }) as Store;
}

function append(store: Store, random: SeededRandom, told: Told[], count: number): void {
  for (let n = 0; n < count; n += 1) {
    const next = eventBy(random, 6);
    store.appendSync(next.stream, next.event);
    told.push(next);
  }
}

/** Two snapshots with appends between them; `began` is told when each of them begins and ends. */
function tell(disk: SimulatedDisk, process: SimulatedProcess, told: Told[], calls: number[]): void {
  const random = new SeededRandom(3);
  const store = open(disk, process);
  append(store, random, told, 25);
  calls.push(process.calls);
  store.snapshotSync();
  calls.push(process.calls);
  append(store, random, told, 12);
  calls.push(process.calls);
  store.snapshotSync();
  calls.push(process.calls);
  append(store, random, told, 5);
  store.closeSync();
}

/** What is left of the store is right, and goes on: also when it makes a snapshot itself. */
function check(disk: SimulatedDisk, told: readonly Told[]): void {
  const process = disk.process('survivor');
  const store = open(disk, process);
  try {
    expect(store.head.position).toBe(told.length);
    expectFold(store, told, [1, told.length >> 1]);
    expectLog(store, told);
    const more = [...told];
    append(store, new SeededRandom(told.length), more, 3);
    store.snapshotSync();
    expectFold(store, more, [told.length]);
    expectHistories(store, more, 5);
    store.closeSync();
    const again = open(disk, process);
    expectFold(again, more);
    expect(process.list(`${DIRECTORY}/snapshots`).filter((name) => name.endsWith('.tmp'))).toEqual(
      [],
    );
    again.closeSync();
  } finally {
    process.die();
  }
}

interface Crash {
  readonly call: number;
  readonly moment: 'during' | 'after';
}

/** The calls that change what the disk holds while a snapshot is made. */
function crashes(): Crash[] {
  const disk = new SimulatedDisk({ seed: 1 });
  const calls: number[] = [];
  tell(disk, disk.process('a'), [], calls);
  const [first = 0, second = 0, third = 0, fourth = 0] = calls;
  const inside = disk.trace.filter(
    ({ process, number }) =>
      process === 'a' &&
      ((number > first && number <= second) || (number > third && number <= fourth)),
  );
  return inside
    .filter(changes)
    .flatMap(({ number, method }) => [
      ...(method === 'write' ? [{ call: number, moment: 'during' as const }] : []),
      { call: number, moment: 'after' as const },
    ]);
}

describe('a snapshot', { timeout: 240_000 }, () => {
  const all = crashes();

  test('makes many calls that can be cut short', () => {
    expect(all.length).toBeGreaterThan(60);
  });

  test.each(['death', 'power loss'] as const)('survives %s at every call', (kind) => {
    const among = oneOf(4);
    for (const { call, moment } of all.filter((_, index) => among(index))) {
      const disk = new SimulatedDisk({ seed: 1 });
      const process = disk.process('a');
      const told: Told[] = [];
      process.crashAt(call, moment);
      expect(() => tell(disk, process, told, [])).toThrow(CrashError);
      if (kind === 'death') {
        check(disk, told);
        continue;
      }
      for (const choose of [keepOldest, keepNewest, seededChooser(call)]) {
        check(disk.powerLoss(choose), told);
      }
    }
  });

  test('tells of a disk that is full, or fails, at every call, and goes on', () => {
    for (const code of ['ENOSPC', 'EIO', 'EMFILE'] as const) {
      for (let number = 1, done = false; !done; number += STEP) {
        const disk = new SimulatedDisk({ seed: 1 });
        const process = disk.process('a');
        const told: Told[] = [];
        const store = open(disk, process);
        append(store, new SeededRandom(3), told, 25);
        // What the log itself writes has tests of its own.
        store.snapshotSync();
        append(store, new SeededRandom(4), told, 10);
        const lift = process.inject({ path: /snapshots/, call: number, code });
        let error: unknown;
        try {
          store.snapshotSync();
          done = process.calls > 0 && number > 20;
        } catch (thrown) {
          error = thrown;
        }
        lift();
        if (error !== undefined) {
          done = false;
          expect(error).toHaveProperty('code', code === 'ENOSPC' ? 'STORE_FULL' : 'STORE_ACCESS');
        }
        expectFold(store, told, [10]);
        store.snapshotSync();
        expectFold(store, told);
        store.closeSync();
        check(disk, told);
        expect(number).toBeLessThan(400);
      }
    }
  });
});
