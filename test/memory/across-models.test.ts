/** What goes across the models: one commit, the past, and who changed what. */
import { describe, expect, test } from 'vitest';
import type { TransactionMemory } from '#src/index.js';
import { opened, places, refusal } from './support-memory.js';

const exchange = { message: 'a', response: 'b' };

describe.each(places)('a transaction of a memory in %s', (_, location) => {
  test('writes over several models in one commit, and reads what it wrote', async () => {
    const { memory } = await opened(location());
    const seen = await memory.transaction(async (tx) => {
      await tx.users.updateContext('anna', exchange);
      await tx.users.changeContext('anna', (draft) => void draft.topics.push('tea'));
      await tx.users.updateContext('anna', exchange);
      const written = await tx.episodes.record({ text: 'We met.' });
      expect(written).toMatchObject({ position: 0, changed: true });
      expect(await tx.episodes.get(written.id)).toMatchObject({ text: 'We met.' });
      expect(memory.users.getContextSync('anna').conversationsCount).toBe(0);
      return await tx.users.getContext('anna');
    });
    expect(seen).toMatchObject({ conversationsCount: 2, topics: ['tea'] });
    expect(memory.engine.head.position).toBe(1);
    expect(await memory.users.getContext('anna')).toMatchObject(seen);
    expect((await memory.episodes.list()).items).toHaveLength(3);
  });

  test('writes nothing when its function throws, or rolls back', async () => {
    const { memory } = await opened(location());
    const failing = memory.transaction(async (tx) => {
      await tx.users.updateContext('anna', exchange);
      throw new Error('enough');
    });
    await expect(failing).rejects.toThrow('enough');
    const rolling = memory.transaction(async (tx) => {
      await tx.users.updateContext('anna', exchange);
      tx.engine.rollback('enough');
    });
    expect((await refusal(() => rolling)).code).toBe('TRANSACTION_ROLLED_BACK');
    expect(memory.engine.head.position).toBe(0);
  });

  test('goes back to a savepoint', async () => {
    const { memory } = await opened(location());
    await memory.transaction(async (tx) => {
      await tx.users.remember('anna', 'one');
      const savepoint = tx.engine.savepoint();
      await tx.users.remember('anna', 'two');
      tx.engine.rollbackTo(savepoint);
    });
    expect(await memory.users.recall('anna', 'one two')).toMatchObject([{ text: 'one' }]);
  });

  test('runs again when what it read was changed, so that no change is lost', async () => {
    const { memory } = await opened(location());
    const add = (tx: TransactionMemory) =>
      tx.users.changeContext('anna', (draft) => {
        draft.friendshipLevel += 1;
      });
    await Promise.all(Array.from({ length: 10 }, () => memory.transaction(add, { retries: 100 })));
    expect((await memory.users.getContext('anna')).friendshipLevel).toBe(10);
  });

  test('that only counts conflicts with nobody', async () => {
    const { memory } = await opened(location());
    await memory.transaction(
      async (tx) => {
        await tx.users.updateContext('anna', exchange);
        await memory.users.updateContext('anna', exchange);
      },
      { retries: 0 },
    );
    expect((await memory.users.getContext('anna')).conversationsCount).toBe(2);
  });

  test('has no synchronous calls, no actor for a part of it, and no calls after its end', async () => {
    const { memory } = await opened(location());
    let late: TransactionMemory | undefined;
    await memory.transaction(async (tx) => {
      late = tx;
      expect((await refusal(() => tx.users.getContextSync('anna'))).code).toBe('ASYNC_ONLY');
      expect((await refusal(() => tx.users.rememberSync('anna', 'x'))).code).toBe('ASYNC_ONLY');
      const asBen = () => tx.users.remember('anna', 'x', { actor: 'ben' });
      expect((await refusal(asBen)).message).toContain('actor belongs to the whole transaction');
      await tx.users.remember('anna', 'x', { expectedVersion: 0, actor: undefined });
    });
    const calling = () => late?.users.getContext('anna');
    expect((await refusal(calling)).code).toBe('TRANSACTION_ENDED');
    expect((await refusal(() => memory.transaction(7 as never))).name).toBe('TypeError');
  });
});

describe.each(places)('the past of a memory in %s', (_, location) => {
  test('is told event by event, part by part, and between two moments', async () => {
    const { memory, clock } = await opened(location());
    await memory.as('ben').users.changeContext('anna', (draft) => {
      draft.preferences['tea'] = 'green';
    });
    clock.advance(60_000);
    await memory.as('carl').users.changeContext('anna', (draft) => {
      draft.preferences['tea'] = 'black';
    });
    await memory.users.remember('dora', 'plays chess');
    const history = await memory.history('users/anna').toArray();
    expect(history.map(({ event, patches }) => [event.actor, patches.length])).toEqual([
      ['ben', 1],
      ['carl', 1],
    ]);
    expect(history[1]?.patches).toEqual([
      { op: 'replace', path: '/context/preferences/tea', value: 'black' },
    ]);
    const blamed = await memory.blame('users/anna');
    const tea = blamed.find(({ path }) => path === '/context/preferences/tea');
    expect(tea).toMatchObject({ value: 'black', event: { actor: 'carl' } });
    const earlier = new Date(clock.now() - 1);
    const now = new Date(clock.now());
    expect(await memory.diff('users/anna', earlier, now).toArray()).toMatchObject([
      { key: 'users/anna', patches: history[1]?.patches },
    ]);
    const all = await memory.diff({ prefix: 'users/' }, 0, 3).toArray();
    expect(all.map(({ key }) => key)).toEqual(['users/anna', 'users/dora']);
  });

  test('is asked for by the name of a model, and another name is refused with those there are', async () => {
    const { memory } = await opened(location());
    for (const call of [
      () => memory.history('user/anna'),
      () => memory.history('users'),
      () => memory.history(undefined as unknown as string),
      () => memory.blame('constructor/x'),
      () => memory.diff({ prefix: 'user' }, 0, 0),
      () => memory.diff(null as unknown as string, 0, 0),
    ]) {
      const error = await refusal(call);
      expect(error).toMatchObject({ name: 'TypeError', code: 'INVALID_ARGUMENT' });
      expect(error.message).toContain('users/');
    }
  });

  test('has a time: that of the moment, or of the commit at a position', async () => {
    const { memory, clock } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    clock.advance(60_000);
    await memory.users.updateContext('anna', exchange);
    const times: [Parameters<typeof memory.at>[0], string][] = [
      [0, '1970-01-01T00:00:00.000Z'],
      [1, '2026-01-01T00:00:00.000Z'],
      [2, '2026-01-01T00:01:00.000Z'],
      ['2026-01-01T01:00:30+01:00', '2026-01-01T00:00:30.000Z'],
      [new Date(5), '1970-01-01T00:00:00.005Z'],
    ];
    for (const [moment, time] of times) {
      const view = memory.at(moment);
      expect(await view.engine.time()).toBe(time);
      expect(memory.at(moment).engine.timeSync()).toBe(time);
    }
    expect(() => memory.at(3)).toThrow('beyond the head');
    expect(() => memory.at('yesterday')).toThrow(TypeError);
  });

  test('does not change by what is written later', async () => {
    const { memory } = await opened(location());
    await memory.users.updateContext('anna', exchange);
    const view = memory.at(new Date('2030-01-01'));
    await memory.users.updateContext('anna', exchange);
    expect((await view.users.getContext('anna')).conversationsCount).toBe(1);
    expect(view.episodes.listSync().items).toHaveLength(1);
  });
});
