/** Several processes with one memory: each counts what it does in the same record, and no count is lost. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openMemory } from 'recollect';

const [, , directory = './example-memory', agent] = process.argv;
const AGENTS = ['reader', 'writer', 'critic'];
const TIMES = 10;

if (agent !== undefined) await work(agent);
else {
  const memory = await openMemory(directory, { actor: 'main' });
  await memory.records.store('tasks', { done: 0 });

  const children = AGENTS.map((name) => fork(fileURLToPath(import.meta.url), [directory, name]));
  await Promise.all(children.map((child) => once(child, 'exit')));

  // Sees at once what the others wrote.
  const record = await memory.records.get('tasks');
  console.log('tasks:', record?.value);

  const actors = new Set();
  for await (const { event } of memory.history('records/tasks')) actors.add(event.actor);
  console.log(`by: ${[...actors].sort().join(', ')}`);
  await memory.close();
}

/** @param {string} name */
async function work(name) {
  const memory = await openMemory(directory, { actor: name });
  for (let time = 1; time <= TIMES; time += 1) {
    // On a conflict with another process the function runs again, on what that one wrote.
    await memory.records.update(
      'tasks',
      (/** @type {{ done: number }} */ draft) => {
        draft.done += 1;
      },
      { reason: `task ${time}` },
    );
  }
  await memory.close();
}
