/** A group that others wrote before: moved behind what they wrote when that touches nothing of it, else decided anew. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Log, openLog, openLogSync } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const event = (data: unknown) => ({ type: 'noted', data });

interface Pair {
  readonly mine: Log;
  readonly others: Log;
}

/** Two logs on one directory. What `mine` does next rests on a log that `others` have written to since. */
async function withTwo(use: (pair: Pair) => Promise<void>, clock?: () => number): Promise<void> {
  const directory = join(temporaryDirectory(), 'store');
  const mine = await openLog(directory, { ...(clock ? { clock } : {}) });
  const others = openLogSync(directory);
  await use({ mine, others });
  await expect(mine.verify()).resolves.toMatchObject({ ok: true });
  others.closeSync();
  await mine.close();
}

describe('a group that others wrote before', () => {
  test('keeps its decision and takes the next positions, whatever their length', async () => {
    await withTwo(async ({ mine, others }) => {
      let position = 0;
      for (let round = 0; round < 140; round += 1) {
        // Now one, now several, so that positions get longer within a group, too.
        for (let count = 0; count <= round % 3; count += 1)
          others.appendSync('others', event(round));
        position += 1 + (round % 3);
        const [first, second] = await Promise.all([
          mine.append('mine', event({ round, text: 'ünïcödé' }), { expectedVersion: 2 * round }),
          mine.append('mine', [event(round)], { idempotencyKey: `key ${round}` }),
        ]);
        expect(first).toMatchObject({ position: position + 1, version: 2 * round + 1 });
        expect(second).toMatchObject({ position: position + 2, version: 2 * round + 2 });
        position += 2;
      }
      expect(mine.stats()).toMatchObject({ moved: 140, rebased: 140, conflicts: 0 });
      const events = await mine.readStream('mine').toArray();
      expect(events.map(({ data }) => data)).toEqual(
        Array.from({ length: 140 }, (_, round) => [{ round, text: 'ünïcödé' }, round]).flat(),
      );
      const all = others.readAllSync().toArray();
      expect(all.map(({ position }) => position)).toEqual(all.map((_, index) => index + 1));
    });
  });

  test('is decided anew when they wrote to one of its streams', async () => {
    await withTwo(async ({ mine, others }) => {
      await mine.append('shared', event(1));
      others.appendSync('shared', event(2));
      const results = await Promise.allSettled([
        mine.append('shared', event(3), { expectedVersion: 1 }),
        mine.append('shared', event(4)),
      ]);
      expect(results[0]).toMatchObject({
        status: 'rejected',
        reason: { code: 'VERSION_CONFLICT' },
      });
      expect(results[1]).toMatchObject({ status: 'fulfilled', value: { version: 3 } });
      expect(mine.stats()).toMatchObject({ moved: 1, rebased: 0 });
    });
  });

  test('is decided anew when they used its idempotency key', async () => {
    await withTwo(async ({ mine, others }) => {
      const options = { idempotencyKey: 'once' };
      const first = others.appendSync('theirs', event(1), options);
      const again = await mine.append('theirs', event(1), options);
      expect(again).toEqual({ ...first, repeated: true });
      others.appendSync('else', event(2), { idempotencyKey: 'twice' });
      await expect(
        mine.append('mine', event(3), { idempotencyKey: 'twice' }),
      ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
      expect(mine.stats()).toMatchObject({ rebased: 0 });
    });
  });

  test('is decided anew when it rests on a stream that it does not write', async () => {
    await withTwo(async ({ mine, others }) => {
      others.appendSync('checked', event(1));
      const checks = [{ stream: 'checked', expectedVersion: 'absent' as const }];
      await expect(
        mine.commit([{ stream: 'mine', events: event(2) }], { checks }),
      ).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
      expect(mine.stats()).toMatchObject({ moved: 1, rebased: 0 });
    });
  });

  test('takes their time when its own stands a little behind, and is decided anew when it is far behind', async () => {
    const behindMs = { now: 300 };
    const clock = () => Date.now() - behindMs.now;
    await withTwo(async ({ mine, others }) => {
      const before = others.appendSync('others', event(1));
      expect((await mine.append('mine', event(2))).time).toBe(before.time);
      expect(mine.stats()).toMatchObject({ moved: 1, rebased: 1 });
      behindMs.now = 60_000;
      const later = others.appendSync('others', event(3));
      expect((await mine.append('mine', event(4))).time).toBe(later.time);
      expect(mine.stats()).toMatchObject({ rebased: 1 });
      expect(mine.stats().skewMsMax).toBeGreaterThan(50_000);
    }, clock);
  });

  test('is decided anew when its clock, a little behind already, comes to stand far behind', async () => {
    const start = Date.parse('2030-01-01T00:00:00.000Z');
    const directory = join(temporaryDirectory(), 'store');
    const ahead = { ms: 0 };
    const mine = openLogSync(directory, { clock: () => start - 900 });
    const others = openLogSync(directory, { clock: () => start + ahead.ms });
    others.appendSync('others', event(1));
    mine.refreshSync();
    ahead.ms = 900;
    others.appendSync('others', event(2));
    mine.appendSync('mine', event(3));
    // What the clock said stands in the line only when it was decided anew.
    expect(mine.stats()).toMatchObject({ moved: 1, rebased: 0, skewMsMax: 1800 });
    others.closeSync();
    mine.closeSync();
  });
});
