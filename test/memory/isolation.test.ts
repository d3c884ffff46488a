/** Changes of records, conversations and users in transactions of every isolation level: none made of what others have changed is kept. */
import { describe, expect, test } from 'vitest';
import type { Isolation, TransactionMemory } from '#src/index.js';
import { opened, places, refusal } from './support-memory.js';

const levels: readonly Isolation[] = [
  'serializable',
  'snapshot',
  'repeatable-read',
  'read-committed',
  'read-uncommitted',
];
const talk = { conversationId: 'c', memoryType: 'long-term' } as const;

describe.each(places)('in %s', (_, location) => {
  describe.each(levels)('a transaction of isolation %s', (isolation) => {
    test('changes what others changed since only after it has run again', async () => {
      const { memory } = await opened(location());
      await memory.records.store('n', { count: 0, list: [0] });
      const change = (value: { count: number; list: number[] }): void => {
        value.count += 1;
        value.list.push(value.count);
      };
      let runs = 0;
      await memory.transaction(
        async ({ records }) => {
          runs += 1;
          await records.update('n', change);
          if (runs === 1) await memory.records.update('n', change);
        },
        { isolation },
      );
      expect(runs).toBe(2);
      expect(memory.records.getSync('n')?.value).toEqual({ count: 2, list: [0, 1, 2] });
    });

    test('loses none of twenty changes at once, each made of two', async () => {
      const { memory } = await opened(location());
      await memory.records.store('n', 0);
      const { ids } = await memory.conversations.store({ ...talk, data: ['0'] });
      const id = ids[0] as string;
      const counting = async ({ records, conversations, users }: TransactionMemory) => {
        await records.update<number>('n', (n) => n + 1);
        await records.update<number>('n', (n) => n + 1);
        const [item] = await conversations.retrieve(talk);
        await conversations.update({ ...talk, id, data: String(Number(item?.data) + 1) });
        await users.changeContext('anna', (draft) => {
          draft.friendshipLevel += 1;
        });
      };
      await Promise.all(
        Array.from({ length: 20 }, () => memory.transaction(counting, { isolation, retries: 100 })),
      );
      expect(memory.records.getSync('n')?.value).toBe(40);
      expect(memory.conversations.retrieveSync(talk)).toMatchObject([{ id, data: '20' }]);
      expect(memory.users.getContextSync('anna').friendshipLevel).toBe(20);
    });

    test('holds the version that is expected, also where nothing would change', async () => {
      const { memory } = await opened(location());
      await memory.records.store('k', 1);
      for (const value of [1, 2]) {
        const storing = () =>
          memory.transaction(
            ({ records }) => records.store('k', value, {}, { expectedVersion: 7 }),
            { isolation },
          );
        expect((await refusal(storing)).code).toBe('VERSION_CONFLICT');
      }
      const right = await memory.transaction(
        ({ records }) => records.store('k', 2, {}, { expectedVersion: 1 }),
        { isolation },
      );
      expect(right).toMatchObject({ changed: true, version: 2 });
      expect(memory.engine.head.position).toBe(2);
    });

    test('waits for nobody where it only adds', async () => {
      const { memory } = await opened(location());
      let runs = 0;
      await memory.transaction(
        async ({ conversations, users }) => {
          runs += 1;
          await conversations.store({ ...talk, data: ['mine'] });
          await users.updateContext('anna', { message: 'a', response: 'b' });
          if (runs > 1) return;
          await memory.conversations.store({ ...talk, data: ['theirs'] });
          await memory.users.updateContext('anna', { message: 'c', response: 'd' });
        },
        { isolation },
      );
      const items = await memory.conversations.retrieve(talk);
      expect(items.map(({ data }) => data).sort()).toEqual(['mine', 'theirs']);
      expect(memory.users.getContextSync('anna').conversationsCount).toBe(2);
      expect(runs).toBe(isolation === 'snapshot' || isolation === 'repeatable-read' ? 2 : 1);
    });
  });
});
