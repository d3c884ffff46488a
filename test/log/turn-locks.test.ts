/** Turns among processes: each instance here has a descriptor of its own, as each process has. */
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RealDisk } from '#src/log/real-disk.js';
import { TurnLocks } from '#src/log/turn-locks.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const { signal } = new AbortController();

class Clock {
  now = 0;
}

/** So many processes that have a lock file open. */
function processes(count: number, disk: RealDisk = new RealDisk()) {
  const path = join(temporaryDirectory(), 'lock');
  disk.close(disk.open(path, 'create'));
  const clock = new Clock();
  const open = () => {
    const locks = new TurnLocks(disk, disk.open(path, 'write'), () => clock.now);
    return {
      locks,
      /** Looks again, however short it is since it did. */
      areContested: () => {
        clock.now += 1;
        return locks.areContested;
      },
    };
  };
  const all = Array.from({ length: count }, open);
  return { all: all as [(typeof all)[0], ...typeof all], clock };
}

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  // Long enough for some attempts.
  await new Promise((resolve) => setTimeout(resolve, 20));
  return settled;
}

class FailingDisk extends RealDisk {
  failing = false;

  override tryLock(...call: Parameters<RealDisk['tryLock']>): boolean {
    if (this.failing)
      throw Object.assign(new Error('no locks available'), {
        code: 'ENOLCK',
        errno: -37,
        syscall: 'fcntl',
      });
    return super.tryLock(...call);
  }
}

describe('a turn', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('is had by one process, and the next one has it then', async () => {
    const { all } = processes(2);
    const [one, other] = all;
    const end = await one.locks.take('key', signal);
    const waiting = other?.locks.take('key', signal) as Promise<() => void>;
    expect(await isSettled(waiting)).toBe(false);
    end();
    const endOther = await waiting;
    expect(await isSettled(one.locks.take('other key', signal))).toBe(true);
    const again = one.locks.take('key', signal);
    expect(await isSettled(again)).toBe(false);
    endOther();
    (await again)();
  });

  test('is seen by others while it is had, and while somebody waits for it', async () => {
    const { all } = processes(3);
    const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const seen = () => [c.areContested(), c.locks.isBusy('key'), c.locks.isBusy('other key')];
    expect(seen()).toEqual([false, false, false]);
    const end = await a.locks.take('key', signal);
    expect(seen()).toEqual([true, true, false]);
    const controller = new AbortController();
    const waiting = b.locks.take('key', controller.signal);
    end();
    // Nobody has it until the one that waits tries again.
    expect(seen()).toEqual([true, true, false]);
    (await waiting)();
    expect(seen()).toEqual([false, false, false]);
  });

  test('of two transactions of one process ends when both have ended', async () => {
    const { all } = processes(2);
    const [one, other] = all;
    const [first, second] = [
      await one.locks.take('key', signal),
      await one.locks.take('key', signal),
    ];
    expect(one.areContested()).toBe(true);
    expect(one.locks.isBusy('key')).toBe(false);
    const waiting = other?.locks.take('key', signal) as Promise<() => void>;
    first();
    expect(await isSettled(waiting)).toBe(false);
    second();
    (await waiting)();
    expect(one.areContested()).toBe(false);
  });

  test('is waited for no longer than the signal says, and nothing is left of that', async () => {
    const { all } = processes(3);
    const [one, other, third] = all;
    const end = await one.locks.take('key', signal);
    const controller = new AbortController();
    const waiting = other?.locks.take('key', controller.signal) as Promise<() => void>;
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    end();
    expect(third?.areContested()).toBe(false);
    expect(third?.locks.isBusy('key')).toBe(false);
    (await third?.locks.take('key', signal))?.();
  });

  test('that never ends has another one in its place for a while, for all who waited', async () => {
    // Who is stopped tells nobody that it moves.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { all, clock } = processes(3);
    const [stopped, a, b] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const end = await stopped.locks.take('key', signal);
    const waiting = [a.locks.take('key', signal), b.locks.take('key', signal)] as const;
    expect(await isSettled(Promise.race(waiting))).toBe(false);
    clock.now += 1001;
    const first = await Promise.race(waiting);
    // One of them has it, and the other one waits for it.
    expect(await isSettled(Promise.all(waiting))).toBe(false);
    first();
    for (const leave of await Promise.all(waiting)) if (leave !== first) leave();
    expect(a.locks.isBusy('key')).toBe(false);
    (await a.locks.take('key', signal))();
    clock.now += 10_000;
    expect(a.locks.isBusy('key')).toBe(true);
    end();
    expect([a.areContested(), a.locks.isBusy('key')]).toEqual([false, false]);
  });

  test('that is had for long is waited for while its holder moves', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { all, clock } = processes(2);
    const [one, other] = all as [(typeof all)[0], (typeof all)[0]];
    const end = await one.locks.take('key', signal);
    const waiting = other.locks.take('key', signal);
    for (let second = 0; second < 5; second += 1) {
      vi.advanceTimersByTime(250);
      clock.now += 1001;
      expect(await isSettled(waiting)).toBe(false);
    }
    end();
    (await waiting)();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is waited for as long as others take it', async () => {
    const { all, clock } = processes(3);
    const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    let end = await a.locks.take('key', signal);
    const controller = new AbortController();
    const waiting = c.locks.take('key', controller.signal);
    for (const other of [b, a, b, a]) {
      // The one that waits cannot have it in between: its attempts are a millisecond apart.
      end();
      end = await other.locks.take('key', signal);
      clock.now += 600;
      expect(await isSettled(waiting)).toBe(false);
    }
    end();
    (await waiting)();
  });

  test("is nobody's where locks cannot be had, and nobody waits", async () => {
    const disk = new FailingDisk();
    const { all } = processes(2, disk);
    const [one, other] = all as [(typeof all)[0], (typeof all)[0]];
    disk.failing = true;
    (await one.locks.take('key', signal))();
    const end = await one.locks.take('key', signal);
    expect([other.areContested(), other.locks.isBusy('key')]).toEqual([false, false]);
    (await other.locks.take('key', signal))();
    end();
  });

  test('is let go of without a lock where only whole files can be locked, and when the file is closed', async () => {
    const { all: whole } = processes(2, new RealDisk({ rangeLocks: false }));
    const [a, b] = whole as [(typeof whole)[0], (typeof whole)[0]];
    const end = await a.locks.take('key', signal);
    (await b.locks.take('key', signal))();
    end();
    const { all } = processes(2);
    const [one, other] = all as [(typeof all)[0], (typeof all)[0]];
    const endOne = await one.locks.take('key', signal);
    const waiting = other.locks.take('key', signal);
    other.locks.end();
    (await waiting)();
    endOne();
    expect(other.areContested()).toBe(false);
  });
});
