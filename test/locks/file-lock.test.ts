import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LockTimeoutError, StoreAccessError } from '#src/errors.js';
import { FileLock, type Lease } from '#src/locks/index.js';
import type { FileLockTask } from '../support/file-lock-program.mjs';
import { Program, stopped } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const lockPath = () => join(temporaryDirectory(), 'some.lock');
const soon = { timeoutMs: 0 };

function start(task: FileLockTask): Program {
  return new Program('./file-lock-program.mjs', { task });
}

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

type Kind = 'shared' | 'exclusive';

/** Whether the lock can be had at once, both ways of asking for it; gives it back. */
async function canHave(file: string, kind: Kind): Promise<boolean> {
  const lock = new FileLock(file);
  const attempt = async (take: () => Lease | Promise<Lease>): Promise<boolean> => {
    const failure = await failureOf(async () => (await take()).release());
    if (failure !== undefined) expect(failure).toBeInstanceOf(LockTimeoutError);
    return failure === undefined;
  };
  const answers = [
    await attempt(() => (kind === 'shared' ? lock.shared(soon) : lock.exclusive(soon))),
    await attempt(() => (kind === 'shared' ? lock.sharedSync(soon) : lock.exclusiveSync(soon))),
  ];
  expect(answers[0]).toBe(answers[1]);
  return answers[0] === true;
}

describe('a file lock that is held exclusively', () => {
  test('keeps everybody else out, in the same process too', async () => {
    const file = lockPath();
    const lock = new FileLock(file);
    const lease = await lock.exclusive();
    expect(await canHave(file, 'exclusive')).toBe(false);
    expect(await canHave(file, 'shared')).toBe(false);
    expect(await failureOf(() => lock.exclusive(soon))).toBeInstanceOf(LockTimeoutError);

    lease.release();
    expect(await canHave(file, 'exclusive')).toBe(true);
    expect(await canHave(file, 'shared')).toBe(true);
  });

  test('goes to one of those who wait, one after the other', async () => {
    const file = lockPath();
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => new FileLock(file).withExclusive(work)));
    expect(most).toBe(1);
  });
});

describe('a file lock that is shared', () => {
  test('lets others share it and keeps out whoever wants it alone, until the last has left', async () => {
    const file = lockPath();
    const first = await new FileLock(file).shared();
    const second = new FileLock(file).sharedSync();
    expect(await canHave(file, 'shared')).toBe(true);
    expect(await canHave(file, 'exclusive')).toBe(false);

    first.release();
    expect(await canHave(file, 'exclusive')).toBe(false);
    second.release();
    expect(await canHave(file, 'exclusive')).toBe(true);
  });
});

describe('a lease', () => {
  test('can be released twice without taking the lock from its next holder', async () => {
    const file = lockPath();
    const first = await new FileLock(file).exclusive();
    expect(first.released).toBe(false);
    first.release();
    expect(first.released).toBe(true);
    const second = await new FileLock(file).exclusive();
    first.release();
    expect(second.released).toBe(false);
    expect(await canHave(file, 'exclusive')).toBe(false);
    second.release();
  });

  test('is released by both ways of disposing of it', async () => {
    const file = lockPath();
    const first = await new FileLock(file).exclusive();
    first[Symbol.dispose]();
    expect(first.released).toBe(true);
    const second = await new FileLock(file).exclusive();
    await second[Symbol.asyncDispose]();
    expect(await canHave(file, 'exclusive')).toBe(true);
  });
});

describe('work under a file lock', () => {
  test('gives its result, and the lock is held while it runs and free afterwards', async () => {
    const file = lockPath();
    const lock = new FileLock(file);
    const free = () => new FileLock(file).status().free;
    expect(await lock.withExclusive(async () => free())).toBe(false);
    expect(await lock.withShared(() => free())).toBe(false);
    expect(lock.withExclusiveSync(free)).toBe(false);
    expect(lock.withSharedSync(free)).toBe(false);
    expect(free()).toBe(true);
  });

  test('releases the lock when it throws', async () => {
    const file = lockPath();
    const lock = new FileLock(file);
    const problem = new Error('the work failed');
    const fails = () => {
      throw problem;
    };
    for (const work of [
      () => lock.withExclusive(fails),
      () => lock.withShared(fails),
      () => lock.withExclusive(() => Promise.reject(problem)),
      () => lock.withExclusiveSync(fails),
      () => lock.withSharedSync(fails),
    ]) {
      expect(await failureOf(work)).toBe(problem);
      expect(await canHave(file, 'exclusive')).toBe(true);
    }
  });

  test('is not begun when the lock cannot be had', async () => {
    const file = lockPath();
    const lease = new FileLock(file).exclusiveSync();
    let begun = false;
    const work = () => {
      begun = true;
    };
    const lock = new FileLock(file);
    expect(await failureOf(() => lock.withExclusive(work, soon))).toBeInstanceOf(LockTimeoutError);
    expect(await failureOf(() => lock.withSharedSync(work, soon))).toBeInstanceOf(LockTimeoutError);
    expect(begun).toBe(false);
    lease.release();
  });
});

describe('a wait for a file lock', () => {
  test('ends with an error that names the holder', async () => {
    const file = lockPath();
    const holder = start({ file, work: 'hold', label: 'night shift' });
    await holder.line('held');

    for (const failure of [
      await failureOf(() => new FileLock(file).exclusive({ timeoutMs: 20 })),
      await failureOf(() => new FileLock(file).exclusiveSync({ timeoutMs: 20 })),
    ]) {
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({
        code: 'LOCK_TIMEOUT',
        file,
        timeoutMs: 20,
        pid: holder.pid,
        host: hostname(),
        label: 'night shift',
        since: expect.any(Date),
      });
      expect(String(failure)).toContain(String(holder.pid));
    }
    holder.tell('let go');
    expect(await holder.ended).toMatchObject({ code: 0, errors: '' });
    expect(await canHave(file, 'exclusive')).toBe(true);
  });

  test('goes on while the holder is only stopped, and never takes the lock from it', async () => {
    const file = lockPath();
    const holder = start({ file, work: 'hold' });
    await holder.line('held');
    holder.kill('SIGSTOP');
    await stopped(holder.pid);

    const failure = await failureOf(() => new FileLock(file).exclusive({ timeoutMs: 300 }));
    expect(failure).toMatchObject({ code: 'LOCK_TIMEOUT', pid: holder.pid });

    const waiting = new FileLock(file).exclusive();
    holder.kill('SIGCONT');
    holder.tell('let go');
    (await waiting).release();
  });

  test('is over when the holder is killed', async () => {
    const file = lockPath();
    for (const kind of ['exclusive', 'shared'] as const) {
      const holder = start({ file, work: 'hold', kind });
      await holder.line('held');
      const waiting = new FileLock(file).exclusive();
      holder.kill('SIGKILL');
      (await waiting).release();
    }
  });

  test('is over when the thread that holds it is terminated', async () => {
    const file = lockPath();
    const task: FileLockTask = { file, work: 'hold' };
    const thread = new Worker(new URL('../support/file-lock-program.mjs', import.meta.url), {
      workerData: task,
    });
    onTestFinished(async () => {
      await thread.terminate();
    });
    await once(thread, 'message');
    expect(await canHave(file, 'shared')).toBe(false);
    const waiting = new FileLock(file).exclusive();
    await thread.terminate();
    (await waiting).release();
  });

  test('ends with the reason of its signal', async () => {
    const file = lockPath();
    const lease = await new FileLock(file).exclusive();
    const reason = new Error('not needed any more');
    const controller = new AbortController();
    const waits = [
      new FileLock(file).exclusive({ signal: controller.signal }),
      new FileLock(file).shared({ signal: controller.signal }),
      new FileLock(file).withExclusive(() => {}, { signal: controller.signal }),
    ];
    controller.abort(reason);
    for (const wait of waits) expect(await failureOf(() => wait)).toBe(reason);
    // Even a free lock is not taken with a signal that was aborted before.
    lease.release();
    const { signal } = controller;
    expect(await failureOf(() => new FileLock(file).exclusive({ signal }))).toBe(reason);
    expect(await canHave(file, 'exclusive')).toBe(true);
  });

  test('that succeeded is not undone by its signal', async () => {
    const file = lockPath();
    const controller = new AbortController();
    const lease = await new FileLock(file).exclusive({ signal: controller.signal });
    controller.abort();
    expect(lease.released).toBe(false);
    expect(await canHave(file, 'shared')).toBe(false);
    lease.release();
  });
});

describe('the status of a file lock', () => {
  test('tells whether it is free and who held it alone last', async () => {
    const file = lockPath();
    const lock = new FileLock(file, { label: 'mine' });
    expect(lock.status()).toEqual({ free: true, lastHolder: undefined });
    const lease = await lock.exclusive();
    const mine = { pid: process.pid, host: hostname(), label: 'mine' };
    expect(lock.status()).toMatchObject({ free: false, lastHolder: mine });
    // Asking does not disturb the holder.
    expect(await canHave(file, 'shared')).toBe(false);
    lease.release();
    expect(lock.status()).toMatchObject({ free: true, lastHolder: mine });

    const shared = await lock.shared();
    expect(lock.status().free).toBe(false);
    shared.release();
  });
});

describe('several processes and threads', () => {
  test('lose no count of what they add up under an exclusive lock', async () => {
    const file = lockPath();
    writeFileSync(`${file}.count`, '0');
    const programs = [false, true, false].map((sync) =>
      start({ file, work: 'count', times: 80, sync }),
    );
    const threads = [false, true].map((sync) => {
      const task: FileLockTask = { file, work: 'count', times: 80, sync };
      const url = new URL('../support/file-lock-program.mjs', import.meta.url);
      return once(new Worker(url, { workerData: task }), 'exit');
    });
    for (const { ended } of programs) expect(await ended).toMatchObject({ code: 0, errors: '' });
    await Promise.all(threads);
    expect(readFileSync(`${file}.count`, 'utf8')).toBe('400');
  });

  test('never see under a shared lock what another writes under an exclusive one', async () => {
    const file = lockPath();
    for (const side of ['left', 'right']) writeFileSync(`${file}.${side}`, '');
    const programs = [
      start({ file, work: 'copy', times: 150 }),
      start({ file, work: 'watch', times: 150 }),
      start({ file, work: 'watch', times: 150, sync: true }),
    ];
    for (const { ended } of programs) {
      expect(await ended).toMatchObject({ code: 0, output: 'done\n', errors: '' });
    }
  });
});

describe('the file of a file lock', () => {
  test('is made when it is missing, for its owner alone, and stays', async () => {
    const file = lockPath();
    (await new FileLock(file).exclusive()).release();
    expect(existsSync(file)).toBe(true);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    const { ino } = statSync(file);
    new FileLock(file).exclusiveSync().release();
    expect(statSync(file).ino).toBe(ino);
  });

  test('is not reached through a link, and its directory is not made', async () => {
    const directory = temporaryDirectory();
    const target = join(directory, 'target');
    writeFileSync(target, 'mine');
    const link = join(directory, 'link');
    symlinkSync(target, link);
    mkdirSync(join(directory, 'folder'));
    for (const file of [link, join(directory, 'none', 'lock'), join(directory, 'folder')]) {
      const lock = new FileLock(file);
      expect(await failureOf(() => lock.exclusive())).toBeInstanceOf(StoreAccessError);
      expect(await failureOf(() => lock.sharedSync())).toBeInstanceOf(StoreAccessError);
      expect(await failureOf(() => lock.status())).toBeInstanceOf(StoreAccessError);
    }
    expect(readFileSync(target, 'utf8')).toBe('mine');
    expect(existsSync(join(directory, 'none'))).toBe(false);
  });
});

describe('wrong arguments of a file lock', () => {
  test('are TypeErrors with a code', async () => {
    const file = lockPath();
    const wrong = (value: unknown) => value as never;
    for (const work of [
      () => new FileLock(''),
      () => new FileLock(wrong(7)),
      () => new FileLock(`${file}\0`),
      () => new FileLock(file, { label: wrong(7) }),
      () => new FileLock(file).exclusive({ timeoutMs: -1 }),
      () => new FileLock(file).exclusive({ timeoutMs: Number.NaN }),
      () => new FileLock(file).sharedSync({ timeoutMs: wrong('10') }),
      () => new FileLock(file).exclusive({ signal: wrong({}) }),
      () => new FileLock(file).exclusive(wrong(7)),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toBeInstanceOf(TypeError);
      expect(failure).toMatchObject({ code: expect.any(String) });
    }
    expect(existsSync(file)).toBe(false);
  });
});
