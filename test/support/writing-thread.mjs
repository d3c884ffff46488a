/** A thread of the test's process that opens the same directory and writes, with a writer thread of its own or without. */
import { parentPort, workerData } from 'node:worker_threads';
import { openLog } from '#src/index.js';

/**
 * @typedef {object} WritingThreadTask
 * @property {string} directory
 * @property {string} name
 * @property {number} commits `Infinity` for one that is going to be terminated
 * @property {import('#src/index.js').LogOptions} options
 *
 * @typedef {{ name: string, number: number, position: number, version: number }} ThreadAnswer
 */

/** @type {WritingThreadTask} */
const { directory, name, commits, options } = workerData;

const log = await openLog(directory, options);
let next = 1;

async function call() {
  while (next <= commits) {
    const number = next++;
    const event = { type: 'note.taken', data: { name, number } };
    const bySync = number % 5 === 0;
    const { position, version } = bySync
      ? log.appendSync(`notes/${name}`, event)
      : await log.append(`notes/${name}`, event);
    /** @type {ThreadAnswer} */
    const answer = { name, number, position, version };
    parentPort?.postMessage(answer);
  }
}

await Promise.all([call(), call(), call(), call()]);
await log.close();
