/** Subscriptions while the store under them is compacted, moved, damaged, full, copied, or locked by another. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  HistoryPrunedError,
  InvalidEventError,
  LockTimeoutError,
  openLog,
  openStore,
  type RecordedEvent,
  restoreStore,
  type Store,
  StoreDamagedError,
  StoreMovedError,
  type StoreOptions,
  SubscriptionInUseError,
  salvageStore,
  UnknownSchemaVersionError,
  verifyStore,
} from '#src/index.js';
import { realEnvironment } from '#src/log/environment.js';
import { SUBSCRIPTION_LOCK, WRITE_LOCK } from '#src/log/format.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openStoreOn } from '#src/store.js';
import { append, DAY_MS, openOn } from '../support/aging-store.js';
import { until } from '../support/programs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { take, waiting } from './subscribing.js';
import { expectFailure, failureOf } from './support.js';

const one = (n: number) => ({ type: 'one', data: { n, text: 'x'.repeat(100) } });

/** Commits of one event each, in order. */
async function fill(store: Store, count: number, stream = 'a/1'): Promise<void> {
  for (let n = 1; n <= count; n += 1) void store.append(stream, one(n));
  await store.flush();
}

const numbers = (events: readonly RecordedEvent[]) =>
  events.map(({ data }) => (data as { n: number }).n);

const upTo = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, index) => from + index);

async function inDirectory(options: StoreOptions = {}) {
  const directory = join(temporaryDirectory(), 'store');
  return { directory, store: await openStore(directory, options) };
}

/** A disk that counts what is read, may keep silent about changes, and lets something happen right before a lock is taken. */
class WatchedDisk extends MemoryDisk {
  bytesRead = 0;
  silent = false;
  beforeLock: (() => void) | undefined;

  override tryLock(...call: Parameters<MemoryDisk['tryLock']>): boolean {
    const { beforeLock } = this;
    this.beforeLock = undefined;
    beforeLock?.();
    return super.tryLock(...call);
  }

  override read(...call: Parameters<MemoryDisk['read']>): number {
    const count = super.read(...call);
    this.bytesRead += count;
    return count;
  }

  override watch(path: string, changed: () => void): () => void {
    return this.silent ? () => {} : super.watch(path, changed);
  }
}

describe('a subscription reads', () => {
  test('no further than it was asked, however much stands or comes', async () => {
    const disk = new WatchedDisk();
    const store = await openStoreOn(realEnvironment(disk), '/store', { compaction: false });
    const text = 'x'.repeat(10_000);
    for (let n = 0; n < 1000; n += 1) void store.append('a/1', { type: 'one', data: text });
    await store.flush();
    for (const options of [{}, { name: 'n' }, { types: ['one'] }]) {
      const before = disk.bytesRead;
      const subscription = store.subscribe(options);
      await take(subscription, 3);
      for (let n = 0; n < 100; n += 1) void store.append('a/1', { type: 'one', data: text });
      await store.flush();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(disk.bytesRead - before).toBeLessThan(1_000_000);
      await subscription.return();
    }
    await store.close();
  });

  test('what others append also when nobody tells of it', async () => {
    const disk = new WatchedDisk();
    disk.silent = true;
    const open = () => openStoreOn(realEnvironment(disk), '/store');
    const [reader, writer] = [await open(), await open()];
    const subscription = reader.subscribe();
    for (const n of [1, 2]) {
      const next = take(subscription, 1);
      await waiting(reader);
      await writer.append('a/1', one(n));
      expect(numbers(await next)).toEqual([n]);
    }
    await Promise.all([reader.close(), writer.close()]);
  });

  test('all of it in order while segments are closed and moved to the archive', async () => {
    const { directory, store } = await inDirectory({ segmentBytes: 8192, compaction: false });
    const other = await openStore(directory, { segmentBytes: 8192, compaction: false });
    await fill(store, 400);
    const subscriptions = [store.subscribe({ name: 'n' }), other.subscribe({ streams: ['a/*'] })];
    const seen: RecordedEvent[][] = [[], []];
    for (let round = 0; round < 4; round += 1) {
      const compacting = store.compact();
      for (const [index, subscription] of subscriptions.entries()) {
        seen[index]?.push(...(await take(subscription, 100)));
      }
      await Promise.all([compacting, fill(other, 20, 'a/2')]);
    }
    for (const [index, subscription] of subscriptions.entries()) {
      seen[index]?.push(...(await take(subscription, 80)));
    }
    const plain = (await store.readAll().toArray()).filter(({ stream }) => !stream.startsWith('$'));
    for (const events of seen) expect(events).toEqual(plain);
    expect(readdirSync(join(directory, 'archive')).length).toBeGreaterThan(3);
    await Promise.all([store.close(), other.close()]);
  });

  test('what stands before damage, then tells of it', async () => {
    const { directory, store } = await inDirectory({ segmentBytes: 8192, compaction: false });
    await fill(store, 200);
    await store.close();
    const first = join(directory, 'log', '00000000000000000001.ndjson');
    const text = readFileSync(first, 'latin1');
    const at = text.indexOf('"n":20,');
    writeFileSync(first, `${text.slice(0, at)}"n":21,${text.slice(at + 7)}`, 'latin1');
    for (const readOnly of [true, false]) {
      const damaged = await openStore(directory, { readOnly });
      const subscription = damaged.subscribe({ name: readOnly ? undefined : 'n' });
      const events = await take(subscription, 19);
      expect(numbers(events)).toEqual(upTo(19));
      await expectFailure(() => subscription.next(), StoreDamagedError, { file: first });
      expect(await subscription.next()).toEqual({ value: undefined, done: true });
      await damaged.close();
    }
  });

  test('up to the damage that its store was opened at, and does not wait for what cannot come', async () => {
    const { directory, store } = await inDirectory();
    await fill(store, 3);
    await store.close();
    const first = join(directory, 'log', '00000000000000000001.ndjson');
    writeFileSync(first, readFileSync(first, 'latin1').replace('"n":3', '"n":4'), 'latin1');
    const damaged = await openStore(directory, { readOnly: true });
    expect(damaged.recovery.state).toBe('damaged');
    const subscription = damaged.subscribe();
    const { position } = damaged.recovery;
    expect(await take(subscription, position as number)).toHaveLength(position as number);
    await expectFailure(() => subscription.next(), StoreDamagedError, { file: first });
    await damaged.close();
  });

  test('nothing of a directory that another one took the place of', async () => {
    const { directory, store } = await inDirectory();
    await fill(store, 3);
    const subscriptions = [store.subscribe(), store.subscribe({ name: 'n' })];
    for (const subscription of subscriptions) await take(subscription, 3);
    const nexts = subscriptions.map((subscription) => failureOf(() => subscription.next()));
    await waiting(store);
    renameSync(directory, `${directory}-before`);
    const other = await openStore(directory);
    await fill(other, 10);
    for (const next of nexts) expect(await next).toBeInstanceOf(StoreMovedError);
    await other.close();
    await store.close().catch(() => {});
  });

  test('no history that retention dropped: it says where it begins now', async () => {
    const disk = new SimulatedDisk();
    const store = await openOn(disk, 'a', { retention: { days: 5 } });
    const forgotten = store.subscribe({ name: 'forgotten' });
    await append(store, disk, ['a/1', 'b/1'], 1);
    await take(forgotten, 1);
    await forgotten.return();
    await append(store, disk, ['a/1', 'b/1'], 100);
    disk.clock.advance(DAY_MS);
    const { dropped } = await store.compact();
    const firstPosition = (dropped.at(-1)?.last ?? 0) + 1;
    expect(firstPosition).toBeGreaterThan(20);
    for (const options of [
      {},
      { name: 'new' },
      { name: 'forgotten' },
      { from: firstPosition - 1 },
    ]) {
      const subscription = store.subscribe(options);
      await expectFailure(() => subscription.next(), HistoryPrunedError, { firstPosition });
    }
    const kept = store.subscribe({ name: 'kept', from: firstPosition });
    expect((await take(kept, 1))[0]?.position).toBe(firstPosition);
    await store.close();
  });
});

describe('the checkpoint of a subscription', () => {
  /** A store in memory whose lock for writing another can hold. */
  async function lockable(options: StoreOptions = {}) {
    const disk = new MemoryDisk();
    const environment = realEnvironment(disk);
    const store = await openStoreOn(environment, '/store', { lockTimeoutMs: 5, ...options });
    const hold = () => {
      const file = disk.open('/store/lock', 'write');
      if (!disk.tryLock(file, WRITE_LOCK, 'exclusive')) throw new Error('the lock is not free');
      return () => disk.close(file);
    };
    return { disk, store, hold };
  }

  test('that cannot be saved lets 1000 events through and no more, and none is skipped', async () => {
    const { store, hold } = await lockable();
    await fill(store, 3000);
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 1);
    await subscription.checkpoint();
    const release = hold();
    expect(numbers(await take(subscription, 1000))).toEqual(upTo(1001, 2));
    await until(() => store.stats().subscriptions[0]?.lastError !== undefined);
    expect(store.stats().subscriptions[0]).toMatchObject({
      checkpoint: 1,
      lastError: expect.stringContaining('was not free within 5 ms') as string,
    });
    await expectFailure(() => subscription.next(), LockTimeoutError);
    expect(await subscription.next()).toEqual({ value: undefined, done: true });
    release();
    expect(numbers(await take(store.subscribe({ name: 'n' }), 1))).toEqual([2]);
    await store.close();
  });

  test('that cannot be saved at first is saved later', async () => {
    const { store, hold } = await lockable();
    await fill(store, 30);
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 1);
    const release = hold();
    await expectFailure(() => subscription.checkpoint(), LockTimeoutError);
    await take(subscription, 9);
    release();
    await subscription.checkpoint();
    expect(store.stats().subscriptions[0]).toEqual({
      name: 'n',
      position: 10,
      lag: 22,
      given: 10,
      waiting: false,
      checkpoint: 10,
    });
    await store.close();
  });

  test('that cannot be saved at the end is told by return, and the name is free', async () => {
    const { store, hold } = await lockable();
    await fill(store, 30);
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 5);
    await subscription.checkpoint();
    await take(subscription, 5);
    const release = hold();
    await expectFailure(() => subscription.return(), LockTimeoutError);
    release();
    expect(numbers(await take(store.subscribe({ name: 'n' }), 1))).toEqual([6]);
    await store.close();
  });

  test('that cannot be written first refuses to begin', async () => {
    const { store, hold } = await lockable();
    await fill(store, 3);
    const release = hold();
    await expectFailure(() => store.subscribe({ name: 'n' }).next(), LockTimeoutError);
    release();
    expect(numbers(await take(store.subscribe({ name: 'n' }), 1))).toEqual([1]);
    await store.close();
  });

  test('is moved by one reader alone, also when its lock was taken away', async () => {
    const { directory, store } = await inDirectory();
    const other = await openStore(directory);
    await fill(store, 10);
    const first = store.subscribe({ name: 'n' });
    await take(first, 3);
    await first.checkpoint();
    const [file] = readdirSync(join(directory, 'subscriptions'));
    expect(file).toMatch(/^[0-9a-f]{32}\.lock$/);
    rmSync(join(directory, 'subscriptions'), { recursive: true });
    const second = other.subscribe({ name: 'n' });
    expect(numbers(await take(second, 2))).toEqual([4, 5]);
    await second.checkpoint();
    await take(first, 4);
    await expectFailure(() => first.checkpoint(), SubscriptionInUseError, { subscription: 'n' });
    await expectFailure(() => first.next(), SubscriptionInUseError, { subscription: 'n' });
    expect(await first.next()).toEqual({ value: undefined, done: true });
    await second.return();
    expect(numbers(await take(store.subscribe({ name: 'n' }), 1))).toEqual([6]);
    await Promise.all([store.close(), other.close()]);
  });

  test('counts as its reader left it, who ended while the next one was beginning', async () => {
    const disk = new WatchedDisk();
    const open = () => openStoreOn(realEnvironment(disk), '/store');
    const [store, other] = [await open(), await open()];
    await fill(store, 10);
    const first = store.subscribe({ name: 'n' });
    await take(first, 1);
    await first.checkpoint();
    await take(first, 7);
    const next = other.subscribe({ name: 'n' });
    // Saves what is done, and gives the name back.
    disk.beforeLock = () => store.closeSync();
    expect(numbers(await take(next, 1))).toEqual([8]);
    await other.close();
  });

  test('is saved for the last time before the name is given back', async () => {
    const disk = new WatchedDisk();
    const store = await openStoreOn(realEnvironment(disk), '/store');
    await fill(store, 10);
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 1);
    await subscription.checkpoint();
    await take(subscription, 5);
    const isFree = () => {
      const [name = ''] = disk.list('/store/subscriptions');
      const file = disk.open(join('/store/subscriptions', name), 'write');
      const taken = disk.tryLock(file, SUBSCRIPTION_LOCK, 'exclusive');
      disk.close(file);
      return taken;
    };
    const free: boolean[] = [];
    // The next lock is that for writing.
    disk.beforeLock = () => free.push(isFree());
    await subscription.return();
    free.push(isFree());
    expect(free).toEqual([false, true]);
    expect(numbers(await take(store.subscribe({ name: 'n' }), 1))).toEqual([6]);
    await store.close();
  });

  test('goes with its store into a backup, whose lock files are not', async () => {
    const { directory, store } = await inDirectory();
    await fill(store, 10);
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 4);
    await subscription.checkpoint();
    await store.backup(`${directory}-backup`);
    await take(subscription, 4);
    await store.close();
    expect(readdirSync(directory)).toContain('subscriptions');
    expect((await verifyStore(directory)).ok).toBe(true);
    expect(readdirSync(`${directory}-backup`)).not.toContain('subscriptions');
    await restoreStore(`${directory}-backup`, `${directory}-restored`);
    const restored = await openStore(`${directory}-restored`);
    expect(numbers(await take(restored.subscribe({ name: 'n' }), 1))).toEqual([5]);
    await restored.close();
  });

  test('leads to no skipped event in a store of another id, where positions may be others', async () => {
    // Several commits at one time, so that a time alone does not tell them apart.
    let now = Date.parse('2026-01-01T00:00:00Z');
    const clock = () => Math.floor(now++ / 3);
    const { directory, store } = await inDirectory({ clock });
    for (let n = 1; n <= 30; n += 1) await store.append('a/1', one(n));
    const events = await store.readAll().toArray();
    const subscription = store.subscribe({ name: 'n' });
    await take(subscription, 20);
    await subscription.checkpoint();
    const to = store.head.position;
    await store.append('a/1', one(31));
    await store.close();
    await restoreStore(directory, `${directory}-earlier`, { to });
    const log = join(directory, 'log', '00000000000000000001.ndjson');
    writeFileSync(log, readFileSync(log, 'latin1').replace('"n":3,', '"n":9,'), 'latin1');
    const salvaged = await salvageStore(directory, `${directory}-salvaged`);
    expect(salvaged.renumbered).toBe(true);
    for (const [name, renumbered] of [
      ['earlier', false],
      ['salvaged', true],
    ] as const) {
      const again = await openStore(`${directory}-${name}`, { clock });
      const [first] = await take(again.subscribe({ name: 'n' }), 1);
      expect(first?.time).toBe(events[19]?.time);
      const [n = 0] = numbers([first as RecordedEvent]);
      expect(n).toBeLessThanOrEqual(20);
      expect(n).toBeGreaterThan(17);
      expect(first?.position === n).toBe(!renumbered);
      await again.close();
    }
  });

  test.each([
    ['no object', null, {}],
    ['no place', { next: 'x', time: null, store: 'id' }, {}],
    ['no time', { next: '1.0', time: 'noon', store: 'id' }, {}],
    ['no store', { next: '1.0', time: null }, {}],
    ['another type', { next: '1.0', time: null, store: 'id' }, { type: '$other' }],
  ])('that is none is told, and the name is free: %s', async (_, data, other) => {
    const { directory, store } = await inDirectory();
    await fill(store, 3);
    const log = await openLog(directory);
    const event = { type: '$subscription.moved', data, ...other };
    await log.internals.commitOwn([{ stream: '$subscription/n', events: event }]);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expectFailure(() => store.subscribe({ name: 'n' }).next(), InvalidEventError, {
        path: '$subscription/n@1',
      });
    }
    await Promise.all([store.close(), log.close()]);
  });

  test('of a newer release is refused', async () => {
    const { directory, store } = await inDirectory();
    const log = await openLog(directory);
    const event = { type: '$subscription.moved', schemaVersion: 2, data: { next: '1.0' } };
    await log.internals.commitOwn([{ stream: '$subscription/n', events: event }]);
    await expectFailure(() => store.subscribe({ name: 'n' }).next(), UnknownSchemaVersionError, {
      schemaVersion: 2,
      known: 1,
    });
    await Promise.all([store.close(), log.close()]);
  });
});
