/**
 * Turns of the event loop. Calls that wait for no disk, such as groups written on the calling thread, follow each other in microtasks, between which
 * no timer and no I/O of the program can run: a loop that awaits one after the other would hold up everything else for as long as it lasts.
 */
import { monotonicMs } from './monotonic.js';

/** So long may they follow each other without one, ms. */
const TURN_MS = 5;
/** As it was when this was loaded: a test that replaces it by a mock, and ends before the mock was called, would stop all work of the thread for good. */
const later = setImmediate;

/** Resolves behind whatever else the event loop has to do. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    later(resolve);
  });
}

export class Turns {
  readonly #monotonic: () => number;
  /** When it was first asked in this turn. */
  #since: number | undefined;
  #next: Promise<void> | undefined;

  constructor(monotonic: () => number = monotonicMs) {
    this.#monotonic = monotonic;
  }

  /** Whether the event loop should get a turn before there is more work. */
  get isDue(): boolean {
    if (this.#since !== undefined) return this.#monotonic() - this.#since >= TURN_MS;
    this.#since = this.#monotonic();
    later(() => {
      this.#since = undefined;
    }).unref();
    return false;
  }

  /**
   * To be called between two portions of work: the next turn when it is due, else nothing to wait for. All who wait go on together, so that none of them does
   * all of its work before the others.
   */
  rest(): Promise<void> | undefined {
    if (!this.#next && this.isDue) {
      this.#next = turn().then(() => {
        this.#next = undefined;
        this.#since = undefined;
      });
    }
    return this.#next;
  }
}
