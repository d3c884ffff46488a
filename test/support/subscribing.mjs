/**
 * A process that reads from a subscription until it is told to stop, or dies. Says on its standard output, one JSON line each and before it asks for the next,
 * which event it was given: what this process knew when it was killed, the test knows too.
 */
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openStore } from '#src/index.js';

/**
 * @typedef {object} SubscribingTask
 * @property {string} directory
 * @property {import('#src/index.js').StoreOptions} [options] of the store
 * @property {import('#src/index.js').SubscribeOptions} [subscribe]
 * @property {number} [restEvery] after so many events it is slow, ms
 * @property {number} [restMs]
 * @property {number} [checkpointEvery]
 *
 * @typedef {{ kind: 'given', id: string, last: boolean, stream: string, version: number }} Given
 * @typedef {{ kind: 'failed', code: string, pid?: number }} Failed
 * @typedef {{ kind: 'ended' }} Ended
 * @typedef {Given | Failed | Ended} SubscribingReport
 */

/** @type {SubscribingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const { directory, options, subscribe, restEvery = 0, restMs = 0, checkpointEvery = 0 } = task;

/** @param {SubscribingReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

const store = await openStore(directory, options);
const subscription = store.subscribe(subscribe);
process.stdin.once('data', () => void subscription.return());

let count = 0;
try {
  for await (const { id, last, stream, version } of subscription) {
    say({ kind: 'given', id, last, stream, version });
    count += 1;
    if (restEvery > 0 && count % restEvery === 0) await setTimeout(restMs);
    if (checkpointEvery > 0 && count % checkpointEvery === 0) await subscription.checkpoint();
  }
  say({ kind: 'ended' });
} catch (error) {
  const { code = 'none', pid } = /** @type {{ code?: string, pid?: number }} */ (error);
  say({ kind: 'failed', code, ...(pid === undefined ? {} : { pid }) });
}
process.stdin.destroy();
await store.close();
