/** Wrong arguments of records, conversations and users that no type would let pass, and drafts that are misused. */
import { describe, expect, test } from 'vitest';
import { opened, places, refusal } from './support-memory.js';

const invalid = { name: 'TypeError', code: 'INVALID_ARGUMENT' };
const talk = { conversationId: 'c', memoryType: 'long-term' } as const;
const exchange = { message: 'a', response: 'b' };

describe.each(places)('in %s', (_, location) => {
  test.each<[string, unknown]>([
    ['null', null],
    ['a text', 'alice'],
    ['a list', []],
    ['a member that there is not', { actr: 'alice' }],
    ['an actor that is no text', { actor: 7 }],
    ['an empty idempotency key', { idempotencyKey: '' }],
    ['a version that is none', { expectedVersion: 'foo' }],
    ['a version below 0', { expectedVersion: -1 }],
    ['a version between two', { expectedVersion: 1.5 }],
  ])(
    'write options are refused that are or have %s, also where nothing would change',
    async (_what, wrong) => {
      const { memory } = await opened(location());
      const write = wrong as object;
      const { records, conversations, users } = memory;
      await records.store('k', 1);
      await users.remember('anna', 'likes tea');
      const { position } = memory.engine.head;
      for (const call of [
        () => records.store('k', 1, {}, write),
        () => records.storeSync('k', 2, {}, write),
        () => records.storeMany([{ key: 'k', value: 1 }], write),
        () => records.update('k', () => 1, write),
        () => records.deleteSync('none', write),
        () => records.storeResult('p', 't', 1, write),
        () => conversations.store({ ...talk, data: ['a'] }, write),
        () => conversations.storeSync({ ...talk, data: ['a'] }, write),
        () => conversations.delete(talk, write),
        () => users.updateContext('anna', exchange, write),
        () => users.changeContext('anna', () => {}, write),
        () => users.rememberSync('anna', 'likes tea', write),
        () => memory.transaction((tx) => tx.records.store('k', 1, {}, write)),
      ]) {
        expect(await refusal(call)).toMatchObject(invalid);
      }
      expect(memory.engine.head.position).toBe(position);
    },
  );

  test('a change that returns something and changes the draft too is refused, and says what to write', async () => {
    const { memory } = await opened(location());
    await memory.records.store('k', { n: 1 });
    const change = (draft: { n: number }): never => {
      draft.n = 2;
      return 7 as never;
    };
    for (const call of [
      () => memory.records.update('k', change),
      () => memory.records.updateSync('k', change),
    ]) {
      const error = await refusal(call);
      expect(error).toMatchObject(invalid);
      expect(error.message).toContain('with braces');
    }
    expect(memory.records.getSync('k')?.value).toEqual({ n: 1 });
    await memory.users.changeContext('anna', (draft) => draft.topics.push('tea'));
    expect(memory.users.getContextSync('anna').topics).toEqual(['tea']);
  });

  test('a draft that is given another prototype is refused, and nobody else gets it', async () => {
    const { memory } = await opened(location());
    await memory.records.store('k', { n: 1 });
    const change = (draft: object): void => {
      Reflect.set(draft, '__proto__', { polluted: true }, draft);
      Object.assign(draft, JSON.parse('{"__proto__":{"polluted":true}}'));
    };
    for (const call of [
      () => memory.records.update<object>('k', change),
      () => memory.users.changeContext('anna', (draft) => change(draft.preferences)),
    ]) {
      expect(await refusal(call)).toMatchObject(invalid);
    }
    expect(memory.engine.head.position).toBe(1);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a change that waits is refused, also one that has changed the draft and fails later', async () => {
    const { memory } = await opened(location());
    await memory.records.store('k', { n: 1 });
    const change = async (draft: { n: number }): Promise<void> => {
      draft.n = 2;
      await Promise.resolve();
      throw new Error('nobody hears this');
    };
    const error = await refusal(() => memory.records.update('k', change as never));
    expect(error).toMatchObject(invalid);
    expect(error.message).toContain('asynchronous');
  });

  test('drafts take what arrays and objects take, and what is stored leads to the same value', async () => {
    const { memory } = await opened(location());
    const { records } = memory;
    await records.store('k', { list: [1, 2, 3, 4], map: { a: { b: [{}] } }, gone: 1 });
    await records.update<{ list: number[]; map: Record<string, unknown>; gone?: number }>(
      'k',
      (draft) => {
        draft.list.splice(1, 2);
        draft.list.unshift(0);
        draft.list.reverse();
        draft.map['a/b~c'] = draft.map['a'];
        draft.map['ü'] = { '': null };
        delete draft.map['a'];
        delete draft.gone;
      },
    );
    const expected = { list: [4, 1, 0], map: { 'a/b~c': { b: [{}] }, ü: { '': null } } };
    expect(records.getSync('k')?.value).toEqual(expected);
    await records.update<{ list: number[] }>('k', (draft) => {
      draft.list.length = 0;
    });
    expect(records.getSync('k')?.value).toEqual({ ...expected, list: [] });
    await records.update<{ map: unknown }>('k', (draft) => draft.map as never);
    expect(records.getSync('k')?.value).toEqual(expected.map);
  });

  test('what has expired does not come back when the clock goes back', async () => {
    const { memory, clock } = await opened(location());
    const { records, conversations } = memory;
    await records.store('k', 1, { ttlMs: 1000 });
    await conversations.store({ ...talk, data: ['a'], ttlMs: 1000 });
    clock.advance(1000);
    await records.store('later', 1);
    clock.advance(-500);
    expect(records.getSync('k')).toBeUndefined();
    expect(await conversations.retrieve(talk)).toEqual([]);
    const seen = await memory.transaction((tx) => tx.records.get('k'));
    expect(seen).toBeUndefined();
    expect((await memory.status()).models['records']).toMatchObject({ items: 1, expired: 1 });
    expect((await records.delete('k')).changed).toBe(false);
    await records.store('k', 2);
    expect(records.getSync('k')).toMatchObject({ createdAt: '2026-01-01T00:00:01.000Z' });
  });

  test('records are the streams of records alone', async () => {
    const { memory } = await opened(location());
    const data = { value: 'tea', section: 'semantic' };
    await memory.engine.append('elsewhere/k', { type: 'record.stored', data });
    await memory.records.store('k', 'tea');
    expect(memory.records.listSync().items.map(({ id }) => id)).toEqual(['records/k']);
    expect((await memory.records.recall('tea')).map(({ id }) => id)).toEqual(['records/k']);
    expect((await memory.records.getContext('p', 'tea')).items).toHaveLength(1);
  });
});
