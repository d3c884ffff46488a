/** Shows how the agents come along: a table that is drawn anew on a terminal, lines everywhere else. */
import { styleText } from 'node:util';

/**
 * @typedef {import('./agents.mjs').Agents['states']} States
 * @typedef {{ states: States, facts: () => string }} Shown
 */

const DRAW_MS = 200;
const LINE_MS = 3000;
/** Of the newest commits. */
const TIMES = 200;

export class Display {
  #out;
  #began = performance.now();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #drawn = 0;
  /** @type {Shown | undefined} */
  #shown;

  /** @param {NodeJS.WriteStream} out */
  constructor(out = process.stdout) {
    this.#out = out;
  }

  get isLive() {
    return this.#out.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  /** @param {Shown} shown */
  begin(shown) {
    this.#shown = shown;
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#show(), this.isLive ? DRAW_MS : LINE_MS);
  }

  end() {
    clearInterval(this.#timer);
    this.#show();
    this.#shown = undefined;
    this.#drawn = 0;
  }

  /** @param {string} line */
  say(line) {
    this.#wipe();
    this.#out.write(`${line}\n`);
    if (this.#shown && this.isLive) this.#show();
  }

  #show() {
    if (!this.#shown) return;
    const { states, facts } = this.#shown;
    const seconds = (performance.now() - this.#began) / 1000;
    const lines = tableOf(states, seconds);
    const all = [...lines, facts()];
    if (!this.isLive) {
      this.#out.write(`${all.join('\n')}\n`);
      return;
    }
    this.#wipe();
    const width = this.#out.columns ?? 80;
    const [head = '', ...rest] = all.map((line) => line.slice(0, width - 1));
    this.#out.write(`${[styleText('bold', head), ...rest].join('\n')}\n`);
    this.#drawn = all.length;
  }

  /** Goes back over what was drawn. */
  #wipe() {
    if (this.#drawn > 0) this.#out.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}

/**
 * @param {States} states
 * @param {number} seconds
 */
export function tableOf(states, seconds) {
  const rows = [...states].map(([name, { total, done, commits, times, queue, state }]) => {
    const sorted = times.slice(-TIMES).sort((a, b) => a - b);
    const at = (/** @type {number} */ share) =>
      (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
    const rate = seconds > 0 ? commits / seconds : 0;
    return [name, state, `${done}/${total}`, rate.toFixed(0), at(0.5), at(0.99), String(queue)];
  });
  const head = ['agent', 'state', 'items', 'commits/s', 'sync p50 ms', 'p99 ms', 'queue'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}
