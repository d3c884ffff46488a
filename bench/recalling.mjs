import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';
import { turnsOf } from './recall/cost.mjs';
import { watchTurns } from './turns.mjs';

/** Runs in a child process: memories of so many texts, whose index is saved and loaded. */

const options = { compaction: { automatic: false } };
const openingsPerProcess = 7;
const commitEvents = 100;

/** Texts as episodes, appended to a memory. */
async function fill(memory, documents, later = 0) {
  for (let at = 0; at < documents.length; at += commitEvents) {
    const parts = documents.slice(at, at + commitEvents).map(({ id, time, order, ...rest }) => {
      const data = { ...rest, at: new Date(time + later).toISOString() };
      return {
        stream: `episodes/${data.at}-${id}`,
        events: [{ type: 'episode.recorded', data }],
      };
    });
    await memory.engine.commit(parts);
  }
}

/** What the event loop does while the index is saved for the first time, saved with some texts more, and loaded. */
export async function turns({ texts }) {
  const { openMemory } = await loadRecollect();
  const { documents } = turnsOf(texts);
  return await inFreshDirectory(async (directory) => {
    const memory = await openMemory(directory, { ...options, durability: 'os' });
    await fill(memory, documents);
    await memory.engine.refresh();
    const save = await watchTurns(() => memory.engine.snapshot());
    await fill(memory, documents.slice(0, Math.ceil(texts / 50)), 1);
    const next = await watchTurns(() => memory.engine.snapshot());
    await memory.close();
    const again = await openMemory(directory, options);
    const load = await watchTurns(() => again.engine.refresh());
    await again.close();
    const figures = ({ result: _, ...rest }) => rest;
    return { save: figures(save), next: figures(next), load: figures(load) };
  });
}

/** A memory whose index is saved. */
export async function prepare({ directory, texts }) {
  const { openMemory } = await loadRecollect();
  const memory = await openMemory(directory, { ...options, durability: 'os' });
  await fill(memory, turnsOf(texts).documents);
  await memory.engine.snapshot();
  await memory.close();
}

/** The first opening in a process, and the middle one of those after it. Each is closed before the index is loaded. */
export async function open({ directory }) {
  const { openMemory } = await loadRecollect();
  const times = [];
  for (let turn = 0; turn < openingsPerProcess; turn += 1) {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const memory = await openMemory(directory, options);
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    times.push({ ms, cpuMs: (user + system) / 1_000 });
    await memory.close();
  }
  const [first, ...others] = times;
  const middle = (of) => others.map(of).sort((a, b) => a - b)[Math.floor(others.length / 2)];
  return {
    firstMs: first.ms,
    againMs: middle(({ ms }) => ms),
    againCpuMs: middle(({ cpuMs }) => cpuMs),
  };
}
