import { makeEvent } from './events.mjs';
import { segmentFiles } from './lines.mjs';
import { defineProjections, openStore, openStoreSync, rememberIn } from './peers/store.mjs';
import { appendAll } from './peers/values.mjs';
import { parsedLines } from './reading.mjs';

/** Runs in a child process: folds a whole log into one state per key. */

/** A chunk of events at a time, so that not all of them are in memory at once. */
const chunkEvents = 100_000;

export async function fill({ directory, events, keys }) {
  const store = await openStore(directory);
  for (let from = 0; from < events; from += chunkEvents) {
    const length = Math.min(chunkEvents, events - from);
    const chunk = Array.from({ length }, (_, index) =>
      makeEvent(`agent/${(from + index) % keys}`, Math.floor((from + index) / keys)),
    );
    await appendAll(store, chunk);
  }
  const stored = store.head.position;
  await store.close();
  if (stored !== events)
    throw new Error(`${events} appends were acknowledged, ${stored} are stored`);
}

/** What folding costs at least: find the lines, parse each, change an object in a Map. */
export function plain({ directory }) {
  return timed(() => {
    const states = new Map();
    for (const file of segmentFiles(`${directory}/store`)) {
      parsedLines(file, ({ e: heads, d: data }) => {
        if (heads === undefined) return;
        for (const [index, [stream]] of heads.entries())
          rememberIn(states, stream, { data: data[index] });
      });
    }
    return states;
  });
}

export function entries({ directory }) {
  return reading(openStore, directory, async (store, projection) => {
    const states = new Map();
    for await (const [key, state] of store.entries(projection)) states.set(key, state);
    return states;
  });
}

export function entriesSync({ directory }) {
  return reading(
    openStoreSync,
    directory,
    (store, projection) => new Map(store.entriesSync(projection)),
  );
}

/** Opening is part of what is measured. */
async function reading(open, directory, read) {
  const { byStream } = await defineProjections();
  let store;
  const result = await timed(async () => {
    store = await open(directory, { projections: [byStream] });
    return read(store, byStream);
  });
  await store.close();
  return result;
}

async function timed(read) {
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const states = await read();
  const elapsedMs = performance.now() - started;
  const cpu = process.cpuUsage(cpuBefore);
  let events = 0;
  for (const { count } of states.values()) events += count;
  return { keys: states.size, events, elapsedMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
}
