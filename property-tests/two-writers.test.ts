/**
 * Several processes append to one log, interrupted by each other anywhere. Replayed in the order of the log, every accepted
 * commit must have met its conditions, and every refusal must be explained by the log as it stood during the call: no commit is lost,
 * repeated or reordered.
 */
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { AsyncDiskCalls, Disk } from '#src/log/disk.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { type CommitPlan, commitsOf, Ledger } from '../test/support/ledger.js';
import { plansWith } from '../test/support/random-stories.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';
import { type Piece, type Play, Stage } from '../test/support/stage.js';
import { problemsOfStore } from '../test/support/store-check.js';
import { appendOn, DIRECTORY, environmentOn, randomOn, stopTime } from '../test/support/story.js';

stopTime();
afterEach(() => {
  vi.clearAllTimers();
});
afterAll(() => {
  vi.useRealTimers();
});

const names = ['a', 'b', 'c'];

const pieces: fc.Arbitrary<Piece[][]> = plansWith(names.length, 8, (plan) =>
  fc.oneof(
    { arbitrary: fc.constant<Piece>({ do: 'append', plan }), weight: 8 },
    { arbitrary: fc.constant<Piece>({ do: 'read' }), weight: 2 },
    { arbitrary: fc.constant<Piece>({ do: 'close' }), weight: 1 },
  ),
);

const plays: fc.Arbitrary<Play> = fc.record({
  seed: fc.nat({ max: 2 ** 30 }),
  scripts: pieces.map((lists) =>
    lists.map((list, index) => ({ process: names[index] as string, pieces: list })),
  ),
  switches: fc.uniqueArray(fc.nat({ max: 600 }), { maxLength: 60 }),
});

describe('processes that interrupt each other at any call', () => {
  it('lose, repeat and reorder nothing', { timeout: timeoutMs }, async () => {
    let interrupted = 0;
    await fc.assert(
      fc.asyncProperty(plays, async (play) => {
        const stage = new Stage(play);
        stage.play();
        expect(stage.problems).toEqual([]);
        interrupted += stage.ledger.attempts.filter(
          ({ outcome }) => outcome.kind === 'not-written',
        ).length;
        const problems = await problemsOfStore(stage.disk, stage.ledger, { seed: play.seed });
        expect(problems).toEqual([]);
      }),
      { numRuns: times(300), seed },
    );
    // Otherwise nobody was ever interrupted while it held the lock.
    expect(interrupted).toBeGreaterThan(0);
  });
});

/** Off-thread calls end in any order. */
function scheduled(disk: Disk, scheduler: fc.Scheduler): Disk {
  const promises = new Proxy(disk, {
    get: (target, name) => {
      const call = (
        Reflect.get(target, name, target) as (...parameters: unknown[]) => unknown
      ).bind(target);
      return async (...parameters: unknown[]) => {
        await scheduler.schedule(Promise.resolve(), String(name));
        return call(...parameters);
      };
    },
  }) as unknown as AsyncDiskCalls;
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'promises') return promises;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

describe('asynchronous appends of two processes', () => {
  const batches = plansWith(2, 6, (plan) => fc.constant(plan)).map((lists) =>
    lists.map((plans) => [plans.slice(0, 3), plans.slice(3)]),
  );

  it('keep every order in which the disk answers', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), batches, fc.nat(), async (scheduler, lists, number) => {
        const disk = new SimulatedDisk({ seed: number });
        const ledger = new Ledger();
        const logs = lists.map((_, index) => {
          const process = scheduled(disk.process(names[index]), scheduler);
          const environment = environmentOn(process, disk, randomOn(disk, number + index));
          return openLogOnSync(environment, DIRECTORY, { segmentBytes: 4096 });
        });
        const append = async (index: number, plan: CommitPlan): Promise<void> => {
          const attempt = ledger.begin(plan);
          const log = logs[index];
          if (!log) return;
          try {
            ledger.acknowledged(attempt, await appendOn(log, plan));
          } catch (error) {
            ledger.failed(attempt, error as Error);
          }
        };
        const all = lists.map(async (own, index) => {
          for (const batch of own) await Promise.all(batch.map((plan) => append(index, plan)));
          const log = logs[index];
          if (log) ledger.served(commitsOf(await log.readAll().toArray()));
        });
        await scheduler.waitFor(Promise.all(all));
        await scheduler.waitFor(Promise.all(logs.map((log) => log.close())));
        const unexpected = ledger.attempts.filter(({ outcome }) => outcome.kind === 'not-written');
        expect(unexpected).toEqual([]);
        expect(await problemsOfStore(disk, ledger, { seed: number })).toEqual([]);
      }),
      { numRuns: times(150), seed },
    );
  });
});
