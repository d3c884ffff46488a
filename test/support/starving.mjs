/**
 * A program that runs out of file descriptors (its test lowers the limit): takes all of them but a few, tries its task, gives them
 * back, and tries again. Says how each try came out.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { openLog, openLogSync } from '#src/index.js';

/**
 * @typedef {object} StarvingTask
 * @property {string} directory
 * @property {keyof typeof tasks} task
 * @property {number[]} spare how many descriptors to leave, one try after the other
 * @property {boolean} writerThread
 *
 * @typedef {{ spare: number, error?: string, code?: string, cause?: string, message?: string }} Try
 */

/** @type {StarvingTask} */
const { directory, task, spare, writerThread } = JSON.parse(process.argv[2] ?? '{}');

const options = { segmentBytes: 4096, writerThread };
const event = { type: 'note.taken', data: { text: 'x'.repeat(1500) } };
/** @type {number[]} */
let taken = [];

/** @param {number} left */
function takeAllBut(left) {
  for (;;) {
    try {
      taken.push(openSync(devNull, 'r'));
    } catch {
      break;
    }
  }
  for (const file of taken.splice(0, left)) closeSync(file);
}

function giveBack() {
  for (const file of taken) closeSync(file);
  taken = [];
}

// Made once with enough of everything, so that what follows loads nothing any more.
const first = await openLog(directory, options);
await first.append('notes/first', event);
await setTimeout(200);
await first.append('notes/first', event);
await first.close();

const log = await openLog(directory, options);

const tasks = {
  opens: async () => {
    await (await openLog(directory, options)).close();
  },
  'opens synchronously': () => {
    openLogSync(directory, options).closeSync();
  },
  'opens for reading': async () => {
    await (await openLog(directory, { readOnly: true })).close();
  },
  creates: async () => {
    await (await openLog(`${directory}-${spare.length}-${taken.length}`, options)).close();
  },
  appends: async () => {
    await log.append('notes/tried', event);
  },
  'appends synchronously': () => {
    log.appendSync('notes/tried', event);
  },
  'opens and appends': async () => {
    const other = await openLog(directory, options);
    try {
      await other.append('notes/tried', event);
      await other.append('notes/tried', event);
    } finally {
      await other.close();
    }
  },
  reads: async () => {
    await log.readAll().toArray();
  },
  'reads a stream synchronously': () => {
    log.readStreamSync('notes/first').toArray();
  },
  verifies: async () => {
    await log.verify();
  },
};

/** @param {Try} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

/** @param {number} left */
async function attempt(left) {
  try {
    await tasks[task]();
    return { spare: left };
  } catch (thrown) {
    const error = /** @type {NodeJS.ErrnoException} */ (thrown);
    const cause = /** @type {NodeJS.ErrnoException | undefined} */ (error.cause);
    const { name, code, message } = error;
    return { spare: left, error: name, code: String(code), cause: String(cause?.code), message };
  }
}

for (const left of spare) {
  takeAllBut(left);
  const starved = await attempt(left);
  giveBack();
  say(starved);
  const fed = await attempt(Number.POSITIVE_INFINITY);
  say({ ...fed, spare: -1 });
}
await log.close();
