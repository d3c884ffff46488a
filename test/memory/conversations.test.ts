/** Conversations: what is stored, retrieved, updated and deleted, on stores of both kinds. */
import { describe, expect, test } from 'vitest';
import { MemoryNotFoundError } from '#src/errors.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { kinds, type Memory, openMemoryOf } from './support-records.js';

const START = '2026-01-01T00:00:00.000Z';
const invalid = { name: 'TypeError', code: 'INVALID_ARGUMENT' };
const long = { conversationId: 'c1', memoryType: 'long-term' } as const;
const short = { conversationId: 'c1', memoryType: 'short-term' } as const;
const dataOf = (items: readonly { readonly data: unknown }[]): unknown[] =>
  items.map(({ data }) => data);

describe.each(kinds)('conversations on a %s', (kind) => {
  const open = (): Promise<Memory> => openMemoryOf(kind);

  describe('storing', () => {
    test('keeps each of the data as an item, and tells their ids', async () => {
      const memory = (await open()).as('alice');
      const message = { role: 'user', content: 'hello' };
      const metadata = { topic: 'greeting' };
      const stored = await memory.conversations.store({ ...long, data: ['a', message], metadata });
      expect(stored).toMatchObject({
        id: 'conversations/c1/long-term',
        position: 1,
        changed: true,
      });
      expect(new Set(stored.ids).size).toBe(2);
      const rest = { metadata, actor: 'alice', createdAt: START, updatedAt: START };
      expect(await memory.conversations.retrieve(long)).toEqual([
        { id: stored.ids[1], data: message, ...rest },
        { id: stored.ids[0], data: 'a', ...rest },
      ]);
    });

    test('keeps conversations and types apart', async () => {
      const memory = await open();
      await memory.conversations.store({ ...long, data: ['long'] });
      memory.conversations.storeSync({ ...short, data: ['short'] });
      const other = { ...long, conversationId: 'c1/long-term' };
      await memory.conversations.store({ ...other, data: ['other'] });
      expect(dataOf(await memory.conversations.retrieve(long))).toEqual(['long']);
      expect(dataOf(memory.conversations.retrieveSync(short))).toEqual(['short']);
      expect(dataOf(memory.conversations.retrieveSync(other))).toEqual(['other']);
    });

    test('of several at once loses none', async () => {
      const memory = await open();
      const storing = Array.from({ length: 50 }, (_, index) =>
        memory.as(`agent ${index}`).conversations.store({ ...long, data: [`item ${index}`] }),
      );
      memory.conversations.storeSync({ ...long, data: ['sync'] });
      const ids = (await Promise.all(storing)).flatMap((each) => each.ids);
      const items = memory.conversations.retrieveSync({ ...long, limit: 100 });
      expect(items).toHaveLength(51);
      expect(items.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
      expect(await memory.count()).toBe(51);
    });

    test('with an idempotency key happens once, and tells the same ids', async () => {
      const memory = await open();
      const write = { idempotencyKey: 'once' };
      const first = await memory.conversations.store({ ...long, data: ['a', 'b'] }, write);
      const again = await memory.conversations.store({ ...long, data: ['a', 'b'] }, write);
      expect(again).toEqual({ ...first, repeated: true });
      expect(await memory.conversations.retrieve(long)).toHaveLength(2);
      const other = memory.conversations.store({ ...long, data: ['c', 'b'] }, write);
      await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    });

    test.each<[string, unknown]>([
      ['no data', { ...long }],
      ['an empty list of data', { ...long, data: [] }],
      ['a text that is no list', { ...long, data: 'a' }],
      ['an empty text', { ...long, data: [''] }],
      ['a message without a role', { ...long, data: [{ content: 'a' }] }],
      ['a message with more than role and content', { ...long, data: [{ role: 'a', name: 'b' }] }],
      ['a number', { ...long, data: [7] }],
      ['a type that there is none', { ...long, memoryType: 'eternal', data: ['a'] }],
      ['no type', { conversationId: 'c1', data: ['a'] }],
      ['no conversation', { memoryType: 'working', data: ['a'] }],
      ['a conversation with a control character', { ...long, conversationId: 'a\n', data: ['a'] }],
      [
        'a conversation that is too long',
        { ...long, conversationId: 'a'.repeat(180), data: ['a'] },
      ],
      ['a ttl of 0', { ...long, data: ['a'], ttlMs: 0 }],
      ['metadata that are a list', { ...long, data: ['a'], metadata: [] }],
      ['a member that there is none', { ...long, data: ['a'], ttl: 5 }],
      ['nothing', undefined],
    ])('refuses %s', async (_, storing) => {
      const memory = await open();
      await expect(memory.conversations.store(storing as never)).rejects.toMatchObject(invalid);
      expect(() => memory.conversations.storeSync(storing as never)).toThrow(TypeError);
      expect(await memory.count()).toBe(0);
    });

    test('refuses what is not JSON with the path to it', async () => {
      const memory = await open();
      const data = [{ role: 'user', content: { at: new Date(0) } }];
      await expect(memory.conversations.store({ ...long, data })).rejects.toMatchObject({
        path: 'data[0].content.at',
      });
    });
  });

  describe('retrieving', () => {
    test('gives the five that changed last, unless told otherwise', async () => {
      const memory = await open();
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
        await memory.conversations.store({ ...long, data: [name] });
        memory.clock.advance(1000);
      }
      const { conversations } = memory;
      expect(dataOf(await conversations.retrieve(long))).toEqual(['f', 'e', 'd', 'c', 'b']);
      expect(dataOf(await conversations.retrieve({ ...long, limit: 1 }))).toEqual(['f']);
      const last = conversations.retrieveSync({ ...long, limit: 10 }).at(-1);
      await conversations.update({ ...long, id: last?.id ?? '', data: 'A' });
      expect(dataOf(conversations.retrieveSync({ ...long, limit: 2 }))).toEqual(['A', 'f']);
    });

    test('by a query gives those that share words with it, the best first', async () => {
      const memory = await open();
      const message = { role: 'boat', content: [{ type: 'text', text: 'The red BOAT' }] };
      await memory.conversations.store({ ...long, data: ['a boat', message, 'the tree'] });
      const found = await memory.conversations.retrieve({ ...long, query: 'the red boat' });
      expect(dataOf(found)).toEqual([message, 'a boat']);
      expect(memory.conversations.retrieveSync({ ...long, query: 'lake' })).toEqual([]);
    });

    test('by a query gives them as recall ranks them: whatever form a word has, what was asked about before what was not, of equals the last', async () => {
      const { conversations } = await open();
      const say = (role: string, content: string) => ({ role, content });
      const data = [
        say('anna', 'Where did you go for the choir festival?'),
        say('ben', 'A festival in Lisbon.'),
        say('anna', 'Tea?'),
        say('ben', 'Yes.'),
        say('anna', 'No.'),
        say('ben', 'No festivals for me.'),
      ];
      await conversations.store({ ...long, data });
      const ask = (query: string) => dataOf(conversations.retrieveSync({ ...long, query }));
      expect(ask('Where did Ben go to the choir festivals?')).toEqual([data[1], data[0], data[5]]);
      expect(ask('cofee or teas')).toEqual([data[2]]);
      expect(ask('who are you')).toEqual([data[0]]);
      const other = { ...long, conversationId: 'other' };
      const { ids } = await conversations.store({ ...other, data: ['a tree', 'a tree'] });
      const found = conversations.retrieveSync({ ...other, query: 'tree' });
      expect(found.map(({ id }) => id)).toEqual(ids.toReversed());
    });

    test('by a query follows every change, and is asked of what is there alone', async () => {
      const { conversations } = await open();
      const ask = () => dataOf(conversations.retrieveSync({ ...long, query: 'boat' }));
      const { ids } = await conversations.store({ ...long, data: ['a boat', 'a red boat', 'x'] });
      expect(ask()).toEqual(['a boat', 'a red boat']);
      await conversations.update({ ...long, id: ids[0] ?? '', data: 'a tree' });
      expect(ask()).toEqual(['a red boat']);
      await conversations.delete({ ...long, id: ids[1] ?? '' });
      expect(ask()).toEqual([]);
      await conversations.update({ ...long, id: ids[2] ?? '', data: 'boat' });
      await conversations.store({ ...long, conversationId: 'other', data: ['another boat'] });
      expect(ask()).toEqual(['boat']);
    });

    test('by filters gives those that pass', async () => {
      const memory = await open();
      const metadata = { tags: ['x'], section: 's', persona: 'p', importance: 0.9, page: 1 };
      await memory.as('alice').conversations.store({ ...long, data: ['one'], metadata });
      memory.clock.advance(1000);
      await memory.as('bob').conversations.store({ ...long, data: ['two'] });
      const by = (filters: object): unknown[] =>
        dataOf(memory.conversations.retrieveSync({ ...long, filters }));
      expect(by({ tags: ['x'], section: 's', persona: 'p', minImportance: 0.9 })).toEqual(['one']);
      expect(by({ metadata: { page: 1 } })).toEqual(['one']);
      expect(by({ actor: 'bob' })).toEqual(['two']);
      expect(by({ since: '2026-01-01T00:00:01Z' })).toEqual(['two']);
      expect(by({ session: 'c1' })).toEqual(['two', 'one']);
      expect(by({ session: 'c2' })).toEqual([]);
    });

    test('of what is unknown gives nothing', async () => {
      const memory = await open();
      expect(await memory.conversations.retrieve(long)).toEqual([]);
      expect(memory.conversations.retrieveSync({ ...long, memoryType: 'working' })).toEqual([]);
      expect(await memory.count()).toBe(0);
    });

    test('refuses what it does not know', async () => {
      const { conversations } = await open();
      for (const wrong of [{ limit: -1 }, { query: '' }, { filter: {} }, { filters: { a: 1 } }]) {
        const retrieving: typeof long = { ...long, ...wrong };
        await expect(conversations.retrieve(retrieving)).rejects.toMatchObject(invalid);
        expect(() => conversations.retrieveSync(retrieving)).toThrow(TypeError);
      }
    });
  });

  describe('updating', () => {
    test('changes the data under the same id', async () => {
      const memory = (await open()).as('alice');
      const { conversations, clock } = memory;
      const { ids } = await conversations.store({ ...long, data: ['a'], metadata: { m: 1 } });
      clock.advance(1000);
      const id = ids[0] ?? '';
      const written = await memory.as('bob').conversations.update({ ...long, id, data: 'b' });
      expect(written).toMatchObject({ changed: true, version: 2 });
      expect(conversations.retrieveSync(long)).toEqual([
        {
          id,
          data: 'b',
          metadata: { m: 1 },
          actor: 'bob',
          createdAt: START,
          updatedAt: '2026-01-01T00:00:01.000Z',
        },
      ]);
      conversations.updateSync({ ...long, id, data: 'b', metadata: { n: 2 } });
      expect(conversations.retrieveSync(long)[0]?.metadata).toEqual({ n: 2 });
    });

    test('that changes nothing writes nothing', async () => {
      const { conversations } = await open();
      const { ids } = await conversations.store({ ...long, data: ['a'], metadata: { m: 1 } });
      const same = { ...long, id: ids[0] ?? '', data: 'a' };
      expect((await conversations.update(same)).changed).toBe(false);
      expect(conversations.updateSync({ ...same, metadata: { m: 1 } }).changed).toBe(false);
    });

    test('refuses an item that is not there', async () => {
      const { conversations } = await open();
      await conversations.store({ ...long, data: ['a'] });
      for (const id of ['b', '__proto__', 'constructor']) {
        const updating = conversations.update({ ...long, id, data: 'x' });
        await expect(updating).rejects.toMatchObject({
          code: 'MEMORY_NOT_FOUND',
          id: `conversations/c1/long-term/${id}`,
        });
      }
      const elsewhere = { ...short, id: 'b', data: 'x' };
      expect(() => conversations.updateSync(elsewhere)).toThrow(MemoryNotFoundError);
      const list = { ...long, id: 'b', data: ['x'] as never };
      await expect(conversations.update(list)).rejects.toMatchObject(invalid);
    });
  });

  describe('deleting', () => {
    test('takes one item away, or all of a type', async () => {
      const { conversations } = await open();
      const { ids } = await conversations.store({ ...long, data: ['a', 'b', 'c'] });
      await conversations.store({ ...short, data: ['kept'] });
      const id = ids[1] ?? '';
      expect((await conversations.delete({ ...long, id })).changed).toBe(true);
      expect(conversations.deleteSync({ ...long, id }).changed).toBe(false);
      expect(dataOf(conversations.retrieveSync(long))).toEqual(['c', 'a']);
      expect(conversations.deleteSync(long).changed).toBe(true);
      expect((await conversations.delete(long)).changed).toBe(false);
      expect(conversations.retrieveSync(long)).toEqual([]);
      expect(dataOf(conversations.retrieveSync(short))).toEqual(['kept']);
    });

    test('of the last item leaves nothing behind', async () => {
      const { conversations, store } = await open();
      const { ids } = await conversations.store({ ...long, data: ['a'] });
      await conversations.delete({ ...long, id: ids[0] });
      expect((await conversations.store({ ...long, data: ['b'] })).version).toBe(3);
      expect(await store.version('conversations/c1/long-term')).toBe(3);
      expect(dataOf(conversations.retrieveSync(long))).toEqual(['b']);
    });
  });

  test('hundreds of items are all there, in their order, and can each be changed', async () => {
    const { conversations } = await open();
    const data = Array.from({ length: 300 }, (_, index) => `item ${index}`);
    const { ids } = await conversations.store({ ...long, data });
    const all = { ...long, limit: 1000 };
    expect(dataOf(conversations.retrieveSync(all))).toEqual(data.toReversed());
    for (const id of ids.slice(0, 299)) conversations.deleteSync({ ...long, id });
    expect(dataOf(conversations.retrieveSync(all))).toEqual(['item 299']);
  });

  test('what calls give is frozen, nested too', async () => {
    const { conversations } = await open();
    const data = [{ role: 'user', content: [{ text: 'a' }] }];
    expectDeeplyFrozen(await conversations.store({ ...long, data, metadata: { m: [1] } }));
    const items = await conversations.retrieve(long);
    expect(items).toHaveLength(1);
    expectDeeplyFrozen(items);
    expect(() => (items as unknown[]).push(1)).toThrow(TypeError);
  });

  test('patches of an undo bring a deleted item back', async () => {
    const { conversations, store } = await open();
    const { ids } = await conversations.store({ ...long, data: ['a', 'b'] });
    const id = ids[0] ?? '';
    await conversations.delete({ ...long, id });
    const item = { data: 'a', createdAt: START, updatedAt: START };
    const patches = [{ op: 'add', path: `/pages/0/${id}`, value: item }];
    const data = { undoes: '2.0', patches };
    await store.append('conversations/c1/long-term', { type: 'conversation.reverted', data });
    expect(dataOf(conversations.retrieveSync(long)).sort()).toEqual(['a', 'b']);
  });

  test('a transaction stores items with ids that can be used in it', async () => {
    const memory = await open();
    await memory.transaction(async ({ conversations }) => {
      const { ids } = await conversations.store({ ...long, data: ['a', 'b'] });
      await conversations.update({ ...long, id: ids[0] ?? '', data: 'A' });
      expect(dataOf(await conversations.retrieve(long)).sort()).toEqual(['A', 'b']);
    });
    expect(dataOf(memory.conversations.retrieveSync(long)).sort()).toEqual(['A', 'b']);
  });
});
