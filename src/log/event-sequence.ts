/**
 * Reading as a sequence of events, synchronous or asynchronous, from one implementation: a generator that yields disk calls and
 * batches of events. Between two batches it holds nothing that must be given back, so it can be left at any time.
 */
import type { Disk } from './disk.js';
import { type DiskRequest, type Io, runAsync, runSync } from './io.js';
import type { AsyncEvents, RecordedEvent, SyncEvents } from './types.js';

export type EventBatch = readonly RecordedEvent[];

/** A piece of reading with file I/O in it. */
export type EventWork = Generator<DiskRequest | EventBatch, void, unknown>;

export interface SequenceSource {
  readonly disk: Disk;
  /** The error that callers know for one that the disk threw. */
  readonly told: (error: unknown) => unknown;
}

function isBatch(step: DiskRequest | EventBatch): step is EventBatch {
  return Array.isArray(step);
}

/** Goes on to the next batch; `undefined` at the end. */
function* nextBatch(work: EventWork): Io<EventBatch | undefined> {
  let step = work.next();
  while (!step.done) {
    if (isBatch(step.value)) return step.value;
    let answer: unknown;
    try {
      answer = yield step.value;
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(answer);
  }
  return undefined;
}

/** Each iteration begins to read anew. */
export function asyncEvents({ disk, told }: SequenceSource, begin: () => EventWork): AsyncEvents {
  async function batchOf(work: EventWork): Promise<EventBatch | undefined> {
    try {
      return await runAsync(disk, nextBatch(work));
    } catch (error) {
      throw told(error);
    }
  }
  async function* iterate(): AsyncGenerator<RecordedEvent, void, undefined> {
    const work = begin();
    for (let batch = await batchOf(work); batch; batch = await batchOf(work)) {
      for (const event of batch) yield event;
    }
  }
  return {
    [Symbol.asyncIterator]: iterate,
    async toArray() {
      const work = begin();
      const events: RecordedEvent[] = [];
      for (let batch = await batchOf(work); batch; batch = await batchOf(work)) {
        for (const event of batch) events.push(event);
      }
      return events;
    },
  };
}

/** Each iteration begins to read anew. */
export function syncEvents({ disk, told }: SequenceSource, begin: () => EventWork): SyncEvents {
  function batchOf(work: EventWork): EventBatch | undefined {
    try {
      return runSync(disk, nextBatch(work));
    } catch (error) {
      throw told(error);
    }
  }
  function* iterate(): Generator<RecordedEvent, void, undefined> {
    const work = begin();
    for (let batch = batchOf(work); batch; batch = batchOf(work)) yield* batch;
  }
  return {
    [Symbol.iterator]: iterate,
    toArray() {
      const work = begin();
      const events: RecordedEvent[] = [];
      for (let batch = batchOf(work); batch; batch = batchOf(work)) {
        for (const event of batch) events.push(event);
      }
      return events;
    },
  };
}
