/** Compacts the memory again and again while others write to it. */

const PAUSE_MS = 400;
/**
 * The segment that is written to stays where it is, and so does the one before it, which the older slot of the anchor may name. A compaction ends a segment
 * itself, so that there are two as soon as anything was written.
 */
const SEGMENTS_MIN = 3;

/**
 * @typedef {object} Counts
 * @property {boolean} isHalved whether one must have been made half-way
 * @property {number} meanwhile runs between what was written first and last
 * @property {number} archived segments that were archived
 * @property {number} segments all of them
 */

export class Compacting {
  /** @type {string[]} */
  problems = [];
  #memory;
  #ended = false;
  #runs = 0;
  #segments = 0;
  /** Runs that found something to compact, and ended while others still wrote. */
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
    }
  }

  /** Compacts what is there, when something was written and more is to come. However fast the others write, this one comes in between. */
  async halfWay() {
    await this.#compact();
  }

  async #compact() {
    try {
      const { moved, position } = await this.#memory.engine.compact();
      this.#runs += 1;
      this.#segments += moved.length;
      if (position > 0 && !this.#ended) this.#meanwhile += 1;
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

  /**
   * @param {(line: string) => void} say
   * @param {boolean} isHalved whether one must have been made half-way
   */
  async end(say, isHalved) {
    this.#ended = true;
    await this.#running;
    // What was written since the last run began.
    if (this.problems.length === 0) await this.#compact();
    const { segments } = this.#memory.engine.stats();
    const [meanwhile, archived] = [this.#meanwhile, this.#segments];
    const counts = { isHalved, meanwhile, archived, segments };
    this.problems.push(...uncompacted(counts));
    for (const line of tooLittle(counts)) say(line);
  }
}

/**
 * What is wrong for certain.
 * @param {Counts} counts
 */
export function* uncompacted({ isHalved, meanwhile, archived, segments }) {
  if (isHalved && meanwhile === 0) yield 'nothing was compacted while the agents wrote';
  if (segments >= SEGMENTS_MIN && archived === 0) {
    yield `none of ${segments} segments was archived`;
  }
}

/**
 * What could not be shown, because there was not enough to show it with.
 * @param {Counts} counts
 */
export function* tooLittle({ isHalved, meanwhile, archived, segments }) {
  if (!isHalved && meanwhile === 0) {
    yield 'there is too little to import for a compaction while the agents write';
  }
  if (segments < SEGMENTS_MIN && archived === 0) {
    yield 'there is too little to import for a segment to be archived';
  }
}
