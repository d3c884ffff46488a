/** Starts the agents, hears what they have acknowledged, and kills one of them half-way. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {import('./agent.mjs').Report} Report
 * @typedef {import('./agent.mjs').Task} Task
 * @typedef {Omit<Task, 'agent' | 'part' | 'leash'>} Work
 */

const program = fileURLToPath(new URL('./agent.mjs', import.meta.url));
const LEASH = 8;
/** Less than this cannot be killed half-way. */
const ITEMS_MIN = 4;

/**
 * The part whose agent is killed half-way.
 * @param {readonly number[]} shares items of each part
 * @returns {number | undefined} none when there is too little to import
 */
export function victimOf(shares) {
  const most = Math.max(...shares);
  return most < ITEMS_MIN ? undefined : shares.indexOf(most);
}

export class Agents {
  /** @type {Report[]} */
  reports = [];
  /** What went wrong. @type {string[]} */
  problems = [];
  /** @type {Map<string, { total: number, done: number, commits: number, times: number[], queue: number, state: string }>} */
  states = new Map();
  #work;
  #shares;
  #say;
  #halfWay;
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #running = new Set();
  #isStopped = false;

  /**
   * @param {Work} work
   * @param {number[]} shares items of each part
   * @param {(line: string) => void} say
   * @param {() => Promise<void>} halfWay what is to be done when one of them is killed and not yet replaced
   */
  constructor(work, shares, say, halfWay) {
    this.#work = work;
    this.#shares = shares;
    this.#say = say;
    this.#halfWay = halfWay;
    for (const [index, total] of shares.entries()) {
      const state = { total, done: 0, commits: 0, times: [], queue: 0, state: 'starting' };
      this.states.set(nameOf(index), state);
    }
  }

  async run() {
    const victim = victimOf(this.#shares);
    if (victim === undefined) {
      this.#say('there is too little to import for an agent to be killed half-way');
    }
    await Promise.all(
      this.#shares.map((_, index) =>
        index === victim ? this.#killAndReplace(index) : this.#mustEndWell(index),
      ),
    );
  }

  /** Ends what still runs, and starts nothing more. */
  stop() {
    this.#isStopped = true;
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** @param {number} index */
  async #killAndReplace(index) {
    const total = this.#shares[index] ?? 0;
    const end = await this.#start(index, Math.floor(total / 2));
    if (this.#isStopped) return;
    const { done = 0 } = this.states.get(nameOf(index)) ?? {};
    this.#say(`${nameOf(index)} ended by ${end} after ${done} of ${total} items; replacing it`);
    if (end !== 'SIGKILL' || done === total) {
      this.problems.push(`${nameOf(index)} was not killed in the middle of its work`);
    }
    await this.#halfWay();
    if (this.#isStopped) return;
    await this.#mustEndWell(index);
  }

  /** @param {number} index */
  async #mustEndWell(index) {
    const end = await this.#start(index);
    if (end !== 'code 0') this.problems.push(`${nameOf(index)} ended by ${end}`);
  }

  /**
   * @param {number} index
   * @param {number} [killAt] items after which to kill it
   * @returns {Promise<string>} how it ended, when everything it said has been heard
   */
  async #start(index, killAt = Number.POSITIVE_INFINITY) {
    const agent = nameOf(index);
    const state = this.states.get(agent);
    if (!state) throw new Error(`there is no ${agent}`);
    const child = fork(program);
    this.#running.add(child);
    state.state = 'running';
    let isKilled = false;
    child.on('message', (message) => {
      const report = /** @type {Report} */ (message);
      this.reports.push(report);
      state.done = Math.max(state.done, report.done);
      state.commits += 1;
      state.times.push(report.ms);
      state.queue = report.queue;
      if (report.done >= killAt && !isKilled) {
        isKilled = child.kill('SIGKILL');
        state.state = 'killed';
      }
      // One that is being killed goes on until it has used up its leash.
      if (!isKilled && child.connected) child.send({ heard: report.key }, () => {});
    });
    // What a process said before it died can arrive after the news of its death.
    const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    const left = Math.floor(((this.#shares[index] ?? 0) - killAt) / 2);
    const leash = Number.isFinite(killAt) ? Math.max(1, Math.min(LEASH, left)) : LEASH;
    const part = { number: index + 1, of: this.#shares.length };
    child.send({ ...this.#work, agent, part, leash });
    const [[code, signal]] = await ended;
    this.#running.delete(child);
    state.state = signal === null ? 'done' : 'killed';
    return signal ?? `code ${code}`;
  }
}

/** @param {number} index */
function nameOf(index) {
  return `agent-${index + 1}`;
}
