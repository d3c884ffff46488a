/**
 * Transactions that conflicted over the same key run again one after the other: run at once, all but one would conflict again, and the more there
 * are, the sooner their retries are used up. In a process, who lost more often goes first; among processes, whoever gets the turn, for its own
 * transactions one after the other for a while. Who comes later and reads such a key first of all waits here before that read.
 *
 * A lane is no lock: nothing rests on it. Who is in it for long is overtaken, so that transactions that wait for one another, such as one that is run
 * inside the function of another, never wait for ever.
 */
import { onAbort } from '../log/on-abort.js';
import type { Turns } from './source.js';

/** So long a lane is kept to one transaction, ms: or twice as long as its function ran before, so that long ones have their turn too. */
const HELD_MS = 500;
const HELD_MS_MAX = 10_000;
/** So long a process passes its turn on among its own transactions before others have theirs, ms. */
const PASSED_ON_MS_MAX = 10;

/** Who lost so often, once of these in the lane, lost to another process or may have. */
const LOST_TO_OTHERS = 2;

interface Waiting {
  readonly priority: number;
  readonly enter: (turn: Turn | undefined) => void;
}

/** What this process has of a lane among processes. */
interface Turn {
  readonly end: () => void;
  readonly begun: number;
}

/** One that somebody is in, or was in a moment ago. */
interface Lane {
  readonly waiting: Waiting[];
  /** Nobody is in it, but who comes now goes on with the turn of who was. */
  left: Turn | undefined;
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #turns: Turns | undefined;

  readonly #now: () => number;

  /**
   * @param turns - among processes; left out where there is one alone
   * @param now - milliseconds on a clock that never goes back
   */
  constructor(turns?: Turns, now: () => number = () => performance.now()) {
    this.#turns = turns;
    this.#now = now;
  }

  /** Whether somebody is in the lane. */
  isBusy(name: string): boolean {
    return this.#lanes.has(name) || this.#turns?.isBusy(name) === true;
  }

  /** Whether nobody is in any lane, as of a moment ago. */
  get isEmpty(): boolean {
    return this.#lanes.size === 0 && this.#turns?.areContested !== true;
  }

  /**
   * Waits for a turn in the lane: the highest priority first, then who came first. Gives the call that ends the turn.
   * @throws the signal's reason
   */
  async enter(
    name: string,
    priority: number,
    signal: AbortSignal,
    tookMs = 0,
  ): Promise<() => void> {
    signal.throwIfAborted();
    const known = this.#lanes.get(name);
    const lane = known ?? { waiting: [], left: undefined };
    if (!known) this.#lanes.set(name, lane);
    let turn = lane.left;
    if (turn) lane.left = undefined;
    else if (known) turn = await this.#wait(lane, priority, signal);
    try {
      if (priority >= LOST_TO_OTHERS || this.#turns?.areContested) {
        turn ??= await this.#turnAmongProcesses(name, signal);
      }
    } catch (error) {
      this.#next(name, lane, undefined);
      throw error;
    }
    return this.#held(name, lane, turn, Math.min(Math.max(HELD_MS, 2 * tookMs), HELD_MS_MAX));
  }

  #wait({ waiting }: Lane, priority: number, signal: AbortSignal): Promise<Turn | undefined> {
    return new Promise((resolve, reject) => {
      const enter = (turn: Turn | undefined): void => {
        stopListening();
        resolve(turn);
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

  async #turnAmongProcesses(name: string, signal: AbortSignal): Promise<Turn | undefined> {
    const end = await this.#turns?.take(name, signal);
    return end && { end, begun: this.#now() };
  }

  #held(name: string, lane: Lane, turn: Turn | undefined, heldMs: number): () => void {
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      clearTimeout(timer);
      this.#next(name, lane, turn);
    };
    const timer = setTimeout(leave, heldMs).unref();
    return leave;
  }

  #next(name: string, lane: Lane, turn: Turn | undefined): void {
    const next = lane.waiting.shift();
    const isPassedOn = turn && this.#now() - turn.begun < PASSED_ON_MS_MAX;
    if (turn && !isPassedOn) turn.end();
    if (next) next.enter(isPassedOn ? turn : undefined);
    else if (!isPassedOn) this.#lanes.delete(name);
    else {
      lane.left = turn;
      // Whoever makes one transaction after the other comes again at once.
      setImmediate(() => {
        if (lane.left !== turn) return;
        lane.left = undefined;
        turn.end();
        this.#lanes.delete(name);
      });
    }
  }
}
