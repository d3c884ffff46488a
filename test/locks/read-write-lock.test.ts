import { describe, expect, test } from 'vitest';
import { DeadlockError, type Lease, LockTimeoutError, ReadWriteLock } from '#src/locks/index.js';

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Asks in turn, and writes down in which order the lock was had; each gives it back at once. */
function asker(lock: ReadWriteLock) {
  const got: string[] = [];
  const ask = async (name: string, mode: 'read' | 'write', priority?: 'critical') => {
    const lease = await lock[mode]({ label: name, priority });
    got.push(name);
    lease.release();
  };
  return { got, ask };
}

describe('a lock of readers and writers', () => {
  test('lets a reader that arrives after a waiting writer wait', async () => {
    const lock = new ReadWriteLock();
    const reading = await lock.read();
    const { got, ask } = asker(lock);
    const all = [ask('writer', 'write'), ask('late reader', 'read')];
    await Promise.resolve();
    expect(lock.status()).toMatchObject({
      state: 'read',
      waiters: [
        { kind: 'write', label: 'writer' },
        { kind: 'read', label: 'late reader' },
      ],
    });
    reading.release();
    await Promise.all(all);
    expect(got).toEqual(['writer', 'late reader']);
  });

  test('lets eight critical ones go before somebody normal, and then nobody', async () => {
    const lock = new ReadWriteLock();
    const holder = await lock.write();
    const { got, ask } = asker(lock);
    const normal = ask('normal', 'write');
    const critical = Array.from({ length: 12 }, (_, index) => ask(`${index}`, 'write', 'critical'));
    holder.release();
    await Promise.all([normal, ...critical]);
    expect(got.indexOf('normal')).toBe(8);
    expect(got.filter((name) => name !== 'normal')).toEqual(critical.map((_, index) => `${index}`));
  });

  test('counts a run of eight anew for each normal one', async () => {
    const lock = new ReadWriteLock();
    const holder = await lock.write();
    const { got, ask } = asker(lock);
    const normal = ['a', 'b'].map((name) => ask(name, 'write'));
    const critical = Array.from({ length: 20 }, (_, index) => ask(`${index}`, 'write', 'critical'));
    holder.release();
    await Promise.all([...normal, ...critical]);
    expect([got.indexOf('a'), got.indexOf('b')]).toEqual([8, 17]);
  });

  test('is released once, however often that is said', async () => {
    const lock = new ReadWriteLock();
    const first = await lock.write();
    first.release();
    const second = await lock.write();
    first.release();
    first[Symbol.dispose]();
    await first[Symbol.asyncDispose]();
    expect([first.released, second.released]).toEqual([true, false]);
    expect(lock.status().state).toBe('write');
    second[Symbol.dispose]();
    expect(lock.status().state).toBe('free');
  });

  test('is given back when the work throws, at once or later', async () => {
    const lock = new ReadWriteLock();
    const problem = new Error('the work failed');
    for (const work of [
      () => {
        throw problem;
      },
      () => Promise.reject(problem),
    ]) {
      expect(await failureOf(() => lock.withRead(work))).toBe(problem);
      expect(await failureOf(() => lock.withWrite(work))).toBe(problem);
      expect(lock.status().state).toBe('free');
    }
  });

  test('gives the work its lease and its result to the caller', async () => {
    const lock = new ReadWriteLock();
    const leases: Lease[] = [];
    const result = await lock.withWrite((lease) => {
      leases.push(lease);
      expect(lease.released).toBe(false);
      return 7;
    });
    expect(result).toBe(7);
    expect(leases[0]?.released).toBe(true);
  });

  test('tells who waits in vain whom it waited for', async () => {
    const lock = new ReadWriteLock({ label: 'the page' });
    const holder = await lock.write({ label: 'checkout' });
    for (const timeoutMs of [0, 5]) {
      const failure = await failureOf(() => lock.read({ timeoutMs }));
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({
        code: 'LOCK_TIMEOUT',
        resource: 'the page',
        file: undefined,
        pid: process.pid,
        label: 'checkout',
        since: expect.any(Date) as Date,
        timeoutMs,
        message: expect.stringMatching(/or raise timeoutMs\.$/) as string,
      });
    }
    expect(lock.status().waiters).toEqual([]);
    holder.release();
  });

  test('ends a wait with the reason of its signal, and keeps what was had before', async () => {
    const lock = new ReadWriteLock();
    const controller = new AbortController();
    const { signal } = controller;
    const held = await lock.write({ signal });
    const waiting = lock.read({ signal });
    const behind = lock.read();
    const reason = new Error('not needed any more');
    controller.abort(reason);
    expect(await failureOf(() => waiting)).toBe(reason);
    expect(held.released).toBe(false);
    expect(lock.status().waiters).toHaveLength(1);
    held.release();
    (await behind).release();
    expect(await failureOf(() => lock.read({ signal }))).toBe(reason);
  });

  test('lets those behind a waiter that gives up move up at once', async () => {
    const lock = new ReadWriteLock();
    const reading = await lock.read();
    const controller = new AbortController();
    const writer = lock.write({ signal: controller.signal });
    const reader = lock.read();
    controller.abort(new Error('enough'));
    expect(await failureOf(() => writer)).toBe(controller.signal.reason);
    (await reader).release();
    reading.release();
  });
});

describe('an owner', () => {
  test.each([
    ['read', 'read'],
    ['read', 'write'],
    ['write', 'read'],
    ['write', 'write'],
  ] as const)(
    'that holds a lock to %s and asks for it to %s is told at once',
    async (first, then) => {
      const lock = new ReadWriteLock({ label: 'l' });
      const inner = then === 'read' ? 'withRead' : 'withWrite';
      const outer = first === 'read' ? 'withRead' : 'withWrite';
      const failures = await lock[outer](
        async () => [
          await failureOf(() => lock[inner](() => {})),
          await failureOf(() => lock[then]()),
        ],
        { label: 'planner' },
      );
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(DeadlockError);
        expect(failure).toMatchObject({
          cycle: [{ resource: 'l', wants: then, heldBy: 'planner', held: first }],
        });
        const isUpgrade = first === 'read' && then === 'write';
        expect(String(failure)).toContain(
          isUpgrade ? 'to write from the start' : 'not taken twice',
        );
      }
      // The same by a given owner.
      const owner = { who: 'me' };
      const lease = await lock[first]({ owner });
      expect(await failureOf(() => lock[then]({ owner }))).toBeInstanceOf(DeadlockError);
      lease.release();
      (await lock[then]({ owner })).release();
    },
  );

  test('is found through the contexts around it, and is gone when they have ended', async () => {
    const lock = new ReadWriteLock();
    const other = new ReadWriteLock();
    let later: Promise<unknown> | undefined;
    await lock.withRead(async () => {
      await other.withWrite(async () => {
        await Promise.resolve();
        expect(await failureOf(() => lock.write())).toBeInstanceOf(DeadlockError);
      });
      later = new Promise((resolve) => setTimeout(() => resolve(lock.withWrite(() => 'done')), 5));
    });
    expect(await later).toBe('done');
  });

  test('is none of its neighbours: branches of one context wait for each other', async () => {
    const lock = new ReadWriteLock();
    const around = new ReadWriteLock();
    const got: string[] = [];
    await around.withWrite(() =>
      Promise.all([
        lock.withWrite(async () => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          got.push('one');
        }),
        lock.withWrite(() => got.push('other')),
        lock.write().then((lease) => {
          got.push('lease');
          lease.release();
        }),
      ]),
    );
    expect(got).toEqual(['one', 'other', 'lease']);
  });

  test('given for work that nobody waits for is another one', async () => {
    const lock = new ReadWriteLock();
    let detached: Promise<string> | undefined;
    await lock.withWrite(async () => {
      detached = lock.withWrite(() => 'after', { owner: {} });
    });
    expect(await detached).toBe('after');
  });

  test('in a circle through a queue and nested contexts is found, the youngest told, the other goes on', async () => {
    const [a, b] = [new ReadWriteLock({ label: 'a' }), new ReadWriteLock({ label: 'b' })] as const;
    let meet = (): void => {};
    const both = new Promise<void>((resolve) => {
      meet = resolve;
    });
    let inside = 0;
    const entered = async (): Promise<void> => {
      inside += 1;
      if (inside === 2) meet();
      await both;
    };
    const older = a.withRead(
      async () => {
        await entered();
        // The younger one waits already when this closes the circle: it is told although it did not close it.
        await new Promise((resolve) => setTimeout(resolve, 5));
        return await b.withWrite(() => 'older went on');
      },
      { label: 'older' },
    );
    const younger = b.withRead(
      async () => {
        await entered();
        return await a.withWrite(() => 'never');
      },
      { label: 'younger' },
    );
    const failure = await failureOf(() => younger);
    expect(failure).toBeInstanceOf(DeadlockError);
    expect(failure).toMatchObject({
      cycle: [
        { owner: 'younger', resource: 'a', wants: 'write', heldBy: 'older', held: 'read' },
        { owner: 'older', resource: 'b', wants: 'write', heldBy: 'younger', held: 'read' },
      ],
    });
    expect(await older).toBe('older went on');
    for (const lock of [a, b]) {
      expect(lock.status()).toEqual({ state: 'free', holders: [], waiters: [] });
    }
  });

  test('that waits in two places at once is told when what it gets closes a circle', async () => {
    const [a, b, c] = [new ReadWriteLock(), new ReadWriteLock(), new ReadWriteLock()] as const;
    const start = await a.write();
    const ofOther = await b.write({ owner: 'other' });
    // `busy` waits for a and for b; `other`, which has b, waits behind it for a.
    const getsA = a.write({ owner: 'busy' });
    const waitsForB = b.write({ owner: 'busy' });
    const waitsForA = a.write({ owner: 'other' });
    const untouched = await c.write({ owner: 'busy' });
    start.release();
    const held = await getsA;
    // The youngest is `busy` or `other` by age: `other` began first.
    expect(await failureOf(() => waitsForB)).toBeInstanceOf(DeadlockError);
    held.release();
    (await waitsForA).release();
    ofOther.release();
    untouched.release();
  });

  test('that closes two circles at once ends both: each has a younger one that is told', async () => {
    const [r, x, y] = [new ReadWriteLock(), new ReadWriteLock(), new ReadWriteLock()] as const;
    const ofOldest = [await x.write({ owner: 'oldest' }), await y.write({ owner: 'oldest' })];
    const readers = [await r.read({ owner: 'one' }), await r.read({ owner: 'other' })];
    const told = [
      failureOf(() => x.write({ owner: 'one' })),
      failureOf(() => y.write({ owner: 'other' })),
    ];
    const writing = r.write({ owner: 'oldest' });
    for (const failure of await Promise.all(told)) expect(failure).toBeInstanceOf(DeadlockError);
    for (const reader of readers) reader.release();
    (await writing).release();
    for (const lease of ofOldest) lease.release();
  });

  test('in a circle through a reader that only stands behind a writer is found', async () => {
    const [l, m] = [new ReadWriteLock({ label: 'l' }), new ReadWriteLock({ label: 'm' })] as const;
    const reading = await l.read({ owner: 'a' });
    const writer = l.write({ owner: 'b' });
    const held = await m.write({ owner: 'c' });
    // Nothing that `c` wants is held against it: it only stands behind `b`, which waits for `a`.
    const behind = failureOf(() => l.read({ owner: 'c' }));
    const asking = m.read({ owner: 'a' });
    expect(await behind).toMatchObject({
      code: 'DEADLOCK',
      cycle: [
        { owner: 'c', resource: 'l', wants: 'read', heldBy: 'b', held: undefined },
        { owner: 'b', resource: 'l', wants: 'write', heldBy: 'a', held: 'read' },
        { owner: 'a', resource: 'm', wants: 'read', heldBy: 'c', held: 'write' },
      ],
    });
    held.release();
    (await asking).release();
    reading.release();
    (await writer).release();
  });

  test('is nobody for a bare lease: it times out', async () => {
    const lock = new ReadWriteLock();
    const lease = await lock.write();
    expect(await failureOf(() => lock.write({ timeoutMs: 5 }))).toBeInstanceOf(LockTimeoutError);
    lease.release();
  });
});

describe('wrong arguments of a lock of readers and writers', () => {
  test('are TypeErrors with a code, and leave nothing behind', async () => {
    const lock = new ReadWriteLock();
    const wrong = (value: unknown) => value as never;
    for (const work of [
      () => new ReadWriteLock({ label: wrong(7) }),
      () => new ReadWriteLock(wrong({ lable: 'l' })),
      () => lock.read({ timeoutMs: -1 }),
      () => lock.read({ timeoutMs: Number.NaN }),
      () => lock.read(wrong({ timeout: 5 })),
      () => lock.write({ signal: wrong({}) }),
      () => lock.write({ priority: wrong('high') }),
      () => lock.write({ label: wrong(7) }),
      () => lock.write({ owner: wrong(7) }),
      () => lock.write({ owner: '' }),
      () => lock.write(wrong(null)),
      () => lock.withRead(wrong(undefined)),
      () => lock.withWrite(wrong('work')),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toBeInstanceOf(TypeError);
      expect(failure).toMatchObject({ code: expect.any(String) as string });
    }
    expect(lock.status().state).toBe('free');
  });
});
