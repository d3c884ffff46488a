/** Every call of records, conversations and users that writes: idempotency keys, and versions that are expected. */
import { describe, expect, test } from 'vitest';
import type { Memory, WriteOptions, Written } from '#src/index.js';
import { opened, places, refusal } from './support-memory.js';

interface Call {
  readonly name: string;
  /** The stream that it writes. */
  readonly stream: string;
  /** Makes the memory one on which it changes something. */
  readonly before?: (memory: Memory) => Promise<unknown>;
  run(memory: Memory, write: WriteOptions): Promise<Written>;
  runSync?(memory: Memory, write: WriteOptions): Written;
  /** What others do afterwards, so that the same call would do something else now, or nothing, or fail. */
  readonly after?: (memory: Memory) => Promise<unknown>;
  /** The same call for something else. */
  other(memory: Memory, write: WriteOptions): Promise<unknown>;
}

const talk = { conversationId: 'c', memoryType: 'long-term' } as const;
const exchange = { message: 'Hello.', response: 'Hello to you.' };
const increase = (n: number): number => n + 1;
const rename = (draft: { name?: string }): void => {
  draft.name = 'n';
};
const one = async (written: Promise<readonly Written[]>): Promise<Written> =>
  (await written)[1] as Written;
const talked = (memory: Memory) =>
  memory.conversations.store({ ...talk, data: ['a'] }, { idempotencyKey: 'talked' });
/** The id follows from the idempotency key. */
const idOf = async (memory: Memory): Promise<string> => (await talked(memory)).ids[0] as string;

const calls: readonly Call[] = [
  {
    name: 'records.store',
    stream: 'records/k',
    run: (memory, write) => memory.records.store('k', { a: 1 }, { tags: ['t'] }, write),
    runSync: (memory, write) => memory.records.storeSync('k', { a: 1 }, { tags: ['t'] }, write),
    after: (memory) => memory.records.store('k', 2),
    other: (memory, write) => memory.records.store('k', { a: 1 }, {}, write),
  },
  {
    name: 'records.store with a ttl',
    stream: 'records/k',
    run: (memory, write) => memory.records.store('k', 1, { ttlMs: 1000 }, write),
    runSync: (memory, write) => memory.records.storeSync('k', 1, { ttlMs: 1000 }, write),
    after: (memory) => memory.records.delete('k'),
    other: (memory, write) => memory.records.store('k', 1, { ttlMs: 2000 }, write),
  },
  {
    name: 'records.storeMany of which some change nothing the second time',
    stream: 'records/b',
    run: (memory, write) =>
      one(
        memory.records.storeMany(
          [
            { key: 'a', value: 1, ttlMs: 1000 },
            { key: 'b', value: 1 },
          ],
          write,
        ),
      ),
    runSync: (memory, write) =>
      memory.records.storeManySync(
        [
          { key: 'a', value: 1, ttlMs: 1000 },
          { key: 'b', value: 1 },
        ],
        write,
      )[1] as Written,
    other: (memory, write) => memory.records.storeMany([{ key: 'a', value: 1 }], write),
  },
  {
    name: 'records.storeMany of which one changed nothing the first time, and was changed since',
    stream: 'records/b',
    before: (memory) =>
      memory.records.storeMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 0 },
      ]),
    run: (memory, write) =>
      one(
        memory.records.storeMany(
          [
            { key: 'a', value: 1 },
            { key: 'b', value: 1 },
          ],
          write,
        ),
      ),
    after: (memory) => memory.records.store('a', 2),
    other: (memory, write) =>
      memory.records.storeMany(
        [
          { key: 'b', value: 1 },
          { key: 'c', value: 1 },
        ],
        write,
      ),
  },
  {
    name: 'records.update',
    stream: 'records/n',
    before: (memory) => memory.records.store('n', 1),
    run: (memory, write) => memory.records.update<number>('n', increase, write),
    runSync: (memory, write) => memory.records.updateSync<number>('n', increase, write),
    after: (memory) => memory.records.delete('n'),
    other: (memory, write) => memory.records.update<number>('m', increase, write),
  },
  {
    name: 'records.update to a value that it has the second time',
    stream: 'records/p',
    before: (memory) => memory.records.store('p', {}),
    run: (memory, write) => memory.records.update<object>('p', rename, write),
    runSync: (memory, write) => memory.records.updateSync<object>('p', rename, write),
    other: (memory, write) => memory.records.delete('p', write),
  },
  {
    name: 'records.delete',
    stream: 'records/d',
    before: (memory) => memory.records.store('d', 1),
    run: (memory, write) => memory.records.delete('d', write),
    runSync: (memory, write) => memory.records.deleteSync('d', write),
    other: (memory, write) => memory.records.store('d', 1, {}, write),
  },
  {
    name: 'records.delete of what is stored anew since',
    stream: 'records/d',
    before: (memory) => memory.records.store('d', 1),
    run: (memory, write) => memory.records.delete('d', write),
    runSync: (memory, write) => memory.records.deleteSync('d', write),
    after: (memory) => memory.records.store('d', 2),
    other: (memory, write) => memory.records.update('d', () => 3, write),
  },
  {
    name: 'conversations.store',
    stream: 'conversations/c/long-term',
    run: (memory, write) => memory.conversations.store({ ...talk, data: ['b'] }, write),
    runSync: (memory, write) => memory.conversations.storeSync({ ...talk, data: ['b'] }, write),
    after: (memory) => memory.conversations.delete(talk),
    other: (memory, write) => memory.conversations.store({ ...talk, data: ['c'] }, write),
  },
  {
    name: 'conversations.update',
    stream: 'conversations/c/long-term',
    before: talked,
    run: async (memory, write) =>
      memory.conversations.update({ ...talk, id: await idOf(memory), data: 'b' }, write),
    after: (memory) => memory.conversations.delete(talk),
    other: async (memory, write) =>
      memory.conversations.update({ ...talk, id: await idOf(memory), data: 'c' }, write),
  },
  {
    name: 'conversations.update to data that it has the second time',
    stream: 'conversations/c/long-term',
    before: talked,
    run: async (memory, write) =>
      memory.conversations.update({ ...talk, id: await idOf(memory), data: 'b' }, write),
    other: async (memory, write) =>
      memory.conversations.delete({ ...talk, id: await idOf(memory) }, write),
  },
  {
    name: 'conversations.delete',
    stream: 'conversations/c/long-term',
    before: talked,
    run: (memory, write) => memory.conversations.delete(talk, write),
    runSync: (memory, write) => memory.conversations.deleteSync(talk, write),
    other: async (memory, write) =>
      memory.conversations.delete({ ...talk, id: await idOf(memory) }, write),
  },
  {
    name: 'users.updateContext',
    stream: 'users/anna',
    run: (memory, write) => memory.users.updateContext('anna', exchange, write),
    runSync: (memory, write) => memory.users.updateContextSync('anna', exchange, write),
    after: (memory) => memory.users.updateContext('anna', exchange),
    other: (memory, write) => memory.users.updateContext('ben', exchange, write),
  },
  {
    name: 'users.changeContext',
    stream: 'users/anna',
    run: (memory, write) => memory.users.changeContext('anna', befriend, write),
    runSync: (memory, write) => memory.users.changeContextSync('anna', befriend, write),
    after: (memory) => memory.users.changeContext('anna', befriend),
    other: (memory, write) => memory.users.changeContext('ben', befriend, write),
  },
  {
    name: 'users.changeContext to what it is the second time',
    stream: 'users/anna',
    run: (memory, write) => memory.users.changeContext('anna', likeTea, write),
    runSync: (memory, write) => memory.users.changeContextSync('anna', likeTea, write),
    other: (memory, write) => memory.users.remember('anna', 'x', write),
  },
  {
    name: 'users.remember',
    stream: 'users/anna',
    run: (memory, write) => memory.users.remember('anna', 'likes tea', write),
    runSync: (memory, write) => memory.users.rememberSync('anna', 'likes tea', write),
    other: (memory, write) => memory.users.remember('anna', 'likes chess', write),
  },
];

function befriend(draft: { friendshipLevel: number }): void {
  draft.friendshipLevel += 1;
}

function likeTea(draft: { topics: string[] }): void {
  draft.topics = ['tea'];
}

describe.each(places)('in %s', (_, location) => {
  describe.each(calls)('$name', (call) => {
    async function prepared(): Promise<Memory> {
      const { memory } = await opened(location());
      await call.before?.(memory);
      return memory;
    }

    test('with an idempotency key happens once, and answers as the first time', async () => {
      const memory = await prepared();
      const write = { idempotencyKey: 'once' };
      const first = await call.run(memory, write);
      expect(first).toMatchObject({ changed: true, repeated: false });
      const { position } = memory.engine.head;
      const again = await call.run(memory, write);
      expect(again).toEqual({ ...first, repeated: true });
      if (call.runSync) expect(call.runSync(memory, write)).toEqual(again);
      expect(memory.engine.head.position).toBe(position);
    });

    test('with that key happens once whatever others did since, also at once', async () => {
      const memory = await prepared();
      const write = { idempotencyKey: 'once' };
      const answers = await Promise.all([call.run(memory, write), call.run(memory, write)]);
      const [first] = answers.filter(({ repeated }) => !repeated);
      expect(answers.filter(({ repeated }) => repeated)).toEqual([{ ...first, repeated: true }]);
      await call.after?.(memory);
      const { position } = memory.engine.head;
      expect(await call.run(memory, write)).toEqual({ ...first, repeated: true });
      if (call.runSync) {
        expect(call.runSync(memory, write)).toEqual({ ...first, repeated: true });
      }
      expect(memory.engine.head.position).toBe(position);
    });

    test('for something else is refused that key', async () => {
      const memory = await prepared();
      await memory.records.store('m', 1);
      const write = { idempotencyKey: 'once' };
      await call.run(memory, write);
      const { position } = memory.engine.head;
      const { code } = await refusal(() => call.other(memory, write));
      expect(code).toBe('IDEMPOTENCY_KEY_REUSED');
      expect(memory.engine.head.position).toBe(position);
    });

    test('keeps to the version that is expected, also when it would change nothing', async () => {
      const memory = await prepared();
      const version = await memory.engine.version(call.stream);
      const { position } = memory.engine.head;
      const wrong: WriteOptions['expectedVersion'][] = [
        version + 1,
        version === 0 ? 'exists' : 'absent',
      ];
      for (const expectedVersion of wrong) {
        const conflict = await refusal(() => call.run(memory, { expectedVersion }));
        expect(conflict.code).toBe('VERSION_CONFLICT');
        if (!call.runSync) continue;
        expect(() => call.runSync?.(memory, { expectedVersion })).toThrow(/expected/);
      }
      expect(memory.engine.head.position).toBe(position);
      const written = await call.run(memory, {
        expectedVersion: version === 0 ? 'absent' : version,
      });
      expect(written).toMatchObject({ changed: true, id: call.stream, version: version + 1 });
      const late = await refusal(() => call.run(memory, { expectedVersion: version }));
      expect(['VERSION_CONFLICT', 'MEMORY_NOT_FOUND']).toContain(late.code);
    });
  });
});
