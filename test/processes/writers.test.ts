/** Processes that write to one directory at once, and die. */
import { describe, expect, test } from 'vitest';
import { storm } from '../support/storm.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('four processes that write to one directory', () => {
  test('lose and repeat nothing while they are killed at random and replaced, and readers see all of it in order', {
    timeout: 110_000,
  }, async () => {
    const report = await storm({
      directory: temporaryDirectory(),
      writers: 4,
      commits: 5000,
      kills: 25,
      readers: ['follow', 'read', 'lines'],
      seed: 1,
    });
    expect(report.problems).toEqual([]);
    expect(report.killed).toBe(25);
    expect(report.acknowledged).toBeGreaterThanOrEqual(5000);
    // Else the storm has not tried what it is for.
    expect(report.segments).toBeGreaterThan(10);
    expect(report.repeated).toBeGreaterThan(0);
    expect(report.refused).toBeGreaterThan(0);
  });
});
