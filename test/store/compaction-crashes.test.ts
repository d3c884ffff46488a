/** Compaction with retention, ended or refused at every call to the disk: the next one goes on, and nothing is lost that was to be kept. */
import { afterAll, expect, test, vi } from 'vitest';
import { RecollectError, type RecordedEvent, type Store } from '#src/index.js';
import { append, listing, openOn, paths, verified } from '../support/aging-store.js';
import { keepOldest, seededChooser } from '../support/chooser.js';
import { times } from '../support/runs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError } from '../support/simulated-process.js';

afterAll(() => {
  vi.useRealTimers();
});

const options = { retention: { days: 2 }, compaction: false } as const;
/** Every so manieth call; the three moments and codes begin at different ones. */
const STEP = times(1) > 1 ? 3 : 9;

interface Ready {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly events: readonly RecordedEvent[];
}

/** A store that was just opened and has segments to move and to drop. */
async function ready(): Promise<Ready> {
  const disk = new SimulatedDisk();
  const made = await openOn(disk, 'a', { compaction: false });
  await append(made, disk, ['a/1', 'b/1'], 45);
  const events = await made.readAll().toArray();
  await made.close();
  return { disk, events, store: await openOn(disk, 'c', options) };
}

async function expectWhole(disk: SimulatedDisk, events: readonly RecordedEvent[]): Promise<void> {
  const next = await openOn(disk, 'x', options);
  await next.compact();
  const { plain, archived, dropped } = listing(disk);
  expect(archived.filter((first) => dropped.includes(first))).toEqual([]);
  const kept = Math.min(...archived, ...plain);
  expect(kept).toBeGreaterThan(9);
  expect(await next.readAll({ from: kept, to: 45 }).toArray()).toEqual(events.slice(kept - 1));
  expect(await next.version('a/1')).toBe(23);
  const notes = await next.readStream('$store/retention').toArray();
  expect(notes.at(-1)?.data).toMatchObject({ lastPosition: kept - 1 });
  const left = disk.process('x').list(paths.archive);
  expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  await next.close();
  expect(verified(disk)).toMatchObject({ ok: true, firstPosition: kept });
}

test.each([
  ['before', 1],
  ['during', 3],
  ['after', 6],
] as const)(
  'survives a death and a power loss %s every call',
  { timeout: 300_000 },
  async (moment, begin) => {
    for (let call = begin as number; ; call += STEP) {
      const { disk, store, events } = await ready();
      const process = disk.process('c');
      const last = process.calls + call;
      process.crashAt(last, moment);
      try {
        await store.compact();
      } catch (error) {
        if (process.alive) throw error;
        expect(error).toBeInstanceOf(CrashError);
      }
      if (process.alive && process.calls < last) {
        expect(call).toBeGreaterThan(100);
        return;
      }
      for (const choose of [keepOldest, seededChooser(call)]) {
        await expectWhole(disk.powerLoss(choose), events);
      }
      await expectWhole(disk, events);
    }
  },
);

test.each([
  ['EIO', 1],
  ['ENOSPC', 3],
  ['EMFILE', 6],
] as const)(
  'says what happened when a call fails with %s, and goes on the next time',
  { timeout: 300_000 },
  async (code, begin) => {
    let failures = 0;
    for (let call = begin as number; ; call += STEP) {
      const { disk, store, events } = await ready();
      const process = disk.process('c');
      const before = process.calls;
      const lift = process.inject({ call, code });
      try {
        await store.compact();
      } catch (error) {
        expect(error).toBeInstanceOf(RecollectError);
        failures += 1;
      }
      const calls = process.calls - before;
      lift();
      await store.close();
      expect(process.openFiles).toEqual([]);
      await expectWhole(disk, events);
      if (calls < call) break;
    }
    expect(failures).toBeGreaterThan(7);
  },
);
