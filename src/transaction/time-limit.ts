/** The time that a transaction has, and its caller's signal: either ends every wait of it, also the one for the write lock. */
import { TransactionTimeoutError } from '../errors.js';
import { onAbort } from '../log/on-abort.js';

/** What timers can count. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class TimeLimit {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: (() => void) | undefined;
  readonly #stopped: Promise<never>;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#stopped = new Promise((_, reject) => {
      onAbort(this.signal, () => reject(this.signal.reason as Error));
    });
    // Looked at only by those who race against it.
    this.#stopped.catch(() => {});
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

  /** @throws TransactionTimeoutError, or the reason of the caller's signal */
  check(): void {
    this.signal.throwIfAborted();
  }

  /** Waits for the work, but no longer than there is time. What becomes of it later is nobody's business. */
  async race<T>(work: Promise<T>): Promise<T> {
    // In this order, so that it is looked after when the time is over already.
    const first = Promise.race([this.#stopped, work]);
    return await first;
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
  }
}
