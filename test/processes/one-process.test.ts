/** One directory opened several times in one process: by the same thread and by others. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Log, openLog, openLogSync, VersionConflictError } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { ThreadAnswer, WritingThreadTask } from '../support/writing-thread.mjs';

interface Answer {
  readonly name: string;
  readonly number: number;
  readonly position: number;
  readonly version: number;
}

const numbersTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const event = (name: string, number: number) => ({ type: 'note.taken', data: { name, number } });

/** Everything answered stands where it was said to stand, once, and nothing else does but what may be without an answer. */
async function expectExactly(log: Log, answers: readonly Answer[], others = 0): Promise<void> {
  const events = await log.readAll().toArray();
  expect(events.map(({ position }) => position)).toEqual(numbersTo(events.length));
  const names = events.map(({ data }) => {
    const { name, number } = data as { name: string; number: number };
    return `${name}/${number}`;
  });
  expect(new Set(names).size).toBe(names.length);
  for (const { name, number, position, version } of answers) {
    expect({ position, name: names[position - 1] }).toEqual({
      position,
      name: `${name}/${number}`,
    });
    expect(events[position - 1]?.version).toBe(version);
  }
  expect(events.length - answers.length).toBeGreaterThanOrEqual(0);
  expect(events.length - answers.length).toBeLessThanOrEqual(others);
  expect((await log.verify()).ok).toBe(true);
}

describe('two logs that one thread has open on the same directory', () => {
  test.each([
    [true, true],
    [true, false],
    [false, false],
  ])(
    'share it without loss, repetition or deadlock, whatever the calls (writer threads: %s, %s)',
    async (first, second) => {
      const directory = join(temporaryDirectory(), 'store');
      const segmentBytes = 32 * 1024;
      const one = await openLog(directory, { writerThread: first, segmentBytes });
      const two = openLogSync(directory, { writerThread: second, segmentBytes });
      const answers: Answer[] = [];
      let refused = 0;

      const write = async (log: Log, name: string, number: number): Promise<void> => {
        const stream = number % 3 === 0 ? 'notes/shared' : `notes/${name}`;
        const expected = number % 6 === 0 ? await log.version(stream) : undefined;
        const options = expected === undefined ? {} : { expectedVersion: expected };
        try {
          const { position, version } =
            number % 4 === 0
              ? log.appendSync(stream, event(name, number), options)
              : await log.append(stream, event(name, number), options);
          answers.push({ name, number, position, version });
        } catch (error) {
          expect(error).toBeInstanceOf(VersionConflictError);
          refused += 1;
        }
      };
      const call = async (log: Log, name: string, numbers: Iterator<number>): Promise<void> => {
        for (let next = numbers.next(); !next.done; next = numbers.next()) {
          await write(log, name, next.value);
        }
      };
      const ones = numbersTo(300).values();
      const twos = numbersTo(300).values();
      await Promise.all(
        numbersTo(8).flatMap(() => [call(one, 'one', ones), call(two, 'two', twos)]),
      );

      expect(answers.length + refused).toBe(600);
      await expectExactly(one, answers);
      await expectExactly(two, answers);
      expect(two.head).toEqual(one.head);
      await one.close();
      two.closeSync();
    },
  );

  test('a synchronous append goes on while the other log has one in flight that others overtook', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const one = await openLog(directory);
    const two = openLogSync(directory);
    // Until its writer thread runs, a log writes on this thread.
    while (one.stats().anchors === 0)
      await one.append('notes/one', event('one', one.head.position));

    const answers: Answer[] = [];
    const waiting: Promise<unknown>[] = [];
    for (const number of numbersTo(100)) {
      waiting.push(one.append('notes/race', event('race', number)));
      // This thread is busy here: the other one cannot ask it for a new decision, and must let go of the lock all the same.
      const { position, version } = two.appendSync('notes/two', event('two', number));
      answers.push({ name: 'two', number, position, version });
      if (number % 10 === 0) await Promise.all(waiting);
    }
    await Promise.all(waiting);

    await expectExactly(two, answers, one.head.position);
    expect(await two.version('notes/race')).toBe(100);
    await one.close();
    await two.close();
  });

  test('closing one leaves the other its lock and its files', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const one = await openLog(directory);
    const answers: Answer[] = [];
    for (const number of numbersTo(20)) {
      const two = number % 2 === 0 ? await openLog(directory) : openLogSync(directory);
      const waiting = numbersTo(5).map(async (part) => {
        const name = `one-${number}`;
        const { position, version } = await one.append(`notes/${name}`, event(name, part));
        answers.push({ name, number: part, position, version });
      });
      const name = `two-${number}`;
      const { position, version } = await two.append(`notes/${name}`, event(name, 1));
      answers.push({ name, number: 1, position, version });
      if (number % 3 === 0) two.closeSync();
      else await two.close();
      await Promise.all(waiting);
    }
    await expectExactly(one, answers);
    await one.close();
  });
});

describe('several threads that have the same directory open', () => {
  function startThread(task: WritingThreadTask, answers: ThreadAnswer[]): Worker {
    const worker = new Worker(new URL('../support/writing-thread.mjs', import.meta.url), {
      workerData: task,
    });
    worker.on('message', (answer: ThreadAnswer) => answers.push(answer));
    onTestFinished(async () => {
      await worker.terminate();
    });
    return worker;
  }

  test('share it without loss or repetition', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { segmentBytes: 32 * 1024 });
    const answers: Answer[] = [];
    const threads = [true, false, true].map((writerThread, index) =>
      startThread(
        {
          directory,
          name: `thread-${index}`,
          commits: 150,
          options: { writerThread, segmentBytes: 32 * 1024, lockTimeoutMs: 60_000 },
        },
        answers,
      ),
    );
    const ended = Promise.all(threads.map((thread) => once(thread, 'exit')));
    for (const number of numbersTo(100)) {
      const bySync = number % 7 === 0;
      const { position, version } = bySync
        ? log.appendSync('notes/main', event('main', number))
        : await log.append('notes/main', event('main', number));
      answers.push({ name: 'main', number, position, version });
    }
    expect(await ended).toEqual([[0], [0], [0]]);
    expect(answers.length).toBe(550);
    await expectExactly(log, answers);
    await log.close();
  });

  test('a thread terminated in the middle of its appends lets go of the lock, and loses nothing that was acknowledged', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const log = await openLog(directory, { lockTimeoutMs: 20_000 });
    const answers: Answer[] = [];
    for (const round of numbersTo(6)) {
      const heard: ThreadAnswer[] = [];
      const task: WritingThreadTask = {
        directory,
        name: `doomed-${round}`,
        commits: Number.POSITIVE_INFINITY,
        options: { writerThread: round % 2 === 0 },
      };
      const thread = startThread(task, heard);
      while (heard.length < 20 * round) await once(thread, 'message');
      await thread.terminate();
      answers.push(...heard);
      const { position, version } = log.appendSync('notes/main', event('main', 2 * round));
      answers.push({ name: 'main', number: 2 * round, position, version });
      const next = await log.append('notes/main', event('main', 2 * round + 1));
      answers.push({ name: 'main', number: 2 * round + 1, ...next });
    }
    // The messages of a thread that was terminated may be lost, its commits are not.
    await expectExactly(log, answers, Number.POSITIVE_INFINITY);
    await log.close();
  });
});
