import { makeEvent } from './events.mjs';
import { inFreshDirectory } from './load.mjs';
import { memories } from './peers/memories.mjs';

/** Runs in a child process: one agent with its memory. */

export function textOf(number) {
  return makeEvent('agent', number).data.text;
}

export function entriesOf(count) {
  return Array.from({ length: count }, (_, number) => [`entry-${number}`, textOf(number)]);
}

/** Opens and closes it, so that the parent learns whether it can be measured, and what it can do. */
export function probe({ variant }) {
  return inFreshDirectory(async (directory) => {
    const memory = await memories[variant](directory);
    const { isSynced = false, keepsNothing = false } = memory;
    await memory.close();
    return { isSynced, keepsNothing };
  });
}

/** Several callers that put as many memories; what is refused is told, what is acknowledged must be there afterwards. */
export async function write({ directory, variant, label, puts, callers }) {
  const acknowledged = [];
  let memory;
  try {
    memory = await memories[variant](directory);
  } catch (error) {
    return { acknowledged, refused: puts, why: error.cause?.code ?? error.code ?? error.message };
  }
  let refused = 0;
  let why;
  let next = 0;
  const caller = async () => {
    while (next < puts) {
      const key = `${label}-${next}`;
      next += 1;
      try {
        await memory.put(key, textOf(next));
        acknowledged.push(key);
      } catch (error) {
        refused += 1;
        why = error.code ?? error.message;
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  await memory.close();
  return { acknowledged, refused, why };
}

/** How many of the keys have no value, for a process that wrote none; all of them where it cannot be opened or read. */
export async function missing({ directory, variant, keys }) {
  try {
    const memory = await memories[variant](directory);
    let lost = 0;
    for (const key of keys) if ((await memory.get(key)) === undefined) lost += 1;
    await memory.close();
    return lost;
  } catch {
    return keys.length;
  }
}

/** Memories acknowledged per second, in a store that holds some already. */
export function rate({ variant, callers, filled, warmUpMs, measureMs }) {
  return inFreshDirectory(async (directory) => {
    const memory = await memories[variant](directory);
    await memory.fill(entriesOf(filled));
    let number = filled;
    let count = 0;
    const run = async (milliseconds) => {
      count = 0;
      const begun = performance.now();
      const caller = async () => {
        while (performance.now() - begun < milliseconds) {
          number += 1;
          await memory.put(`entry-${number}`, textOf(number));
          count += 1;
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
      return (count / (performance.now() - begun)) * 1_000;
    };
    await run(warmUpMs);
    const perSecond = await run(measureMs);
    await memory.close();
    return { perSecond };
  });
}

export async function fill({ directory, variant, entries }) {
  const memory = await memories[variant](directory);
  await memory.fill(entriesOf(entries));
  await memory.close();
}

/** From opening it to the first value; the modules are loaded before, by opening another one. */
export async function open({ directory, variant, key }) {
  await probe({ variant });
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const memory = await memories[variant](directory);
  const text = await memory.get(key);
  const elapsedMs = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  await memory.close();
  if (text === undefined) throw new Error(`${variant} has no ${key}`);
  return { elapsedMs, cpuMs: (user + system) / 1_000 };
}

/** Whether it says who changed a memory last, when and why, and what stood there before. */
export function explain({ variant }) {
  return inFreshDirectory(async (directory) => {
    const memory = await memories[variant](directory);
    const both = { told: 'told' in memory, before: 'before' in memory };
    if (both.told && both.before) {
      await memory.put('key', 'first');
      await memory.put('key', 'second');
      const { actor, time, reason } = await memory.told('key');
      both.told = Boolean(actor && time && reason);
      both.before = (await memory.before('key')) === 'first';
    }
    await memory.close();
    return both;
  });
}
