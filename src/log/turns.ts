/**
 * Turns of the event loop. Writing on the calling thread goes from group to group in microtasks, between which no timer and no I/O of the
 * program can run: a loop that awaits one append after the other would hold up everything else for as long as it lasts.
 */

/** So long may groups follow each other without one, ms. */
const TURN_MS = 5;

export class Turns {
  readonly #monotonic: () => number;
  /** When the first group of this turn was asked about. */
  #since: number | undefined;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Whether the event loop should get a turn before the next group. */
  get isDue(): boolean {
    if (this.#since !== undefined) return this.#monotonic() - this.#since >= TURN_MS;
    this.#since = this.#monotonic();
    setImmediate(() => {
      this.#since = undefined;
    }).unref();
    return false;
  }
}
