/**
 * A process that reads while others write, and changes nothing. Says what it finds wrong as soon as it sees it. Told a
 * position on its standard input, it goes on until it has seen all up to there, says a digest of it, and ends.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openLog } from '#src/index.js';
import { digestOf, EventOrder } from './event-order.mjs';
import { brokenLinesIn } from './log-lines.mjs';

/**
 * @typedef {'follow' | 'read' | 'lines'} ReadingKind
 *
 * @typedef {object} ReadingTask
 * @property {string} directory
 * @property {ReadingKind} kind
 *
 * @typedef {{ kind: 'reading' }} Reading
 * @typedef {{ kind: 'problem', problem: string }} Problem
 * @typedef {{ kind: 'ended', rounds: number, digest: string }} ReadingEnded
 * @typedef {Reading | Problem | ReadingEnded} ReadingReport
 */

/** @type {ReadingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');

/** @param {ReadingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

/** @param {string} problem */
function complain(problem) {
  say({ kind: 'problem', problem });
}

/** Where to end, once it is known. */
let end = Number.POSITIVE_INFINITY;
let onEnd = () => {};
process.stdin.once('data', (text) => {
  end = Number(text);
  onEnd();
});

/** Each event once, as it comes. */
async function follow() {
  const log = await openLog(task.directory, { readOnly: true });
  say({ kind: 'reading' });
  const order = new EventOrder();
  const digest = createHash('sha256');
  const enough = new AbortController();
  let rounds = 0;
  let whole = 0;
  onEnd = () => {
    if (whole >= end) enough.abort();
  };
  for await (const event of log.follow({ signal: enough.signal })) {
    for (const problem of order.problemsWith(event)) complain(`follow: ${problem}`);
    digest.update(digestOf(event));
    rounds += 1;
    if (event.last) whole = event.position;
    onEnd();
  }
  await log.close();
  say({ kind: 'ended', rounds, digest: digest.digest('hex') });
}

/** The whole log again and again: what was read once stays, and reading both ways gives the same. */
async function read() {
  const log = await openLog(task.directory, { readOnly: true });
  say({ kind: 'reading' });
  let digest = '';
  let last = 0;
  let rounds = 0;
  for (let ends = false; !ends; ) {
    rounds += 1;
    ends = (await log.refresh()).position >= end;
    const order = new EventOrder();
    const hash = createHash('sha256');
    for await (const event of log.readAll()) {
      for (const problem of order.problemsWith(event)) complain(`readAll: ${problem}`);
      hash.update(digestOf(event));
    }
    if (order.position < last) complain(`readAll: ended at ${order.position} after ${last}`);
    last = order.position;
    digest = hash.digest('hex');

    const to = order.versionOf('notes/shared');
    if (to === 0) continue;
    const forward = await log.readStream('notes/shared', { to }).toArray();
    const backward = await log.readStream('notes/shared', { to, direction: 'backward' }).toArray();
    const forwardIds = forward.map(({ id }) => id).join();
    const backwardIds = backward
      .map(({ id }) => id)
      .reverse()
      .join();
    if (forwardIds !== backwardIds) complain('readStream: the two directions differ');
    if (forward.length !== to) complain(`readStream: ${forward.length} events of ${to}`);
    const gap = forward.find(({ version }, index) => version !== index + 1);
    if (gap) complain(`readStream: version ${gap.version} is out of place`);
  }
  await log.close();
  say({ kind: 'ended', rounds, digest });
}

/** The files as any program sees them: every line that has its end is whole. */
async function lines() {
  say({ kind: 'reading' });
  let rounds = 0;
  while (end === Number.POSITIVE_INFINITY) {
    for (const problem of brokenLinesIn(task.directory)) complain(`lines: ${problem}`);
    rounds += 1;
    await setTimeout(1);
  }
  say({ kind: 'ended', rounds, digest: '' });
}

await { follow, read, lines }[task.kind]();
process.stdin.destroy();
