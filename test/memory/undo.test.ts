/** Taking back what was done, without taking back what came later. */
import { describe, expect, test } from 'vitest';
import {
  defineEvents,
  event,
  type Memory,
  UndoConflictError,
  UndoRefusedError,
} from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

type Change = Parameters<Memory['users']['changeContext']>[1];

async function change(memory: Memory, work: Change, id = 'anna'): Promise<number> {
  return (await memory.users.changeContext(id, work)).position;
}

const like =
  (name: string, value: unknown): Change =>
  (draft) => {
    draft.preferences[name] = value;
  };

async function preferences(memory: Memory, id = 'anna'): Promise<unknown> {
  return (await memory.users.getContext(id)).preferences;
}

describe.each(places)('undoing in %s', (_, location) => {
  test('puts back what a commit changed, says who did it and why, and what it undoes', async () => {
    const { memory } = await opened(location());
    await change(memory, like('tea', 'green'));
    const position = await change(memory, like('tea', 'black'));
    const undone = await memory.undo(position, { actor: 'ben', reason: 'a mistake' });
    expect(undone).toEqual({
      position: 3,
      undoes: 2,
      ids: ['users/anna'],
      changed: true,
      repeated: false,
    });
    expect(Object.isFrozen(undone)).toBe(true);
    expect(await preferences(memory)).toEqual({ tea: 'green' });
    const [last] = await memory.engine.readAll({ from: 3 }).toArray();
    expect(last).toMatchObject({
      type: 'user.reverted',
      actor: 'ben',
      reason: 'a mistake',
      causationId: '2',
      data: {
        undoes: '2.0',
        patches: [{ op: 'replace', path: '/context/preferences/tea', value: 'green' }],
      },
    });
  });

  test('makes absent what the commit made', async () => {
    const { memory } = await opened(location());
    const position = await change(memory, like('tea', 'green'));
    await memory.undo(position);
    expect((await memory.status()).models['users']).toMatchObject({ items: 0, bytes: 0 });
    await memory.users.remember('anna', 'is new again');
    expect(await preferences(memory)).toEqual({});
  });

  test('leaves what came later and is elsewhere', async () => {
    const { memory } = await opened(location());
    await change(memory, like('cake', 'none'));
    const position = await change(memory, like('tea', 'green'));
    await change(memory, like('cake', 'plum'));
    await memory.users.updateContext('anna', { message: 'a', response: 'b' });
    await memory.undo(position);
    expect(await memory.users.getContext('anna')).toMatchObject({
      preferences: { cake: 'plum' },
      conversationsCount: 1,
    });
  });

  test('of what was undone does it again, and so on', async () => {
    const { memory } = await opened(location());
    await change(memory, like('cake', 'none'));
    const first = await change(memory, like('tea', 'green'));
    let position = first;
    for (const expected of [{ cake: 'none' }, { cake: 'none', tea: 'green' }, { cake: 'none' }]) {
      position = (await memory.undo(position)).position;
      expect(await preferences(memory)).toEqual(expected);
    }
    await memory.undo(position);
    expect(await memory.undo(first)).toMatchObject({ changed: true });
    expect(await preferences(memory)).toEqual({ cake: 'none' });
  });

  test('goes back step by step: what was undone stands in nobody\u2019s way', async () => {
    const { memory } = await opened(location());
    const positions: number[] = [];
    for (let level = 0; level < 4; level += 1)
      positions.push(await change(memory, like('tea', level)));
    for (const position of positions.slice(1).reverse()) await memory.undo(position);
    expect(await preferences(memory)).toEqual({ tea: 0 });
  });

  test.each<[string, Change, Change, string]>([
    ['the same place', like('tea', 1), like('tea', 2), '/context/preferences/tea'],
    [
      'a place below',
      like('tea', {}),
      (d) => ((d.preferences['tea'] as { a: 1 }).a = 1),
      '/context/preferences/tea/a',
    ],
    [
      'a place above',
      (d) => ((d.preferences['old'] as { a: number }).a = 2),
      (d) => void delete d.preferences['old'],
      '/context/preferences/old',
    ],
    [
      'the same list',
      (d) => void d.topics.push('b'),
      (d) => void d.topics.unshift('c'),
      '/context/topics',
    ],
  ])('is refused when a later event changed %s', async (_what, first, second, path) => {
    const { memory } = await opened(location());
    await change(memory, (draft) => {
      draft.preferences['old'] = { a: 1 };
      draft.topics.push('a');
    });
    const position = await change(memory, first);
    const later = await change(memory, second);
    const before = await memory.users.getContext('anna');
    const error = await refusal(() => memory.undo(position));
    expect(error).toBeInstanceOf(UndoConflictError);
    expect(error).toMatchObject({ positions: [later], paths: [{ stream: 'users/anna', path }] });
    expect(memory.engine.head.position).toBe(later);
    expect(await memory.users.getContext('anna')).toBe(before);
    await memory.undo(later);
    await memory.undo(position);
    expect(await memory.users.getContext('anna')).toMatchObject({
      preferences: { old: { a: 1 } },
      topics: ['a'],
    });
  });

  test('is refused again when what stood in the way was done again', async () => {
    const { memory } = await opened(location());
    await change(memory, like('tea', 0));
    const position = await change(memory, like('tea', 1));
    const later = await change(memory, like('tea', 2));
    const { position: undoing } = await memory.undo(later);
    await memory.undo(undoing);
    expect(await refusal(() => memory.undo(position))).toBeInstanceOf(UndoConflictError);
  });

  test('of names that only begin alike is none of the same place', async () => {
    const { memory } = await opened(location());
    await change(memory, like('old', 1));
    const position = await change(memory, like('tea', 1));
    await change(memory, like('tea-time', 2));
    await memory.undo(position);
    expect(await preferences(memory)).toEqual({ old: 1, 'tea-time': 2 });
  });

  test('undoes a transaction as a whole, over several keys, the last event first', async () => {
    const { memory } = await opened(location());
    await change(memory, like('tea', 0));
    await memory.transaction(async (tx) => {
      await tx.users.changeContext('anna', like('tea', 1));
      await tx.users.changeContext('anna', like('tea', 2));
      await tx.users.changeContext('ben', like('cake', 1));
    });
    const undone = await memory.undo(2);
    expect(undone.ids).toEqual(['users/anna', 'users/ben']);
    expect(await preferences(memory)).toEqual({ tea: 0 });
    expect(await preferences(memory, 'ben')).toEqual({});
    await memory.undo(undone.position);
    expect(await preferences(memory)).toEqual({ tea: 2 });
    expect(await preferences(memory, 'ben')).toEqual({ cake: 1 });
  });

  test('undoes nothing of a transaction when one of its keys stands against it', async () => {
    const { memory } = await opened(location());
    await change(memory, like('old', 0));
    await memory.transaction(async (tx) => {
      await tx.users.changeContext('anna', like('tea', 1));
      await tx.users.changeContext('ben', like('cake', 1));
    });
    await change(memory, like('cake', 2), 'ben');
    expect(await refusal(() => memory.undo(2))).toMatchObject({
      paths: [{ stream: 'users/ben', path: '/context/preferences/cake' }],
    });
    expect(await preferences(memory)).toEqual({ old: 0, tea: 1 });
  });

  test('is refused for events that have no opposite, with all that stands beside them', async () => {
    const { memory } = await opened(location());
    await memory.transaction(async (tx) => {
      await tx.users.changeContext('anna', like('tea', 1));
      await tx.episodes.record({ text: 'It rained.' });
    });
    const error = await refusal(() => memory.undo(1));
    expect(error).toBeInstanceOf(UndoRefusedError);
    expect(error).toMatchObject({ position: 1, event: '1.1' });
    expect(error.message).toContain('has no opposite');
    expect(memory.engine.head.position).toBe(1);
  });

  test('is refused for what was undone already, and says how to have it again', async () => {
    const { memory } = await opened(location());
    const position = await change(memory, like('tea', 1));
    await memory.undo(position);
    const error = await refusal(() => memory.undo(position));
    expect(error).toBeInstanceOf(UndoRefusedError);
    expect(error.message).toContain('undo position 2');
    expect(memory.engine.head.position).toBe(2);
  });

  test('is answered with the first result for a call with the same idempotency key', async () => {
    const { memory } = await opened(location());
    const position = await change(memory, like('tea', 1));
    const first = await memory.undo(position, { idempotencyKey: 'k' });
    const second = await memory.undo(position, { idempotencyKey: 'k' });
    expect(second).toEqual({ ...first, repeated: true });
  });

  test('is answered with what was written, where some of the commit left nothing to undo', async () => {
    const { memory } = await opened(location());
    await memory.transaction(async (tx) => {
      await tx.sites.getOrCreateProfile('example.com');
      await tx.users.remember('anna', 'plays chess');
    });
    // The site is known by more than the commit now.
    await memory.sites.recordVisit('example.com');
    const first = await memory.undo(1, { idempotencyKey: 'k' });
    expect(first.ids).toEqual(['users/anna']);
    expect(await memory.sites.getProfile('example.com')).toMatchObject({ visits: { count: 1 } });
    await memory.users.remember('ben', 'plays go');
    expect(await memory.undo(1, { idempotencyKey: 'k' })).toEqual({ ...first, repeated: true });
  });

  test('is refused for events that are your own', async () => {
    const events = defineEvents({ 'note.taken': event<string>() });
    const { memory } = await opened(location(), { events });
    await memory.engine.append('notes/1', { type: 'note.taken', data: 'x' });
    const error = await refusal(() => memory.undo(1));
    expect(error).toBeInstanceOf(UndoRefusedError);
    expect(error.message).toContain('belongs to no model');
  });

  test.each<[unknown, string]>([
    [0, 'INVALID_ARGUMENT'],
    [1.5, 'INVALID_ARGUMENT'],
    ['1', 'INVALID_ARGUMENT'],
    [2, 'POSITION_AHEAD'],
  ])('is refused for position %s', async (position, code) => {
    const { memory } = await opened(location());
    await change(memory, like('tea', 1));
    expect((await refusal(() => memory.undo(position as number))).code).toBe(code);
  });

  test('of one commit by many at once happens once', async () => {
    const { memory } = await opened(location());
    const position = await change(memory, like('tea', 1));
    const calls = Array.from({ length: 8 }, () => memory.undo(position));
    const ended = await Promise.allSettled(calls);
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const each of ended) {
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(UndoRefusedError);
    }
    expect(memory.engine.head.position).toBe(2);
  });

  test('looks at commits that come while it looks', async () => {
    const { memory } = await opened(location());
    await change(memory, like('old', 0));
    const position = await change(memory, like('tea', 1));
    const writing = Array.from({ length: 20 }, (_each, index) =>
      change(memory, like(`other-${index}`, index)),
    );
    await Promise.all([memory.undo(position), ...writing]);
    const known = (await preferences(memory)) as Record<string, unknown>;
    expect(known).not.toHaveProperty('tea');
    expect(Object.keys(known)).toHaveLength(21);
  });
});

test('undoing is the same after opening again', async () => {
  const directory = temporaryDirectory();
  const first = await opened(directory);
  await change(first.memory, like('old', 0));
  const position = await change(first.memory, like('tea', 1));
  await first.memory.undo(position);
  await first.memory.close();
  const { memory } = await opened(directory, { cacheBytes: 0 });
  expect(await preferences(memory)).toEqual({ old: 0 });
  await memory.undo(3);
  expect(await preferences(memory)).toEqual({ old: 0, tea: 1 });
});
