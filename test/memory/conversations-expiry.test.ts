/** Conversations: how long items live, and what a fresh working memory holds. */
import { describe, expect, test } from 'vitest';
import { kinds, type Memory, openMemoryOf } from './support-records.js';

const HOUR = 3_600_000;
const working = { conversationId: 'c1', memoryType: 'working', limit: 100 } as const;
const { limit: _, ...memory } = working;
const short = { conversationId: 'c1', memoryType: 'short-term' } as const;

/** What was stored, without the texts of a fresh working memory. */
function stored(of: Memory): unknown[] {
  const items = of.conversations.retrieveSync(working);
  return items.filter(({ metadata }) => !('section' in metadata)).map(({ data }) => data);
}

describe.each(kinds)('on a %s', (kind) => {
  const open = (): Promise<Memory> => openMemoryOf(kind);

  describe('a fresh working memory', () => {
    const sections = ['user context', 'conversation flow', 'current focus', 'interaction tone'];

    test('has a text for each section behind what was stored first', async () => {
      const { conversations } = await open();
      const { ids } = await conversations.store({ ...memory, data: ['hello'] });
      const items = await conversations.retrieve(working);
      expect(ids).toEqual([items[0]?.id]);
      expect(items.map(({ data }) => data)).toEqual([
        'hello',
        'Interaction tone: nothing yet.',
        'Current focus: nothing yet.',
        'Conversation flow: nothing yet.',
        'User context: nothing yet.',
      ]);
      const found = sections.map((section) =>
        conversations.retrieveSync({ ...working, filters: { section } }).map(({ id }) => id),
      );
      expect(found).toEqual([
        ['user-context'],
        ['conversation-flow'],
        ['current-focus'],
        ['interaction-tone'],
      ]);
    });

    test('has them once, however many store first', async () => {
      const { conversations } = await open();
      const storing = Array.from({ length: 10 }, (_, index) =>
        conversations.store({ ...memory, data: [`item ${index}`] }),
      );
      await Promise.all(storing);
      expect(conversations.retrieveSync(working)).toHaveLength(14);
    });

    test('lets them be changed like any item', async () => {
      const { conversations } = await open();
      await conversations.store({ ...memory, data: ['hello'] });
      await conversations.update({ ...memory, id: 'current-focus', data: 'Focus: the cave' });
      await conversations.store({ ...memory, data: ['more'] });
      const query = { ...working, query: 'cave' };
      expect(conversations.retrieveSync(query)).toMatchObject([
        { id: 'current-focus', data: 'Focus: the cave', metadata: { section: 'current focus' } },
      ]);
      expect(conversations.retrieveSync(working)).toHaveLength(6);
    });

    test('is there again when the one before was over or deleted', async () => {
      const of = await open();
      const { conversations } = of;
      await conversations.store({ ...memory, data: ['a'] });
      await conversations.update({ ...memory, id: 'current-focus', data: 'the cave' });
      of.clock.advance(12 * HOUR);
      await conversations.store({ ...memory, data: ['b'] });
      expect(conversations.retrieveSync({ ...working, query: 'cave' })).toEqual([]);
      expect(conversations.retrieveSync(working)).toHaveLength(5);
      await conversations.delete(memory);
      expect(conversations.retrieveSync(working)).toEqual([]);
      await conversations.store({ ...memory, data: ['c'] });
      expect(conversations.retrieveSync(working)).toHaveLength(5);
    });

    test('is for working memory alone', async () => {
      const { conversations } = await open();
      await conversations.store({ ...short, data: ['a'] });
      expect(conversations.retrieveSync(short)).toHaveLength(1);
    });
  });

  describe('working memory', () => {
    test('lives for 12 hours', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['a'] });
      expect(of.conversations.retrieveSync(working)[0]?.expiresAt).toBe('2026-01-01T12:00:00.000Z');
      of.clock.advance(12 * HOUR - 1);
      expect(stored(of)).toEqual(['a']);
      of.clock.advance(1);
      expect(of.conversations.retrieveSync(working)).toEqual([]);
      expect(await of.conversations.retrieve(working)).toEqual([]);
    });

    test('lives on for 12 hours, all of it, after each store', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['a'] });
      of.clock.advance(11 * HOUR);
      await of.conversations.store({ ...memory, data: ['b'] });
      of.clock.advance(11 * HOUR);
      expect(stored(of)).toEqual(['b', 'a']);
      of.clock.advance(HOUR);
      expect(stored(of)).toEqual([]);
    });

    test('lives on for 12 hours after each update, also one that leaves the data as they are', async () => {
      const of = await open();
      const { ids } = await of.conversations.store({ ...memory, data: ['a'] });
      of.clock.advance(11 * HOUR);
      const same = { ...memory, id: ids[0] ?? '', data: 'a' };
      expect((await of.conversations.update(same)).changed).toBe(true);
      of.clock.advance(11 * HOUR);
      expect(stored(of)).toEqual(['a']);
    });

    test('does not live on because it is retrieved', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['a'] });
      of.clock.advance(11 * HOUR);
      await of.conversations.retrieve(working);
      of.clock.advance(HOUR);
      expect(stored(of)).toEqual([]);
      expect(await of.count()).toBe(1);
    });

    test('lives as long as it is told to', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['a'], ttlMs: 1000 });
      of.clock.advance(1000);
      expect(of.conversations.retrieveSync(working)).toEqual([]);
    });

    test('that is over does not come back with what is stored next', async () => {
      const of = await open();
      const { ids } = await of.conversations.store({ ...memory, data: ['old'] });
      of.clock.advance(12 * HOUR);
      const updating = of.conversations.update({ ...memory, id: ids[0] ?? '', data: 'x' });
      await expect(updating).rejects.toMatchObject({ code: 'MEMORY_NOT_FOUND' });
      expect((await of.conversations.delete(memory)).changed).toBe(false);
      await of.conversations.store({ ...memory, data: ['new'] });
      expect(stored(of)).toEqual(['new']);
    });
  });

  describe('an item with a ttl of its own', () => {
    test('is over before the rest of working memory', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['short'], ttlMs: 1000 });
      await of.conversations.store({ ...memory, data: ['long'] });
      of.clock.advance(1000);
      expect(stored(of)).toEqual(['long']);
      expect(of.conversations.retrieveSync(working)).toHaveLength(5);
    });

    test('does not shorten the life of the rest', async () => {
      const of = await open();
      await of.conversations.store({ ...memory, data: ['long'] });
      of.clock.advance(HOUR);
      await of.conversations.store({ ...memory, data: ['short'], ttlMs: 1000 });
      of.clock.advance(12 * HOUR - 1);
      expect(stored(of)).toEqual(['long']);
      of.clock.advance(1);
      expect(stored(of)).toEqual([]);
    });

    test('lives on when it is updated, and as long as the update says', async () => {
      const of = await open();
      const { conversations } = of;
      const { ids } = await conversations.store({ ...short, data: ['a'], ttlMs: 1000 });
      const update = { ...short, id: ids[0] ?? '', data: 'a' };
      of.clock.advance(999);
      expect((await conversations.update(update)).changed).toBe(true);
      of.clock.advance(999);
      conversations.updateSync({ ...update, ttlMs: HOUR });
      of.clock.advance(HOUR - 1);
      expect(conversations.retrieveSync(short)).toHaveLength(1);
      of.clock.advance(1);
      expect(conversations.retrieveSync(short)).toEqual([]);
    });

    test('is let go of when something is written behind its end', async () => {
      const of = await open();
      await of.conversations.store({ ...short, data: ['a', 'b'], ttlMs: 1000 });
      await of.conversations.store({ ...short, data: ['c'], ttlMs: 3000 });
      await of.conversations.store({ ...short, data: ['d'] });
      of.clock.advance(2000);
      await of.conversations.store({ ...short, data: ['e'] });
      const state = of.store.getSync(of.projection('conversations'), 'conversations/c1/short-term');
      expect(JSON.stringify(state)).not.toMatch(/"data":"[ab]"/);
      const items = of.conversations.retrieveSync(short);
      expect(items.map(({ data }) => data)).toEqual(['e', 'd', 'c']);
      of.clock.advance(1000);
      expect(of.conversations.retrieveSync(short)).toHaveLength(2);
    });
  });

  test('expiry is judged at the moment that is looked at', async () => {
    const of = await open();
    await of.conversations.store({ ...memory, data: ['a'] });
    of.clock.advance(24 * HOUR);
    expect(of.conversations.retrieveSync(working)).toEqual([]);
    const then = of.at(1, '2026-01-01T11:00:00.000Z');
    expect(then.conversations.retrieveSync(working)).toHaveLength(5);
  });

  test('short-term and long-term memory stay until they are deleted', async () => {
    const of = await open();
    await of.conversations.store({ ...short, data: ['a'] });
    of.clock.advance(10_000 * HOUR);
    expect(of.conversations.retrieveSync(short)).toHaveLength(1);
    expect(of.conversations.retrieveSync(short)[0]).not.toHaveProperty('expiresAt');
  });
});

test('conversations are the same after opening the store again, and without a cache', async () => {
  const of = await openMemoryOf('file store');
  for (let index = 0; index < 100; index += 1) {
    const ttlMs = index % 3 === 0 ? HOUR : undefined;
    const { ids } = of.conversations.storeSync({ ...memory, data: [`item ${index}`], ttlMs });
    of.clock.advance(HOUR / 10);
    const [id] = ids;
    const update = { ...memory, id: id ?? '', data: 'changed' };
    if (index % 4 === 0) of.conversations.deleteSync({ ...memory, id });
    else if (index % 7 === 1) of.conversations.updateSync(update);
  }
  const before = of.conversations.retrieveSync(working);
  const uncached = await of.reopened({ cacheBytes: 0 });
  expect(uncached.conversations.retrieveSync(working)).toEqual(before);
  expect(await uncached.conversations.retrieve(working)).toEqual(before);
});
