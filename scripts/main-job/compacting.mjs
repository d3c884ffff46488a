/** Compacts the memory again and again while others write to it. */

const PAUSE_MS = 400;

export class Compacting {
  /** @type {string[]} */
  problems = [];
  #memory;
  #ended = false;
  #runs = 0;
  #segments = 0;
  /** Runs that ended while others still wrote. */
  #meanwhile = 0;
  /** @type {Promise<void>} */
  #running = Promise.resolve();

  /** @param {import('#src/index.js').Memory} memory */
  constructor(memory) {
    this.#memory = memory;
  }

  begin() {
    this.#running = this.#run();
  }

  async #run() {
    while (!this.#ended) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      if (!(await this.#compact())) return;
      if (!this.#ended) this.#meanwhile += 1;
    }
  }

  async #compact() {
    try {
      const { moved } = await this.#memory.engine.compact();
      this.#runs += 1;
      this.#segments += moved.length;
      return true;
    } catch (error) {
      this.problems.push(`compacting failed: ${error instanceof Error ? error.message : error}`);
      return false;
    }
  }

  told() {
    const { segments, head } = this.#memory.engine.stats();
    return `compaction    ${this.#runs} runs, ${this.#segments} of ${segments} segments archived, position ${head.position}`;
  }

  async end() {
    this.#ended = true;
    await this.#running;
    // What was written since the last run began.
    if (this.problems.length === 0) await this.#compact();
    const { segments } = this.#memory.engine.stats();
    const { problems } = this;
    problems.push(
      ...uncompacted({ meanwhile: this.#meanwhile, archived: this.#segments, segments }),
    );
  }
}

/**
 * @param {{ meanwhile: number, archived: number, segments: number }} counts runs while others wrote, segments that were archived, and all of them
 */
export function* uncompacted({ meanwhile, archived, segments }) {
  // The one that is written to stays where it is.
  if (segments < 2) return;
  if (meanwhile === 0) yield 'nothing was compacted while the agents wrote';
  if (archived === 0) yield `none of ${segments} segments was archived`;
}
