/**
 * An agent of a long run: remembers, changes, recalls and looks back without end, several calls at once. Says what it begins and what was acknowledged, and
 * what it found wrong. Each call has a number; what it does, and its idempotency key, follow from that and the agent's name alone.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { openMemory } from '#src/index.js';
import { callOf } from './enduring-calls.mjs';

/**
 * @typedef {object} EnduringTask
 * @property {string} directory
 * @property {string} agent
 * @property {number} first the first number to call
 * @property {readonly number[]} again numbers whose outcome nobody heard
 * @property {number} callers
 * @property {number} pauseMs between two calls of one caller, at most
 * @property {object} options
 */

/**
 * @typedef {(
 *   | { kind: 'opened', state: string }
 *   | { kind: 'begun', number: number }
 *   | { kind: 'acknowledged', number: number, position: number | null, repeated: boolean }
 *   | { kind: 'compacted', segments: number }
 *   | { kind: 'wrong', what: string }
 *   | { kind: 'ended' }
 * )} EnduringReport
 */

/** @type {EnduringTask} */
const { directory, agent, first, again, callers, pauseMs, options } = JSON.parse(
  process.argv[2] ?? '{}',
);

/** @param {EnduringReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

const memory = await openMemory(directory, { actor: agent, ...options });
say({ kind: 'opened', state: memory.engine.recovery.state });
let stopped = false;
createInterface({ input: process.stdin }).on('line', () => {
  stopped = true;
});

/** @param {number} number */
async function carryOut(number) {
  say({ kind: 'begun', number });
  const { position, repeated } = await callOf(agent, number).carryOut(memory);
  say({ kind: 'acknowledged', number, position, repeated });
}

/** What it stored itself reads back, what it asks for is found, the past is the past. @param {number} number */
async function lookBack(number) {
  const call = callOf(agent, number);
  const problem = await call.problem(memory);
  if (problem) say({ kind: 'wrong', what: `call ${number} of ${agent}: ${problem}` });
  if (number % 7 === 0) {
    const hits = await memory.recall(call.question, { limit: 5 });
    if (hits.length === 0) say({ kind: 'wrong', what: `nothing recalled for ${call.question}` });
  }
  if (number % 11 === 0) {
    const { position } = memory.engine.head;
    const moment = 1 + ((number * 7919) % position);
    const past = await memory.at(moment).records.list({ limit: 3 });
    const later = past.items.find(({ key }) => !key.includes('/'));
    if (later) say({ kind: 'wrong', what: `a record ${later.key} that nobody stored` });
  }
}

let next = first;
const waiting = [...again];

/** @param {number} caller */
async function call(caller) {
  while (!stopped) {
    const number = waiting.shift() ?? next++;
    await carryOut(number);
    if (number % 4 === 0) await lookBack(number);
    if (caller === 0 && number % 50 === 0) {
      const { moved } = await memory.engine.compact();
      say({ kind: 'compacted', segments: moved.length });
    }
    await setTimeout(Math.random() * pauseMs);
  }
}

await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
await memory.close();
say({ kind: 'ended' });
// The standard input would keep it alive.
process.exit(0);
