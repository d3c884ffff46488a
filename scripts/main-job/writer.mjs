/** One of the writing processes of the main job. Its parent tells it what to do and hears of every acknowledgement. */
import { once } from 'node:events';
import { openLog } from '#src/index.js';
import { plannedCommit } from './plan.mjs';

/**
 * @typedef {object} Task
 * @property {string} directory
 * @property {string} writer
 * @property {number[]} numbers what to append; after a death, what had not been acknowledged
 * @property {number} callers how many appends may wait at once
 *
 * @typedef {import('./compare.mjs').Acknowledgement & { repeated: boolean }} Report
 */

/**
 * Resolves when the report is on its way: leaving earlier could drop it.
 * @param {Report} report
 * @returns {Promise<void>}
 */
function tell(report) {
  return new Promise((resolve, reject) => {
    process.send?.(report, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });
}

/** @type {[Task]} */
const [task] = /** @type {[Task]} */ (await once(process, 'message'));
const log = await openLog(task.directory);
const waiting = task.numbers.values();

async function call() {
  for (const number of waiting) {
    const { stream, events, options } = plannedCommit(task.writer, number);
    const { position, time, version, repeated } = await log.append(stream, events, options);
    await tell({ writer: task.writer, number, position, time, version, repeated });
  }
}

await Promise.all(Array.from({ length: task.callers }, call));
await log.close();
process.disconnect();
