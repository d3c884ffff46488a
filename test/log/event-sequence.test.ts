/** What comes in batches is given one by one, whoever asks and however impatiently. */
import { describe, expect, test } from 'vitest';
import {
  asyncSequence,
  type EventBatch,
  type EventWork,
  syncSequence,
} from '#src/log/event-sequence.js';
import { ask } from '#src/log/io.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import type { AsyncEvents, RecordedEvent } from '#src/log/types.js';

function event(position: number): RecordedEvent {
  return { position } as RecordedEvent;
}

/** Batches of these sizes, each behind a call to the disk; then the failure, if there is one. */
function* work(sizes: readonly number[], failure?: Error): EventWork {
  let position = 0;
  for (const size of sizes) {
    yield* ask('list', '/');
    const batch: EventBatch = Array.from({ length: size }, () => {
      position += 1;
      return event(position);
    });
    yield batch;
  }
  if (failure) throw failure;
}

const told = (error: unknown) => new Error('told', { cause: error });

function sequence(sizes: readonly number[], failure?: Error): AsyncEvents {
  return asyncSequence({ disk: new MemoryDisk(), told }, () => work(sizes, failure));
}

function count(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1);
}

describe('an asynchronous sequence of events', () => {
  test('gives all events in order, and the same to who iterates again', async () => {
    const events = sequence([3, 0, 1, 5]);
    for (let round = 0; round < 2; round += 1) {
      const positions: number[] = [];
      for await (const { position } of events) positions.push(position);
      expect(positions).toEqual(count(9));
    }
    expect((await events.toArray()).map(({ position }) => position)).toEqual(count(9));
  });

  test('answers calls that do not wait for one another in order', async () => {
    const iterator = sequence([2, 3, 1])[Symbol.asyncIterator]();
    const answers = await Promise.all(Array.from({ length: 9 }, () => iterator.next()));
    expect(answers.map(({ done, value }) => (done ? 'end' : value.position))).toEqual([
      ...count(6),
      'end',
      'end',
      'end',
    ]);
  });

  test('keeps that order when a call comes at the very moment at which a batch arrives', async () => {
    for (let turns = 0; turns < 30; turns += 1) {
      const iterator = sequence([3, 3])[Symbol.asyncIterator]();
      const answers = [iterator.next(), iterator.next()];
      for (let turn = 0; turn < turns; turn += 1) await undefined;
      answers.push(iterator.next(), iterator.next());
      const positions = (await Promise.all(answers)).map(({ done, value }) =>
        done ? 'end' : value.position,
      );
      expect(positions).toEqual(count(4));
    }
  });

  test('ends with the first failure, which is told once', async () => {
    const iterator = sequence([2], new Error('disk'))[Symbol.asyncIterator]();
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => iterator.next()));
    expect(answers.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(answers[2]).toMatchObject({ reason: { message: 'told', cause: { message: 'disk' } } });
    expect(answers[4]).toMatchObject({ value: { done: true, value: undefined } });
  });

  test('ends when it is left', async () => {
    const iterator = sequence([4, 4])[Symbol.asyncIterator]();
    await iterator.next();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    const beside = sequence([4])[Symbol.asyncIterator]();
    const [first, end, after] = await Promise.all([
      beside.next(),
      beside.return?.(),
      beside.next(),
    ]);
    expect(first.done).toBe(false);
    expect([end?.done, after.done]).toEqual([true, true]);
  });
});

describe('a synchronous sequence of events', () => {
  test('gives all events in order, and the same to who iterates again', () => {
    const events = syncSequence({ disk: new MemoryDisk(), told }, () => work([3, 0, 1, 5]));
    for (let round = 0; round < 2; round += 1) {
      expect([...events].map(({ position }) => position)).toEqual(count(9));
    }
    expect(events.toArray().map(({ position }) => position)).toEqual(count(9));
  });
});
