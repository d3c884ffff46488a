/** Calls that conflicted over a stream run again one after the other in this process: run at once, all but one would conflict again. */
export class Lanes {
  readonly #ends = new Map<string, Promise<void>>();

  /** Runs when everything that came before in the lane has ended. */
  async run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#ends.get(lane);
    let leave = (): void => {};
    const end = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#ends.set(lane, end);
    try {
      await before;
      return await work();
    } finally {
      leave();
      if (this.#ends.get(lane) === end) this.#ends.delete(lane);
    }
  }
}
