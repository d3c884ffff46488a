/** Compacts the memory again and again while others write to it. */

const PAUSE_MS = 400;

export class Compacting {
  /** @type {string[]} */
  problems = [];
  #memory;
  #ended = false;
  #runs = 0;
  #segments = 0;
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
      try {
        const { moved } = await this.#memory.engine.compact();
        this.#runs += 1;
        this.#segments += moved.length;
      } catch (error) {
        this.problems.push(`compacting failed: ${error instanceof Error ? error.message : error}`);
        return;
      }
    }
  }

  told() {
    const { segments, head } = this.#memory.engine.stats();
    return `compaction    ${this.#runs} runs, ${this.#segments} of ${segments} segments archived, position ${head.position}`;
  }

  async end() {
    this.#ended = true;
    await this.#running;
  }
}
