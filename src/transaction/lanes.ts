/**
 * Transactions that conflicted over the same key run again one after the other in this process: run at once, all but one would conflict again, and
 * the more there are, the sooner their retries are used up. Who lost more often goes first. Who comes later and reads such a key first of all waits
 * here before that read.
 *
 * A lane is no lock: nothing rests on it. Who is in it for long is overtaken, so that transactions that wait for one another, such as one that is run
 * inside the function of another, never wait for ever.
 */
import { onAbort } from '../log/on-abort.js';

/** So long a lane is kept to one transaction, ms. */
const HELD_MS_MAX = 100;

interface Waiting {
  readonly priority: number;
  readonly enter: () => void;
}

export class Lanes {
  /** Who waits, for every lane that somebody is in. */
  readonly #lanes = new Map<string, Waiting[]>();

  /** Whether somebody is in the lane. */
  isBusy(lane: string): boolean {
    return this.#lanes.has(lane);
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /**
   * Waits for a turn in the lane: the highest priority first, then who came first. Gives the call that ends the turn.
   * @throws the signal's reason
   */
  async enter(lane: string, priority: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const waiting = this.#lanes.get(lane);
    if (!waiting) this.#lanes.set(lane, []);
    else await this.#turn(waiting, priority, signal);
    return this.#held(lane);
  }

  #turn(waiting: Waiting[], priority: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        stopListening();
        resolve();
      };
      const place = { priority, enter };
      const behind = waiting.findIndex((other) => other.priority < priority);
      waiting.splice(behind < 0 ? waiting.length : behind, 0, place);
      const stopListening = onAbort(signal, () => {
        waiting.splice(waiting.indexOf(place), 1);
        reject(signal.reason as Error);
      });
    });
  }

  #held(lane: string): () => void {
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      clearTimeout(timer);
      const next = this.#lanes.get(lane)?.shift();
      if (next) next.enter();
      else this.#lanes.delete(lane);
    };
    const timer = setTimeout(leave, HELD_MS_MAX).unref();
    return leave;
  }
}
