/** Wakes those who wait for the log to grow: by this process's own commits, by the lock file changing, and by a bounded poll. */
import type { Disk } from './disk.js';
import { onAbort } from './on-abort.js';

/** A lost notice costs at most this long. */
export const POLL_MS = 250;

export class Changes {
  readonly #disk: Disk;
  readonly #lockPath: string;
  readonly #waiters = new Set<() => void>();
  #stopWatching: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(disk: Disk, lockPath: string) {
    this.#disk = disk;
    this.#lockPath = lockPath;
  }

  /** Resolves at the next sign of a change, or when the signal is aborted. The sign may be in vain. */
  async next(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        this.#waiters.delete(wake);
        stopListening?.();
        if (this.#waiters.size === 0) this.#rest();
        resolve();
      };
      this.#waiters.add(wake);
      const stopListening = signal && onAbort(signal, wake);
      this.#watch();
    });
  }

  /** The log grew, or was closed. */
  wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Stops watching for good. */
  close(): void {
    this.wake();
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #watch(): void {
    this.#stopWatching ??= this.#disk.watch(this.#lockPath, () => this.wake());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.wake();
    }, POLL_MS);
  }

  /** Nobody waits: the timer must not keep the process alive. Watching goes on, since most who waited will wait again. */
  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
