/** A clock that stands still until it is told otherwise. */
export class ManualClock {
  #now: number;

  /** Milliseconds since 1970. */
  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  /** Bound, so that it can be handed over as a function. */
  readonly now = (): number => this.#now;

  /** To any moment, backwards too. */
  set(now: number | Date): void {
    this.#now = Number(now);
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
}
