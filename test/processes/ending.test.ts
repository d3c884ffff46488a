/** How programs end that use a log: by themselves, with what they appended, without a word that is not theirs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog } from '#src/index.js';
import type { EndingTask } from '../support/ending-program.mjs';
import type { HoldingTask } from '../support/lock-file-holder.mjs';
import { type Ending, Program, run } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const writerThreads = [true, false];

async function runToItsEnd(
  program: EndingTask['program'],
  options: EndingTask['options'] = {},
): Promise<{ ending: Ending; directory: string }> {
  const directory = join(temporaryDirectory(), 'store');
  const task: EndingTask = { directory, program, options };
  return { ending: await run('./ending-program.mjs', { task }), directory };
}

/** How many events of the stream stand, after the whole log was checked. */
async function countOf(directory: string, stream: string): Promise<number> {
  const log = await openLog(directory, { create: false });
  expect(log.recovery.state).toBe('clean');
  expect((await log.verify()).ok).toBe(true);
  const version = await log.version(stream);
  await log.close();
  return version;
}

const quietly = { code: 0, signal: null, output: '', errors: '' };

describe('a program ends by itself and prints nothing when it', () => {
  test.each([
    'opens a log and does nothing',
    'opens a log synchronously and does nothing',
  ] as const)('%s', async (program) => {
    const { ending, directory } = await runToItsEnd(program);
    expect(ending).toEqual(quietly);
    expect(await countOf(directory, 'notes/last')).toBe(0);
  });

  test.each([
    'appends, waits, and leaves the log open',
    'appends to a log in use, waits, and leaves it open',
    'appends synchronously and leaves the log open',
    'appends without waiting',
    'appends to a log in use without waiting',
    'appends and waits for close',
    'appends and waits for flush',
    'appends and closes synchronously',
    'appends and reads it back',
    'appends and follows up to its own event',
    'waits for the end of a follow that is aborted',
  ] as const)('%s, and what it appended stands', async (program) => {
    for (const writerThread of writerThreads) {
      const { ending, directory } = await runToItsEnd(program, { writerThread });
      expect(ending).toEqual(quietly);
      expect(await countOf(directory, 'notes/last')).toBe(1);
    }
  });

  test('appends very much without waiting, and all of it stands', async () => {
    for (const writerThread of writerThreads) {
      const { ending, directory } = await runToItsEnd('appends very much without waiting', {
        writerThread,
      });
      expect(ending).toEqual(quietly);
      expect(await countOf(directory, 'notes/last')).toBe(3000);
    }
  });

  test('holds a file lock without releasing it', async () => {
    const { ending } = await runToItsEnd('holds a file lock without releasing it');
    expect(ending).toEqual(quietly);
  });

  test.each([
    'appends, waits, and leaves the log open',
    'appends without waiting',
    'appends and waits for close',
  ] as const)('%s, also when another process holds the lock for a while', async (program) => {
    for (const writerThread of writerThreads) {
      const directory = join(temporaryDirectory(), 'store');
      await (await openLog(directory)).close();
      const holding: HoldingTask = { file: join(directory, 'lock'), label: '', stops: false };
      const holder = new Program('./lock-file-holder.mjs', { task: holding });
      await holder.line('taken');
      const task: EndingTask = { directory, program, options: { writerThread } };
      const ended = run('./ending-program.mjs', { task });
      setTimeout(() => holder.tell('let go'), 700);
      expect(await ended).toEqual(quietly);
      expect(await countOf(directory, 'notes/last')).toBe(1);
    }
  });
});

describe('a program that ends without closing its log', () => {
  test('leaves an anchor at the last commit', async () => {
    for (const writerThread of writerThreads) {
      const { directory } = await runToItsEnd(
        'appends to a log in use, waits, and leaves it open',
        {
          writerThread,
        },
      );
      const anchors = readFileSync(join(directory, 'anchor'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { anchor: number; p: number })
        .sort((a, b) => b.anchor - a.anchor);
      expect(anchors[0]?.p).toBe(4);
    }
  });

  test('loses nothing that was acknowledged when it exits with appends in flight', async () => {
    for (const writerThread of writerThreads) {
      const { ending, directory } = await runToItsEnd(
        'appends much and exits in the middle of it',
        {
          writerThread,
        },
      );
      expect(ending).toMatchObject({ code: 0, errors: '' });
      const acknowledged = ending.output.trim().split('\n').length;
      expect(acknowledged).toBeGreaterThanOrEqual(1000);
      expect(await countOf(directory, 'notes/last')).toBeGreaterThanOrEqual(acknowledged);
    }
  });

  test('leaves whole commits when it exits right after its appends', async () => {
    for (const writerThread of writerThreads) {
      const { ending, directory } = await runToItsEnd('appends much and exits at once', {
        writerThread,
      });
      expect(ending).toEqual(quietly);
      expect(await countOf(directory, 'notes/last')).toBeLessThan(3000);
    }
  });

  test('ends with its own error when it fails with appends in flight', async () => {
    const { ending, directory } = await runToItsEnd('fails with appends in flight');
    expect(ending).toMatchObject({ code: 1, output: '' });
    expect(ending.errors).toContain('the program itself failed');
    expect(await countOf(directory, 'notes/last')).toBeLessThan(1000);
  });
});
