/** Records, conversations and users of events that were written in an earlier shape. */
import { expect, test } from 'vitest';
import { type Memory, openMemory, openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const talk = { conversationId: 'c', memoryType: 'long-term' } as const;

/** From a first shape to that of today, as a program says it. */
const upcasters = {
  'record.stored': {
    1: ({ content }: { content: unknown }) => ({ value: content, section: 'semantic' }),
  },
  'record.updated': {
    1: ({ content }: { content: unknown }) => ({
      patches: [{ op: 'replace', path: '/n', value: content }],
    }),
  },
  'conversation.stored': {
    1: ({ texts }: { texts: readonly string[] }) => ({
      items: texts.map((text, index) => ({ id: `old-${index}`, data: text })),
    }),
  },
  'user.remembered': { 1: ({ note }: { note: string }) => ({ text: note }) },
};

async function seen(memory: Pick<Memory, 'records' | 'conversations' | 'users'>): Promise<unknown> {
  return {
    records: (await memory.records.list()).items,
    items: await memory.conversations.retrieve({ ...talk, limit: 100 }),
    context: await memory.users.getContext('anna'),
    hits: await memory.users.recall('anna', 'green tea'),
  };
}

test('models are the same of old events and new ones, after opening again, and with no room to keep states', async () => {
  const directory = temporaryDirectory();
  const old = await openStore(directory);
  await old.append('records/k', { type: 'record.stored', data: { content: { n: 1 } } });
  await old.append('records/k', { type: 'record.updated', data: { content: 2 } });
  await old.append('conversations/c/long-term', {
    type: 'conversation.stored',
    data: { texts: ['green tea', 'black tea'] },
  });
  await old.append('users/anna', { type: 'user.remembered', data: { note: 'likes green tea' } });
  await old.close();

  const memory = await openMemory(directory, { upcasters });
  expect(memory.records.getSync('k')).toMatchObject({ value: { n: 2 }, section: 'semantic' });
  expect(await memory.conversations.retrieve(talk)).toMatchObject([
    { id: 'old-1', data: 'black tea' },
    { id: 'old-0', data: 'green tea' },
  ]);
  expect(await memory.users.remember('anna', 'likes green tea')).toMatchObject({ changed: false });
  const before = await seen(memory);
  const { position } = memory.engine.head;
  await memory.records.update<{ n: number }>('k', (draft) => {
    draft.n += 1;
  });
  await memory.records.store('new', { n: 1 }, {}, { expectedVersion: 'absent' });
  await memory.conversations.update({ ...talk, id: 'old-0', data: 'white tea' });
  await memory.users.remember('anna', 'likes white tea');
  const after = await seen(memory);
  expect(memory.records.getSync('k')?.value).toEqual({ n: 3 });
  expect(await seen(memory.at(position))).toEqual(before);
  await memory.close();

  for (const options of [{ upcasters }, { upcasters, cacheBytes: 0 }]) {
    await using again = await openMemory(directory, options);
    expect(await seen(again)).toEqual(after);
    expect(await seen(again.at(position))).toEqual(before);
  }
});
