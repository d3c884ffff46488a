/** What those of one thread are told of each other, and of whoever else holds the file. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DeadlockError, FileLock, LockManager, LockTimeoutError } from '#src/locks/index.js';
import { Program } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const lockPath = () => join(temporaryDirectory(), 'some.lock');
const between = () => new LockManager({ directory: join(temporaryDirectory(), 'locks') });

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a synchronous call', () => {
  test('is told of a lock of its own thread at every moment from the one it is taken', async () => {
    let told = 0;
    for (let turns = 0; turns < 8; turns += 1) {
      const lock = new FileLock(lockPath());
      const taking = lock.exclusive({ label: 'asynchronous' });
      for (let turn = 0; turn < turns; turn += 1) await null;
      const failure = await failureOf(() => lock.exclusiveSync({ timeoutMs: 50 }).release());
      // Before it is taken the synchronous call has it, and gives it back.
      if (failure !== undefined) expect(failure).toBeInstanceOf(DeadlockError);
      if (failure !== undefined) told += 1;
      (await taking).release();
    }
    expect(told).toBeGreaterThan(0);
  });

  test('counts for the owner that it gives', async () => {
    const lock = new FileLock(lockPath());
    const owner = { agent: 'planner' };
    const lease = lock.exclusiveSync({ owner });
    expect(await failureOf(() => lock.exclusive({ owner, timeoutMs: 50 }))).toBeInstanceOf(
      DeadlockError,
    );
    lease.release();
    (await lock.exclusive({ owner })).release();
  });

  test('closes a circle of the owner that it gives', async () => {
    const locks = between();
    const [one, other] = ['one', 'other'];
    const file = locks.exclusiveSync('file', { owner: one });
    const name = await locks.write('name', { owner: other });
    const first = locks.write('name', { owner: one });
    const second = failureOf(() => locks.exclusive('file', { owner: other, timeoutMs: 50 }));
    expect(await second).toBeInstanceOf(DeadlockError);
    name.release();
    (await first).release();
    file.release();
    expect(locks.status()).toEqual([]);
  });

  test('that shares the lock beside one who waits to have it alone counts for its owner, too', async () => {
    const lock = new FileLock(lockPath());
    const shared = await lock.shared();
    const alone = lock.exclusive();
    const lease = lock.sharedSync({ owner: 'one' });
    expect(await failureOf(() => lock.exclusive({ owner: 'one', timeoutMs: 50 }))).toBeInstanceOf(
      DeadlockError,
    );
    shared.release();
    lease.release();
    (await alone).release();
    (await lock.exclusive({ owner: 'one' })).release();
  });

  test('whose work gives a promise leaves no rejection behind that nobody handles', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    const before = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
    try {
      const fails = async (): Promise<never> => {
        throw new Error('the work failed');
      };
      const lock = new FileLock(lockPath());
      const locks = between();
      expect(() => lock.withExclusiveSync(fails)).toThrow(TypeError);
      expect(() => lock.withSharedSync(fails)).toThrow(TypeError);
      expect(() => locks.withExclusiveSync('a', fails)).toThrow(TypeError);
      for (let turn = 0; turn < 3; turn += 1) await new Promise((next) => setImmediate(next));
    } finally {
      process.removeListener('unhandledRejection', note);
      for (const listener of before) process.on('unhandledRejection', listener);
    }
    expect(unhandled).toEqual([]);
  });
});

describe('one who waited in vain', () => {
  test('is told the process that holds the file, also behind others of its own thread', async () => {
    const file = lockPath();
    const task = { file, work: 'hold', label: 'night shift' };
    const holder = new Program('./file-lock-program.mjs', { task });
    await holder.line('held');
    const first = failureOf(() =>
      new FileLock(file).exclusive({ label: 'first', timeoutMs: 5_000 }),
    );
    const lock = new FileLock(file);
    for (const wait of [
      () => lock.exclusive({ timeoutMs: 20 }),
      () => lock.shared({ timeoutMs: 0 }),
    ]) {
      const failure = await failureOf(wait);
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({ file, pid: holder.pid, label: 'night shift' });
    }
    holder.tell('let go');
    expect(await holder.ended).toMatchObject({ code: 0, errors: '' });
    expect(await first).toBeUndefined();
  });

  test('for the second of several names is told the time that it gave', async () => {
    const locks = between();
    const held = locks.exclusiveSync('b');
    const written = await locks.write('b');
    const timeoutMs = 25;
    for (const wait of [
      () => locks.exclusive(['a', 'b'], { timeoutMs }),
      () => locks.write(['a', 'b'], { timeoutMs }),
    ]) {
      expect(await failureOf(wait)).toMatchObject({ code: 'LOCK_TIMEOUT', timeoutMs });
    }
    held.release();
    written.release();
  });

  test('for the second of several names, behind another process, is told so by both ways of asking', async () => {
    const directory = temporaryDirectory();
    const locks = new LockManager({ directory });
    locks.exclusiveSync('b').release();
    const [name = ''] = readdirSync(directory);
    const task = { file: join(directory, name), work: 'hold', label: 'night shift' };
    const holder = new Program('./file-lock-program.mjs', { task });
    await holder.line('held');
    const timeoutMs = 25;
    for (const wait of [
      () => locks.exclusive(['a', 'b'], { timeoutMs }),
      () => locks.exclusiveSync(['a', 'b'], { timeoutMs }),
    ]) {
      expect(await failureOf(wait)).toMatchObject({ timeoutMs, pid: holder.pid });
    }
    holder.tell('let go');
    await holder.ended;
  });
});

describe('several names', () => {
  test('are those of the moment of the call, also when there is one', async () => {
    const locks = new LockManager();
    const names = ['a'];
    const taking = locks.write(names);
    names.push('b');
    names[0] = 'c';
    const lease = await taking;
    expect(locks.status().map(({ resource }) => resource)).toEqual(['a']);
    lease.release();
  });
});
