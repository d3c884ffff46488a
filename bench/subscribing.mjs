import { setTimeout as sleep } from 'node:timers/promises';
import { makeEvent } from './events.mjs';
import { loadRecollect } from './peers/recollect.mjs';

/** Runs in child processes: one that writes, and one that reads from a subscription. */

const restMs = 2;

let store;
let subscription;

/** Milliseconds on the machine's monotonic clock, which all its processes share. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** The whole history, in one of several ways. */
export async function history({ directory, events, way }) {
  const { openStore } = await loadRecollect();
  const opened = await openStore(directory);
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  let given = 0;
  const source = way === 'readAll' ? opened.readAll({ to: events }) : opened.subscribe(named(way));
  for await (const _ of source) {
    given += 1;
    if (given === events) break;
  }
  const elapsedMs = performance.now() - started;
  const cpu = process.cpuUsage(cpuBefore);
  await opened.close();
  if (given !== events) throw new Error(`${given} of ${events} events were given`);
  return { elapsedMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
}

/** A name for each time: what was done once would not be given again. */
function named(way) {
  return way === 'named' ? { name: `history-${process.pid}-${now()}` } : {};
}

/** The reader of what will come. */
export async function join({ directory, name }) {
  const { openStore } = await loadRecollect();
  store = await openStore(directory);
  subscription = store.subscribe({ from: 'end', name });
}

/** When each of them was given. */
export async function follow({ events }) {
  const given = [];
  for await (const _ of subscription) {
    given.push(now());
    if (given.length === events) break;
  }
  await store.close();
  return { given };
}

/** Appends one event after the other with a short rest between them: when each call began and was acknowledged. */
export async function pace({ directory, events }) {
  const { openStore } = await loadRecollect();
  const writer = await openStore(directory);
  const calls = [];
  for (let number = 0; number < events; number += 1) {
    const { stream, type, data } = makeEvent('agent/live', number);
    const began = now();
    await writer.append(stream, { type, data });
    calls.push({ began, acknowledged: now() });
    await sleep(restMs);
  }
  await writer.close();
  return { calls };
}
