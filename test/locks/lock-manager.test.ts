import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { StoreAccessError } from '#src/errors.js';
import { openMemory, openStore } from '#src/index.js';
import {
  DeadlockError,
  FileLock,
  getLockManager,
  LOCK_CHANNEL,
  LockManager,
  type LockOperation,
  LockTimeoutError,
} from '#src/locks/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

const between = () => new LockManager({ directory: join(temporaryDirectory(), 'locks') });

describe('locks by name', () => {
  test('of different names have nothing to do with each other, those of one name have', async () => {
    const locks = new LockManager();
    const a = await locks.write('a');
    const b = await locks.write('b');
    expect(await failureOf(() => locks.read('a', { timeoutMs: 0 }))).toMatchObject({
      code: 'LOCK_TIMEOUT',
      resource: 'a',
    });
    (await new LockManager().write('a', { timeoutMs: 0 })).release();
    a.release();
    (await locks.read('a', { timeoutMs: 0 })).release();
    b.release();
  });

  test('are dropped when nobody holds them or waits for them; their figures stay', async () => {
    const locks = new LockManager();
    const lease = await locks.write('a');
    const late = failureOf(() => locks.write('a', { timeoutMs: 1 }));
    const next = locks.read('a');
    expect(locks.status()).toMatchObject([
      { resource: 'a', kind: 'read', holders: [], waiters: [{}] },
      { resource: 'a', kind: 'write', holders: [{}], waiters: [{}] },
    ]);
    expect(locks.size).toBe(1);
    expect(await late).toBeInstanceOf(LockTimeoutError);
    lease.release();
    expect(locks.size).toBe(1);
    (await next).release();
    expect(locks.size).toBe(0);
    expect(locks.status()).toEqual([]);
    expect(locks.stats().uses).toMatchObject([
      { acquisitions: 1 },
      { acquisitions: 1, timeouts: 1 },
    ]);
    for (let number = 0; number < 100; number += 1) await locks.withRead(`${number}`, () => {});
    expect(locks.size).toBe(0);
  });

  test('taken together are taken in one order, each once, all or none', async () => {
    const locks = new LockManager();
    const order: string[] = [];
    const hear = (message: unknown) => {
      const { operation, resource } = message as LockOperation;
      if (operation === 'acquired') order.push(resource);
    };
    subscribe(LOCK_CHANNEL, hear);
    onTestFinished(() => void unsubscribe(LOCK_CHANNEL, hear));
    (await locks.write(['b', 'a', 'c', 'a', '\u{1f600}', '\uff01'])).release();
    // UTF-16 code units, not code points.
    expect(order).toEqual(['a', 'b', 'c', '\u{1f600}', '\uff01']);

    const holder = await locks.write('b');
    expect(await failureOf(() => locks.write(['c', 'b', 'a'], { timeoutMs: 5 }))).toBeInstanceOf(
      LockTimeoutError,
    );
    expect(locks.status()).toMatchObject([{ resource: 'b' }]);
    holder.release();
  });

  test('taken together by many, in any order of their names, make nobody wait for ever', async () => {
    const locks = new LockManager();
    const names = ['a', 'b', 'c', 'd'];
    let inside = 0;
    const counts = new Map<string, number>();
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const mine = [...names.slice(index % 4), ...names.slice(0, index % 4)].slice(
          0,
          2 + (index % 3),
        );
        await locks.withWrite(mine, async () => {
          inside += 1;
          for (const name of mine) {
            const before = counts.get(name) ?? 0;
            await Promise.resolve();
            counts.set(name, before + 1);
          }
        });
      }),
    );
    expect(inside).toBe(60);
    const expected = names.map(
      (name) =>
        Array.from({ length: 60 }, (_, index) =>
          [...names.slice(index % 4), ...names.slice(0, index % 4)].slice(0, 2 + (index % 3)),
        ).filter((mine) => mine.includes(name)).length,
    );
    expect(names.map((name) => counts.get(name))).toEqual(expected);
  });

  test.each([2, 3, 4, 5])(
    'taken one inside the other in a circle of %i: the last to begin is told',
    async (length) => {
      const locks = new LockManager();
      let inside = 0;
      let meet = (): void => {};
      const all = new Promise<void>((resolve) => {
        meet = resolve;
      });
      const works = Array.from({ length }, (_, index) =>
        locks.withWrite(
          `${index}`,
          async () => {
            inside += 1;
            if (inside === length) meet();
            await all;
            return await locks.withRead(`${(index + 1) % length}`, () => index);
          },
          { label: `owner ${index}` },
        ),
      );
      const results = await Promise.allSettled(works);
      const told = results.flatMap((result, index) =>
        result.status === 'rejected' ? [{ index, reason: result.reason as unknown }] : [],
      );
      expect(told.map(({ index }) => index)).toEqual([length - 1]);
      const { reason } = told[0] as { reason: DeadlockError };
      expect(reason).toBeInstanceOf(DeadlockError);
      expect(reason.cycle.map(({ owner }) => owner)).toEqual([
        `owner ${length - 1}`,
        ...Array.from({ length: length - 1 }, (_, index) => `owner ${index}`),
      ]);
      expect(reason.message).toContain('"0" (read)');
      expect(locks.status()).toEqual([]);
      expect(locks.totals().kinds.read).toMatchObject({ errors: 1, deadlocks: 1, timeouts: 0 });
    },
  );
});

describe('locks by name between processes', () => {
  test('need a directory', async () => {
    const locks = new LockManager();
    for (const work of [
      () => locks.shared('a'),
      () => locks.exclusive('a'),
      () => locks.sharedSync('a'),
      () => locks.withExclusiveSync('a', () => {}),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toBeInstanceOf(TypeError);
      expect(String(failure)).toContain('directory');
    }
    expect(locks.stats().uses).toEqual([]);
  });

  test('never become paths: each name is a file of its own in the directory, and nothing else', async () => {
    const directory = join(temporaryDirectory(), 'deep', 'locks');
    const locks = new LockManager({ directory });
    const names = [
      '../up',
      '/etc/passwd',
      'a/b',
      'a\0b',
      'con',
      '..',
      'A',
      'a',
      'é',
      'e\u0301',
      '__proto__',
    ];
    for (const name of names) await locks.withExclusive(name, () => {});
    const files = readdirSync(directory);
    expect(files).toHaveLength(names.length);
    for (const file of files) expect(file).toMatch(/^[0-9a-f]{40}\.lock$/);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, '..'))).toEqual(['locks']);
    expect(locks.stats().uses.map(({ resource }) => resource)).toEqual([...names].sort());
  });

  test('exclude other managers, and tell the name of what was waited for', async () => {
    const directory = temporaryDirectory();
    const [one, other] = [new LockManager({ directory }), new LockManager({ directory })] as const;
    const lease = await one.exclusive('browser');
    const failure = await failureOf(() => other.shared('browser', { timeoutMs: 0 }));
    expect(failure).toMatchObject({ code: 'LOCK_TIMEOUT', pid: process.pid, label: 'browser' });
    lease.release();
    const shared = other.sharedSync('browser');
    (await one.shared('browser', { timeoutMs: 0 })).release();
    shared.release();
  });

  test('count as locks of their owners: a circle over a file and a name is found', async () => {
    const locks = between();
    let meet = (): void => {};
    const both = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const first = locks.withExclusive('file', async () => {
      await both;
      return await locks.withWrite('name', () => 'went on');
    });
    const second = locks.withRead('name', async () => {
      meet();
      return await locks.withShared('file', () => 'never');
    });
    expect(await failureOf(() => second)).toMatchObject({
      code: 'DEADLOCK',
      cycle: [
        { wants: 'shared', held: 'exclusive' },
        { wants: 'write', held: 'read' },
      ],
    });
    expect(await first).toBe('went on');
  });

  test('tell a synchronous call at once when its own thread holds the lock', async () => {
    const locks = between();
    const lease = await locks.exclusive('a', { label: 'this thread' });
    for (const work of [() => locks.exclusiveSync('a'), () => locks.sharedSync('a')]) {
      expect(await failureOf(work)).toMatchObject({
        code: 'DEADLOCK',
        cycle: [{ heldBy: 'this thread', held: 'exclusive' }],
      });
    }
    expect(await failureOf(() => locks.sharedSync('a', { timeoutMs: 0 }))).toBeInstanceOf(
      LockTimeoutError,
    );
    lease.release();
    locks.withExclusiveSync('a', () => {
      expect(() => locks.sharedSync('a')).toThrow(DeadlockError);
    });
    locks.sharedSync('a').release();
  });

  test('have tokens when asked for', async () => {
    const locks = new LockManager({ directory: temporaryDirectory(), fencing: true });
    const tokens: (number | undefined)[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await locks.withExclusive('a', ({ token }) => tokens.push(token));
      locks.withExclusiveSync('a', ({ token }) => tokens.push(token));
    }
    expect(tokens).toEqual([1, 2, 3, 4, 5, 6]);
    await locks.withShared('a', ({ token }) => expect(token).toBeUndefined());
    await locks.withExclusive('b', ({ token }) => expect(token).toBe(1));
  });

  test('cannot stand in a directory that is none', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, 'mine');
    const locks = new LockManager({ directory: join(file, 'locks') });
    expect(await failureOf(() => locks.exclusive('a'))).toBeInstanceOf(StoreAccessError);
    expect(locks.totals().kinds.exclusive).toMatchObject({ acquisitions: 0, errors: 1 });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('do not take what promises more than it has done', async () => {
    const locks = between();
    const work = () => locks.withExclusiveSync('a', () => Promise.resolve(1));
    expect(await failureOf(work)).toBeInstanceOf(TypeError);
    expect(locks.status()).toEqual([]);
  });
});

describe('the figures of a lock manager', () => {
  test('tell by resource and kind what became of each lock, and are plain, frozen data', async () => {
    const locks = new LockManager();
    const holder = await locks.write('a', { label: 'holder' });
    const late = failureOf(() => locks.read('a', { timeoutMs: 1, label: 'late' }));
    const controller = new AbortController();
    const aborted = failureOf(() => locks.write('a', { signal: controller.signal }));
    const waiting = locks.read('a', { label: 'reader', owner: 'me' });
    expect(locks.stats()).toMatchObject({
      held: 1,
      waiting: 3,
      uses: [
        {
          resource: 'a',
          kind: 'read',
          acquisitions: 0,
          waiters: [{ label: 'late' }, { label: 'reader', owner: 'me', kind: 'read' }],
        },
        { resource: 'a', kind: 'write', acquisitions: 1, holders: [{ label: 'holder' }] },
      ],
    });
    await late;
    controller.abort();
    await aborted;
    holder.release();
    (await waiting).release();
    const stats = locks.stats();
    expect(stats).toMatchObject({
      held: 0,
      waiting: 0,
      forgotten: 0,
      kinds: {
        read: { acquisitions: 1, releases: 1, timeouts: 1, errors: 0 },
        write: { acquisitions: 1, releases: 1, timeouts: 0, errors: 1, deadlocks: 0 },
        shared: { acquisitions: 0 },
      },
      uses: [
        {
          kind: 'read',
          wait: { count: 1 },
          hold: { count: 1 },
          timeouts: 1,
          errors: 0,
          holders: [],
        },
        { kind: 'write', wait: { count: 1, maxMs: 0 }, hold: { count: 1 }, errors: 1, waiters: [] },
      ],
    });
    const [read] = stats.uses;
    expect(read?.wait.minMs).toBeGreaterThan(0);
    expect(read?.wait.p99Ms).toBe(read?.wait.maxMs);
    expect(stats.operations.map(({ operation, kind, label }) => [operation, kind, label])).toEqual([
      ['acquired', 'write', 'holder'],
      ['timed out', 'read', 'late'],
      ['failed', 'write', undefined],
      ['released', 'write', 'holder'],
      ['acquired', 'read', 'reader'],
      ['released', 'read', 'reader'],
    ]);
    expect(JSON.parse(JSON.stringify(stats))).toEqual(
      JSON.parse(JSON.stringify(stats, (_, value: unknown) => value)),
    );
    expectDeeplyFrozen(stats);
    expectDeeplyFrozen(locks.status());
    expectDeeplyFrozen(locks.totals());
  });

  test('keep the last hundred operations and a thousand resources, and count what was forgotten', async () => {
    const locks = new LockManager();
    const busy = await locks.write('busy');
    for (let number = 0; number < 1200; number += 1) {
      (await locks.write(`resource ${number}`)).release();
      if (number % 100 === 0) (await locks.write('often')).release();
    }
    const stats = locks.stats();
    const names = new Set(stats.uses.map(({ resource }) => resource));
    expect(names.size).toBe(1000);
    expect(names).toContain('busy');
    expect(names).toContain('often');
    expect(names).toContain('resource 1199');
    // 1202 names were used; one that was forgotten and came back is forgotten twice.
    expect(stats.forgotten).toBeGreaterThanOrEqual(202);
    expect(stats.kinds.write.acquisitions).toBe(1213);
    expect(stats.operations).toHaveLength(100);
    expect(stats.operations.at(-1)).toMatchObject({
      operation: 'released',
      resource: 'resource 1199',
    });
    expect(stats.operations[0]).toMatchObject({ operation: 'acquired', resource: 'resource 1150' });
    busy.release();
  });

  test('are told as they come on a diagnostics channel', async () => {
    const locks = new LockManager();
    const heard: LockOperation[] = [];
    const hear = (message: unknown) => heard.push(message as LockOperation);
    subscribe(LOCK_CHANNEL, hear);
    await locks.withWrite('a', () => {}, { label: 'me' });
    unsubscribe(LOCK_CHANNEL, hear);
    await locks.withWrite('a', () => {});
    expect(
      heard.map(({ operation, resource, kind, label }) => ({ operation, resource, kind, label })),
    ).toEqual([
      { operation: 'acquired', resource: 'a', kind: 'write', label: 'me' },
      { operation: 'released', resource: 'a', kind: 'write', label: 'me' },
    ]);
    for (const { time, durationMs } of heard) {
      expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
      expect(durationMs).toBeGreaterThanOrEqual(0);
    }
  });

  test('tell who waits for long, the longest first, and for whom', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const locks = new LockManager();
    const forever = { timeoutMs: Number.POSITIVE_INFINITY };
    const holder = await locks.read('a', { label: 'holder' });
    const first = locks.write('a', { ...forever, label: 'first' });
    vi.advanceTimersByTime(200_000);
    const second = locks.read('a', { ...forever, label: 'second' });
    expect(locks.waiting()).toEqual([]);
    vi.advanceTimersByTime(100_001);
    expect(locks.waiting()).toMatchObject([
      {
        resource: 'a',
        kind: 'write',
        label: 'first',
        ageMs: 300_001,
        holders: [{ label: 'holder' }],
      },
    ]);
    expect(locks.waiting({ olderThanMs: 1 }).map(({ label }) => label)).toEqual([
      'first',
      'second',
    ]);
    expect(locks.waiting({ olderThanMs: 300_001 })).toEqual([]);
    holder.release();
    (await first).release();
    (await second).release();
  });

  test('of the process appear in stores and memories', async () => {
    await using store = await openStore({ memory: true });
    await using memory = await openMemory('memory:');
    const before = store.stats().locks;
    expect(before).toMatchObject({ timeouts: 0, moved: 0, manager: { held: 0, waiting: 0 } });
    const lease = await getLockManager().write('shown');
    expect(store.stats().locks.manager).toMatchObject({
      held: 1,
      kinds: { write: { acquisitions: before.manager.kinds.write.acquisitions + 1 } },
    });
    expect((await memory.status()).locks).toEqual(store.stats().locks);
    expect(memory.statusSync().locks.manager.held).toBe(1);
    lease.release();
  });
});

describe('the lock manager of the process', () => {
  test('is one, and takes its options once', async () => {
    const directory = join(temporaryDirectory(), 'locks');
    expect(getLockManager()).toBe(getLockManager());
    expect(await failureOf(() => getLockManager().exclusive('a'))).toBeInstanceOf(TypeError);
    expect(getLockManager({ directory })).toBe(getLockManager({}));
    (await getLockManager().exclusive('a')).release();
    expect(await failureOf(() => getLockManager({ directory: `${directory}2` }))).toBeInstanceOf(
      TypeError,
    );
    expect(await failureOf(() => getLockManager({ fencing: true }))).toBeInstanceOf(TypeError);
    expect(getLockManager({ directory, fencing: false })).toBe(getLockManager());
  });
});

describe('wrong arguments of a lock manager', () => {
  test('are TypeErrors with a code, and are no failures of a lock', async () => {
    const locks = between();
    const wrong = (value: unknown) => value as never;
    for (const work of [
      () => new LockManager({ directory: '' }),
      () => new LockManager({ directory: wrong(7) }),
      () => new LockManager({ fencing: wrong('yes') }),
      () => new LockManager(wrong({ dir: 'x' })),
      () => locks.read(''),
      () => locks.read(wrong(7)),
      () => locks.read([]),
      () => locks.read(['a', wrong(undefined)]),
      () => locks.write('\ud800'),
      () => locks.write('x'.repeat(1001)),
      () => locks.exclusive('a', wrong({ timeoutMS: 5 })),
      () => locks.withWrite('a', wrong(7)),
      () => locks.waiting({ olderThanMs: -1 }),
      () => locks.waiting(wrong({ olderThan: 1 })),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toBeInstanceOf(TypeError);
      expect(failure).toMatchObject({ code: expect.any(String) as string });
    }
    expect(locks.stats()).toMatchObject({ uses: [], operations: [] });
  });
});

describe('a file that is no lock file', () => {
  test('is left as it is', async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'x'));
    for (const [name, content] of Object.entries({
      'short.txt': 'mine',
      'long.json': JSON.stringify({ text: 'x'.repeat(3000) }),
      'binary.dat': Buffer.concat([Buffer.alloc(60, 1), Buffer.alloc(4000)]),
    })) {
      const file = join(directory, name);
      writeFileSync(file, content);
      for (const work of [
        () => new FileLock(file).exclusive(),
        () => new FileLock(file).exclusiveSync(),
        () => new FileLock(file, { fencing: true }).exclusive(),
      ]) {
        expect(await failureOf(work)).toBeInstanceOf(TypeError);
      }
      expect(readFileSync(file)).toEqual(Buffer.from(content));
    }
  });
});
