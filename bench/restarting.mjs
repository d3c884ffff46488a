import { join } from 'node:path';
import { makeEvent } from './events.mjs';
import { openLevel, openLmdb, openSqlite } from './peers/restarts.mjs';
import { defineProjections, openStore } from './peers/store.mjs';
import { appendAll } from './peers/values.mjs';

/** Runs in a child process: stores of as many keys as events, opened again and again. */

/** Events in memory at one time. */
const chunkEvents = 100_000;
const openingsPerProcess = 7;

const peers = { lmdb: openLmdb, 'classic-level': openLevel, 'better-sqlite3': openSqlite };

function chunkOf(from, to) {
  return Array.from({ length: to - from }, (_, index) =>
    makeEvent(`agent/${from + index}`, from + index),
  );
}

/** Events `from` to `to`, each of a key of its own. */
export async function fill({ directory, from, to }) {
  const store = await openStore(directory);
  for (let at = from; at < to; at += chunkEvents) {
    await appendAll(store, chunkOf(at, Math.min(to, at + chunkEvents)));
  }
  await store.close();
}

/** Makes a snapshot, and watches how long the event loop is kept from its turn. */
export async function snapshot({ directory, cacheBytes }) {
  const { byStream } = await defineProjections();
  const store = await openStore(directory, { projections: [byStream], cacheBytes });
  await store.refresh();
  let longestMs = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 1);
  const { elapsedMs } = await store.snapshot();
  clearInterval(watch);
  await store.close();
  return { elapsedMs, longestMs, maxRssMiB: process.resourceUsage().maxRSS / 1024 };
}

/** As many changes behind the snapshot, to keys that are in there and to new ones. */
export async function tail({ directory, events, tail: count }) {
  const store = await openStore(directory);
  const changes = Array.from({ length: count }, (_, index) =>
    makeEvent(`agent/${index % 2 ? (index * 7_919) % events : events + index}`, index),
  );
  await appendAll(store, changes);
  await store.close();
}

/** The first opening in a process, when nothing is compiled yet, and the middle one of those after it. */
export async function open({ directory }) {
  const { byStream } = await defineProjections();
  const times = [];
  for (let turn = 0; turn < openingsPerProcess; turn += 1) {
    const stop = timing();
    const store = await openStore(directory, { projections: [byStream] });
    times.push(stop());
    await store.close();
  }
  return spread(times);
}

export async function fillPeer({ directory, peer, from, to }) {
  const database = await peers[peer](join(directory, peer));
  await database.fill(chunkOf(from, to));
  await database.close();
}

export async function openPeer({ directory, peer }) {
  const times = [];
  for (let turn = 0; turn < openingsPerProcess; turn += 1) {
    const stop = timing();
    const database = await peers[peer](join(directory, peer));
    times.push(stop());
    await database.close();
  }
  return spread(times);
}

/** By the clock, and the processor time of all threads of this process. */
function timing() {
  const cpu = process.cpuUsage();
  const started = performance.now();
  return () => {
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    return { ms, cpuMs: (user + system) / 1_000 };
  };
}

function spread([first, ...times]) {
  const middle = (of) => times.map(of).sort((a, b) => a - b)[Math.floor(times.length / 2)];
  return {
    firstMs: first.ms,
    againMs: middle(({ ms }) => ms),
    againCpuMs: middle(({ cpuMs }) => cpuMs),
  };
}

/** Keys read for the first time, one after the other, from a store that was just opened. */
export async function cold({ directory, events, reads }) {
  const { byStream } = await defineProjections();
  const store = await openStore(directory, { projections: [byStream] });
  const times = [];
  for (let index = 0; index < reads; index += 1) {
    const key = `agent/${(index * 104_729 + 13) % events}`;
    const started = performance.now();
    const state = await store.get(byStream, key);
    times.push((performance.now() - started) * 1_000);
    if (state === undefined) throw new Error(`${key} is absent`);
  }
  await store.close();
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(times.length * share)];
  return { p50Us: at(0.5), p99Us: at(0.99) };
}

/** Random reads and writes, and then a compaction; how much memory the process had at most. */
export async function use({ directory, events, cacheBytes, turns }) {
  const { byStream } = await defineProjections();
  const store = await openStore(directory, { projections: [byStream], cacheBytes });
  const openedMiB = process.memoryUsage.rss() / 2 ** 20;
  for (let turn = 0; turn < turns; turn += 100) {
    const reads = Array.from({ length: 90 }, (_, index) =>
      store.get(byStream, `agent/${((turn + index) * 104_729) % events}`),
    );
    const writes = Array.from({ length: 10 }, (_, index) => {
      const { stream, type, data } = makeEvent(`agent/${((turn + index) * 7_919) % events}`, turn);
      return store.append(stream, { type, data });
    });
    await Promise.all([...reads, ...writes]);
  }
  const maxRssMiB = process.resourceUsage().maxRSS / 1024;
  await store.compact();
  const compactedMiB = process.resourceUsage().maxRSS / 1024;
  await store.close();
  return { openedMiB, maxRssMiB, compactedMiB };
}
