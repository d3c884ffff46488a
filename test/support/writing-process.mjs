/**
 * A process that writes until it is told to stop, or dies. Says on its standard output, one JSON line each and before it goes
 * on, what was acknowledged or refused. The lines are written synchronously: what this process knew when it was killed, the test knows too.
 */
import { writeSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { openLog, openLogSync, VersionConflictError } from '#src/index.js';
import { stormCommit } from './storm-plan.mjs';

/**
 * @typedef {object} WritingTask
 * @property {string} directory
 * @property {string} writer
 * @property {number} first the number of its first commit
 * @property {number[]} again numbers of commits with a key to send once more
 * @property {number} callers how many calls may wait at once
 * @property {'mixed' | 'sync' | 'async'} calls
 * @property {import('#src/index.js').LogOptions} options
 * @property {number} [pauseMs] after each call, ms
 * @property {string[]} [tolerated] codes of errors after which opening is tried again
 *
 * @typedef {{ kind: 'opened', recovery: string }} Opened
 * @typedef {{ kind: 'acknowledged', number: number, after: number, expected: number | undefined, position: number, time: string, versions: Record<string, number>, repeated: boolean }} Acknowledged
 * @typedef {{ kind: 'refused', number: number }} Refused
 * @typedef {{ kind: 'failed', number: number, code: string, message: string }} Failed
 * @typedef {{ kind: 'ended' }} Ended
 * @typedef {Opened | Acknowledged | Refused | Failed | Ended} WritingReport
 */

/** @type {WritingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');

/** @param {WritingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

let stopped = false;
process.stdin.once('data', () => {
  stopped = true;
});

const { directory, options, writer, calls } = task;

/** @returns {Promise<import('#src/index.js').Log>} */
async function open() {
  for (;;) {
    try {
      return calls === 'sync' ? openLogSync(directory, options) : await openLog(directory, options);
    } catch (error) {
      const { code = '' } = /** @type {NodeJS.ErrnoException} */ (error);
      if (stopped || !task.tolerated?.includes(code)) throw error;
      await setTimeout(10);
    }
  }
}

const log = await open();
say({ kind: 'opened', recovery: log.recovery.state });

/** The last position that this process was told of. */
let known = 0;
let next = task.first;

/** @param {number} number */
async function write(number) {
  const { parts, checks, idempotencyKey, sync, counts } = stormCommit(writer, number);
  const bySync = calls === 'sync' || (calls === 'mixed' && sync);
  const after = known;
  /** @type {number | undefined} */
  let expected;
  try {
    if (counts) expected = await log.version('counters/all');
    const conditional =
      expected === undefined
        ? parts
        : parts.map((part) => ({ ...part, expectedVersion: expected }));
    const commitOptions = { checks, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
    const answer = bySync
      ? log.commitSync(conditional, commitOptions)
      : await log.commit(conditional, commitOptions);
    const { position, time, repeated } = answer;
    known = Math.max(known, position);
    const versions = { ...answer.versions };
    say({ kind: 'acknowledged', number, after, expected, position, time, versions, repeated });
  } catch (error) {
    if (error instanceof VersionConflictError) {
      say({ kind: 'refused', number });
      return;
    }
    const { code = 'none', message } = /** @type {NodeJS.ErrnoException} */ (error);
    say({ kind: 'failed', number, code, message });
  }
}

async function call() {
  while (!stopped) {
    const number = task.again.shift() ?? next++;
    await write(number);
    // Synchronous calls alone would never let the order to stop through.
    await setImmediate();
    if (task.pauseMs !== undefined) await setTimeout(task.pauseMs);
  }
}

await Promise.all(Array.from({ length: task.callers }, call));
await log.close();
process.stdin.destroy();
say({ kind: 'ended' });
