/** The order of what is appended: call order, times that never go back, and calls that are taken back in time. */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { MakePlace } from './suite.js';
import { bothWays, counted, expectEmpty, expectFailure, failureOf } from './support.js';

export function order(make: MakePlace): void {
  describe('synchronous and asynchronous appends together', () => {
    test('keep the order of the calls', async () => {
      const { open } = make();
      const log = await open();
      const positions: Promise<number>[] = [];
      for (let n = 0; n < 200; n += 1) {
        if (n % 3 === 0)
          positions.push(Promise.resolve(log.appendSync('a/1', counted(n)).position));
        else positions.push(log.append('a/1', counted(n)).then(({ position }) => position));
        // Now and then a group is on its way when the next call comes.
        if (n % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await Promise.all(positions)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
      const events = await log.readAll().toArray();
      expect(events.map(({ data }) => (data as { n: number }).n)).toEqual(
        Array.from({ length: 200 }, (_, n) => n),
      );
    });

    test('decide on what was called before them', async () => {
      const { open } = make();
      const log = await open();
      const first = log.append('a/1', counted(1), { expectedVersion: 'absent' });
      const conflict = await failureOf(() =>
        log.appendSync('a/1', counted(2), { expectedVersion: 'absent' }),
      );
      expect(conflict).toMatchObject({ code: 'VERSION_CONFLICT' });
      expect(log.appendSync('a/1', counted(3), { expectedVersion: 1 })).toMatchObject({
        version: 2,
      });
      const key = { idempotencyKey: 'k' };
      const keyed = log.append('a/1', counted(4), key);
      expect(log.appendSync('a/1', counted(4), key)).toMatchObject({ position: 3, repeated: true });
      expect(await first).toMatchObject({ position: 1 });
      expect(await keyed).toMatchObject({ position: 3, repeated: false });
    });

    test('may follow one another in the handlers of an acknowledgement', async () => {
      const { open } = make();
      const log = await open();
      const versions = await log.append('a/1', counted(1)).then(({ version }) => {
        const inside = log.appendSync('a/1', counted(2));
        return [version, inside.version];
      });
      expect(versions).toEqual([1, 2]);
    });

    test('refuse a synchronous append from inside the log', async () => {
      const { open, clock } = make();
      let inside: (() => void) | undefined;
      const log = await open({
        clock: () => {
          const call = inside;
          inside = undefined;
          call?.();
          return clock.now();
        },
      });
      let failure: unknown;
      inside = () => {
        try {
          log.appendSync('a/1', counted(2));
        } catch (error) {
          failure = error;
        }
      };
      log.appendSync('a/1', counted(1));
      expect(failure).toMatchObject({ code: 'REENTRANT_SYNC_CALL' });
      expect(log.versionSync('a/1')).toBe(1);
    });
  });

  bothWays('the time of a commit', (way) => {
    test('is the clock of the log, to the millisecond', async () => {
      const { open, clock } = make();
      const log = way(await open());
      for (const advance of [0, 1, 999, 86_400_000]) {
        clock.advance(advance);
        const { time } = await log.append('a/1', counted(1));
        expect(time).toBe(new Date(clock.now()).toISOString());
      }
    });

    test('never goes back, wherever the clock jumps', async () => {
      const { open, clock } = make();
      const opened = await open();
      const log = way(opened);
      const jumps = [0, -1, -999, -3_600_000, 5, -1e12, 1e12, -5, 3e12, -4e15, 9e15, 0];
      const start = clock.now();
      const times: string[] = [];
      for (const jump of jumps) {
        clock.set(start + jump);
        times.push((await log.append('a/1', counted(jump))).time);
      }
      for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5]) {
        clock.set(broken);
        times.push((await log.append('a/1', counted(0))).time);
      }
      expect(times).toEqual([...times].sort());
      for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect((await log.readAll()).map(({ time }) => time)).toEqual(times);
      expect(opened.head.time).toBe(times.at(-1));
      expect(opened.stats().skewMsMax).toBeGreaterThan(3_600_000);
    });

    test('is one for all commits of a group', async () => {
      const { open } = make();
      const log = await open();
      const appended = await Promise.all([1, 2, 3].map((n) => log.append('a/1', counted(n))));
      expect(new Set(appended.map(({ time }) => time)).size).toBe(1);
    });
  });

  bothWays('a signal', (way) => {
    test('that is aborted before the call lets nothing be written', async () => {
      const { open } = make();
      const log = await open();
      const signal = AbortSignal.abort();
      const call = () => way(log).append('a/1', counted(1), { signal });
      await expectFailure(call, Error, { name: 'AbortError' });
      const reason = new Error('not any more');
      expect(
        await failureOf(() =>
          way(log).commit([{ stream: 'a/1', events: counted(1) }], {
            signal: AbortSignal.abort(reason),
          }),
        ),
      ).toBe(reason);
      expectEmpty(log);
    });

    test('that is aborted after the answer changes nothing', async () => {
      const { open } = make();
      const log = way(await open());
      const controller = new AbortController();
      await log.append('a/1', counted(1), { signal: controller.signal });
      controller.abort();
      expect(await log.version('a/1')).toBe(1);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    });
  });

  describe('a signal of an append in the background', () => {
    test('takes back what still waits, and nothing else', async () => {
      const { open } = make();
      const log = await open();
      const controller = new AbortController();
      const { signal } = controller;
      const calls = [
        log.append('a/1', counted(1)),
        log.append('a/1', counted(2), { signal }),
        log.append('a/1', counted(3)),
        log.append('a/1', counted(4), { signal, expectedVersion: 3 }),
        log.append('a/1', counted(5), { expectedVersion: 2 }),
      ];
      controller.abort();
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes).toMatchObject([
        { value: { position: 1 } },
        { reason: { name: 'AbortError' } },
        { value: { position: 2 } },
        { reason: { name: 'AbortError' } },
        { value: { position: 3, version: 3 } },
      ]);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      expect(log.stats().queue).toEqual({ commits: 0, bytes: 0 });
    });

    test('leaves the promise to tell the true outcome, whenever it is aborted', async () => {
      const { open } = make();
      const log = await open();
      for (let round = 0; round < 30; round += 1) {
        const controller = new AbortController();
        const options = { signal: controller.signal, idempotencyKey: `k${round}` };
        const neighbour = log.append('b/1', counted(round));
        const call = log.append('a/1', counted(round), options);
        for (let turn = 0; turn < round % 6; turn += 1) await Promise.resolve();
        if (round % 4 === 3) await new Promise((resolve) => setImmediate(resolve));
        controller.abort();
        const [outcome] = await Promise.allSettled([call]);
        await neighbour;
        const stands = (await log.readAll({ streams: ['a/1'] }).toArray()).some(
          ({ idempotencyKey }) => idempotencyKey === `k${round}`,
        );
        expect(stands).toBe(outcome.status === 'fulfilled');
        if (outcome.status === 'rejected') {
          expect(outcome.reason).toMatchObject({ name: 'AbortError' });
        }
      }
      expect(await log.version('b/1')).toBe(30);
    });
  });
}
