import { describe, expect, test } from 'vitest';
import { importMemory } from '#src/index.js';
import { contentOf, episodesIn, fileWith, inMemory } from '../support/imported.js';

const graph = [
  { type: 'entity', name: 'Anna', entityType: 'person', observations: ['likes tea', 'sings'] },
  { type: 'relation', from: 'Anna', to: 'Acme', relationType: 'works at' },
  { type: 'entity', name: 'Acme', entityType: 'company', observations: [] },
  { type: 'entity', name: '__proto__', entityType: 'constructor', observations: ['x', 'x'] },
];
const lines = graph.map((each) => JSON.stringify(each));

describe('the file of an MCP memory server', () => {
  test('becomes the graph that it holds', async () => {
    await inMemory(async (memory) => {
      const report = await importMemory(fileWith(lines.join('\n')), memory);
      expect(report).toMatchObject({ format: 'mcp', items: 4, imported: 4, commits: 1 });
      const { entities, relations } = await memory.graph.readGraph();
      expect(entities.map(({ name }) => name)).toEqual(['Anna', 'Acme', '__proto__']);
      expect(entities[2]?.observations).toEqual(['x']);
      expect(relations).toEqual([{ from: 'Anna', to: 'Acme', relationType: 'works at' }]);
    });
  });

  test('gives an entity that is there the observations that it lacks', async () => {
    await inMemory(async (memory) => {
      await memory.graph.createEntities([
        { name: 'Anna', entityType: 'person', observations: ['has a cat', 'sings'] },
      ]);
      await importMemory(fileWith(lines.join('\n')), memory);
      const { entities } = await memory.graph.openNodes(['Anna']);
      expect(entities[0]?.observations).toEqual(['has a cat', 'sings', 'likes tea']);
    });
  });

  test.each<[string, (text: string) => string]>([
    ['with CRLF', (text) => text.replaceAll('\n', '\r\n')],
    ['with a byte order mark', (text) => `\ufeff${text}`],
    ['with blank lines', (text) => `\n${text.replaceAll('\n', '\n\n')}\n\n`],
    ['with spaces around', (text) => text.replaceAll('{', ' {').replaceAll(',', ' , ')],
  ])('is the same %s', async (_, change) => {
    const read = (text: string) =>
      inMemory(async (memory) => {
        await importMemory(fileWith(text), memory);
        return await contentOf(memory);
      });
    expect(await read(change(lines.join('\n')))).toEqual(await read(lines.join('\n')));
  });
});

const messages = [
  { role: 'user', name: 'Anna', session: 'monday', content: 'Where is the tea?', time: 1767225600 },
  { role: 'assistant', session: 'monday', content: [{ type: 'text', text: 'On the shelf.' }] },
  { role: 'assistant', session: 'monday', content: null, tool_calls: [] },
  { role: 'user', content: 'Thanks', timestamp: '2026-01-01 12:30', id: 1 },
];

describe('a chat of JSON lines', () => {
  // A number that JavaScript cannot hold, in a member that nobody looks at.
  const file = () => {
    const lines = messages.map((each) =>
      JSON.stringify(each).replace('"id":1', '"id":12345678901234567890'),
    );
    return fileWith(lines.join('\n'), 'talk.ndjson');
  };

  test('becomes episodes with session, speaker and time', async () => {
    await inMemory(async (memory) => {
      const report = await importMemory(file(), memory, { actor: 'importer', reason: 'moved' });
      expect(report).toMatchObject({ format: 'chat', items: 3, imported: 3 });
      expect(report.skipped).toMatchObject([{ reason: 'a message without text' }]);
      const found = await episodesIn(memory);
      const said = found.map(({ text, session, speaker }) => [text, session, speaker]);
      expect(said).toContainEqual(['Where is the tea?', 'monday', 'Anna']);
      expect(said).toContainEqual(['On the shelf.', 'monday', 'assistant']);
      expect(said).toContainEqual(['Thanks', 'talk', 'user']);
      expect(found[0]).toMatchObject({ at: '2026-01-01T00:00:00.000Z', actor: 'importer' });
      expect(found[1]).toMatchObject({ at: '2026-01-01T12:30:00.000Z', kind: 'message' });
    });
  });

  test('becomes conversations in their order when that is asked for', async () => {
    await inMemory(async (memory) => {
      await importMemory(file(), memory, { into: 'conversations', itemsPerCommit: 1 });
      const items = await memory.conversations.retrieve({
        conversationId: 'monday',
        memoryType: 'long-term',
      });
      expect(items.map(({ data }) => data)).toEqual([
        { role: 'assistant', content: 'On the shelf.' },
        { role: 'Anna', content: 'Where is the tea?' },
      ]);
      expect(await episodesIn(memory)).toEqual([]);
    });
  });
});

const transcript = `# Monday

[2026-03-02T18:00:00Z] Bert: Where did you go?
See https://example.com: it was nice.

  And this goes on.
(2026-03-02 18:01) **Anna**: To Lisbon
--- Tuesday ---
Anna Maria:
Hello
`;

test('a transcript becomes episodes, each with all of its lines', async () => {
  await inMemory(async (memory) => {
    await importMemory(fileWith(transcript), memory);
    const said = (await episodesIn(memory)).map(({ text, session, speaker, at }) => ({
      text,
      session,
      speaker,
      at,
    }));
    expect(said.slice(0, 2)).toEqual([
      {
        text: 'Where did you go?\nSee https://example.com: it was nice.\n\n  And this goes on.',
        session: 'Monday',
        speaker: 'Bert',
        at: '2026-03-02T18:00:00.000Z',
      },
      { text: 'To Lisbon', session: 'Monday', speaker: 'Anna', at: '2026-03-02T18:01:00.000Z' },
    ]);
    expect(said[2]).toMatchObject({ text: 'Hello', session: 'Tuesday', speaker: 'Anna Maria' });
  });
});
