/** A process that has conversations with one user, some at once and some synchronously, and says how it ended. */
import { openMemory } from '#src/index.js';

/** @type {{ directory: string, writer: string, count: number }} */
const { directory, writer, count } = JSON.parse(process.argv[2] ?? '{}');

const memory = await openMemory(directory, { actor: writer });
const exchange = { message: 'Hello.', response: 'Hello to you.' };

/** @param {number} index */
async function converse(index) {
  const options = { idempotencyKey: `${writer}-${index}` };
  if (index % 5 === 0) memory.users.updateContextSync('anna', exchange, options);
  else await memory.users.updateContext('anna', exchange, options);
  await memory.users.changeContext('anna', (draft) => {
    draft.friendshipLevel += 1;
    draft.preferences[writer] = Number(draft.preferences[writer] ?? 0) + 1;
  });
}

await Promise.all(Array.from({ length: count }, (_, index) => converse(index)));
await memory.close();
console.log('ended');
