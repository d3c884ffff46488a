import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadRecollect } from './peers/recollect.mjs';

/** Runs in a child process: makes the memory that the command line is asked about. */

const eventsPerKey = 10;
const commitsAtOnce = 2_000;

/** Records, each stored so many times, in commits of one event; then snapshots, as compaction makes them. */
export async function fill({ directory, events }) {
  const { openMemory } = await loadRecollect();
  const memory = await openMemory(directory, { compaction: false, actor: 'planner' });
  const { engine } = memory;
  const keys = Math.max(1, Math.round(events / eventsPerKey));
  for (let number = 0; number < events; ) {
    const writing = [];
    for (; writing.length < commitsAtOnce && number < events; number += 1) {
      const value = {
        name: `person ${number % keys}`,
        note: `seen for the ${number}th time`,
        where: 'in the office, beside the window',
      };
      const event = { type: 'record.stored', data: { value, section: 'episodic' } };
      writing.push(engine.append(`records/${number % keys}`, event));
    }
    await Promise.all(writing);
  }
  await engine.snapshot();
  await memory.close();
  const log = join(directory, 'log');
  const bytes = readdirSync(log).reduce((sum, name) => sum + statSync(join(log, name)).size, 0);
  return { bytes };
}
