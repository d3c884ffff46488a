/** A name goes from one reader to the next: over a death in the middle of a checkpoint, and past what retention drops. */
import { describe, expect, test } from 'vitest';
import type { RecordedEvent, Store, Subscription } from '#src/index.js';
import { append, DAY_MS, openOn } from '../support/aging-store.js';
import { until } from '../support/programs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { take, waiting } from './subscribing.js';
import { failureOf } from './support.js';

const places = (events: readonly RecordedEvent[]) =>
  events.map(({ stream, version }) => `${stream}@${version}`);

/** The steps of a reader that dies, or of one that does not and tells when it would. */
interface Story {
  readonly disk: SimulatedDisk;
  readonly subscription: Subscription;
  /** Disk calls of the reader until then. */
  readonly calls: () => number;
}

async function begin(): Promise<Story & { readonly heir: Store; readonly writer: Store }> {
  const disk = new SimulatedDisk();
  const [writer, heir, store] = [
    await openOn(disk, 'w'),
    await openOn(disk, 'b'),
    await openOn(disk, 'a'),
  ];
  await append(writer, disk, ['a/1'], 20);
  const calls = () => disk.trace.findLast(({ process }) => process === 'a')?.number ?? 0;
  return { disk, subscription: store.subscribe({ name: 'n' }), calls, heir, writer };
}

/** The first: its beginning is made durable. The second: what is done is. */
const steps: readonly ((subscription: Subscription) => Promise<unknown>)[] = [
  (subscription) => subscription.next(),
  (subscription) => subscription.checkpoint(),
];

/** Which of its calls moves the mark, behind the checkpoint that this step writes. */
async function callOfMark(step: number): Promise<number> {
  const { disk, subscription, calls } = await begin();
  let before = 0;
  for (const run of steps.slice(0, step + 1)) {
    before = calls();
    await run(subscription);
  }
  const marks = disk.trace.filter(
    ({ process, number, method, path, detail }) =>
      process === 'a' &&
      number > before &&
      method === 'write' &&
      path.endsWith('/lock') &&
      detail.startsWith('@0+128'),
  );
  expect(marks).toHaveLength(1);
  return marks[0]?.number as number;
}

describe('a reader that takes over in an open store from one that died over a checkpoint', () => {
  test.each([
    ['its first', 0, ['a/1@1', 'a/1@2', 'a/1@3']],
    ['a later one', 1, ['a/1@2', 'a/1@3', 'a/1@4']],
  ])('goes on behind it, and has the name: %s', async (_, step, expected) => {
    const call = await callOfMark(step);
    const { disk, subscription, heir, writer } = await begin();
    const reader = disk.process('a');
    reader.crashAt(call, 'before');
    void (async () => {
      for (const run of steps.slice(0, step + 1)) await run(subscription);
    })().catch(() => {});
    await until(() => !reader.alive);
    const next = heir.subscribe({ name: 'n' });
    expect(places(await take(next, 3))).toEqual(expected);
    await next.checkpoint();
    expect(heir.stats().subscriptions).toMatchObject([{ name: 'n', checkpoint: step + 3 }]);
    // Behind the twenty: those of the dead one, and the one that was asked for.
    expect(heir.head.position).toBe(20 + step + 2);
    await next.return();
    await Promise.all([heir.close(), writer.close()]);
  });
});

describe('a reader that is not behind keeps its name while retention drops history', () => {
  const retention = { days: 5 } as const;

  /** Compacts, and gives what is kept first. */
  async function compact(store: Store, disk: SimulatedDisk): Promise<number> {
    disk.clock.advance(DAY_MS);
    const { dropped } = await store.compact();
    return (dropped.at(-1)?.last ?? 0) + 1;
  }

  test.each(['return', 'close', 'closeSync'] as const)('when it ended by %s', async (how) => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { retention });
    const other = await openOn(disk, 'b', { retention });
    await append(store, disk, ['a/1'], 1);
    const subscription = store.subscribe({ name: 'n', streams: ['a/*'] });
    await take(subscription, 1);
    await append(other, disk, ['b/1'], 100);
    const next = subscription.next();
    await waiting(store);
    const end = { return: () => subscription.return(), close: () => store.close() };
    if (how === 'closeSync') store.closeSync();
    else await end[how]();
    expect((await next).done).toBe(true);
    expect(await compact(other, disk)).toBeGreaterThan(20);
    const heir = other.subscribe({ name: 'n', streams: ['a/*'] });
    await append(other, disk, ['a/1'], 1);
    expect(places(await take(heir, 1))).toEqual(['a/1@2']);
    await Promise.all([store.close(), other.close()]);
  });

  test('when it waits for what does not come, and dies', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { retention });
    const other = await openOn(disk, 'b', { retention });
    await append(other, disk, ['a/1'], 1);
    const subscription = store.subscribe({ name: 'n', streams: ['a/*'] });
    await take(subscription, 1);
    const next = failureOf(() => subscription.next());
    await waiting(store);
    await append(other, disk, ['b/1'], 100);
    await until(() => (store.stats().subscriptions[0]?.checkpoint ?? 0) > 90);
    disk.kill('a');
    expect(await compact(other, disk)).toBeGreaterThan(20);
    const heir = other.subscribe({ name: 'n', streams: ['a/*'] });
    await append(other, disk, ['a/1'], 1);
    expect(places(await take(heir, 1))).toEqual(['a/1@2']);
    await other.close();
    await next;
  });

  test('but not the place of an event that nobody said was done, nor one that it was not given', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { retention });
    await append(store, disk, ['b/1', 'a/1', 'a/1', 'b/1'], 8);
    const given: string[][] = [];
    for (let time = 0; time < 3; time += 1) {
      const subscription = store.subscribe({ name: 'n', streams: ['a/*'] });
      given.push(places(await take(subscription, 2)));
      await subscription.return();
    }
    expect(given).toEqual([
      ['a/1@1', 'a/1@2'],
      ['a/1@2', 'a/1@3'],
      ['a/1@3', 'a/1@4'],
    ]);
    await store.close();
  });

  test('and writes nothing each time that it looks and finds nothing', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { retention });
    await append(store, disk, ['a/1'], 3);
    const heads: number[] = [];
    for (let time = 0; time < 5; time += 1) {
      const subscription = store.subscribe({ name: 'n' });
      await take(subscription, time === 0 ? 3 : 0);
      const next = subscription.next();
      await waiting(store);
      await subscription.return();
      await next;
      heads.push(store.head.position);
    }
    expect(new Set(heads.slice(1)).size).toBe(1);
    await store.close();
  });
});
