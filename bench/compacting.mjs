import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeEvent } from './events.mjs';
import { inFreshDirectory } from './load.mjs';
import { defineProjections, openStore } from './peers/store.mjs';
import { appendAll } from './peers/values.mjs';
import { quantile } from './statistics.mjs';
import { watchTurns } from './turns.mjs';

/** Runs in a child process: a store that is written to, with a compaction beside the writers and without. */

const options = { segmentBytes: 4 * 1024 * 1024 };

async function fill(store, events, keys) {
  const list = Array.from({ length: events }, (_, index) =>
    makeEvent(`agent/${index % keys}`, Math.floor(index / keys)),
  );
  await appendAll(store, list);
}

/** Writers that go on until told to stop; how long each append took. */
function writing(store, callers) {
  const took = [];
  let stopped = false;
  const write = async (caller) => {
    for (let number = 0; !stopped; number += 1) {
      const { stream, ...event } = makeEvent(`writer/${caller}`, number);
      const began = performance.now();
      await store.append(stream, event);
      took.push(performance.now() - began);
    }
  };
  const ended = Promise.all(Array.from({ length: callers }, (_, caller) => write(caller)));
  return async () => {
    stopped = true;
    await ended;
    return Float64Array.from(took).sort();
  };
}

async function watched(store, callers, work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const stop = writing(store, callers);
  delay.enable();
  const began = performance.now();
  await work();
  const elapsedMs = performance.now() - began;
  delay.disable();
  const sorted = await stop();
  return {
    elapsedMs,
    appends: sorted.length,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    loopP99Ms: delay.percentile(99) / 1e6,
    loopMaxMs: delay.max / 1e6,
  };
}

/** The writers alone for as long as the compaction will take, and then with it. */
export function beside({ events, keys, callers, measureMs, warmUpMs }) {
  return inFreshDirectory(async (directory) => {
    const store = await openStore(directory, options);
    try {
      await fill(store, events, keys);
      await watched(store, callers, () => sleep(warmUpMs));
      const alone = await watched(store, callers, () => sleep(measureMs));
      let report;
      const together = await watched(store, callers, async () => {
        report = await store.compact();
      });
      const bytes = report.moved.reduce((sum, segment) => sum + segment.bytes, 0);
      const archiveBytes = report.moved.reduce((sum, segment) => sum + segment.archiveBytes, 0);
      return { alone, together, segments: report.moved.length, bytes, archiveBytes };
    } finally {
      await store.close();
    }
  });
}

/** Compactions alone, of a store with projections: whatever the event loop does then is theirs. The first one makes all snapshots from nothing. */
export function alone({ events, keys }) {
  return inFreshDirectory(async (directory) => {
    const { byStream, byTopic } = await defineProjections();
    const store = await openStore(directory, { ...options, projections: [byStream, byTopic] });
    try {
      await fill(store, events, keys);
      await store.refresh();
      const first = await watchTurns(() => store.compact());
      await fill(store, Math.ceil(events / 4), keys);
      await store.refresh();
      const next = await watchTurns(() => store.compact());
      const figures = ({ result: _, ...rest }) => rest;
      return { first: figures(first), next: figures(next) };
    } finally {
      await store.close();
    }
  });
}

/** The history of keys by chance, whose events stand in the archive. */
export function history({ events, keys, reads }) {
  return inFreshDirectory(async (directory) => {
    const { byStream: projection } = await defineProjections();
    const filling = await openStore(directory, options);
    await fill(filling, events, keys);
    await filling.compact();
    await filling.close();
    const store = await openStore(directory, { ...options, projections: [projection] });
    try {
      await store.get(projection, 'agent/0');
      const took = { event: [], history: [] };
      for (let read = 0; read < reads; read += 1) {
        const key = `agent/${Math.floor(Math.random() * keys)}`;
        const began = performance.now();
        await store.readStream(key, { limit: 1 }).toArray();
        const then = performance.now();
        for await (const _ of store.history(projection, key, { to: Math.floor(events / 4) })) break;
        took.event.push(then - began);
        took.history.push(performance.now() - then);
      }
      const sorted = (list) => Float64Array.from(list).sort();
      return {
        eventP50Ms: quantile(sorted(took.event), 0.5),
        historyP50Ms: quantile(sorted(took.history), 0.5),
        historyP99Ms: quantile(sorted(took.history), 0.99),
      };
    } finally {
      await store.close();
    }
  });
}
