/** One file is one place, by whatever path it is reached; and what it has lost is not forgotten by who gave it out. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DeadlockError, LockTimeoutError } from '#src/errors.js';
import { FileLock, LockManager } from '#src/locks/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** A directory, and a symbolic link that leads to it. */
function twoWays(): { straight: string; around: string } {
  const root = temporaryDirectory();
  const straight = join(root, 'locks');
  const around = join(root, 'link');
  mkdirSync(straight);
  symlinkSync(straight, around);
  return { straight, around };
}

describe('a lock file whose directory is reached through a symbolic link', () => {
  test('is the one that the straight path leads to: a synchronous call is told at once that it waits for its own thread', async () => {
    const { straight, around } = twoWays();
    const lease = await new FileLock(join(straight, 'some.lock')).exclusive();
    const other = new FileLock(join(around, 'some.lock'));
    expect(() => other.exclusiveSync({ timeoutMs: 200 })).toThrow(DeadlockError);
    await expect(other.exclusive({ timeoutMs: 0 })).rejects.toBeInstanceOf(LockTimeoutError);
    lease.release();
    other.exclusiveSync({ timeoutMs: 0 }).release();
  });

  test('has one line of those who wait', async () => {
    const { straight, around } = twoWays();
    const paths = [straight, around].map((directory) => new FileLock(join(directory, 'some.lock')));
    const [one, other] = paths as [FileLock, FileLock];
    const first = await one.exclusive();
    const order: number[] = [];
    const waiting = [other, one, other, one].map(async (lock, index) => {
      const lease = await lock.exclusive();
      order.push(index);
      lease.release();
    });
    first.release();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  test('closes a circle of managers, which is found', async () => {
    const { straight, around } = twoWays();
    const one = new LockManager({ directory: straight });
    const other = new LockManager({ directory: around });
    const failures: unknown[] = [];
    let bothHold = () => {};
    const both = new Promise<void>((resolve) => {
      let count = 0;
      bothHold = () => {
        count += 1;
        if (count === 2) resolve();
      };
    });
    const inTurn = (manager: LockManager, own: string, wanted: string) =>
      manager
        .withExclusive(own, async () => {
          bothHold();
          await both;
          await manager.withExclusive(wanted, () => {}, { timeoutMs: 5000 });
        })
        .catch((error: unknown) => failures.push(error));
    await Promise.all([inTurn(one, 'a', 'b'), inTurn(other, 'b', 'a')]);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeInstanceOf(DeadlockError);
  });
});

test('tokens grow when the file has lost what was written to it since', async () => {
  const path = join(temporaryDirectory(), 'some.lock');
  const lock = new FileLock(path, { fencing: true });
  const next = () => lock.withExclusive(({ token = 0 }) => token);
  expect(await next()).toBe(1);
  const old = readFileSync(path);
  expect([await next(), await next()]).toEqual([2, 3]);
  writeFileSync(path, old);
  const later = [await next(), await next()];
  expect(later[0]).toBeGreaterThan(3);
  expect(later[1]).toBe((later[0] ?? 0) + 1);
  // Who comes later, from elsewhere, learns of it from the file.
  expect(readFileSync(path)).not.toEqual(old);
});
