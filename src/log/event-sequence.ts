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

/**
 * Batches one event at a time. By hand, because an asynchronous generator takes twice the time of what else is done for an event.
 * As there, calls of `next` that do not wait for one another are answered in order, and the first failure ends the sequence.
 */
class EventIterator implements AsyncIterableIterator<RecordedEvent, void, undefined> {
  readonly #nextBatch: () => Promise<EventBatch | undefined>;
  #batch: EventBatch = [];
  #given = 0;
  #loading: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #done = false;

  constructor(nextBatch: () => Promise<EventBatch | undefined>) {
    this.#nextBatch = nextBatch;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<RecordedEvent, void>> {
    if (this.#loading) return this.#loading.then(() => this.next());
    if (this.#given < this.#batch.length) {
      const value = this.#batch[this.#given] as RecordedEvent;
      this.#given += 1;
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    this.#loading = this.#load();
    return this.#loading.then(() => this.next());
  }

  async #load(): Promise<void> {
    try {
      const batch = await this.#nextBatch();
      this.#batch = batch ?? [];
      this.#given = 0;
      this.#done = batch === undefined;
    } catch (error) {
      this.#failure = { error };
      this.#batch = [];
      this.#done = true;
    } finally {
      this.#loading = undefined;
    }
  }

  async return(): Promise<IteratorResult<RecordedEvent, void>> {
    await this.#loading;
    this.#batch = [];
    this.#done = true;
    return { done: true, value: undefined };
  }
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
  return {
    [Symbol.asyncIterator]() {
      const work = begin();
      return new EventIterator(() => batchOf(work));
    },
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
    for (let batch = batchOf(work); batch; batch = batchOf(work)) {
      // Not `yield*`, which asks an iterator in between for each event.
      for (let index = 0; index < batch.length; index += 1) yield batch[index] as RecordedEvent;
    }
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
