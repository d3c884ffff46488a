/**
 * A program of another user, one without rights on files that are not its own. It loads everything as the user who started it, then
 * becomes the other one: the program's own files need not be readable for everybody. Says how each of its steps came out.
 */
import { writeSync } from 'node:fs';
import { openLog, openLogSync } from '#src/index.js';
import { rangesCanBeLocked, tryLock } from '#src/locks/native-lock.js';

/**
 * @typedef {object} OtherUserTask
 * @property {string} directory
 * @property {number | undefined} uid
 * @property {('open' | 'openSync' | 'read' | 'append' | 'appendSync' | 'await')[]} steps
 *
 * @typedef {{ step: string, error?: string, code?: string, cause?: string, count?: number }} StepReport
 */

/** @type {OtherUserTask} */
const { directory, uid, steps } = JSON.parse(process.argv[2] ?? '{}');

// Loads the native part.
try {
  tryLock(2, rangesCanBeLocked ? 2 ** 40 : 0, rangesCanBeLocked ? 1 : 0, 'shared');
} catch {
  // Whether that descriptor can be locked does not matter.
}
if (uid !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}

const event = { type: 'note.taken', data: { text: 'x'.repeat(3000) } };
/** @type {import('#src/index.js').Log | undefined} */
let log;

/** @param {StepReport} report */
function say(report) {
  writeSync(1, `${JSON.stringify(report)}\n`);
}

const work = {
  open: async () => {
    log = await openLog(directory, { segmentBytes: 4096 });
  },
  openSync: () => {
    log = openLogSync(directory, { segmentBytes: 4096 });
  },
  read: async () => {
    const reading = await openLog(directory, { readOnly: true });
    const events = await reading.readAll().toArray();
    await reading.close();
    return events.length;
  },
  append: async () => {
    await log?.append('notes/other', event);
  },
  appendSync: () => {
    log?.appendSync('notes/other', event);
  },
  await: () => new Promise((resolve) => process.stdin.once('data', resolve)),
};

for (const step of steps) {
  try {
    const count = await work[step]();
    say({ step, ...(typeof count === 'number' ? { count } : {}) });
  } catch (thrown) {
    const error = /** @type {NodeJS.ErrnoException} */ (thrown);
    const cause = /** @type {NodeJS.ErrnoException | undefined} */ (error.cause);
    say({ step, error: error.name, code: String(error.code), cause: String(cause?.code) });
  }
}
await log?.close();
process.stdin.destroy();
