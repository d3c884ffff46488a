/** One index that is saved twice at the same time, by two processes or by two calls of one: what is loaded afterwards is whole, whoever is done first, or dies. */
import { describe, expect, test } from 'vitest';
import { openStoreOn, type Store } from '#src/store.js';
import { changes } from '../support/crash-search.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { CrashError } from '../support/simulated-process.js';
import { DIRECTORY, environmentOn, randomOn } from '../support/story.js';
import { tagIndexOf } from '../support/tag-index.js';

const index = tagIndexOf(true);
/** Between the calls at which a process dies. */
const STEP = 6;
/** In the midst of a call, counted in turns of its promises. */
const MOMENTS = 60;

async function opened(disk: SimulatedDisk, name: string) {
  const process = disk.process(name);
  const environment = environmentOn(process, disk, randomOn(disk, name.charCodeAt(0)));
  const store = (await openStoreOn(environment, DIRECTORY, {
    segmentBytes: 4096,
    compaction: false,
    indexes: [index],
  })) as Store;
  return { process, store };
}

async function append(store: Store, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const tags = [`tag ${store.head.position % 11}`];
    await store.append(`n/${n % 4}`, { type: 'note.tagged', data: { tags } });
  }
}

/** Two processes with a store of forty events open, which the index of both knows. */
async function pair() {
  const disk = new SimulatedDisk();
  const a = await opened(disk, 'a');
  await append(a.store, 40);
  const b = await opened(disk, 'b');
  for (const { store } of [a, b]) await store.index(index);
  return { disk, a, b };
}

/** A process that comes later loads what was saved, and finds in it what the log says. */
async function expectSaved(disk: SimulatedDisk, savedTo: number): Promise<void> {
  const { process, store } = await opened(disk, 'later');
  const { positions, groups, tags } = await store.index(index);
  const events = await store.readAll().toArray();
  expect(positions).toEqual(events.map(({ id }) => id));
  // What was saved is not applied again.
  expect(groups.reduce((sum, each) => sum + each, 0)).toBe(store.head.position - savedTo);
  let counted = 0;
  for (const streams of tags.values()) for (const count of streams.values()) counted += count;
  expect(counted).toBe(events.length);
  expect((await store.verify()).ok).toBe(true);
  await store.close();
  const names = process.list(`${DIRECTORY}/snapshots`);
  expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
}

const orders = [
  ['a', 'b'],
  ['b', 'a'],
] as const;

describe('an index that two processes save at the same time', () => {
  test.each(orders)('is whole when %s begins before %s', async (first, second) => {
    const { disk, ...both } = await pair();
    const saving = [both[first], both[second]].map(({ store }) => store.snapshot());
    const reports = await Promise.all(saving);
    expect(reports.map(({ position }) => position)).toEqual([40, 40]);
    for (const { store } of [both.a, both.b]) await store.close();
    await expectSaved(disk, 40);
  });

  test.each(orders)(
    'is saved as of the later position, whether %s or %s has it',
    async (first, second) => {
      const { disk, ...both } = await pair();
      const early = both[first].store.snapshot();
      const late = append(both[second].store, 9).then(() => both[second].store.snapshot());
      expect((await early).position).toBeLessThanOrEqual((await late).position);
      for (const { store } of [both.a, both.b]) await store.close();
      await expectSaved(disk, 49);
    },
  );

  test('is saved by the one that lives when the other one dies at any call', async () => {
    const whole = await pair();
    const from = whole.a.process.calls;
    await whole.a.store.snapshot();
    const to = whole.a.process.calls;
    const points = whole.disk.trace.filter(
      (call) => call.process === 'a' && call.number > from && call.number <= to && changes(call),
    );
    let deaths = 0;
    for (let at = 0; at < points.length; at += STEP) {
      const { disk, a, b } = await pair();
      const { number = 0 } = points[at] ?? {};
      a.process.crashAt(number, 'after');
      const dying = a.store.snapshot().catch((error: unknown) => {
        if (!(error instanceof CrashError)) throw error;
        deaths += 1;
      });
      const saved = b.store.snapshot();
      await dying;
      a.process.die();
      expect((await saved).position).toBe(40);
      await b.store.close();
      await expectSaved(disk, 40);
    }
    // Where the other one was faster there are fewer calls.
    expect(deaths).toBeGreaterThan(points.length / STEP / 2);
  });
});

describe('an index that a snapshot and a compaction of one process save', () => {
  test.each([
    ['the snapshot', true],
    ['the compaction', false],
  ])('is whole when %s comes first', async (_, isSnapshotFirst) => {
    const { disk, a, b } = await pair();
    await b.store.close();
    const calls = [() => a.store.snapshot(), () => a.store.compact()];
    if (!isSnapshotFirst) calls.reverse();
    await Promise.all(calls.map((call) => call()));
    await a.store.close();
    await expectSaved(disk, 40);
  });

  test.each([
    ['another one', (store: Store) => store.snapshot()],
    ['a compaction', (store: Store) => store.compact()],
  ])(
    'is whole when a synchronous snapshot comes in the midst of %s, whenever that is',
    async (_, call) => {
      let crossed = 0;
      for (let turns = 0; turns < MOMENTS; turns += 1) {
        const { disk, a, b } = await pair();
        await b.store.close();
        let isOver = false;
        const calling = call(a.store).then(() => {
          isOver = true;
        });
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        if (!isOver) crossed += 1;
        expect(a.store.snapshotSync().position).toBe(40);
        await calling;
        await a.store.close();
        await expectSaved(disk, 40);
      }
      expect(crossed).toBeGreaterThan(MOMENTS / 2);
    },
  );
});
