/** Long storms: many processes, killed and stopped at random moments, with every kind of reader. */
import { describe, expect, test } from 'vitest';
import { timeoutMs, times } from '../support/runs.js';
import { type StormOptions, storm } from '../support/storm.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const storms: readonly (Omit<StormOptions, 'directory'> & { title: string })[] = [
  {
    title: 'eight processes, killed and stopped',
    writers: 8,
    commits: times(8000),
    kills: times(60),
    stops: true,
    readers: ['follow', 'follow', 'read', 'lines'],
    seed: 101,
  },
  {
    title: 'eight processes that do not wait long for one another, killed and stopped',
    writers: 8,
    commits: times(5000),
    kills: times(30),
    stops: true,
    readers: ['follow', 'lines'],
    seed: 102,
    options: { lockTimeoutMs: 150 },
    tolerated: ['LOCK_TIMEOUT'],
  },
  {
    title: 'three processes, killed so often that few get far',
    writers: 3,
    commits: times(1500),
    kills: times(120),
    readers: ['follow', 'read', 'lines'],
    seed: 103,
    options: { segmentBytes: 4096 },
  },
  {
    title: 'four processes on a store without syncs',
    writers: 4,
    commits: times(8000),
    kills: times(40),
    readers: ['follow', 'lines'],
    seed: 104,
    options: { durability: 'os' },
  },
];

describe('a storm of', () => {
  test.each(storms)(
    '$title loses and repeats nothing',
    { timeout: timeoutMs * 4 },
    async ({ title, ...options }) => {
      const { problems, verified, ...report } = await storm({
        ...options,
        directory: temporaryDirectory(),
      });
      console.log(title, report);
      expect(problems).toEqual([]);
      expect(verified.ok).toBe(true);
      expect(report.acknowledged).toBeGreaterThanOrEqual(options.commits);
      expect(report.killed).toBe(options.kills);
      if (options.stops) expect(report.stopped).toBeGreaterThan(0);
    },
  );
});
