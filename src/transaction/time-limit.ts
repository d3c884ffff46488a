/** The time that a transaction has, and its caller's signal: either ends every wait of it, also the one for the write lock. */
import { TransactionTimeoutError } from '../errors.js';
import { onAbort } from '../log/on-abort.js';

/** What timers can count. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** So many are kept for transactions to come. */
const FREE_MAX = 256;

/** Those that ran to their end: to make a controller and to listen to it costs more than all the rest that a transaction does here. */
const free: TimeLimit[] = [];

export class TimeLimit {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  /** Ends the wait that there is. */
  #stop: ((reason: Error) => void) | undefined;

  private constructor() {
    // For good, so that others who listen for a while find the listener that all share.
    onAbort(this.signal, () => this.#stop?.(this.signal.reason as Error));
  }

  /** To be given back by `end`, when nothing of the transaction waits any more. */
  static begin(timeoutMs: number, signal: AbortSignal | undefined): TimeLimit {
    const limit = free.pop() ?? new TimeLimit();
    limit.#begin(timeoutMs, signal);
    return limit;
  }

  #begin(timeoutMs: number, signal: AbortSignal | undefined): void {
    if (signal) {
      this.#stopListening = onAbort(signal, () => this.#controller.abort(signal.reason));
    }
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const end = () => this.#controller.abort(new TransactionTimeoutError(timeoutMs));
      this.#timer = setTimeout(end, Math.min(timeoutMs, TIMER_MS_MAX));
    }
  }

  /** Aborted, with what to throw as its reason, when the time is over or the caller's signal is aborted. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for the work, but no longer than there is time. What becomes of it later is nobody's business. One wait at a time. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) reject(this.signal.reason as Error);
      this.#stop = reject;
      work.then(resolve, reject);
    });
  }

  async pause(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    try {
      await this.race(pause);
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#stopListening?.();
    this.#timer = undefined;
    this.#stopListening = undefined;
    this.#stop = undefined;
    if (!this.signal.aborted && free.length < FREE_MAX) free.push(this);
  }
}
