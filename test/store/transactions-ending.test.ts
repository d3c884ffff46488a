/** How a transaction ends: with one commit, or with nothing written. */
import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  IdempotencyKeyReusedError,
  StoreClosedError,
  type Transaction,
  TransactionRolledBackError,
  TransactionTimeoutError,
} from '#src/index.js';
import {
  added,
  type counted,
  countedStore,
  failure,
  gate,
  places,
  sums,
} from './transactions-places.js';

type Tx = Transaction<typeof counted>;

describe.each(places)('a transaction over a store in $name', (place) => {
  test('is one commit with all its events, and says who and why', async () => {
    const store = await countedStore(place);
    const result = await store.transaction(
      (tx) => {
        tx.append('a', [added(1), added(2)]);
        tx.append('b', added(3));
        tx.append('a', added(4));
        return 'done';
      },
      { actor: 'anna', reason: 'because', correlationId: 'c-1', causationId: 'u-1' },
    );
    expect(result).toBe('done');
    expect(store.head.position).toBe(1);
    const events = await store.readAll().toArray();
    expect(events.map(({ stream, version }) => `${stream}@${version}`)).toEqual([
      'a@1',
      'a@2',
      'a@3',
      'b@1',
    ]);
    for (const event of events) {
      expect(event).toMatchObject({
        actor: 'anna',
        reason: 'because',
        correlationId: 'c-1',
        causationId: 'u-1',
      });
    }
  });

  test('keeps what it was given, not what is done to it later', async () => {
    const store = await countedStore(place);
    const mine = added(1);
    await store.transaction(async (tx) => {
      tx.append('a', mine);
      mine.data.by = 1000;
      expect((await tx.get(sums, 'a'))?.n).toBe(1);
    });
    expect((await store.get(sums, 'a'))?.n).toBe(1);
  });

  test('that only reads, or that takes all back, writes nothing', async () => {
    const store = await countedStore(place);
    expect(await store.transaction((tx) => tx.version('a'))).toBe(0);
    await store.transaction((tx) => {
      const start = tx.savepoint();
      tx.append('a', added(1));
      tx.rollbackTo(start);
    });
    expect(store.head.position).toBe(0);
  });

  test('goes back to savepoints, also to one inside another', async () => {
    const store = await countedStore(place);
    await store.transaction(async (tx) => {
      const sum = async () => (await tx.get(sums, 'a'))?.n;
      tx.append('a', added(1));
      const outer = tx.savepoint();
      expect(outer.events).toBe(1);
      tx.append('a', added(10));
      const inner = tx.savepoint();
      tx.append('a', added(100));
      expect(await sum()).toBe(111);
      tx.rollbackTo(inner);
      expect(await sum()).toBe(11);
      tx.append('a', added(200));
      tx.rollbackTo(inner);
      expect(await sum()).toBe(11);
      tx.rollbackTo(outer);
      expect(await sum()).toBe(1);
      expect(await tx.version('a')).toBe(1);
      expect(() => tx.rollbackTo(inner)).toThrow(TypeError);
      expect(() => tx.rollbackTo({ events: 0 })).toThrow(TypeError);
      expect(() => tx.rollbackTo(undefined as never)).toThrow(TypeError);
      tx.append('a', added(1000));
    });
    expect((await store.get(sums, 'a'))?.n).toBe(1001);
    expect(store.head.position).toBe(1);
  });

  test('knows no savepoint any more that lies behind one that was rolled back to', async () => {
    const store = await countedStore(place);
    await store.transaction((tx) => {
      const outer = tx.savepoint();
      tx.append('a', added(1));
      const inner = tx.savepoint();
      tx.rollbackTo(outer);
      tx.append('a', added(10));
      // As many events as when it was made, and others.
      expect(() => tx.rollbackTo(inner)).toThrow(TypeError);
      tx.append('a', added(100));
      expect(() => tx.rollbackTo(inner)).toThrow(TypeError);
    });
    expect((await store.get(sums, 'a'))?.n).toBe(110);
  });

  test('stays rolled back when its own function catches that', async () => {
    const store = await countedStore(place);
    let after: unknown;
    const error = await failure(
      store.transaction(async (tx) => {
        tx.append('a', added(1));
        try {
          tx.rollback('changed my mind');
        } catch {
          after = await failure(tx.get(sums, 'a'));
        }
        return 'as if nothing had been';
      }),
    );
    expect(error).toBeInstanceOf(TransactionRolledBackError);
    expect(error).toMatchObject({ reason: 'changed my mind' });
    expect(after).toBe(error);
    expect(store.head.position).toBe(0);
    expect(store.stats().transactions).toMatchObject({ committed: 0, rolledBack: 1 });
  });

  test('writes nothing when its function kept the thread busy until its time was over', async () => {
    const store = await countedStore(place);
    const busy = store.transaction(
      (tx) => {
        tx.append('a', added(1));
        const end = performance.now() + 30;
        while (performance.now() < end);
      },
      { timeoutMs: 10 },
    );
    expect(await failure(busy)).toBeInstanceOf(TransactionTimeoutError);
    expect(store.head.position).toBe(0);
    expect(store.stats().transactions.timedOut).toBe(1);
  });

  test('takes back the versions that were demanded with the events', async () => {
    const store = await countedStore(place);
    await store.transaction((tx) => {
      const start = tx.savepoint();
      tx.append('a', added(1), { expectedVersion: 7 });
      tx.rollbackTo(start);
      tx.append('a', added(1));
    });
    expect(await store.version('a')).toBe(1);
  });

  test('knows a savepoint only in the attempt that made it', async () => {
    const store = await countedStore(place);
    let kept: ReturnType<Tx['savepoint']> | undefined;
    await store.transaction((tx) => {
      kept = tx.savepoint();
    });
    await expect(
      store.transaction((tx) => tx.rollbackTo(kept as NonNullable<typeof kept>)),
    ).rejects.toThrow(TypeError);
  });

  test('that is rolled back writes nothing and says why', async () => {
    const store = await countedStore(place);
    const error = await failure(
      store.transaction((tx) => {
        tx.append('a', added(1));
        tx.rollback('changed my mind');
      }),
    );
    expect(error).toBeInstanceOf(TransactionRolledBackError);
    expect(error).toMatchObject({ reason: 'changed my mind' });
    expect(store.head.position).toBe(0);
  });

  test('that throws, at once or later, writes nothing and passes the error on', async () => {
    const store = await countedStore(place);
    const mine = new Error('mine');
    const atOnce = store.transaction((tx): void => {
      tx.append('a', added(1));
      throw mine;
    });
    expect(await failure(atOnce)).toBe(mine);
    const later = store.transaction(async (tx) => {
      tx.append('a', added(1));
      await tx.get(sums, 'a');
      throw mine;
    });
    expect(await failure(later)).toBe(mine);
    expect(store.head.position).toBe(0);
  });

  test('that does not end in time writes nothing, also when its function goes on regardless', async () => {
    const store = await countedStore(place);
    const { open, opened: go } = gate();
    let late: Promise<unknown> | undefined;
    const error = await failure(
      store.transaction(
        (tx) => {
          tx.append('a', added(1));
          late = go.then(async () => {
            const codes: unknown[] = [];
            const calls = [
              () => tx.append('a', added(1)),
              () => tx.get(sums, 'a'),
              () => tx.entries(sums).toArray(),
              () => tx.version('a'),
              () => tx.savepoint(),
              () => tx.rollback('late'),
            ];
            for (const call of calls) {
              try {
                await call();
              } catch (thrown) {
                codes.push((thrown as { code?: string }).code);
              }
            }
            return codes;
          });
          return late;
        },
        { timeoutMs: 20 },
      ),
    );
    expect(error).toBeInstanceOf(TransactionTimeoutError);
    expect(error).toMatchObject({ timeoutMs: 20 });
    open();
    expect(await late).toEqual(Array.from({ length: 6 }, () => 'TRANSACTION_ENDED'));
    expect(store.head.position).toBe(0);
  });

  test('may fail after its time is over without anybody being told', async () => {
    const store = await countedStore(place);
    const late = store.transaction(
      async () => {
        await sleep(40);
        throw new Error('nobody waits for this');
      },
      { timeoutMs: 5 },
    );
    expect(await failure(late)).toBeInstanceOf(TransactionTimeoutError);
    const controller = new AbortController();
    const aborting = store.transaction(
      async () => {
        controller.abort(new Error('stop'));
        throw new Error('nobody waits for this either');
      },
      { signal: controller.signal },
    );
    expect(await failure(aborting)).toMatchObject({ message: 'stop' });
    // An unhandled rejection would fail the run.
    await sleep(60);
  });

  test('that is aborted writes nothing and rejects with the reason', async () => {
    const store = await countedStore(place);
    const reason = new Error('enough');
    const before = store.transaction((tx) => tx.append('a', added(1)), {
      signal: AbortSignal.abort(reason),
    });
    expect(await failure(before)).toBe(reason);
    const controller = new AbortController();
    const during = store.transaction(
      async (tx) => {
        tx.append('a', added(1));
        controller.abort(reason);
        await sleep(1);
      },
      { signal: controller.signal },
    );
    expect(await failure(during)).toBe(reason);
    expect(store.head.position).toBe(0);
  });

  test('leaves no listener on the signal', async () => {
    const store = await countedStore(place);
    const { signal } = new AbortController();
    const run = () => store.transaction((tx) => tx.append('a', added(1)), { signal });
    await Promise.all(Array.from({ length: 30 }, run));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('refuses every call once its function has ended, and shows nothing but its calls', async () => {
    const store = await countedStore(place);
    let kept: Tx | undefined;
    let listing: ReturnType<Tx['entries']> | undefined;
    await store.transaction((tx) => {
      kept = tx;
      listing = tx.entries(sums);
      tx.append('a', added(1));
      for (const hidden of ['commit', 'end', 'settle']) expect(hidden in tx).toBe(false);
      expect(() => Object.assign(tx, { position: 0 })).toThrow(TypeError);
    });
    const ended = { code: 'TRANSACTION_ENDED' };
    expect(() => kept?.append('a', added(1))).toThrow(expect.objectContaining(ended));
    expect(() => kept?.savepoint()).toThrow(expect.objectContaining(ended));
    expect(() => kept?.entries(sums)).toThrow(expect.objectContaining(ended));
    expect(() => kept?.rollback('no')).toThrow(expect.objectContaining(ended));
    await expect(listing?.toArray()).rejects.toMatchObject(ended);
    await expect(kept?.get(sums, 'a')).rejects.toMatchObject(ended);
    await expect(kept?.version('a')).rejects.toMatchObject(ended);
    expect(await store.version('a')).toBe(1);
  });

  test('with an idempotency key is written once', async () => {
    const store = await countedStore(place);
    const add = (by: number) =>
      store.transaction((tx) => tx.append('a', added(by)), { idempotencyKey: 'k' });
    await add(1);
    await add(1);
    expect((await store.get(sums, 'a'))?.n).toBe(1);
    expect(await failure(add(2))).toBeInstanceOf(IdempotencyKeyReusedError);
    const events = await store.readAll().toArray();
    expect(events.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['k']);
  });

  test('inside another one is a transaction of its own, whose writes the outer one conflicts with when it read there', async () => {
    const store = await countedStore(place);
    const seen: unknown[] = [];
    await store.transaction(async (outer) => {
      outer.append('a', added(1));
      if (outer.attempt === 1) await store.transaction((inner) => inner.append('b', added(2)));
      seen.push((await outer.get(sums, 'b'))?.n);
    });
    expect(seen).toEqual([undefined, 2]);
    const events = await store.readAll().toArray();
    expect(events.map(({ position, stream }) => `${position} ${stream}`)).toEqual(['1 b', '2 a']);
  });

  test.each([
    ['no function', (store: never) => call(store, undefined)],
    ['an object as its function', (store: never) => call(store, {})],
    ['options that are null', (store: never) => call(store, () => {}, null)],
    ['an unknown isolation', (store: never) => call(store, () => {}, { isolation: '__proto__' })],
    ['a negative timeoutMs', (store: never) => call(store, () => {}, { timeoutMs: -1 })],
    ['a timeoutMs that is no number', (store: never) => call(store, () => {}, { timeoutMs: '1' })],
    ['retries that are NaN', (store: never) => call(store, () => {}, { retries: Number.NaN })],
    ['a signal that is none', (store: never) => call(store, () => {}, { signal: {} })],
    ['no stream', (store: never) => call(store, (tx) => tx.append(undefined as never, added(1)))],
    ['an empty stream', (store: never) => call(store, (tx) => tx.append('', added(1)))],
    ['no events', (store: never) => call(store, (tx) => tx.append('a', []))],
    [
      'an unknown expectedVersion',
      (store: never) => call(store, (tx) => tx.append('a', added(1), { expectedVersion: -1 })),
    ],
    [
      'append options that are null',
      (store: never) => call(store, (tx) => tx.append('a', added(1), null as never)),
    ],
    ['a key that is no string', (store: never) => call(store, (tx) => tx.get(sums, 1 as never))],
    ['a name as projection', (store: never) => call(store, (tx) => tx.get('sums' as never, 'a'))],
    [
      'a limit that is none',
      (store: never) => call(store, (tx) => tx.entries(sums, { limit: -1 }).toArray()),
    ],
    ['a version of no stream', (store: never) => call(store, (tx) => tx.version(1 as never))],
  ])('is refused with %s', async (_, run) => {
    const store = await countedStore(place);
    const error = await failure(run(store as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(store.head.position).toBe(0);
  });

  test('may go on after a call that was refused', async () => {
    const store = await countedStore(place);
    await store.transaction(async (tx) => {
      await failure(tx.get({} as never, 'a'));
      expect(() => tx.append('a', [added(1), { type: 'other' as never, data: null }])).toThrow();
      tx.append('a', added(2));
    });
    expect((await store.get(sums, 'a'))?.n).toBe(2);
  });

  test('is refused by a store that is closed, also when it is closed meanwhile', async () => {
    const store = await countedStore(place);
    const { open: begin, opened: begun } = gate();
    const { open, opened: go } = gate();
    const refused = failure(
      store.transaction(async (tx) => {
        tx.append('a', added(1));
        begin();
        await go;
      }),
    );
    await begun;
    await store.close();
    open();
    expect(await refused).toBeInstanceOf(StoreClosedError);
    expect(await failure(store.transaction(() => {}))).toBeInstanceOf(StoreClosedError);
  });

  test('is counted by how it ended', async () => {
    const store = await countedStore(place);
    const { stats } = { stats: () => store.stats().transactions };
    expect(stats()).toMatchObject({ started: 0, running: 0, meanMs: 0, p99Ms: 0 });
    await store.transaction(async (tx) => {
      tx.append('a', added(1));
      expect(stats()).toMatchObject({ started: 1, running: 1, committed: 0 });
    });
    await failure(store.transaction((tx) => tx.rollback('no')));
    await failure(
      store.transaction(() => {
        throw new Error('no');
      }),
    );
    await failure(store.transaction(() => new Promise(() => {}), { timeoutMs: 1 }));
    const moving = async (tx: Tx) => {
      await tx.get(sums, 'a');
      await store.append('a', added(1));
      tx.append('a', added(1));
    };
    await failure(store.transaction(moving, { retries: 2 }));
    expect(stats()).toMatchObject({
      started: 5,
      committed: 1,
      rolledBack: 2,
      timedOut: 1,
      failed: 1,
      conflicted: 3,
      retried: 2,
      running: 0,
    });
    const { meanMs, p50Ms, p99Ms, maxMs } = stats();
    for (const duration of [meanMs, p50Ms, p99Ms, maxMs]) expect(duration).toBeGreaterThan(0);
  });
});

/** As a program without a type checker calls it. */
function call(
  store: { transaction: (...parameters: unknown[]) => Promise<unknown> },
  work: ((tx: Tx) => unknown) | Record<string, never> | undefined,
  options?: unknown,
): Promise<unknown> {
  return store.transaction(work, options);
}
