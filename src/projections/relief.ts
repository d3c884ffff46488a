/**
 * Keeps memory from growing with the log: a projection that keeps the places of too many events there is given a snapshot to stand on, which has them on disk.
 * Best effort: one that could not be relieved is not asked for again before it grew by a quarter of the limit.
 */
import type { Io } from '../log/io.js';
import type { Runtime } from './ports.js';

/** Makes a snapshot for a runtime to stand on, so that it need not keep the places of the events before. Best effort. */
export type Relief = (runtime: Runtime) => Io<void>;

export class Relieving {
  readonly #notedMax: number;
  readonly #checkOpen: () => void;
  #relief: Relief | undefined;
  /** Those that could not be relieved, and from how many events on that is tried again. */
  readonly #burdened = new WeakMap<Runtime, number>();

  /** @param checkOpen - throws when nothing is to be done any more */
  constructor(notedMax: number, checkOpen: () => void) {
    this.#notedMax = notedMax;
    this.#checkOpen = checkOpen;
  }

  /** Where snapshots can be made: how. Until then nothing is relieved. */
  by(relief: Relief): void {
    this.#relief = relief;
  }

  /** One of them keeps too much in memory, and something can be done about it. */
  isDue(members: readonly Runtime[]): boolean {
    return this.#relief !== undefined && members.some((each) => this.#isBurdened(each));
  }

  /** Makes room where one of them keeps too much. @throws what `checkOpen` throws */
  *relieve(members: readonly Runtime[]): Io<void> {
    const relieve = this.#relief;
    if (!relieve) return;
    for (const member of members.filter((each) => this.#isBurdened(each))) {
      yield* relieve(member);
      this.#checkOpen();
      const { noted = 0 } = member;
      if (noted < this.#notedMax) this.#burdened.delete(member);
      else this.#burdened.set(member, noted + this.#notedMax / 4);
    }
  }

  #isBurdened(runtime: Runtime): boolean {
    const { noted = 0 } = runtime;
    return noted >= this.#notedMax && noted >= (this.#burdened.get(runtime) ?? 0);
  }
}
