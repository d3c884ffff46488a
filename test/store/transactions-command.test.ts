/** Commands: a decision on a key's state. */
import { describe, expect, test } from 'vitest';
import { TransactionConflictError } from '#src/index.js';
import {
  added,
  countedStore,
  dropped,
  failure,
  places,
  sums,
  tags,
} from './transactions-places.js';

describe.each(places)('a command to a store in $name', (place) => {
  test('appends what is decided on the state, and gives the state after it', async () => {
    const store = await countedStore(place);
    const seen: unknown[] = [];
    const first = await store.command(sums, 'a', (state) => {
      seen.push(state);
      return added(1);
    });
    expect(first).toEqual({ changed: true, state: { n: 1, by: null } });
    const second = await store.command(
      sums,
      'a',
      async (state) => [added((state?.n ?? 0) * 10), added(100)],
      { actor: 'anna', reason: 'why' },
    );
    expect(second).toEqual({ changed: true, state: { n: 111, by: 'anna' } });
    expect(seen).toEqual([undefined]);
    expect(await store.get(sums, 'a')).toEqual({ n: 111, by: 'anna' });
    const events = await store.readStream('a').toArray();
    expect(events.map(({ position, reason }) => [position, reason])).toEqual([
      [1, undefined],
      [2, 'why'],
      [2, 'why'],
    ]);
    expect(Object.isFrozen(second)).toBe(true);
  });

  test('that decides for no event writes nothing', async () => {
    const store = await countedStore(place);
    await store.append('a', added(1));
    const state = await store.get(sums, 'a');
    expect(await store.command(sums, 'a', () => [])).toEqual({ changed: false, state });
    expect(await store.command(sums, 'b', async () => [])).toEqual({
      changed: false,
      state: undefined,
    });
    expect(store.head.position).toBe(1);
  });

  test('gives no state when its events remove it', async () => {
    const store = await countedStore(place);
    await store.append('a', added(1));
    expect(await store.command(sums, 'a', () => dropped)).toEqual({
      changed: true,
      state: undefined,
    });
  });

  test('decides anew when the state changed meanwhile', async () => {
    const store = await countedStore(place);
    await store.append('a', added(1));
    const seen: (number | undefined)[] = [];
    const result = await store.command(sums, 'a', async (state) => {
      seen.push(state?.n);
      if (seen.length === 1) await store.append('a', added(5));
      return added(state?.n ?? 0);
    });
    expect(seen).toEqual([1, 6]);
    expect(result.state?.n).toBe(12);
    const error = await failure(
      store.command(
        sums,
        'a',
        async () => {
          await store.append('a', added(1));
          return added(1);
        },
        { retries: 1 },
      ),
    );
    expect(error).toBeInstanceOf(TransactionConflictError);
  });

  test('writes to another stream when told to, and still rests on the key', async () => {
    const store = await countedStore(place);
    let runs = 0;
    const { state } = await store.command(
      tags,
      'x',
      async () => {
        runs += 1;
        if (runs === 1) await store.append('elsewhere', added(1, 'x'));
        return added(10, 'x');
      },
      { stream: 's' },
    );
    expect(runs).toBe(2);
    expect(state).toEqual({ n: 11 });
    expect(await store.version('s')).toBe(1);
    expect(await store.version('x')).toBe(0);
  });

  test('passes on what decide throws, and writes nothing', async () => {
    const store = await countedStore(place);
    const mine = new Error('mine');
    const thrown = store.command(sums, 'a', () => {
      throw mine;
    });
    expect(await failure(thrown)).toBe(mine);
    expect(await failure(store.command(sums, 'a', () => undefined as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await failure(store.command(sums, 'a', undefined as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await failure(store.command(sums, 'a', () => [], null as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await failure(store.command({} as never, 'a', () => []))).toBeInstanceOf(TypeError);
    expect(store.head.position).toBe(0);
  });
});
