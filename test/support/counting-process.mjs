/** A process that counts in a plain file under a file lock, one line for each count. Says what it does, one line each. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { FileLock } from '#src/locks/index.js';

/**
 * @typedef {object} CountingTask
 * @property {string} file of the lock
 * @property {string} counts
 * @property {number} until
 * @property {string} [label]
 * @property {boolean} [sync]
 * @property {number} [timeoutMs]
 * @property {boolean} [slowly] the lock is taken once, and the count made when it is told to
 * @property {boolean} [late] takes the lock once, releases it, and says what it would write when it is told to
 */

/** Counts have lines of one length, so that one write makes each, whole or not at all. */
const LINE_BYTES = 40;

/** @type {CountingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const { file, counts, until, label, sync = false, timeoutMs, slowly = false, late = false } = task;
const lock = new FileLock(file, { label, fencing: true });

/** @param {string} line */
const say = (line) => writeSync(1, `${line}\n`);
const told = () => new Promise((resolve) => process.stdin.once('data', resolve));

/** @param {number} descriptor */
function lastCount(descriptor) {
  const { size } = fstatSync(descriptor);
  if (size % LINE_BYTES !== 0) throw new Error(`${size} bytes are no whole lines`);
  if (size === 0) return 0;
  const line = Buffer.alloc(LINE_BYTES);
  readSync(descriptor, line, 0, LINE_BYTES, size - LINE_BYTES);
  return Number(line.toString('latin1').split(' ')[0]);
}

/**
 * Reads and writes without any care of its own: two at once would make one count twice.
 * @param {number | undefined} token
 * @param {number} before
 * @param {number} descriptor
 */
function count(token, before, descriptor) {
  const line = `${before + 1} ${token} ${process.pid}`;
  writeSync(descriptor, `${line.padEnd(LINE_BYTES - 1)}\n`);
}

const descriptor = openSync(counts, 'a+');
const options = { timeoutMs };
if (late) {
  const lease = await lock.exclusive(options);
  say(`token ${lease.token}`);
  await told();
  lease.release();
  say('released');
  await told();
  say(`write ${lease.token}`);
  process.stdin.destroy();
} else if (slowly) {
  await lock.withExclusive(async ({ token }) => {
    const before = lastCount(descriptor);
    say('held');
    await told();
    count(token, before, descriptor);
  }, options);
  process.stdin.destroy();
} else {
  let isDone = false;
  /** @param {import('#src/locks/index.js').Lease} lease */
  const work = ({ token }) => {
    const before = lastCount(descriptor);
    isDone = before >= until;
    if (!isDone) count(token, before, descriptor);
  };
  try {
    while (!isDone) {
      if (sync) lock.withExclusiveSync(work, options);
      else await lock.withExclusive(work, options);
    }
  } catch (error) {
    const {
      code,
      pid,
      label: holder,
    } = /** @type {import('#src/locks/index.js').LockTimeoutError} */ (error);
    say(JSON.stringify({ code, pid, label: holder }));
  }
}
closeSync(descriptor);
say('done');
