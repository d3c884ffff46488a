/** One of the writing processes of the main job. Its parent tells it what to do and hears of every acknowledgement. */
import { once } from 'node:events';
import { openStore } from '#src/index.js';
import { plannedCommit } from './plan.mjs';
import { progress, options as storeOptions, tally } from './projections.mjs';

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
const store = await openStore(task.directory, storeOptions);
const waiting = task.numbers.values();

/**
 * Many processes raise one tally at once: all but one of those that read the same state must run again.
 * @param {import('./plan.mjs').PlannedEvent[]} events
 * @param {{ idempotencyKey: string, actor: string }} context
 */
async function raise(events, context) {
  await store.transaction(
    async (transaction) => {
      const before = (await transaction.get(tally, 'tally'))?.raised ?? 0;
      transaction.append('tally', events);
      const after = await transaction.get(tally, 'tally');
      if (after?.raised !== before + 1) throw new Error('a transaction does not see its own write');
    },
    { ...context, retries: 200 },
  );
}

async function call() {
  for (const number of waiting) {
    const { writer } = task;
    const { stream, events, options, byTransaction } = plannedCommit(writer, number);
    if (byTransaction) {
      await raise(events, options);
      await tell({ writer, number, repeated: false });
      continue;
    }
    const { position, time, version, repeated } = await store.append(stream, events, options);
    await tell({ writer, number, position, time, version, repeated });
  }
}

await Promise.all(Array.from({ length: task.callers }, call));
const own = store.getSync(progress, task.writer);
if (!own && task.numbers.length > 0) throw new Error('a writer does not see its own notes');
await store.close();
process.disconnect();
