/** The past: what was known, who changed it and why, what differs, and undo. */
import { openMemory } from 'recollect';

const memory = await openMemory(process.argv[2] ?? './example-memory', { actor: 'assistant' });
const key = 'records/tea';

const { position: first } = await memory.records.store('tea', { kind: 'green' });
const { position: wrong } = await memory
  .as('intern', { reason: 'overheard in the kitchen' })
  .records.store('tea', { kind: 'black', sugar: true });

// The same calls as of a position, or a time.
console.log('before:', (await memory.at(first).records.get('tea'))?.value);
console.log('now:', (await memory.records.get('tea'))?.value);

// Which event each value comes from.
for (const { path, value, event } of await memory.blame(key)) {
  if (path.startsWith('/value'))
    console.log(`${path} = ${value}, by ${event.actor}: ${event.reason}`);
}

// How two moments differ.
for await (const { patches } of memory.diff(key, first, wrong)) {
  console.log(
    patches.filter(({ path }) => path.startsWith('/value')).map(({ op, path }) => `${op} ${path}`),
  );
}

// The opposite of a commit, as a commit of its own: nothing is ever lost.
await memory.undo(wrong, { reason: 'Anna says it was right before' });
console.log('again:', (await memory.records.get('tea'))?.value);
await memory.close();
