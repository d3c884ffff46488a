/**
 * Work in slices with returns to the event loop between them. It keeps no process alive, unless somebody waits for it.
 *
 * An unreferenced immediate would not run in a process that waits for a socket; an unreferenced timer does.
 */
import type { DiskRequest, Io } from '../log/io.js';

/** Between two slices that nobody waits for, ms. */
const PAUSE_MS = 1;

export class Background {
  /** Does one slice; true when there is more to do. Never throws. */
  readonly #slice: () => Promise<boolean>;
  readonly #isUrgent: () => boolean;
  #cancel: (() => void) | undefined;
  #urgent = false;
  #running = false;
  #closed = false;

  constructor(slice: () => Promise<boolean>, isUrgent: () => boolean) {
    this.#slice = slice;
    this.#isUrgent = isUrgent;
  }

  /** There is something to do, or somebody began to wait for it. */
  wake(): void {
    if (this.#closed || this.#running) return;
    const urgent = this.#isUrgent();
    if (this.#cancel && this.#urgent === urgent) return;
    this.#cancel?.();
    this.#urgent = urgent;
    const run = () => {
      this.#cancel = undefined;
      void this.#run();
    };
    if (urgent) {
      const immediate = setImmediate(run);
      this.#cancel = () => clearImmediate(immediate);
    } else {
      const timer = setTimeout(run, PAUSE_MS).unref();
      this.#cancel = () => clearTimeout(timer);
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #run(): Promise<void> {
    this.#running = true;
    const more = await this.#slice();
    this.#running = false;
    if (more) this.wake();
  }
}

/** Goes on with the work until it rests, so many milliseconds later or more. True at its end; before, another call goes on. */
export function* someOf(work: Io<void>, clock: () => number, milliseconds: number): Io<boolean> {
  const began = clock();
  let step = work.next();
  while (!step.done) {
    const request = step.value;
    if (request.method === 'rest' && clock() - began >= milliseconds) return false;
    let answer: unknown;
    try {
      answer = yield request;
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(answer);
  }
  return true;
}

/** The same work; `worked` is told how long it took, without what the disk took. */
export function* measured<T>(
  work: Io<T>,
  clock: () => number,
  worked: (milliseconds: number) => void,
): Io<T> {
  let milliseconds = 0;
  const timed = <Step>(go: () => Step): Step => {
    const began = clock();
    try {
      return go();
    } finally {
      milliseconds += clock() - began;
    }
  };
  try {
    let step: IteratorResult<DiskRequest, T> = timed(() => work.next());
    while (!step.done) {
      const request = step.value;
      let answer: unknown;
      try {
        answer = yield request;
      } catch (error) {
        step = timed(() => work.throw(error));
        continue;
      }
      step = timed(() => work.next(answer));
    }
    return step.value;
  } finally {
    worked(milliseconds);
  }
}
