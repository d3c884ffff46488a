/** What an agent remembers, and how it finds it again. */
import { openMemory } from 'recollect';

const memory = await openMemory(process.argv[2] ?? './example-memory', { actor: 'assistant' });

// What is known of a user, and what was said.
await memory.users.updateContext('anna', {
  message: 'I moved to Lisbon and sing in a choir there.',
  response: 'How do you like it?',
});
await memory.users.changeContext('anna', (draft) => {
  draft.preferences['answers'] = 'short';
});

// Keyed memories of any JSON value. What would change nothing writes nothing.
await memory.records.store('choir', { day: 'Friday', hour: 19 }, { tags: ['music'] });

// A graph of what belongs together.
await memory.graph.createRelations([{ from: 'anna', to: 'Lisbon', relationType: 'lives in' }]);

// Finding it again, by words.
const [hit] = await memory.recall('Where does Anna sing?');
console.log(`found: ${hit?.text.split('\n')[0]}`);

// The same as text for a prompt: quoted, with author and time.
console.log(await memory.recallText('choir', { maxChars: 300 }));

const { preferences } = await memory.users.getContext('anna');
console.log(`answers: ${preferences['answers']}`);
await memory.close();
