/**
 * Looking for other processes' commits, together: hundreds of reads and transactions that begin at once need one look, not hundreds. Nobody is
 * served by a look that began before the question was asked.
 */
import type { LogInternals } from '../log/internals.js';

type LookedAt = Pick<LogInternals, 'isFresh' | 'looksFresh' | 'freshen' | 'run'>;

export class SharedLook {
  readonly #log: LookedAt;
  /** Of all who ask in one turn. */
  #gathering: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(log: LookedAt) {
    this.#log = log;
  }

  /** Looks unless `freshnessMs` says that there is no need; undefined when there is none. */
  freshen(): Promise<void> | undefined {
    if (this.#log.isFresh) return undefined;
    this.#gathering ??= this.#gather();
    return this.#gathering;
  }

  async #gather(): Promise<void> {
    await undefined;
    this.#gathering = undefined;
    // Mostly nothing is new, and to see that takes less than asking the thread pool would.
    if (!this.#log.looksFresh()) await this.#look();
  }

  #look(): Promise<void> {
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
