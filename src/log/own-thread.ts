/**
 * The writer thread of an open log: started when it is needed first. Where none can be started, or after it died, there is none for good, and the thread of
 * the caller writes.
 */
import type { WriterThread } from './thread.js';

export type StartThread = (onDeath: (error: Error) => void) => WriterThread;

export class OwnThread {
  readonly #start: StartThread | undefined;
  readonly #onDeath: (error: Error) => void;
  #thread: WriterThread | undefined;
  #failed = false;

  /**
   * @param start - left out where no other thread could open the files
   * @param onDeath - told once when it died; a request in flight is then lost
   */
  constructor(start: StartThread | undefined, onDeath: (error: Error) => void) {
    this.#start = start;
    this.#onDeath = onDeath;
  }

  /** The thread when it takes requests, begun to be started when it was not. */
  ready(): WriterThread | undefined {
    if (!this.#start || this.#failed) return undefined;
    if (!this.#thread) {
      try {
        this.#thread = this.#start((error) => this.#died(error));
      } catch {
        // Where no thread can be started, the caller's goes on writing.
        this.#failed = true;
        return undefined;
      }
    }
    return this.#thread.ready ? this.#thread : undefined;
  }

  /** The thread that was started, whatever became of it. */
  get started(): WriterThread | undefined {
    return this.#thread;
  }

  /** It was started, takes requests, and did not die. */
  get isReady(): boolean {
    return this.#thread?.ready === true && !this.#failed;
  }

  #died(error: Error): void {
    this.#failed = true;
    this.#onDeath(error);
  }
}
