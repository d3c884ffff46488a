/** Waits as long as passed between two times of the log, so many times faster. */
import { setTimeout as pause } from 'node:timers/promises';
import { WrongUse } from './exit-codes.js';

/** A single timer cannot wait longer. */
const PAUSE_MS_MAX = 2 ** 31 - 1;

export class Pace {
  readonly #speed: number;
  readonly #signal: AbortSignal;
  #began: { readonly time: number; readonly at: number } | undefined;

  /** @throws WrongUse */
  constructor(speed: number, signal: AbortSignal) {
    if (!(speed > 0)) throw new WrongUse('--speed must be more than 0');
    this.#speed = speed;
    this.#signal = signal;
  }

  /** Waits until a time of the log has come. */
  async reach(time: string): Promise<void> {
    const now = performance.now();
    const milliseconds = Date.parse(time);
    this.#began ??= { time: milliseconds, at: now };
    let left = this.#began.at + (milliseconds - this.#began.time) / this.#speed - now;
    for (; left >= 1; left -= PAUSE_MS_MAX) {
      await pause(Math.min(left, PAUSE_MS_MAX), undefined, { signal: this.#signal });
    }
  }
}
