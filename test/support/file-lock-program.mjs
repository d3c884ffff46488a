/** A program that uses a file lock, as a process or as a thread of its own. Says what it does, one line each. */
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { FileLock } from '#src/locks/index.js';

/**
 * @typedef {object} FileLockTask
 * @property {string} file
 * @property {'hold' | 'count' | 'copy' | 'watch'} work
 * @property {'shared' | 'exclusive'} [kind]
 * @property {string} [label]
 * @property {boolean} [sync]
 * @property {number} [times]
 */

/** @type {FileLockTask} */
const task = isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData;
const { file, kind = 'exclusive', label, sync = false, times = 0 } = task;
const lock = new FileLock(file, { label });

/** @param {string} line */
function say(line) {
  if (parentPort) parentPort.postMessage(line);
  else writeSync(1, `${line}\n`);
}

/**
 * @param {'shared' | 'exclusive'} wanted
 * @param {() => void} work
 */
async function under(wanted, work) {
  if (wanted === 'shared') {
    if (sync) lock.withSharedSync(work);
    else await lock.withShared(work);
  } else if (sync) lock.withExclusiveSync(work);
  else await lock.withExclusive(work);
}

const works = {
  /** Takes the lock and keeps it until it is told to let go. */
  hold: async () => {
    const lease = kind === 'shared' ? await lock.shared() : await lock.exclusive();
    say('held');
    await new Promise((resolve) => {
      if (parentPort) parentPort.once('message', resolve);
      else process.stdin.once('data', resolve);
    });
    lease.release();
    if (isMainThread) process.stdin.destroy();
  },
  /** Adds to a number in a file by reading and writing it: two at once would lose a count. */
  count: async () => {
    for (let number = 0; number < times; number += 1) {
      await under('exclusive', () => {
        const before = Number(readFileSync(`${file}.count`, 'utf8'));
        writeFileSync(`${file}.count`, String(before + 1));
      });
    }
  },
  /** Writes the same number into two files, one after the other. */
  copy: async () => {
    for (let number = 0; number < times; number += 1) {
      await under('exclusive', () => {
        writeFileSync(`${file}.left`, String(number));
        writeFileSync(`${file}.right`, String(number));
      });
    }
  },
  /** Complains whenever the two files differ. */
  watch: async () => {
    for (let number = 0; number < times; number += 1) {
      await under('shared', () => {
        const left = readFileSync(`${file}.left`, 'utf8');
        const right = readFileSync(`${file}.right`, 'utf8');
        if (left !== right) say(`${left} is not ${right}`);
      });
    }
  },
};

await works[task.work]();
say('done');
