/** What is known of users. */
import { describe, expect, test } from 'vitest';
import type { UserContext } from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

const exchange = { message: 'Where is the tea?', response: 'On the shelf.' };
const beginning = { conversationsCount: 0, friendshipLevel: 0, preferences: {}, topics: [] };

describe.each(places)('users of a memory in %s', (_, location) => {
  test('are all alike at first: an unknown one gets a frozen default, and nothing is written', async () => {
    const { memory } = await opened(location());
    const context = await memory.users.getContext('nobody');
    expect(context).toEqual(beginning);
    expectDeeplyFrozen(context);
    expect(() => (context.topics as string[]).push('tea')).toThrow(TypeError);
    expect(memory.users.getContextSync('somebody')).toBe(context);
    expect(memory.engine.head.position).toBe(0);
  });

  test('are counted once per call, with the times of the first and the last conversation', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    clock.advance(60_000);
    const written = memory.users.updateContextSync('anna', exchange);
    expect(written).toEqual({
      id: 'users/anna',
      position: 2,
      version: 2,
      changed: true,
      repeated: false,
    });
    const context = await memory.users.getContext('anna');
    expect(context).toEqual({
      ...beginning,
      conversationsCount: 2,
      firstSeenAt: '2026-01-01T00:00:00.000Z',
      lastSeenAt: '2026-01-01T00:01:00.000Z',
    });
    expectDeeplyFrozen(context);
  });

  test('keep message and response as an episode, in the same commit', async () => {
    const { memory } = await opened(location());
    const { position } = await memory.users.updateContext('anna', exchange);
    const events = await memory.engine.readAll({ from: position, to: position }).toArray();
    expect(events.map(({ type }) => type)).toEqual(['user.conversed', 'episode.recorded']);
    const { items } = await memory.episodes.list({ filters: { participant: 'anna' } });
    expect(items).toMatchObject([
      {
        text: exchange.message,
        response: exchange.response,
        speaker: 'anna',
        kind: 'conversation',
      },
    ]);
    expect(items[0]?.id).toBe(events[1]?.stream);
  });

  test('are counted to 100 by 100 conversations at once, async and sync mixed', async () => {
    const { memory } = await opened(location());
    const calls = Array.from({ length: 100 }, (_each, index) =>
      index % 10 === 9
        ? memory.users.updateContextSync('anna', exchange)
        : memory.users.updateContext('anna', exchange),
    );
    const written = await Promise.all(calls);
    expect(new Set(written.map(({ version }) => version)).size).toBe(100);
    expect((await memory.users.getContext('anna')).conversationsCount).toBe(100);
    const { items } = await memory.episodes.list({ limit: 1000 });
    expect(items).toHaveLength(100);
  });

  test('are counted once for calls with one idempotency key, and the key is refused for others', async () => {
    const { memory, clock } = await opened(location());
    const options = { idempotencyKey: 'call-1' };
    const first = await memory.users.updateContext('anna', exchange, options);
    clock.advance(1000);
    expect(await memory.users.updateContext('anna', exchange, options)).toEqual({
      ...first,
      repeated: true,
    });
    expect(memory.users.updateContextSync('anna', exchange, options).repeated).toBe(true);
    expect(memory.users.getContextSync('anna').conversationsCount).toBe(1);
    const other = { ...exchange, response: 'In the kitchen.' };
    for (const call of [
      () => memory.users.updateContext('anna', other, options),
      () => memory.users.updateContextSync('anna', other, options),
      () => memory.users.updateContext('ben', exchange, options),
    ]) {
      expect((await refusal(call)).code).toBe('IDEMPOTENCY_KEY_REUSED');
    }
  });

  test('change by draft, and what is stored is the change alone', async () => {
    const { memory } = await opened(location());
    await memory.users.changeContext('anna', (draft) => {
      draft.friendshipLevel = 2;
      draft.topics.push('tea', 'chess');
      draft.preferences['style'] = { brief: true };
    });
    const { version } = memory.users.changeContextSync('anna', (draft) => {
      draft.topics.shift();
    });
    expect(version).toBe(2);
    const context = await memory.users.getContext('anna');
    expect(context).toEqual({
      ...beginning,
      friendshipLevel: 2,
      topics: ['chess'],
      preferences: { style: { brief: true } },
    });
    expectDeeplyFrozen(context);
    const [, last] = await memory.engine.readStream('users/anna').toArray();
    expect(last?.data).toEqual({ patches: [{ op: 'remove', path: '/topics/0' }] });
  });

  test('do not change, and nothing is written, when the draft ends as it began', async () => {
    const { memory } = await opened(location());
    await memory.users.changeContext('anna', (draft) => void draft.topics.push('tea'));
    const nothing = (draft: { topics: string[] }): void => {
      draft.topics.push('chess');
      draft.topics.pop();
    };
    const written = { id: 'users/anna', position: 1, version: 1, changed: false, repeated: false };
    expect(await memory.users.changeContext('anna', nothing)).toEqual(written);
    expect(memory.users.changeContextSync('anna', nothing)).toEqual(written);
  });

  test('take all changes of a hundred that run at once', async () => {
    const { memory } = await opened(location());
    await Promise.all(
      Array.from({ length: 100 }, () =>
        memory.users.changeContext('anna', (draft) => {
          draft.friendshipLevel += 1;
        }),
      ),
    );
    expect((await memory.users.getContext('anna')).friendshipLevel).toBe(100);
  });

  test.each<[string, (draft: Record<string, unknown>) => unknown, string]>([
    ['the count', (draft) => (draft['conversationsCount'] = 7), 'updateContext'],
    ['the first time', (draft) => (draft['firstSeenAt'] = '2020'), 'updateContext'],
    ['the last time', (draft) => delete draft['lastSeenAt'], 'updateContext'],
    ['a member that there is not', (draft) => (draft['mood'] = 'good'), 'mood'],
    ['a level that is no number', (draft) => (draft['friendshipLevel'] = Number.NaN), 'number'],
    ['topics that are none', (draft) => (draft['topics'] = ['']), 'topics'],
    ['preferences that are none', (draft) => (draft['preferences'] = []), 'preferences'],
    ['a value that is no JSON', (draft) => (draft['preferences'] = { at: new Date() }), 'Date'],
    ['a promise', async () => {}, 'at once'],
  ])('refuse to change %s by draft', async (_what, change, said) => {
    const { memory } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    const recipe = ((draft: unknown) => {
      const answer = change(draft as Record<string, unknown>);
      return answer instanceof Promise ? answer : undefined;
    }) as (draft: unknown) => void;
    for (const call of [
      () => memory.users.changeContext('anna', recipe),
      () => memory.users.changeContextSync('anna', recipe),
    ]) {
      expect((await refusal(call)).message).toContain(said);
    }
    expect(memory.engine.head.position).toBe(1);
  });

  test('refuse an expected version that does not hold, and are not tried again', async () => {
    const { memory } = await opened(location());
    await memory.users.updateContext('anna', exchange, { expectedVersion: 0 });
    const calls = [
      () => memory.users.updateContext('anna', exchange, { expectedVersion: 0 }),
      () =>
        memory.users.changeContext('anna', (d) => void d.topics.push('a'), { expectedVersion: 7 }),
      () => memory.users.rememberSync('anna', 'likes tea', { expectedVersion: 'absent' }),
    ];
    for (const call of calls) expect((await refusal(call)).code).toBe('VERSION_CONFLICT');
    expect((await memory.users.getContext('anna')).conversationsCount).toBe(1);
  });

  test('are remembered by text, once, and recalled by shared words before others', async () => {
    const { memory, clock } = await opened(location());
    const { position } = await memory.users.remember('anna', 'Likes green tea.');
    clock.advance(1000);
    expect(memory.users.rememberSync('anna', 'Plays chess on Sundays.').changed).toBe(true);
    expect(await memory.users.remember('anna', 'Likes green tea.')).toMatchObject({
      changed: false,
    });
    await memory.users.remember('ben', 'Likes black tea.');
    await memory.users.updateContext('anna', exchange);
    const hits = await memory.users.recall('anna', 'green TEA?');
    expect(hits.map(({ kind, text }) => [kind, text])).toEqual([
      ['memory', 'Likes green tea.'],
      ['conversation', 'Where is the tea?\nOn the shelf.'],
    ]);
    expect(hits[0]).toMatchObject({ id: `users/anna/${position}.0`, position });
    expect(memory.users.recallSync('anna', 'green TEA?')).toEqual(hits);
    expectDeeplyFrozen(hits);
    expect(await memory.users.recall('anna', 'tea', { limit: 1 })).toHaveLength(1);
    expect(await memory.users.recall('anna', 'coffee')).toEqual([]);
    expect(await memory.users.recall('nobody', 'tea')).toEqual([]);
  });

  test('may be named like members of objects', async () => {
    const { memory } = await opened(location());
    for (const name of ['__proto__', 'constructor', 'a/b', 'ünï']) {
      await memory.users.updateContext(name, exchange);
      await memory.users.changeContext(name, (draft) => {
        draft.preferences = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
      });
      const context = await memory.users.getContext(name);
      expect(context.conversationsCount).toBe(1);
      expect(Object.keys(context.preferences)).toEqual(['__proto__', 'constructor']);
    }
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted');
  });

  test.each<[string, unknown]>([
    ['an empty id', ''],
    ['no text', 7],
    ['a control character', 'a\nb'],
    ['half a surrogate pair', 'a\ud800'],
    ['an id that no stream can be named by', 'x'.repeat(195)],
  ])('refuse %s', async (_what, id) => {
    const { memory } = await opened(location());
    for (const call of [
      () => memory.users.getContext(id as string),
      () => memory.users.getContextSync(id as string),
      () => memory.users.updateContext(id as string, exchange),
      () => memory.users.rememberSync(id as string, 'x'),
      () => memory.users.recall(id as string, 'x'),
    ]) {
      expect(await refusal(call)).toMatchObject({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
    }
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no response', { message: 'a' }],
    ['an empty message', { message: ' ', response: 'b' }],
    ['a member that there is not', { ...exchange, mood: 'good' }],
  ])('refuse an exchange with %s', async (_what, wrong) => {
    const { memory } = await opened(location());
    const call = () => memory.users.updateContext('anna', wrong as typeof exchange);
    expect((await refusal(call)).name).toBe('TypeError');
    expect(() => memory.users.updateContextSync('anna', wrong as typeof exchange)).toThrow(
      TypeError,
    );
    expect(memory.engine.head.position).toBe(0);
  });

  test('are read as of a moment', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    clock.advance(60_000);
    await memory.users.updateContext('anna', exchange);
    const before = memory.at(new Date(clock.now() - 1));
    expect((await before.users.getContext('anna')).conversationsCount).toBe(1);
    expect(memory.at(0).users.getContextSync('anna')).toEqual(beginning);
    const writing = () => before.users.updateContext('anna', exchange);
    expect((await refusal(writing)).code).toBe('STORE_READ_ONLY');
    expect(() => before.users.rememberSync('anna', 'x')).toThrow('for reading only');
  });
});

test('users are the same after opening again, and with no room to keep states', async () => {
  const directory = temporaryDirectory();
  const first = await opened(directory, { cacheBytes: 0 });
  const seen: UserContext[] = [];
  for (let index = 0; index < 20; index += 1) {
    const id = `user-${index % 3}`;
    await first.memory.users.updateContext(id, exchange);
    await first.memory.users.changeContext(id, (draft) => void draft.topics.push(`t${index}`));
  }
  for (const id of ['user-0', 'user-1', 'user-2']) seen.push(first.memory.users.getContextSync(id));
  await first.memory.close();
  const { memory } = await opened(directory);
  for (const [index, context] of seen.entries()) {
    expect(await memory.users.getContext(`user-${index}`)).toEqual(context);
  }
});
