import { loadRecollect } from './peers/recollect.mjs';

/** Runs in a child process: makes the memory that the command line is asked about. */

const eventsPerKey = 10;
const commitsAtOnce = 2_000;

/** Records, each stored so many times, in commits of one event. */
export async function fill({ directory, events, from, to }) {
  const { openStore } = await loadRecollect();
  // Without the models, which need not look at what nobody reads yet.
  const store = await openStore(directory, { compaction: false, actor: 'planner' });
  const keys = Math.max(1, Math.round(events / eventsPerKey));
  for (let number = from; number < to; ) {
    const writing = [];
    for (; writing.length < commitsAtOnce && number < to; number += 1) {
      const note = `seen for the ${number}th time`;
      const value = {
        name: `person ${number % keys}`,
        note,
        where: 'in the office, beside the window',
      };
      const event = { type: 'record.stored', data: { value, section: 'episodic' } };
      writing.push(store.append(`records/${number % keys}`, event));
    }
    await Promise.all(writing);
  }
  await store.close();
}
