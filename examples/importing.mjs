/** A chat transcript becomes memory; the same import again changes nothing. */
import { writeFile } from 'node:fs/promises';
import { importMemory, openMemory } from 'recollect';

const directory = process.argv[2] ?? './example-memory';
const transcript = `${directory}-transcript.txt`;
await writeFile(
  transcript,
  `# Monday
[2026-03-02T18:00:00Z] Bert: Where did you go for the choir festival?
[2026-03-02T18:01:00Z] Anna: To Lisbon, last spring.
`,
);

const memory = await openMemory(directory);
const options = { actor: 'importer', reason: 'what was said before' };
await importMemory(transcript, memory, options);
const again = await importMemory(transcript, memory, options);
console.log(`${again.items} messages, ${again.imported} of them new`);

const [hit] = await memory.recall('Where did Anna go for the festival?');
console.log(`found: ${hit?.text}`);
await memory.close();
