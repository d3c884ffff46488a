/** What is done very often leaves nothing behind: no memory, descriptors, threads, listeners, timers. */
import { accessSync, constants, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../support/programs.js';
import { timeoutMs, times } from '../support/runs.js';
import type { SoakingReport, SoakingTask } from '../support/soaking.mjs';

const MIB = 1024 * 1024;

const soaks: readonly (Omit<SoakingTask, 'directory'> & { counts: Record<string, number> })[] = [
  {
    work: 'opens, appends and closes',
    warmUp: 50,
    times: times(500),
    counts: { closed: times(500) },
  },
  {
    work: 'opens for reading and closes',
    warmUp: 50,
    times: times(250),
    counts: { closed: times(250) },
  },
  { work: 'fails to open', warmUp: 50, times: times(250), counts: { refused: times(250) } },
  {
    work: 'aborts appends that wait on the writer thread',
    warmUp: 1000,
    times: times(2500),
    counts: { enough: times(2500) },
  },
  {
    work: 'aborts appends that wait without a writer thread',
    warmUp: 1000,
    times: times(2500),
    counts: { enough: times(2500) },
  },
  {
    work: 'appends time out',
    warmUp: 500,
    times: times(1000),
    counts: { LOCK_TIMEOUT: times(1000) },
  },
  {
    work: 'aborts waits for a file lock',
    warmUp: 500,
    times: times(1000),
    counts: { enough: times(1000) },
  },
  {
    work: 'follows and stops following',
    warmUp: 500,
    times: times(1500),
    counts: { followed: times(1500) },
  },
];

/** In memory where there is such a place: what is counted here has nothing to do with how long a disk takes to sync. */
function quickDirectory(): string {
  let parent = '/dev/shm';
  try {
    accessSync(parent, constants.W_OK);
  } catch {
    parent = realpathSync(tmpdir());
  }
  const directory = mkdtempSync(join(parent, 'recollect-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

describe('a program that very often', { timeout: timeoutMs }, () => {
  test.each(soaks)('$work holds afterwards what it held before', async ({ counts, ...soak }) => {
    const directory = quickDirectory();
    const task: SoakingTask = { ...soak, directory };
    const { code, output, errors } = await run('./soaking.mjs', {
      task,
      nodeOptions: ['--expose-gc'],
    });
    // A warning of too many listeners would stand among the errors.
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const report = JSON.parse(output) as SoakingReport;
    expect(report.counts).toEqual(counts);
    const { heapBytes: heapBefore, ...before } = report.before;
    const { heapBytes: heapAfter, ...after } = report.after;
    expect(after).toEqual(before);
    // What each time left a kilobyte would be found by this; compiled code and caches come and go by less.
    expect(heapAfter - heapBefore).toBeLessThan(2 * MIB);
  });
});
