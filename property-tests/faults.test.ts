/**
 * A disk that refuses: every call fails in every way, once and for good, and then the disk is well again. Callers see the
 * library's own errors, nothing acknowledged is lost, nothing is acknowledged by mistake, no file stays open.
 *
 * A failure prints the story and the call that failed, which is all it takes to see it again, and the last calls to the disk.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { OutcomeUnknownError, StoreFullError, StorePoisonedError } from '#src/errors.js';
import type { Log } from '#src/log/log.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { keepOldest } from '../test/support/chooser.js';
import {
  type FaultSearch,
  searchFaults,
  searchFaultsThenCrashes,
  someFailures,
} from '../test/support/fault-search.js';
import { commitsOf } from '../test/support/ledger.js';
import { storiesBy } from '../test/support/random-stories.js';
import { oneOf, seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';
import { allStories, longGroupsInTurn, twoGroups } from '../test/support/stories.js';
import { DIRECTORY, environmentOn, randomOn, type StoryOptions } from '../test/support/story.js';

afterAll(() => {
  vi.useRealTimers();
});

async function expectNothingWrong(options: StoryOptions, search: FaultSearch): Promise<number> {
  const findings = await searchFaults(options, search);
  expect(findings.problems.join('\n\n')).toBe('');
  return findings.runs;
}

describe('every call fails', () => {
  it.each(Object.entries(allStories))('%s', { timeout: timeoutMs }, async (_name, options) => {
    const among = oneOf(2);
    const runs = await expectNothingWrong(options, {
      calls: ({ number }) => among(number),
      failuresAt: someFailures(times(1)),
    });
    expect(runs).toBeGreaterThan(25);
  });

  it('in every way, for a small story', { timeout: timeoutMs }, async () => {
    const among = oneOf(5);
    const runs = await expectNothingWrong(twoGroups, {
      calls: ({ number }) => among(number),
      samples: times(1) - 1,
    });
    expect(runs).toBeGreaterThan(200);
  });

  it('and the machine stops while others go on', { timeout: timeoutMs }, async () => {
    const among = oneOf(5);
    const findings = await searchFaultsThenCrashes(longGroupsInTurn, {
      calls: ({ process, method, path }) =>
        process === 'a' && method === 'write' && path.endsWith('ndjson'),
      failuresAt: (call) => someFailures(12)(call).filter((_, index) => among(call + index)),
      samples: times(1),
    });
    expect(findings.problems.join('\n\n')).toBe('');
    expect(findings.runs).toBeGreaterThan(50);
  });

  it('in stories by chance', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(storiesBy('sync'), fc.nat({ max: 9 }), async (story, tenth) => {
        const calls = ({ number }: { number: number }) => number % 10 === tenth;
        await expectNothingWrong(story, { calls, failuresAt: someFailures(1), samples: 1 });
      }),
      { numRuns: times(5), seed, endOnFailure: true },
    );
  });

  it("with durability 'os'", { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(storiesBy('os'), fc.nat({ max: 9 }), async (story, tenth) => {
        const calls = ({ number }: { number: number }) => number % 10 === tenth;
        await expectNothingWrong(story, { calls, failuresAt: someFailures(1), samples: 1 });
      }),
      { numRuns: times(4), seed, endOnFailure: true },
    );
  });
});

function openOn(disk: SimulatedDisk, name: string): Log {
  const random = randomOn(disk, name.charCodeAt(0));
  return openLogOnSync(environmentOn(disk.process(name), disk, random), DIRECTORY);
}

const event = (number: number) => ({ type: 'test.happened', data: { number } });

/** What an append came to: its position, or the error's name. */
function outcomeOf(append: () => { position: number }): number | string {
  try {
    return append().position;
  } catch (error) {
    return (error as Error).name;
  }
}

describe('a failed sync', () => {
  const syncOfLog = { method: 'sync', path: /ndjson$/, code: 'EIO' } as const;

  it('leaves the outcome of its group unknown and stops the log for good', async () => {
    const disk = new SimulatedDisk();
    const log = openOn(disk, 'a');
    log.appendSync('x/1', event(1));
    disk.process('a').inject(syncOfLog);
    const together = [2, 3].map((number) => log.append('x/1', event(number)));
    const outcomes = await Promise.allSettled(together);
    expect(outcomes.map((outcome) => 'reason' in outcome && outcome.reason)).toEqual([
      expect.any(OutcomeUnknownError),
      expect.any(OutcomeUnknownError),
    ]);
    await expect(log.append('x/1', event(4))).rejects.toThrow(StorePoisonedError);
    expect(() => log.appendSync('x/1', event(5))).toThrow(StorePoisonedError);
    expect(commitsOf(log.readAllSync().toArray())).toHaveLength(1);
    log.closeSync();
  });

  it('is not forgotten by those that wait behind it', async () => {
    const disk = new SimulatedDisk();
    const log = openOn(disk, 'a');
    disk.process('a').inject(syncOfLog);
    const waiting = log.append('x/1', event(1)).catch((error: Error) => error.name);
    expect(outcomeOf(() => log.appendSync('x/1', event(2)))).toBe('OutcomeUnknownError');
    expect(await waiting).toBe('OutcomeUnknownError');
    log.closeSync();
  });

  it('lets the next process go on, with what it finds written again', () => {
    const disk = new SimulatedDisk();
    const log = openOn(disk, 'a');
    disk.process('a').inject(syncOfLog);
    expect(outcomeOf(() => log.appendSync('x/1', event(1)))).toBe('OutcomeUnknownError');
    const next = openOn(disk, 'b');
    const { position } = next.appendSync('x/1', event(2));
    const found = openOn(disk.powerLoss(keepOldest), 'c');
    expect(found.readAllSync().toArray()).toHaveLength(position);
    found.closeSync();
  });

  it('lets the same process go on once it opens the log again', () => {
    const disk = new SimulatedDisk();
    const log = openOn(disk, 'a');
    disk.process('a').inject(syncOfLog);
    expect(outcomeOf(() => log.appendSync('x/1', event(1)))).toBe('OutcomeUnknownError');
    log.closeSync();
    const again = openOn(disk, 'a');
    expect(outcomeOf(() => again.appendSync('x/1', event(2)))).toBe(2);
    again.closeSync();
    expect(disk.process('a').openFiles).toEqual([]);
  });
});

describe('a full disk', () => {
  it('refuses what does not fit, serves what is there, and takes more once there is room', () => {
    const sizes = Array.from({ length: 60 }, (_, index) => index * 41);
    for (const freeBytes of sizes) {
      const disk = new SimulatedDisk();
      const log = openOn(disk, 'a');
      log.appendSync('x/1', event(1));
      disk.freeBytes = freeBytes;
      const outcomes = [2, 3, 4, 5, 6, 7, 8].map((number) =>
        outcomeOf(() => log.appendSync('x/1', event(number))),
      );
      const fitted = outcomes.filter((outcome) => typeof outcome === 'number');
      expect(outcomes.slice(fitted.length)).toEqual(
        outcomes.slice(fitted.length).map(() => StoreFullError.name),
      );
      expect(log.readAllSync().toArray()).toHaveLength(1 + fitted.length);
      disk.freeBytes = undefined;
      expect(log.appendSync('x/1', event(9)).position).toBe(2 + fitted.length);
      log.closeSync();
      const found = openOn(disk.powerLoss(keepOldest), 'b');
      expect(found.recovery.state).toBe('clean');
      expect(found.readAllSync().toArray()).toHaveLength(2 + fitted.length);
      found.closeSync();
    }
  });

  it('refuses to make a store, and makes it once there is room', () => {
    const sizes = Array.from({ length: 60 }, (_, index) => index * 27);
    for (const freeBytes of sizes) {
      const disk = new SimulatedDisk({ freeBytes });
      const first = outcomeOf(() => {
        const log = openOn(disk, 'a');
        log.closeSync();
        return { position: 0 };
      });
      expect([0, StoreFullError.name]).toContain(first);
      expect(disk.process('a').openFiles).toEqual([]);
      disk.freeBytes = undefined;
      const log = openOn(disk, 'a');
      expect(log.appendSync('x/1', event(1)).position).toBe(1);
      log.closeSync();
    }
  });
});
