import { describe, expect, test } from 'vitest';
import {
  applyPatch,
  defineEvents,
  defineProjection,
  event,
  openStore,
  openStoreSync,
  PositionAheadError,
  ProjectionFailedError,
  StoreClosedError,
} from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { accounts, events, moved, openAccounts } from './accounts.js';

/** Three transfers, two of them of a's, in three commits at noon, one and two o'clock. */
async function threeTransfers() {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const store = await openAccounts({ clock: clock.now });
  await store.append('bank', moved('a', 'b', 5));
  clock.advance(3_600_000);
  await store.append('bank', moved('b', 'c', 3));
  clock.advance(3_600_000);
  await store.append('bank', moved('c', 'a', 2));
  return store;
}

const positions = (entries: readonly { event: { position: number } }[]) =>
  entries.map(({ event: { position } }) => position);

describe('the history of a key', () => {
  test('tells its own events, oldest first, each with what it changed', async () => {
    const store = await threeTransfers();
    const history = await store.history(accounts, 'a').toArray();
    expect(history).toEqual([
      {
        event: expect.objectContaining({ position: 1, type: 'money.moved' }) as unknown,
        patches: [
          {
            op: 'add',
            path: '',
            value: { name: 'a', balance: -5, lines: [{ with: 'b', amount: -5 }] },
          },
        ],
      },
      {
        event: expect.objectContaining({ position: 3 }) as unknown,
        patches: [
          { op: 'replace', path: '/balance', value: -3 },
          { op: 'add', path: '/lines/1', value: { with: 'c', amount: 2 } },
        ],
      },
    ]);
    expectDeeplyFrozen(history[0]);
    expect(store.historySync(accounts, 'a').toArray()).toEqual(history);
  });

  test('is empty for a key that never had an event', async () => {
    const store = await threeTransfers();
    expect(await store.history(accounts, 'nobody').toArray()).toEqual([]);
    expect(await store.history(accounts, '__proto__').toArray()).toEqual([]);
    expect(store.historySync(accounts, '').toArray()).toEqual([]);
  });

  test('lists events that changed nothing, without patches', async () => {
    const store = await openAccounts();
    await store.append('bank', moved('a', 'b', 5));
    await store.append('bank', { type: 'account.seen', data: { name: 'a' } });
    const [, seen] = await store.history(accounts, 'a').toArray();
    expect(seen).toMatchObject({ event: { type: 'account.seen' }, patches: [] });
  });

  test('goes on from nothing after the key was removed', async () => {
    const store = await openAccounts();
    await store.append('bank', [
      moved('a', 'b', 1),
      { type: 'account.closed', data: { name: 'a' } },
      moved('a', 'b', 2),
    ]);
    const history = await store.history(accounts, 'a').toArray();
    const made = history.reduce<unknown>(
      (state, { patches }) => applyPatch(state, patches),
      undefined,
    );
    expect(history.map(({ patches }) => patches[0])).toMatchObject([
      { op: 'add', path: '' },
      { op: 'remove', path: '' },
      { op: 'add', path: '' },
    ]);
    expect(made).toEqual(await store.get(accounts, 'a'));
  });

  test.each<[string, { from?: number | string; to?: number | string }, number[]]>([
    ['from a position', { from: 2 }, [2, 3]],
    ['from its own position', { from: 3 }, [3]],
    ['from position 0', { from: 0 }, [1, 2, 3]],
    ['to a position', { to: 2 }, [1, 2]],
    ['to position 0', { to: 0 }, []],
    ['from and to one position', { from: 2, to: 2 }, [2]],
    ['from a time, which belongs to it', { from: '2026-01-01T13:00:00Z' }, [2, 3]],
    ['from between two times', { from: '2026-01-01T13:00:00.001Z' }, [3]],
    ['from before the first', { from: '1970-01-01' }, [1, 2, 3]],
    ['from behind the last', { from: '2027-01-01' }, []],
    ['to a time, which belongs to it', { to: '2026-01-01T13:00:00Z' }, [1, 2]],
    ['to before the first', { to: '2025-01-01' }, []],
    [
      'from a time to one before it',
      { from: '2026-01-01T14:00:00Z', to: '2026-01-01T12:00:00Z' },
      [],
    ],
  ])('can be asked for %s', async (_, range, expected) => {
    const everything = defineProjection({
      name: 'everything',
      version: 1,
      initial: { n: 0 },
      key: () => 'all',
      on: {
        added: (state) => {
          state.n += 1;
        },
      },
    });
    const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
    const store = await openStore({ memory: true, projections: [everything], clock: clock.now });
    for (let n = 0; n < 3; n += 1) {
      await store.append('s', { type: 'added', data: {} });
      clock.advance(3_600_000);
    }
    const history = await store.history(everything, 'all', range).toArray();
    expect(positions(history)).toEqual(expected);
    expect(positions(store.historySync(everything, 'all', range).toArray())).toEqual(expected);
    // What is left out before counts all the same.
    for (const { event: one, patches } of history) {
      expect(patches).toMatchObject([{ value: one.position === 1 ? { n: 1 } : one.position }]);
    }
  });

  test('begins at 1970 with a commit of that very time', async () => {
    const store = await openAccounts({ clock: () => 0 });
    await store.append('bank', moved('a', 'b', 1));
    expect(await store.history(accounts, 'a', { from: new Date(0) }).toArray()).toHaveLength(1);
  });

  test('refuses a position beyond the head, a range that is none, and what is no moment', async () => {
    const store = await threeTransfers();
    expect(() => store.history(accounts, 'a', { from: 4 })).toThrow(PositionAheadError);
    expect(() => store.history(accounts, 'a', { to: 4 })).toThrow(PositionAheadError);
    expect(() => store.history(accounts, 'a', { from: 3, to: 1 })).toThrow('must not be beyond');
    expect(() => store.history(accounts, 'a', { from: 'yesterday' })).toThrow(TypeError);
    expect(() => store.history(accounts, 1 as unknown as string)).toThrow('must be a string');
    expect(() => store.historySync(accounts, 'a', 3 as never)).toThrow('must be an object');
    expect(() => store.history('accounts' as never, 'a')).toThrow(TypeError);
    await store.close();
    expect(() => store.history(accounts, 'a')).toThrow(StoreClosedError);
  });

  test('sees what was appended before it is read, and with `to` nothing later', async () => {
    const store = await threeTransfers();
    const open = store.history(accounts, 'a');
    const fixed = store.history(accounts, 'a', { to: new Date(Date.UTC(2030, 0, 1)) });
    await store.append('bank', moved('a', 'b', 1));
    expect(positions(await open.toArray())).toEqual([1, 3, 4]);
    expect(positions(await fixed.toArray())).toEqual([1, 3]);
  });

  test('has the same answer in portions, while more is appended', async () => {
    const directory = temporaryDirectory();
    const store = openStoreSync(directory, { events, projections: [accounts] });
    for (let n = 0; n < 20; n += 1) {
      store.appendSync(
        'bank',
        Array.from({ length: 50 }, (_, i) => moved('a', `other-${i % 7}`, i)),
      );
    }
    const amounts: number[] = [];
    for await (const { event: one } of store.history(accounts, 'a')) {
      if (amounts.length % 100 === 0) await store.append('bank', moved('a', 'b', 1000));
      if (one.type === 'money.moved') amounts.push(one.data.amount);
    }
    expect(amounts).toEqual(Array.from({ length: 1000 }, (_, n) => n % 50));
    await store.close();
    const reopened = openStoreSync(directory, { events, projections: [accounts] });
    const again = reopened.historySync(accounts, 'a', { to: 20 }).toArray();
    expect(again.map(({ event: one }) => (one.data as { amount: number }).amount)).toEqual(amounts);
    reopened.closeSync();
  });

  test('can be left in the middle', async () => {
    const store = await threeTransfers();
    for await (const { event: one } of store.history(accounts, 'a')) {
      expect(one.position).toBe(1);
      break;
    }
    for (const { event: one } of store.historySync(accounts, 'a')) {
      expect(one.position).toBe(1);
      break;
    }
    expect(await store.get(accounts, 'a')).toMatchObject({ balance: -3 });
  });
});

describe('the history of a key that stopped', () => {
  async function broken() {
    const store = await openAccounts();
    await store.append('bank', moved('a', 'b', 1));
    await store.append('bank', moved('a', 'b', 2));
    await store.append('bank', [
      moved('a', 'b', 3),
      { type: 'account.broken', data: { name: 'a' } },
    ]);
    await store.append('bank', moved('a', 'b', 4));
    return store;
  }

  test('gives the commits before, then fails', async () => {
    const store = await broken();
    const seen: number[] = [];
    const reading = async () => {
      for await (const { event: one } of store.history(accounts, 'a')) seen.push(one.position);
    };
    await expect(reading()).rejects.toThrow(ProjectionFailedError);
    expect(seen).toEqual([1, 2]);
    expect(() => store.historySync(accounts, 'a').toArray()).toThrow(
      expect.objectContaining({ key: 'a', position: 3, event: '3.1' }) as Error,
    );
  });

  test('stands up to there, and is none behind', async () => {
    const store = await broken();
    expect(await store.history(accounts, 'a', { to: 2 }).toArray()).toHaveLength(2);
    await expect(store.history(accounts, 'a', { from: 4 }).toArray()).rejects.toThrow(
      ProjectionFailedError,
    );
    expect(await store.history(accounts, 'b').toArray()).toHaveLength(4);
  });

  test('ends likewise where the keys of an event cannot be told', async () => {
    const keyed = defineProjection({
      name: 'keyed',
      version: 1,
      initial: 0,
      key: ({ data }) => {
        const keys = data as string[];
        if (keys.includes('broken')) throw new Error('no key');
        return keys;
      },
      on: { added: (count) => count + 1 },
    });
    const store = await openStore({ memory: true, projections: [keyed] });
    await store.append('s', { type: 'added', data: ['a'] });
    await store.append('s', [
      { type: 'added', data: ['a'] },
      { type: 'added', data: ['a', 'broken'] },
    ]);
    const seen: number[] = [];
    const reading = () => {
      for (const { event: one } of store.historySync(keyed, 'a')) seen.push(one.position);
    };
    expect(reading).toThrow(expect.objectContaining({ key: undefined, position: 2 }) as Error);
    expect(seen).toEqual([1]);
    expect(await store.history(keyed, 'a', { to: 1 }).toArray()).toHaveLength(1);
  });
});

describe('the history of a key in its newest shape', () => {
  const declared = defineEvents({ 'user.named': event<{ first: string; last: string }>() });
  const users = defineProjection({
    name: 'users',
    version: 1,
    events: declared,
    initial: { name: '' },
    on: {
      'user.named': (user, { data }) => {
        user.name = `${data.first} ${data.last}`;
      },
    },
  });
  const options = {
    events: declared,
    projections: [users],
    upcasters: {
      'user.named': {
        1: (data: unknown) => {
          const [first = '', last] = (data as { name: string }).name.split(' ');
          if (last === undefined) throw new Error('no last name');
          return { first, last };
        },
      },
    },
  };

  test('tells old events as they are understood now', async () => {
    const directory = temporaryDirectory();
    const old = await openStore(directory);
    await old.append('users/1', { type: 'user.named', data: { name: 'Anna Bell' } });
    await old.append('users/2', { type: 'user.named', data: { name: 'Cher' } });
    await old.close();
    await using store = await openStore(directory, options);
    const [named] = await store.history(users, 'users/1').toArray();
    expect(named).toMatchObject({
      event: { data: { first: 'Anna', last: 'Bell' }, schemaVersion: 2 },
      patches: [{ op: 'add', path: '', value: { name: 'Anna Bell' } }],
    });
    await expect(store.history(users, 'users/2').toArray()).rejects.toMatchObject({
      code: 'PROJECTION_FAILED',
      key: 'users/2',
      position: 2,
    });
  });
});
