/** When the anchor is to be moved: a while after the first group since it was moved last. Waiting for it keeps no process alive. */
import { anchorDelayMs } from './limits.js';

export class AnchorTimer {
  readonly #due: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isWanted = false;

  /** @param due - called when it is time, if the anchor was not moved meanwhile */
  constructor(due: () => void) {
    this.#due = due;
  }

  /** Something was written since the anchor was moved last. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Called for each group that was written, and for each attempt that failed. */
  want(): void {
    this.#isWanted = true;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isWanted) this.#due();
    }, anchorDelayMs);
    this.#timer.unref();
  }

  /** The anchor stands at the end of the log, or nobody is to move it any more. */
  done(): void {
    this.#isWanted = false;
  }

  /** Nothing becomes due any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
