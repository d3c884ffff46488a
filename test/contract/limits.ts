/** The documented limits: what just fits is taken, one more is refused, and nothing is written. */
import { describe, expect, test } from 'vitest';
import { InvalidEventError, LimitExceededError, QueueFullError } from '#src/index.js';
import type { MakePlace } from './suite.js';
import { bothWays, counted, expectFailure, sized } from './support.js';

function nested(depth: number): unknown {
  let value: unknown = 'core';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value };
  return value;
}

export function limits(make: MakePlace): void {
  bothWays('a limit', (way) => {
    test('holds for the bytes of an event, data and metadata together', async () => {
      const { open } = make();
      const opened = await open({ eventBytes: 100 });
      const log = way(opened);
      // A text of n characters is n + 2 bytes of JSON; an é counts twice.
      await log.append('a/1', { type: 'x', data: 'x'.repeat(98) });
      await log.append('a/1', { type: 'x', data: 'é'.repeat(49) });
      await log.append('a/1', { type: 'x', data: 'x'.repeat(96), metadata: {} });
      const facts = { code: 'LIMIT_EXCEEDED', limit: 'eventBytes', max: 100 };
      for (const [event, actual] of [
        [{ type: 'x', data: 'x'.repeat(99) }, 101],
        [{ type: 'x', data: 'é'.repeat(50) }, 102],
        [{ type: 'x', data: 'x'.repeat(97), metadata: {} }, 101],
      ] as const) {
        await expectFailure(() => log.append('a/1', event), LimitExceededError, {
          ...facts,
          actual,
        });
      }
      await log.append('a/1', [sized(60), sized(60)]);
      expect(opened.head.position).toBe(4);
    });

    test('holds for the bytes of a commit', async () => {
      const { open } = make();
      const opened = await open({ commitBytes: 4000 });
      const log = way(opened);
      await log.append('a/1', [sized(1000), sized(1000), sized(1000)]);
      await expectFailure(
        () => log.append('a/1', [sized(1000), sized(1000), sized(1000), sized(1000)]),
        LimitExceededError,
        { code: 'LIMIT_EXCEEDED', limit: 'commitBytes', max: 4000 },
      );
      await expectFailure(
        () => log.commit(['a', 'b', 'c', 'd'].map((stream) => ({ stream, events: sized(1000) }))),
        LimitExceededError,
        { limit: 'commitBytes' },
      );
      expect(opened.head.position).toBe(1);
      expect(await log.version('a/1')).toBe(3);
    });

    test('holds for names: 200 bytes of UTF-8', async () => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      const facts = { code: 'LIMIT_EXCEEDED', limit: 'nameBytesMax', max: 200 };
      for (const [fits, tooLong] of [
        ['x'.repeat(200), 'x'.repeat(201)],
        ['é'.repeat(100), 'é'.repeat(101)],
        ['🧠'.repeat(50), '🧠'.repeat(51)],
      ] as const) {
        const context = {
          actor: fits,
          correlationId: fits,
          causationId: fits,
          idempotencyKey: fits,
        };
        await log.append(fits, { type: fits, data: 1 }, context);
        await expectFailure(() => log.append(tooLong, counted(1)), LimitExceededError, {
          ...facts,
          message: expect.not.stringContaining('option'),
        });
        await expectFailure(
          () => log.append('a/1', { type: tooLong, data: 1 }),
          LimitExceededError,
          facts,
        );
        for (const option of Object.keys(context)) {
          await expectFailure(
            () => log.append('a/1', counted(1), { [option]: tooLong }),
            LimitExceededError,
            facts,
          );
        }
      }
      expect(opened.head.position).toBe(3);
    });

    test('holds for a reason: 2000 bytes of UTF-8', async () => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      await log.append('a/1', counted(1), { reason: 'é'.repeat(1000) });
      await log.append('a/1', counted(1), { reason: '' });
      await expectFailure(
        () => log.append('a/1', counted(1), { reason: `${'é'.repeat(1000)}x` }),
        LimitExceededError,
        { limit: 'reasonBytesMax', max: 2000, actual: 2001 },
      );
      expect(opened.head.position).toBe(2);
    });

    test('holds for nesting: 128 arrays and objects inside one another', async () => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      const data = nested(128);
      await log.append('a/1', { type: 'x', data, metadata: { value: nested(127) } });
      const [event] = await log.readAll();
      expect(event?.data).toEqual(data);
      for (const wrong of [
        { type: 'x', data: nested(129) },
        { type: 'x', data: 1, metadata: { value: nested(128) } },
        { type: 'x', data: nested(100_000) },
      ]) {
        await expectFailure(() => log.append('a/1', wrong), InvalidEventError, {
          message: expect.stringContaining('deep') as string,
        });
      }
      expect(opened.head.position).toBe(1);
    });
  });

  describe('the queue', () => {
    test('refuses what goes beyond twice its bytes, and takes it once there is room again', async () => {
      const { open } = make();
      const log = await open({ queueBytes: 8192 });
      const calls = Array.from({ length: 40 }, (_, n) => log.append('a/1', sized(1000, n)));
      const outcomes = await Promise.allSettled(calls);
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.length).toBeLessThan(40);
      for (const outcome of refused) {
        const { reason } = outcome as PromiseRejectedResult;
        expect(reason).toBeInstanceOf(QueueFullError);
        expect(reason).toBeInstanceOf(LimitExceededError);
        expect(reason).toMatchObject({
          ...{ code: 'QUEUE_FULL', limit: 'queueBytes', max: 2 * 8192 },
          message: expect.stringContaining(
            'at most 16384 may, twice the option queueBytes. Wait for earlier appends',
          ) as string,
        });
      }
      expect(await log.version('a/1')).toBe(40 - refused.length);
      expect(log.stats().queue).toEqual({ commits: 0, bytes: 0 });
      await log.append('a/1', sized(1000));
    });

    test('takes a commit larger than itself when nothing else waits', async () => {
      const { open } = make();
      const log = await open({ queueBytes: 1024 });
      await log.append('a/1', sized(100_000));
      log.appendSync('a/1', sized(100_000));
      expect(await log.version('a/1')).toBe(2);
    });

    test('writes commits larger than a whole group', async () => {
      const { open } = make();
      const log = await open({ eventBytes: 8_000_000, commitBytes: 20_000_000 });
      const large = log.append('a/1', [sized(7_000_000, 1), sized(6_000_000, 2)]);
      const small = log.append('a/1', counted(3));
      await Promise.all([large, small, log.append('a/1', sized(5_000_000, 4))]);
      const lengths = (await log.readAll().toArray()).map(
        ({ data }) => JSON.stringify(data).length,
      );
      expect(lengths.map((length) => Math.floor(length / 1_000_000))).toEqual([7, 6, 0, 5]);
    });
  });
}
