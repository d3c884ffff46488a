/**
 * Looking for other processes' commits, together: hundreds of reads and transactions that begin at once need one look, not hundreds. Nobody is
 * served by a look that began before the question was asked.
 */
import type { LogInternals } from '../log/internals.js';

export class SharedLook {
  readonly #log: Pick<LogInternals, 'isFresh' | 'freshen' | 'run'>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(log: Pick<LogInternals, 'isFresh' | 'freshen' | 'run'>) {
    this.#log = log;
  }

  /** Looks unless `freshnessMs` says that there is no need; undefined when there is none. */
  freshen(): Promise<void> | undefined {
    if (this.#log.isFresh) return undefined;
    if (this.#next) return this.#next;
    if (!this.#running) return this.#begin();
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  #begin(): Promise<void> {
    const running = this.#log.run(this.#log.freshen()).finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
