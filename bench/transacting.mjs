import { makeEvent } from './events.mjs';
import { inFreshDirectory } from './load.mjs';
import { defineProjections, openStore } from './peers/store.mjs';

/** Runs in a child process: read, append, commit, again and again. */

export const works = { append, transaction, command };

export function probe({ variant }) {
  return inFreshDirectory(async (directory) => {
    const { byStream } = await defineProjections();
    const store = await openStore(directory, { projections: [byStream] });
    await works[variant](store, byStream, 'agent/0', 0);
    await store.close();
  });
}

/** The yardstick: one durable append that rests on nothing. */
async function append(store, _projection, key, step) {
  const { type, data } = makeEvent(key, step);
  await store.append(key, { type, data });
}

async function transaction(store, projection, key) {
  const work = async (transaction) => {
    const before = await transaction.get(projection, key);
    const { type, data } = makeEvent(key, before?.count ?? 0);
    transaction.append(key, { type, data });
  };
  await store.transaction(work, { retries: Infinity });
}

async function command(store, projection, key) {
  const decide = (before) => {
    const { type, data } = makeEvent(key, before?.count ?? 0);
    return { type, data };
  };
  await store.command(projection, key, decide, { retries: Infinity });
}

/** Closed loop of so many callers, each on a key of its own, or all on one. Every one that ended must be there. */
export function closedLoop({ variant, callers, contended, warmUpMs, measureMs }) {
  return inFreshDirectory(async (directory) => {
    const { byStream } = await defineProjections();
    const store = await openStore(directory, { projections: [byStream] });
    const keyOf = (caller) => (contended ? 'agent/0' : `agent/${caller}`);
    let done = 0;
    const run = async (milliseconds) => {
      const deadline = performance.now() + milliseconds;
      const caller = async (_, number) => {
        for (let step = 0; performance.now() < deadline; step += 1) {
          await works[variant](store, byStream, keyOf(number), step);
          done += 1;
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
    };
    await run(warmUpMs);
    globalThis.gc?.();
    const [doneBefore, retriedBefore] = [done, store.stats().transactions.retried];
    const cpuBefore = process.cpuUsage();
    const begun = performance.now();
    await run(measureMs);
    const elapsedMs = performance.now() - begun;
    const cpu = process.cpuUsage(cpuBefore);
    const count = done - doneBefore;
    const retried = store.stats().transactions.retried - retriedBefore;
    await check(store, byStream, done);
    await store.close();
    return {
      count,
      perSecond: (count / elapsedMs) * 1_000,
      cpuMicroseconds: (cpu.user + cpu.system) / count,
      retriesEach: retried / count,
    };
  });
}

/** Nothing may be lost: each state counts the events of its key. */
async function check(store, projection, done) {
  let counted = 0;
  for await (const [, { count }] of store.entries(projection)) counted += count;
  if (counted !== done) throw new Error(`${done} were acknowledged, ${counted} are counted`);
}
