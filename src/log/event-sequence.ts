/**
 * Reading as a sequence, synchronous or asynchronous, from one implementation: a generator that yields disk calls and
 * batches of what is read. Between two batches it holds nothing that must be given back, so it can be left at any time.
 */
import type { Disk } from './disk.js';
import { type DiskRequest, type Io, newPace, type Pace, runAsync, runSync } from './io.js';
import type { AsyncSequence, RecordedEvent, SyncSequence } from './types.js';

export type EventBatch = readonly RecordedEvent[];

/** A piece of reading with file I/O in it. */
export type SequenceWork<T> = Generator<DiskRequest | readonly T[], void, unknown>;

export type EventWork = SequenceWork<RecordedEvent>;

export interface SequenceSource {
  readonly disk: Disk;
  /** The error that callers know for one that the disk threw. */
  readonly told: (error: unknown) => unknown;
}

function isBatch<T>(step: DiskRequest | readonly T[]): step is readonly T[] {
  return Array.isArray(step);
}

/** Goes on to the next batch; `undefined` at the end. */
export function* nextBatch<T>(work: SequenceWork<T>): Io<readonly T[] | undefined> {
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
class BatchIterator<T> implements AsyncIterableIterator<T, void, undefined> {
  readonly #nextBatch: () => Promise<readonly T[] | undefined>;
  #batch: readonly T[] = [];
  #given = 0;
  /** The last call that is not answered yet: every later one comes behind it, also when its batch is there already. */
  #last: Promise<unknown> | undefined;
  #done = false;

  constructor(nextBatch: () => Promise<readonly T[] | undefined>) {
    this.#nextBatch = nextBatch;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#last || this.#given === this.#batch.length) return this.#inTurn(() => this.#take());
    const value = this.#batch[this.#given] as T;
    this.#given += 1;
    return Promise.resolve({ done: false, value });
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#inTurn(async () => {
      this.#end();
      return { done: true, value: undefined };
    });
  }

  #inTurn<R>(answer: () => Promise<R>): Promise<R> {
    const promise = this.#last ? this.#last.then(answer, answer) : answer();
    this.#last = promise;
    const answered = () => {
      if (this.#last === promise) this.#last = undefined;
    };
    promise.then(answered, answered);
    return promise;
  }

  async #take(): Promise<IteratorResult<T, void>> {
    while (this.#given === this.#batch.length && !this.#done) await this.#load();
    if (this.#done) return { done: true, value: undefined };
    const value = this.#batch[this.#given] as T;
    this.#given += 1;
    return { done: false, value };
  }

  async #load(): Promise<void> {
    try {
      const batch = await this.#nextBatch();
      if (!batch) {
        this.#end();
        return;
      }
      this.#batch = batch;
      this.#given = 0;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#batch = [];
    this.#given = 0;
    this.#done = true;
  }
}

/** Each iteration begins to read anew. */
export function asyncSequence<T>(
  { disk, told }: SequenceSource,
  begin: () => SequenceWork<T>,
): AsyncSequence<T> {
  async function batchOf(work: SequenceWork<T>, pace: Pace): Promise<readonly T[] | undefined> {
    try {
      return await runAsync(disk, nextBatch(work), pace);
    } catch (error) {
      throw told(error);
    }
  }
  return {
    [Symbol.asyncIterator]() {
      const work = begin();
      const pace = newPace();
      return new BatchIterator(() => batchOf(work, pace));
    },
    async toArray() {
      const work = begin();
      const pace = newPace();
      const items: T[] = [];
      for (let batch = await batchOf(work, pace); batch; batch = await batchOf(work, pace)) {
        for (const item of batch) items.push(item);
      }
      return Object.freeze(items);
    },
  };
}

/** Each iteration begins to read anew. */
export function syncSequence<T>(
  { disk, told }: SequenceSource,
  begin: () => SequenceWork<T>,
): SyncSequence<T> {
  function batchOf(work: SequenceWork<T>): readonly T[] | undefined {
    try {
      return runSync(disk, nextBatch(work));
    } catch (error) {
      throw told(error);
    }
  }
  function* iterate(): Generator<T, void, undefined> {
    const work = begin();
    for (let batch = batchOf(work); batch; batch = batchOf(work)) {
      // Not `yield*`, which asks an iterator in between for each event.
      for (let index = 0; index < batch.length; index += 1) yield batch[index] as T;
    }
  }
  return {
    [Symbol.iterator]: iterate,
    toArray() {
      const work = begin();
      const items: T[] = [];
      for (let batch = batchOf(work); batch; batch = batchOf(work)) {
        for (const item of batch) items.push(item);
      }
      return Object.freeze(items);
    },
  };
}

/** What is read, batch by batch through a function. What it throws for an item comes behind the items before it. */
export function* mapped<T, R>(work: SequenceWork<T>, change: (item: T) => R): SequenceWork<R> {
  for (;;) {
    const batch = yield* nextBatch(work);
    if (!batch) return;
    const changed: R[] = [];
    let failure: { readonly error: unknown } | undefined;
    for (const item of batch) {
      try {
        changed.push(change(item));
      } catch (error) {
        failure = { error };
        break;
      }
    }
    if (changed.length > 0 || !failure) yield changed;
    if (failure) throw failure.error;
  }
}
