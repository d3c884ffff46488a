import { writeFileSync } from 'node:fs';
import { FileLock, LockManager, ReadWriteLock } from '../dist/locks/index.js';
import { LockStatistics } from '../dist/locks/statistics.js';
import { inFreshDirectory } from './load.mjs';

/** Runs in a child process: takes locks and gives them back. */

/** Each gives `lease`, which takes and releases once, and `work`, which runs a function under the lock; those within a process `read` and `write` too. */
const variants = {
  ReadWriteLock: async () => {
    const lock = new ReadWriteLock();
    return {
      lease: async () => (await lock.write()).release(),
      work: () => lock.withWrite(nothing),
      read: (work) => lock.withRead(work),
      write: (work) => lock.withWrite(work),
    };
  },
  LockManager: async () => {
    const locks = new LockManager();
    return {
      lease: async () => (await locks.write('name')).release(),
      work: () => locks.withWrite('name', nothing),
      read: (work) => locks.withRead('name', work),
      write: (work) => locks.withWrite('name', work),
    };
  },
  // It knows no readers: all are alone.
  'async-mutex': async () => {
    const { Mutex } = await import('async-mutex');
    const mutex = new Mutex();
    return {
      lease: async () => (await mutex.acquire())(),
      work: () => mutex.runExclusive(nothing),
      read: (work) => mutex.runExclusive(work),
      write: (work) => mutex.runExclusive(work),
    };
  },
  FileLock: async (directory) => file(new FileLock(`${directory}/lock`)),
  'FileLock, fencing': async (directory) =>
    file(new FileLock(`${directory}/lock`, { fencing: true })),
  'FileLock, synchronous': async (directory) => {
    const lock = new FileLock(`${directory}/lock`);
    return {
      lease: async () => lock.exclusiveSync().release(),
      work: async () => lock.withExclusiveSync(nothing),
    };
  },
  'proper-lockfile': async (directory) => {
    const { default: lockfile } = await import('proper-lockfile');
    const path = `${directory}/lock`;
    writeFileSync(path, '');
    const lease = async () => {
      const release = await lockfile.lock(path);
      await release();
    };
    return { lease, work: lease };
  },
};

function file(lock) {
  return {
    lease: async () => (await lock.exclusive()).release(),
    work: () => lock.withExclusive(nothing),
  };
}

const nothing = () => {};

export function probe({ variant }) {
  return inFreshDirectory(async (directory) => {
    const { lease } = await variants[variant](directory);
    await lease();
  });
}

export function lock({ variant, form, measureMs, turns }) {
  return inFreshDirectory(async (directory) => {
    const taker = await variants[variant](directory);
    globalThis.gc?.();
    if (form === 'contended') return contend(taker, turns);
    return form === 'statistics' ? repeat(count(), measureMs) : repeat(taker[form], measureMs);
  });
}

/** What a manager does for its figures on one acquisition and one release. */
function count() {
  const statistics = new LockStatistics();
  return () => {
    const use = statistics.useOf('name', 'write');
    const party = { label: undefined, owner: undefined, since: performance.now() };
    statistics.acquired(use, party, party.since);
    statistics.released(use, party);
  };
}

const checkEvery = 50;

async function repeat(turn, milliseconds) {
  const cpuBefore = process.cpuUsage();
  const deadline = performance.now() + milliseconds;
  let turns = 0;
  do {
    for (let step = 0; step < checkEvery; step += 1, turns += 1) await turn();
  } while (performance.now() < deadline);
  const { user, system } = process.cpuUsage(cpuBefore);
  return { turns, cpuNanoseconds: ((user + system) * 1_000) / turns };
}

/** Each of 100 readers and 50 writers takes its turns, one after the other, giving way to the others inside. */
async function contend({ read, write }, turns) {
  let readers = 0;
  let writers = 0;
  const longest = { reader: 0, writer: 0 };
  const one = async (role, take) => {
    for (let turn = 0; turn < turns; turn += 1) {
      const asked = performance.now();
      await take(async () => {
        longest[role] = Math.max(longest[role], performance.now() - asked);
        if (role === 'writer') writers += 1;
        else readers += 1;
        if (writers > 1 || (writers === 1 && readers > 0)) throw new Error('a writer is not alone');
        await new Promise(setImmediate);
        if (role === 'writer') writers -= 1;
        else readers -= 1;
      });
    }
  };
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  await Promise.all([
    ...Array.from({ length: 100 }, () => one('reader', read)),
    ...Array.from({ length: 50 }, () => one('writer', write)),
  ]);
  const elapsedMs = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  const all = 150 * turns;
  return {
    perSecond: (all / elapsedMs) * 1_000,
    cpuMicroseconds: (user + system) / all,
    writerMsMax: longest.writer,
    readerMsMax: longest.reader,
  };
}
