/**
 * Backup, restore and import with a crash, and with an error, at every call to the disk: the source is as it was, and the target is absent or whole. What a
 * killed one left is gone after the next one.
 */
import { describe, expect, it } from 'vitest';
import {
  again,
  callsOf,
  copyings,
  furnishedDisk,
  isOurs,
  lossesOf,
  problemsOfRetry,
  problemsOfTarget,
  runAndDie,
  runWithFault,
  surroundings,
} from '../test/support/copying.js';
import { changes } from '../test/support/crash-search.js';
import { oneOf, timeoutMs } from '../test/support/runs.js';

const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES'];

describe.each(Object.entries(copyings))('%s', (_name, copying) => {
  it('dies at every call, and leaves the source and a whole target or none', {
    timeout: timeoutMs,
  }, async () => {
    const base = await furnishedDisk();
    const before = surroundings(again(base));
    const calls = (await callsOf(base, copying)).filter(
      (call) => changes(call) || call.method === 'link',
    );
    expect(calls.length).toBeGreaterThan(20);
    const problems: string[] = [];
    let published = 0;
    const among = oneOf(3);
    // What publishes is always among them.
    const some = calls.filter(({ method, number }) => method === 'rename' || among(number));
    for (const { number, method, path } of some) {
      for (const moment of method === 'write'
        ? (['during', 'after'] as const)
        : (['after'] as const)) {
        const died = await runAndDie(base, copying, number, moment);
        const states = [died, ...lossesOf(await runAndDie(base, copying, number, moment), number)];
        for (const [state, disk] of states.entries()) {
          const where = `${moment} ${number} ${method} ${path}, state ${state}`;
          for (const problem of problemsOfTarget(disk, copying))
            problems.push(`${where}: ${problem}`);
          expect(surroundings(disk), where).toEqual(before);
          if (disk.contentOf('/there/target/store.json')) published += 1;
          for (const problem of await problemsOfRetry(disk, copying)) {
            problems.push(`${where}, again: ${problem}`);
          }
        }
      }
    }
    expect(problems.slice(0, 5)).toEqual([]);
    expect(published).toBeGreaterThan(0);
  });

  it('meets an error at every call, and leaves nothing', { timeout: timeoutMs }, async () => {
    const base = await furnishedDisk();
    const before = surroundings(again(base));
    const problems: string[] = [];
    let failed = 0;
    for (const { number, method, path } of await callsOf(base, copying)) {
      const code = CODES[number % CODES.length] as string;
      const { disk, error, openFiles } = await runWithFault(base, copying, number, code);
      const where = `${code} at ${number} ${method} ${path}`;
      for (const problem of problemsOfTarget(disk, copying)) problems.push(`${where}: ${problem}`);
      if (openFiles.length > 0) problems.push(`${where}: open ${openFiles.join()}`);
      expect(surroundings(disk), where).toEqual(before);
      if (error === undefined) continue;
      failed += 1;
      if (!isOurs(error)) problems.push(`${where}: ${String(error)}`);
      const left = disk.paths().filter((each) => each.startsWith('/there/'));
      if (left.length > 1) problems.push(`${where}: left ${left.join()}`);
    }
    expect(problems.slice(0, 5)).toEqual([]);
    expect(failed).toBeGreaterThan(20);
  });
});
