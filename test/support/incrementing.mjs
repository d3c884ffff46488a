/**
 * A process that adds to one counter by transactions until it is told to stop, or dies. Says on its standard output what was acknowledged, one JSON
 * line each and before it goes on; the lines are written synchronously, so that what this process knew when it was killed, the test knows too.
 */
import { writeSync } from 'node:fs';
import { defineEvents, defineProjection, event, openStore } from '#src/index.js';

/**
 * @typedef {object} IncrementingTask
 * @property {string} directory
 * @property {string} writer
 * @property {number} count increments to make
 * @property {number} callers how many are under way at once
 * @property {import('#src/index.js').TransactionOptions} options
 *
 * @typedef {{ kind: 'acknowledged', key: string, value: number }
 *   | { kind: 'failed', key: string, code: string, message: string }
 *   | { kind: 'ended', transactions: import('#src/index.js').TransactionStats }} IncrementingReport
 */

/** @type {IncrementingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');

/** @param {IncrementingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

/** @type {import('#src/index.js').EventToken<{ by: number }>} */
const token = event();
const events = defineEvents({ added: token });
const sums = defineProjection({
  name: 'sums',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    added: (draft, { data }) => {
      draft.n += data.by;
    },
  },
});

const { directory, writer, count, callers, options } = task;
const store = await openStore(directory, { events, projections: [sums], actor: writer });
let next = 0;

async function call() {
  while (next < count) {
    const key = `${writer}-${next}`;
    next += 1;
    try {
      const value = await store.transaction(
        async (tx) => {
          const { n } = (await tx.get(sums, 'counter')) ?? { n: 0 };
          tx.append('counter', { type: 'added', data: { by: 1 } });
          return n + 1;
        },
        { ...options, idempotencyKey: key },
      );
      say({ kind: 'acknowledged', key, value });
    } catch (error) {
      const { code = 'none', message } = /** @type {NodeJS.ErrnoException} */ (error);
      say({ kind: 'failed', key, code, message });
    }
  }
}

await Promise.all(Array.from({ length: callers }, call));
const { transactions } = store.stats();
await store.close();
say({ kind: 'ended', transactions });
