/** A process that is stopped while it holds the lock: nobody may take it for dead, and nobody may wait for it for ever. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LockTimeoutError, type Log, openLog, openLogSync } from '#src/index.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';
import type { DyingTask } from '../support/dying-process.mjs';
import type { HoldingTask } from '../support/lock-file-holder.mjs';
import { Program, stopped, until } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { type Heard, stormProblems } from '../support/storm-check.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { WritingReport, WritingTask } from '../support/writing-process.mjs';

const event = (name: string, number = 0) => ({ type: 'note.taken', data: { name, number } });

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Every way to write, and both ways to open, end in time and say who is in the way. */
async function expectTimeouts(directory: string, log: Log, pid: number): Promise<void> {
  const { head } = log;
  const failures = await Promise.all([
    failureOf(() => log.append('notes/late', event('async'))),
    failureOf(() => log.append('notes/late', event('async', 1))),
    failureOf(() => log.commit([{ stream: 'notes/late', events: [event('commit')] }])),
    failureOf(() => openLog(directory, { lockTimeoutMs: 50 })),
  ]);
  failures.push(
    await failureOf(() => log.appendSync('notes/late', event('sync'))),
    await failureOf(() => openLogSync(directory, { lockTimeoutMs: 50 })),
  );
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(LockTimeoutError);
    expect(failure).toMatchObject({ pid, host: hostname(), code: 'LOCK_TIMEOUT' });
  }
  // What is durable can be read all the while.
  expect(await log.refresh()).toEqual(head);
  const events = await log.readAll().toArray();
  expect(events.at(-1)?.position ?? 0).toBe(head.position);
  expect(await log.version('notes/late')).toBe(0);
}

describe('while a process is stopped in the middle of making a store', () => {
  test('others time out with its pid, and find the store when it goes on', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const task: DyingTask = {
      directory,
      from: 'opening',
      // Its folders are made, its first segment is not.
      call: 6,
      moment: 'after',
      signal: 'SIGSTOP',
      name: 'maker',
      commits: 1,
      textBytes: 0,
      options: {},
    };
    const program = new Program('./dying-process.mjs', { task });
    await stopped(program.pid);

    for (const failure of [
      await failureOf(() => openLog(directory, { lockTimeoutMs: 50 })),
      await failureOf(() => openLogSync(directory, { lockTimeoutMs: 50 })),
    ]) {
      expect(failure).toBeInstanceOf(LockTimeoutError);
      expect(failure).toMatchObject({ pid: program.pid, host: hostname() });
    }
    program.kill('SIGCONT');
    expect(await program.ended).toMatchObject({ code: 0, errors: '' });
    const log = await openLog(directory);
    expect(log.head.position).toBe(1);
    await log.close();
  });
});

describe('while a process is stopped with the lock in its hands', () => {
  test.each([
    ['in the middle of writing a group', 'within'],
    ['between writing a group and its sync', 'after'],
  ] as const)(
    'others time out with its pid, and its commits stand once when it goes on: %s',
    async (_, moment) => {
      const directory = join(temporaryDirectory(), 'store');
      const log = await openLog(directory, { lockTimeoutMs: 200 });
      await log.append('notes/early', event('early'));
      const task: DyingTask = {
        directory,
        from: 'appending',
        // The first call that changes anything: the write of its first group.
        call: 1,
        moment,
        signal: 'SIGSTOP',
        name: 'stopped',
        commits: 3,
        textBytes: 10_000,
        options: {},
      };
      const program = new Program('./dying-process.mjs', { task });
      await until(() => {
        const file = disk.open(join(directory, 'lock'), 'write');
        const free = disk.tryLock(file, WRITE_LOCK, 'exclusive');
        disk.close(file);
        return !free;
      });
      await stopped(program.pid);

      await expectTimeouts(directory, log, program.pid);

      program.kill('SIGCONT');
      expect(await program.ended).toMatchObject({ code: 0, errors: '' });
      await log.append('notes/late', event('late'));
      const events = await log.readAll().toArray();
      expect(events.map(({ data }) => (data as { name: string }).name)).toEqual([
        'early',
        'stopped',
        'stopped',
        'stopped',
        'late',
      ]);
      expect((await log.verify()).ok).toBe(true);
      await log.close();
    },
  );

  test('a wait outlasts a short stop', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { lockTimeoutMs: 30_000 });
    const task: HoldingTask = { file: join(directory, 'lock'), label: '', stops: true };
    const program = new Program('./lock-file-holder.mjs', { task });
    await program.line('taken');
    await stopped(program.pid);

    const waiting = [1, 2, 3].map((number) => log.append('notes/patient', event('async', number)));
    program.kill('SIGCONT');
    program.tell('let go');

    const answers = await Promise.all(waiting);
    expect(answers.map(({ version }) => version)).toEqual([1, 2, 3]);
    await log.close();
  });

  test('the error tells the label under which the lock was taken', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { lockTimeoutMs: 50 });
    const task: HoldingTask = { file: join(directory, 'lock'), label: 'night shift', stops: true };
    const program = new Program('./lock-file-holder.mjs', { task });
    await program.line('taken');

    const failure = await failureOf(() => log.append('notes/late', event('late')));

    expect(failure).toMatchObject({ pid: program.pid, label: 'night shift', timeoutMs: 50 });
    expect(String(failure)).toContain(`pid ${program.pid}`);
    program.kill('SIGKILL');
    await program.ended;
    // The kernel let go of the lock when its holder died.
    expect((await log.append('notes/late', event('late'))).position).toBe(1);
    await log.close();
  });

  test('nothing is lost or repeated when a busy writer is stopped at random moments until one is caught holding it', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { lockTimeoutMs: 100 });
    const task: WritingTask = {
      directory,
      writer: 'busy',
      first: 1,
      again: [],
      callers: 16,
      calls: 'mixed',
      options: { segmentBytes: 64 * 1024, lockTimeoutMs: 30_000 },
    };
    const heard: Heard[] = [];
    const program = new Program('./writing-process.mjs', { task });
    program.onLine((line) =>
      heard.push({ writer: 'busy', report: JSON.parse(line) as WritingReport }),
    );
    await program.line('acknowledged');
    const random = new SeededRandom(3);
    for (let caught = 0; caught < 3; ) {
      await new Promise((resolve) => setTimeout(resolve, random.below(20)));
      program.kill('SIGSTOP');
      await stopped(program.pid);
      const file = disk.open(join(directory, 'lock'), 'write');
      const free = disk.tryLock(file, WRITE_LOCK, 'exclusive');
      disk.close(file);
      if (!free) {
        caught += 1;
        await log.refresh();
        await expectTimeouts(directory, log, program.pid);
      }
      program.kill('SIGCONT');
    }
    program.tell('stop');
    expect(await program.ended).toMatchObject({ code: 0, errors: '' });

    const events = await log.readAll().toArray();
    expect(stormProblems(heard, events)).toEqual([]);
    expect((await log.verify()).ok).toBe(true);
    await log.close();
  });
});

const disk = new RealDisk();
