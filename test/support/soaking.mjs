/**
 * A program that does the same things very often, and says before and after what it holds: memory, descriptors, threads,
 * listeners, and whatever keeps an event loop busy. Started with --expose-gc.
 */
import { getEventListeners } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { openLog, openLogSync } from '#src/index.js';
import { FileLock } from '#src/locks/index.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';

/**
 * @typedef {object} SoakingTask
 * @property {string} directory
 * @property {keyof typeof works} work
 * @property {number} warmUp how often before the first count
 * @property {number} times how often between the two counts
 *
 * @typedef {object} Holdings
 * @property {number} heapBytes
 * @property {number} descriptors
 * @property {number} threads
 * @property {Record<string, number>} listeners of the process and of signals that live on
 * @property {Record<string, number>} resources
 *
 * @typedef {{ before: Holdings, after: Holdings, counts: Record<string, number> }} SoakingReport
 */

/** @type {SoakingTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const event = { type: 'note.taken', data: { text: 'a note of the usual length, more or less' } };

/** What came of the calls. @type {Record<string, number>} */
const counts = {};

/** @param {string} name */
function count(name) {
  counts[name] = (counts[name] ?? 0) + 1;
}

const lasting = new AbortController();

/** @param {string} folder */
function entriesOf(folder) {
  return existsSync(folder) ? readdirSync(folder).length : 0;
}

/** @returns {Holdings} */
function holdingsNow() {
  /** @type {Record<string, number>} */
  const listeners = { 'a signal that lives on': getEventListeners(lasting.signal, 'abort').length };
  for (const name of process.eventNames()) {
    listeners[String(name)] = process.listenerCount(/** @type {NodeJS.Signals} */ (name));
  }
  /** @type {Record<string, number>} */
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return {
    heapBytes: process.memoryUsage().heapUsed,
    descriptors: entriesOf('/proc/self/fd'),
    threads: entriesOf('/proc/self/task'),
    listeners,
    resources,
  };
}

/**
 * What is held once nothing ends any more: threads and watchers end a little after those who waited for them were told.
 * @returns {Promise<Holdings>}
 */
async function holdings() {
  let before = '';
  for (let quiet = 0; quiet < 5; ) {
    await setTimeout(50);
    globalThis.gc?.();
    const now = JSON.stringify({ ...holdingsNow(), heapBytes: 0 });
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
  return holdingsNow();
}

/**
 * @param {number} times
 * @param {number} atOnce
 * @param {(number: number) => unknown} work
 */
async function often(times, atOnce, work) {
  let next = 0;
  const worker = async () => {
    while (next < times) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Appends until all has been opened that an open log ever opens: its thread has started, and its anchor has been moved.
 * @param {import('#src/index.js').Log} log
 */
async function settled(log) {
  while (log.stats().anchors === 0) {
    await log.append('notes/first', event);
    await setTimeout(50);
  }
}

/**
 * Runs the work while somebody else holds the lock for writing.
 * @param {(log: import('#src/index.js').Log, number: number) => unknown} work
 * @param {import('#src/index.js').LogOptions} options
 * @returns {Promise<(times: number) => Promise<void>>}
 */
async function whileLocked(work, options) {
  const directory = mkdtempSync(join(task.directory, 'locked-'));
  const log = await openLog(directory, { lockTimeoutMs: 60_000, ...options });
  await settled(log);
  const disk = new RealDisk();
  return async (times) => {
    const file = disk.open(join(directory, 'lock'), 'write');
    if (!disk.tryLock(file, WRITE_LOCK, 'exclusive')) throw new Error('the lock was not free');
    await often(times, 64, (number) => work(log, number));
    disk.close(file);
    await log.append('notes/first', event);
    const { commits, bytes } = log.stats().queue;
    if (commits !== 0 || bytes !== 0) throw new Error(`${commits} commits still wait`);
  };
}

/**
 * @param {import('#src/index.js').Log} log
 * @param {number} number
 */
async function abortedAppend(log, number) {
  const controller = new AbortController();
  const signal =
    number % 3 === 0 ? AbortSignal.any([controller.signal, lasting.signal]) : controller.signal;
  const waiting = log.append('notes/aborted', event, { signal });
  const abort = () => controller.abort(new Error('enough'));
  if (number % 2 === 0) abort();
  else void setTimeout(number % 4).then(abort);
  try {
    await waiting;
    count('written');
  } catch (error) {
    count(/** @type {Error} */ (error).message);
  }
}

const works = {
  'opens, appends and closes': () => {
    const directory = join(task.directory, 'store');
    return async (/** @type {number} */ times) => {
      await often(times, 1, async (number) => {
        const options = { writerThread: number % 5 === 0, segmentBytes: 16 * 1024 };
        if (number % 3 === 2) {
          const log = openLogSync(directory, options);
          log.appendSync('notes/soak', event, { idempotencyKey: `${number}` });
          log.closeSync();
        } else {
          const log = await openLog(directory, options);
          await log.append('notes/soak', event, { signal: lasting.signal });
          await log.close();
        }
        count('closed');
      });
    };
  },
  'opens for reading and closes': async () => {
    const directory = join(task.directory, 'store');
    await (await openLog(directory)).close();
    return async (/** @type {number} */ times) => {
      await often(times, 4, async () => {
        const log = await openLog(directory, { readOnly: true });
        await log.readAll().toArray();
        await log.close();
        count('closed');
      });
    };
  },
  'fails to open': () => {
    return async (/** @type {number} */ times) => {
      await often(times, 4, async (number) => {
        const directory = join(task.directory, 'none', `${number}`);
        await openLog(directory, { create: false }).catch(() => count('refused'));
      });
    };
  },
  'aborts appends that wait on the writer thread': () => whileLocked(abortedAppend, {}),
  'aborts appends that wait without a writer thread': () =>
    whileLocked(abortedAppend, { writerThread: false }),
  'appends time out': () =>
    whileLocked(
      async (log) => {
        await log
          .append('notes/late', event, { signal: lasting.signal })
          .catch((error) => count(error.code));
      },
      { lockTimeoutMs: 5 },
    ),
  'aborts waits for a file lock': async () => {
    const path = join(task.directory, 'own-lock');
    const lease = await new FileLock(path).exclusive();
    void lease;
    return async (/** @type {number} */ times) => {
      await often(times, 32, async (number) => {
        const controller = new AbortController();
        const lock = new FileLock(path);
        const waiting =
          number % 2 === 0
            ? lock.exclusive({ signal: controller.signal })
            : lock.shared({ signal: controller.signal });
        controller.abort(new Error('enough'));
        await waiting.catch((error) => count(error.message));
      });
    };
  },
  'follows and stops following': async () => {
    const log = await openLog(join(task.directory, 'store'));
    await settled(log);
    return async (/** @type {number} */ times) => {
      await often(times, 16, async (number) => {
        const controller = new AbortController();
        const signal = number % 2 === 0 ? controller.signal : lasting.signal;
        const following = log.follow({ signal, from: log.head.position });
        const { value } = await following.next();
        if (value === undefined) throw new Error('nothing was followed');
        if (number % 4 === 0) {
          const next = following.next();
          await setImmediate();
          controller.abort();
          if (!(await next).done) throw new Error('it went on');
        }
        await following.return();
        count('followed');
      });
    };
  },
};

const work = await works[task.work]();
await work(task.warmUp);
const before = await holdings();
for (const name of Object.keys(counts)) counts[name] = 0;
await work(task.times);
const after = await holdings();
/** @type {SoakingReport} */
const report = { before, after, counts };
writeSync(1, `${JSON.stringify(report)}\n`);
process.exit(0);
