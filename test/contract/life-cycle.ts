/** Opening, figures, closing, and what is refused before and after. */
import { describe, expect, test } from 'vitest';
import {
  type LogOptions,
  StoreClosedError,
  StoreNotFoundError,
  StoreReadOnlyError,
} from '#src/index.js';
import type { AnyLog, Factory, MakePlace } from './suite.js';
import {
  bothWays,
  counted,
  expectFailure,
  expectInvalidArgument,
  failureOf,
  places,
  sized,
} from './support.js';

const badOptions: readonly Record<string, unknown>[] = [
  { create: 1 },
  { readOnly: 'yes' },
  { actor: '' },
  { actor: 7 },
  { actor: 'a\nb' },
  { lockTimeoutMs: -1 },
  { lockTimeoutMs: Number.NaN },
  { lockTimeoutMs: '10' },
  { freshnessMs: -1 },
  { freshnessMs: Number.NaN },
  { durability: 'none' },
  { idempotencyWindow: -1 },
  { idempotencyWindow: 1.5 },
  { segmentBytes: 4095 },
  { segmentBytes: 4096.5 },
  { segmentBytes: Number.POSITIVE_INFINITY },
  { queueBytes: 1023 },
  { eventBytes: 15 },
  { commitBytes: 1023 },
  { commitBytes: 48 * 1024 * 1024 + 1 },
  { clock: 5 },
  { clock: null },
  { writerThread: 'no' },
  { allowSharedDirectory: null },
  { allowFileSystem: 0 },
];

/** Every call of an open log, as one that fails with a promise or at once. */
const everyCall: readonly (readonly [string, (log: AnyLog) => unknown])[] = [
  ['append', (log) => log.append('a/1', counted(1))],
  ['appendSync', (log) => log.appendSync('a/1', counted(1))],
  ['commit', (log) => log.commit([{ stream: 'a/1', events: counted(1) }])],
  ['commitSync', (log) => log.commitSync([{ stream: 'a/1', events: counted(1) }])],
  ['readAll', (log) => log.readAll().toArray()],
  ['readAllSync', (log) => log.readAllSync().toArray()],
  ['readStream', (log) => log.readStream('a/1').toArray()],
  ['readStreamSync', (log) => log.readStreamSync('a/1').toArray()],
  ['version', (log) => log.version('a/1')],
  ['versionSync', (log) => log.versionSync('a/1')],
  ['follow', (log) => log.follow().next()],
  ['refresh', (log) => log.refresh()],
  ['refreshSync', (log) => log.refreshSync()],
  ['flush', (log) => log.flush()],
  ['verify', (log) => log.verify()],
  ['verifySync', (log) => log.verifySync()],
];

export function lifeCycle(make: MakePlace, { canReopen }: Factory): void {
  describe('opening', () => {
    test.each(badOptions)('refuses %o', async (options) => {
      const { open, openSync } = make();
      await expectInvalidArgument(() => open(options as LogOptions));
      await expectInvalidArgument(() => openSync(options as LogOptions));
      // Nothing was made, and nothing stands in the way.
      const log = await open();
      expect(log.head.position).toBe(0);
    });

    test('counts undefined options as absent', async () => {
      const { open } = make();
      const options = ['create', 'readOnly', 'actor', 'segmentBytes', 'durability', 'writerThread'];
      const log = await open(Object.fromEntries(options.map((name) => [name, undefined])));
      await log.append('a/1', counted(1));
    });

    test('gives an empty log that is clean', async () => {
      const { open } = make();
      const log = await open();
      expect(log.recovery).toMatchObject({ state: 'clean' });
      expect(Object.isFrozen(log.recovery)).toBe(true);
      expect(log.head).toEqual({
        position: 0,
        time: undefined,
        seal: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      });
      expect(Object.isFrozen(log.head)).toBe(true);
      expect(log.id).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
    });

    test('makes no log unless it is told to', async () => {
      for (const options of [
        { create: false },
        { readOnly: true },
        { readOnly: true, create: true },
      ]) {
        const { open, openSync } = make();
        await expectFailure(() => open(options), StoreNotFoundError, { code: 'STORE_NOT_FOUND' });
        await expectFailure(() => openSync(options), StoreNotFoundError);
        const log = await open();
        expect(log.head.position).toBe(0);
      }
    });
  });

  describe('the figures of a log', () => {
    test('tell its head after every commit, each with another seal', async () => {
      const { open, clock } = make();
      const log = await open();
      const seals = new Set([log.head.seal]);
      for (let n = 1; n <= 5; n += 1) {
        clock.advance(1);
        const { position, time } = await log.append('a/1', counted(n));
        expect(log.head).toMatchObject({ position, time });
        seals.add(log.head.seal);
      }
      expect(seals.size).toBe(6);
    });

    test('count what was asked and what became of it', async () => {
      const { open } = make();
      const log = await open({ segmentBytes: 4096 });
      const key = { idempotencyKey: 'k' };
      await Promise.all([1, 2, 3].map((n) => log.append('a/1', counted(n))));
      await failureOf(() => log.append('a/1', counted(4), { expectedVersion: 'absent' }));
      await log.append('a/1', counted(5), key);
      await log.append('a/1', counted(5), key);
      log.appendSync('a/1', [counted(6), counted(7)]);
      expect(log.stats()).toMatchObject({
        head: log.head,
        segments: 1,
        queue: { commits: 0, bytes: 0 },
        commits: 5,
        conflicts: 1,
        repeats: 1,
        lockTimeouts: 0,
        writeErrors: 0,
        skewMsMax: 0,
      });
      expect(log.stats().groups).toBeGreaterThanOrEqual(3);
      expect(log.stats().groups).toBeLessThanOrEqual(5);
      for (let n = 0; n < 10; n += 1) await log.append('a/1', sized(1000));
      expect(log.stats().segments).toBeGreaterThan(1);
    });

    test('tell what waits', async () => {
      const { open } = make();
      const log = await open();
      const calls = [1, 2, 3].map((n) => log.append('a/1', counted(n)));
      const { queue } = log.stats();
      expect(queue.commits).toBe(3);
      expect(queue.bytes).toBeGreaterThan(100);
      await log.flush();
      expect(log.stats().queue).toEqual({ commits: 0, bytes: 0 });
      expect(log.head.position).toBe(3);
      await Promise.all(calls);
    });
  });

  bothWays('verifying', () => {
    test('finds an untouched log whole, empty or over several segments', async () => {
      const { open } = make();
      const log = await open({ segmentBytes: 4096 });
      for (let n = 0; n < 3; n += 1) {
        const [report, same] = [await log.verify(), log.verifySync()];
        expect(report).toEqual(same);
        expect(report).toMatchObject({ ok: true, commits: log.head.position });
        for (let m = 0; m < 10; m += 1) await log.append('a/1', [sized(500), counted(m)]);
      }
    });
  });

  describe('closing', () => {
    test('can be asked for again and again, in either way', async () => {
      const { open } = make();
      for (const close of [
        (log: AnyLog) => [log.close(), log.close()],
        (log: AnyLog) => [log.closeSync(), log.closeSync(), log.close()],
        (log: AnyLog) => [log.close(), log.closeSync()],
        (log: AnyLog) => [log.close().then(() => log.closeSync()), log.close()],
        (log: AnyLog) => [log[Symbol.asyncDispose](), log[Symbol.dispose]()],
      ]) {
        const log = await open();
        await log.append('a/1', counted(1));
        void log.append('a/1', counted(2)).catch(() => {});
        await Promise.all(close(log));
        await expectFailure(() => log.append('a/1', counted(1)), StoreClosedError);
        await log.close();
        log.closeSync();
      }
    });

    test('waits for what was appended before', async () => {
      const { open } = make();
      const log = await open();
      const calls = Array.from({ length: 50 }, (_, n) => log.append('a/1', counted(n)));
      const closed = log.close();
      await expectFailure(() => log.append('a/1', counted(50)), StoreClosedError);
      const appended = await Promise.all(calls);
      await closed;
      expect(appended.at(-1)).toMatchObject({ position: 50 });
    });

    test('at once writes what waits before it returns', async () => {
      const { open } = make();
      const log = await open();
      const calls = Array.from({ length: 50 }, (_, n) => log.append('a/1', counted(n)));
      log.closeSync();
      expect((await Promise.all(calls)).at(-1)).toMatchObject({ position: 50 });
    });

    test('is not the end of what can be asked about the log', async () => {
      const { open } = make();
      const log = await open();
      await log.append('a/1', counted(1));
      const { head, id } = log;
      await log.close();
      expect(log.head).toEqual(head);
      expect(log.id).toBe(id);
      expect(log.recovery).toMatchObject({ state: 'clean' });
      expect(log.stats()).toMatchObject({ head, commits: 1 });
    });

    test.each(everyCall)('makes %s fail', async (_, call) => {
      const { open } = make();
      const log = await open();
      await log.append('a/1', counted(1));
      await log.close();
      await expectFailure(async () => await call(log), StoreClosedError, { code: 'STORE_CLOSED' });
    });

    test('makes promises reject, and never an asynchronous call throw', async () => {
      const { open } = make();
      const log = await open();
      await log.close();
      const promises = [
        log.append('a/1', counted(1)),
        log.commit([{ stream: 'a/1', events: counted(1) }]),
        log.version('a/1'),
        log.refresh(),
        log.flush(),
        log.verify(),
      ];
      for (const outcome of await Promise.allSettled(promises)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_CLOSED' } });
      }
    });

    test('makes a sequence that is still being read fail', async () => {
      const { open } = make();
      const log = await open();
      await log.append('a/1', counted(1));
      const [later, laterSync] = [log.readAll(), log.readStreamSync('a/1')];
      await log.close();
      await expectFailure(() => later.toArray(), StoreClosedError);
      await expectFailure(() => laterSync.toArray(), StoreClosedError);
    });

    test('comes with the end of a block', async () => {
      const { open } = make();
      const log = await open();
      await log[Symbol.asyncDispose]();
      await expectFailure(() => log.append('a/1', counted(1)), StoreClosedError);
    });
  });

  if (!canReopen) return;

  describe('a log that is opened again', () => {
    test('stands where it was left', async () => {
      const { open, openSync } = make();
      const first = await open({ segmentBytes: 4096 });
      for (let n = 0; n < 20; n += 1) await first.append('a/1', sized(500, n));
      const { head, id } = first;
      await first.close();

      const second = openSync();
      expect(second.head).toEqual(head);
      expect(second.id).toBe(id);
      expect(second.recovery).toMatchObject({ state: 'clean' });
      expect(second.stats()).toMatchObject({ commits: 0, groups: 0 });
      expect(second.appendSync('a/1', counted(20))).toMatchObject({ position: 21, version: 21 });
      second.closeSync();

      const third = await open();
      expect(places(await third.readAll({ from: 20 }).toArray())).toEqual(['a/1@20', 'a/1@21']);
      expect(await third.append('a/1', counted(21), { expectedVersion: 21 })).toMatchObject({
        position: 22,
      });
      expect(await third.verify()).toMatchObject({ ok: true, commits: 22 });
    });

    test('goes on with the time of its last commit when the clock was set back', async () => {
      const { open, clock } = make();
      const first = await open();
      const { time } = await first.append('a/1', counted(1));
      await first.close();
      clock.advance(-1e10);
      const second = await open();
      expect(second.head.time).toBe(time);
      expect((await second.append('a/1', counted(2))).time).toBe(time);
    });

    test('for reading gives all and takes nothing', async () => {
      const { open } = make();
      const writer = await open({ segmentBytes: 4096 });
      for (let n = 0; n < 20; n += 1) await writer.append(`a/${n % 2}`, sized(500, n));
      const { head } = writer;
      await writer.close();

      const reader = await open({ readOnly: true });
      expect(reader.head).toEqual(head);
      expect(reader.recovery).toMatchObject({ state: 'clean' });
      expect(await reader.readAll().toArray()).toHaveLength(20);
      expect(reader.readStreamSync('a/1').toArray()).toHaveLength(10);
      expect(await reader.version('a/0')).toBe(10);
      expect(await reader.verify()).toMatchObject({ ok: true });
      for (const [name, call] of everyCall.slice(0, 4)) {
        await expectFailure(async () => await call(reader), StoreReadOnlyError, {
          code: 'STORE_READ_ONLY',
          message: expect.stringContaining('readOnly') as string,
        });
        expect(reader.head, name).toEqual(head);
      }
      await reader.flush();
      await reader.close();
      await expectFailure(() => reader.append('a/1', counted(1)), StoreClosedError);
    });

    test('an empty one for reading has nothing to give', async () => {
      const { open } = make();
      await (await open()).close();
      const reader = await open({ readOnly: true });
      expect(reader.head.position).toBe(0);
      expect(await reader.readAll().toArray()).toEqual([]);
      await expectFailure(() => reader.append('a/1', counted(1)), StoreReadOnlyError);
    });
  });
}
