/** What a transaction's commit rests on, by its isolation, and what happens when that was changed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  defineProjection,
  ProjectionFailedError,
  type Transaction,
  TransactionConflictError,
  type TransactionOptions,
  VersionConflictError,
} from '#src/index.js';
import {
  added,
  type CountedStore,
  counted,
  countedStore,
  failure,
  places,
  sums,
  tags,
} from './transactions-places.js';

type Tx = Transaction<typeof counted>;

/** How often the function ran when others commit between its first reads and its end. */
async function runs(
  store: CountedStore,
  reads: (tx: Tx) => unknown,
  others: () => Promise<unknown>,
  options: TransactionOptions = {},
  writes: (tx: Tx) => unknown = (tx) => tx.append('mine', added(1)),
): Promise<number> {
  let count = 0;
  await store.transaction(async (tx) => {
    count += 1;
    await reads(tx);
    if (count === 1) await others();
    await writes(tx);
  }, options);
  return count;
}

describe.each(places)('a serializable transaction over a store in $name', (place) => {
  async function filled(): Promise<CountedStore> {
    const store = await countedStore(place);
    await store.append('a', added(1, 'x'));
    await store.append('b', added(1, 'y'));
    return store;
  }

  test.each<[string, (tx: Tx) => unknown, (store: CountedStore) => Promise<unknown>]>([
    ['a key', (tx) => tx.get(sums, 'a'), (store) => store.append('a', added(1))],
    ['a key that was absent', (tx) => tx.get(sums, 'n'), (store) => store.append('n', added(1))],
    [
      'a key that no stream has for a name',
      (tx) => tx.get(tags, 'y'),
      (store) => store.append('elsewhere', added(1, 'q', 'y')),
    ],
    ['a listing', (tx) => tx.entries(sums).toArray(), (store) => store.append('new', added(1))],
    [
      'a listing by prefix',
      (tx) => tx.entries(tags, { prefix: 'no/' }).toArray(),
      (store) => store.append('elsewhere', added(1, 'no/1')),
    ],
    [
      'a page of a listing',
      (tx) => tx.entries(sums, { after: 'a', limit: 1 }).toArray(),
      (store) => store.append('ab', added(1)),
    ],
    [
      'a listing that was begun and left',
      async (tx) => {
        for await (const _ of tx.entries(sums)) break;
      },
      (store) => store.append('b', added(1)),
    ],
    ['a version', (tx) => tx.version('a'), (store) => store.append('a', added(1))],
    ['the version 0', (tx) => tx.version('new'), (store) => store.append('new', added(1))],
    [
      'one key of many',
      async (tx) => {
        for (const key of ['q', 'r', 'a', 's']) await tx.get(sums, key);
      },
      (store) =>
        store.commit([
          { stream: 'other', events: added(1) },
          { stream: 'a', events: added(1) },
        ]),
    ],
  ])('runs again when %s that it read is changed before it commits', async (_, reads, change) => {
    const store = await filled();
    expect(await runs(store, reads, () => change(store))).toBe(2);
    expect(await store.version('mine')).toBe(1);
  });

  test.each<[string, (tx: Tx) => unknown, (store: CountedStore) => Promise<unknown>]>([
    ['another key', (tx) => tx.get(sums, 'a'), (store) => store.append('b', added(1))],
    [
      'another key of the same stream',
      (tx) => tx.get(tags, 'x'),
      (store) => store.append('a', added(1, 'y')),
    ],
    [
      'a key with another prefix',
      (tx) => tx.entries(tags, { prefix: 'x' }).toArray(),
      (store) => store.append('a', added(1, 'y')),
    ],
    [
      'a key before the page that was read',
      (tx) => tx.entries(sums, { after: 'b' }).toArray(),
      (store) => store.append('aa', added(1)),
    ],
    ['nothing that was read', () => {}, (store) => store.append('mine', added(1))],
  ])('runs once when %s is changed', async (_, reads, change) => {
    const store = await filled();
    expect(await runs(store, reads, () => change(store))).toBe(1);
  });

  test('runs again for what is in flight, and for what stands in its own group', async () => {
    const store = await filled();
    let inFlight: Promise<unknown> | undefined;
    const others = async () => {
      inFlight = store.append('a', added(1));
    };
    expect(await runs(store, (tx) => tx.get(sums, 'a'), others)).toBe(2);
    await inFlight;
    const increment = () =>
      store.transaction(async (tx) => {
        const { n } = (await tx.get(tags, 'sum')) ?? { n: 0 };
        tx.append('s', added(1, 'sum'));
        return n;
      });
    const seen = await Promise.all(Array.from({ length: 20 }, increment));
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test('reads no less when it demands a version of a stream that it read', async () => {
    const store = await filled();
    const exists = { expectedVersion: 'exists' } as const;
    const count = await runs(
      store,
      (tx) => tx.version('a'),
      () => store.append('a', added(1)),
      {},
      (tx) => tx.append('a', added(1), exists),
    );
    expect(count).toBe(2);
    let number = 0;
    const error = await failure(
      store.transaction(async (tx) => {
        number += 1;
        expect(await tx.version('b')).toBe(1);
        await store.append('b', added(1));
        tx.append('b', added(1), { expectedVersion: 2 });
      }),
    );
    expect(error).toBeInstanceOf(VersionConflictError);
    expect(number).toBe(1);
  });

  test('fails at once when its own demand of a version does not hold', async () => {
    const store = await filled();
    const demands: [string, number | 'absent' | 'exists'][] = [
      ['a', 'absent'],
      ['a', 0],
      ['a', 2],
      ['new', 'exists'],
      ['new', 1],
    ];
    for (const [stream, expectedVersion] of demands) {
      let number = 0;
      const error = await failure(
        store.transaction((tx) => {
          number += 1;
          tx.append(stream, added(1), { expectedVersion });
        }),
      );
      expect(error).toBeInstanceOf(VersionConflictError);
      const actual = stream === 'a' ? 1 : 0;
      const expected = expectedVersion === 0 ? 'absent' : expectedVersion;
      expect(error).toMatchObject({ failures: [{ stream, expected, actual }] });
      expect(number).toBe(1);
    }
    expect(store.head.position).toBe(2);
  });

  test('runs again when its demand held as it read, so that it can demand anew', async () => {
    const store = await filled();
    const count = await runs(
      store,
      () => {},
      () => store.append('a', added(1)),
      {},
      async (tx) => {
        const expectedVersion = tx.attempt === 1 ? 1 : 2;
        tx.append('a', added(1), { expectedVersion });
      },
    );
    expect(count).toBe(2);
    expect(await store.version('a')).toBe(3);
  });

  test('holds every demand, each counted with what it appended before', async () => {
    const store = await filled();
    await store.transaction(async (tx) => {
      tx.append('a', [added(1), added(1)], { expectedVersion: 1 });
      tx.append('a', added(1), { expectedVersion: await tx.version('a') });
      tx.append('a', added(1), { expectedVersion: 'exists' });
      tx.append('n', added(1), { expectedVersion: 'absent' });
      tx.append('n', added(1), { expectedVersion: 1 });
    });
    expect(await store.version('a')).toBe(5);
    const wrong: ((tx: Tx) => void)[] = [
      (tx) => tx.append('a', added(1), { expectedVersion: 5 }),
      (tx) => tx.append('a', added(1), { expectedVersion: 'absent' }),
    ];
    for (const second of wrong) {
      const error = await failure(
        store.transaction((tx) => {
          tx.append('a', added(1));
          second(tx);
        }),
      );
      expect(error).toMatchObject({ failures: [{ stream: 'a', actual: 6 }] });
    }
    expect(await store.version('a')).toBe(5);
  });

  test('tells who moved what when all retries are used up', async () => {
    const store = await filled();
    const conflicting = (read: (tx: Tx) => unknown) =>
      failure(
        store.transaction(
          async (tx) => {
            await read(tx);
            await store.append('a', added(1, 'x'), { actor: 'bo' });
            tx.append('mine', added(1));
          },
          { retries: 1 },
        ),
      );
    const byKey = await conflicting((tx) => tx.get(tags, 'x'));
    expect(byKey).toBeInstanceOf(TransactionConflictError);
    expect(byKey).toMatchObject({
      attempts: 2,
      positions: [{ position: 4, actor: 'bo', stream: 'a', projection: 'tags', key: 'x' }],
    });
    const byPrefix = await conflicting((tx) => tx.entries(tags, { prefix: '' }).toArray());
    expect(byPrefix).toMatchObject({ positions: [{ position: 6, projection: 'tags', key: '' }] });
    const byVersion = await conflicting((tx) => tx.version('a'));
    expect(byVersion).toMatchObject({ positions: [{ position: 8, actor: 'bo', stream: 'a' }] });
    expect(await store.version('mine')).toBe(0);
  });

  test('waits for its turn over every key that it lost over, not only the last', async () => {
    const store = await countedStore(place);
    const [a, b] = ['a', 'b'];
    const ended: string[] = [];
    let newcomer: Promise<unknown> | undefined;
    const runsOfIt = await runs(
      store,
      async (tx) => {
        await tx.get(sums, a);
        await tx.get(sums, b);
        // It loses over one, and then over the other; then somebody comes who would make it lose over the first again.
        if (tx.attempt === 2) await store.append(b, added(1));
        if (tx.attempt !== 3) return;
        newcomer = store
          .transaction(async (other) => {
            await other.get(sums, a);
            other.append(a, added(1));
          })
          .then(() => ended.push('newcomer'));
        await sleep(20);
      },
      () => store.append(a, added(1)),
    );
    ended.push('it');
    await newcomer;
    expect({ runsOfIt, ended }).toEqual({ runsOfIt: 3, ended: ['it', 'newcomer'] });
  });

  test('with no retries runs once', async () => {
    const store = await filled();
    let count = 0;
    const error = await failure(
      store.transaction(
        async (tx) => {
          count += 1;
          await tx.get(sums, 'a');
          await store.append('a', added(1));
          tx.append('a', added(1));
        },
        { retries: 0 },
      ),
    );
    expect(error).toBeInstanceOf(TransactionConflictError);
    expect(error).toMatchObject({ attempts: 1 });
    expect(count).toBe(1);
  });

  test('ends in time however often it conflicts', async () => {
    const store = await filled();
    let last: Promise<unknown> | undefined;
    const error = await failure(
      store.transaction(
        async (tx) => {
          await tx.get(sums, 'a');
          last = store.append('a', added(1));
          await last;
          tx.append('a', added(1));
        },
        { retries: Number.POSITIVE_INFINITY, timeoutMs: 100 },
      ),
    );
    expect(error).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    // The function's own append may have been under way.
    await last;
    const { position } = store.head;
    await sleep(50);
    expect(store.head.position).toBe(position);
  });

  test('does not wait for ever for one that runs inside another that lost over the same key', async () => {
    const store = await filled();
    const adding = async (tx: Tx) => {
      await tx.get(sums, 'a');
      if (tx.attempt === 1) await store.append('a', added(1));
      tx.append('a', added(1));
    };
    await store.transaction(async (outer) => {
      await outer.get(sums, 'a');
      if (outer.attempt === 1) await store.append('a', added(1));
      else if (outer.attempt === 2) await store.transaction(adding);
      outer.append('a', added(1));
    });
    expect((await store.get(sums, 'a'))?.n).toBe(5);
  });

  /** A transaction over `a` that loses once, and in its turn behind that starts another one and waits until that has come as far as it says. */
  const losing = async (store: Awaited<ReturnType<typeof filled>>, other: () => Promise<void>) => {
    await store.transaction(async (tx) => {
      await tx.get(sums, 'a');
      if (tx.attempt === 1) await store.append('a', added(1));
      else await other();
      tx.append('a', added(1));
    });
  };

  test('waits its turn before its first read where others queue, and then runs once', async () => {
    const store = await filled();
    const before = (await store.get(sums, 'a'))?.n ?? 0;
    let runs = 0;
    const newcomer = () =>
      store.transaction(async (tx) => {
        runs += 1;
        const state = await tx.get(sums, 'a');
        tx.append('a', added(1));
        return { n: state?.n, position: tx.position, version: await tx.version('a') };
      });
    let second: ReturnType<typeof newcomer> | undefined;
    await losing(store, async () => {
      second = newcomer();
      while (runs === 0) await sleep(0);
    });
    const seen = await second;
    expect(runs).toBe(1);
    expect(seen?.n).toBe(before + 2);
    expect(seen?.position).toBe(store.head.position - 1);
    expect(seen?.version).toBe(await store.version('a'));
    expect((await store.get(sums, 'a'))?.n).toBe(before + 3);
  });

  test('that was told its position or has read something does not wait: its reads are as of there', async () => {
    for (const first of [
      (tx: Tx) => tx.position,
      (tx: Tx) => tx.version('b'),
      (tx: Tx) => tx.get(sums, 'b'),
    ]) {
      const store = await filled();
      const before = (await store.get(sums, 'a'))?.n ?? 0;
      const reads: (number | undefined)[] = [];
      let second: Promise<void> | undefined;
      await losing(store, async () => {
        second = store.transaction(async (tx) => {
          await first(tx);
          const told = tx.position;
          reads.push((await tx.get(sums, 'a'))?.n);
          expect(tx.position).toBe(told);
          tx.append('a', added(1));
        });
        while (reads.length === 0) await sleep(0);
      });
      await second;
      expect(reads).toEqual([before + 1, before + 2]);
      expect((await store.get(sums, 'a'))?.n).toBe(before + 3);
    }
  });

  test('that ends before its turn comes keeps it from nobody', async () => {
    const store = await filled();
    const order: string[] = [];
    let others: Promise<unknown> | undefined;
    await losing(store, async () => {
      const forgetful = store.transaction((tx) => {
        void tx.get(sums, 'a').catch(() => order.push('refused'));
        order.push('ended');
      });
      await forgetful;
      const throwing = store.transaction(async (tx) => {
        void tx.get(sums, 'a').catch(() => {});
        throw new Error('enough');
      });
      expect(await failure(throwing)).toMatchObject({ message: 'enough' });
      others = store.transaction(async (tx) => {
        order.push('next');
        await tx.get(sums, 'a');
        tx.append('a', added(1));
      });
      while (!order.includes('next')) await sleep(0);
    });
    await others;
    expect(order.slice(0, 2)).toEqual(['ended', 'next']);
    expect(store.stats().transactions).toMatchObject({ running: 0, rolledBack: 1, committed: 3 });
  });

  test('lets those who lost before go first, so that newcomers starve nobody', async () => {
    const store = await filled();
    const increment = async (retries: number) => {
      await store.transaction(
        async (tx) => {
          await tx.get(sums, 'a');
          tx.append('a', added(1));
        },
        { retries },
      );
    };
    const newcomers = Array.from({ length: 16 }, async () => {
      for (let count = 0; count < 20; count += 1) await increment(3);
    });
    await Promise.all(newcomers);
    expect((await store.get(sums, 'a'))?.n).toBe(1 + 16 * 20);
  });

  test('tells when its projection cannot say which keys an event changes', async () => {
    const fragile = defineProjection({
      name: 'fragile',
      version: 1,
      events: counted,
      initial: { n: 0 },
      key: (e) => {
        if (e.type === 'added' && e.data.by < 0) throw new Error('negative');
        return e.stream;
      },
      on: { added: (draft) => ({ n: draft.n + 1 }) },
    });
    const store = await countedStore(place, { projections: [fragile] });
    const error = await failure(
      store.transaction(async (tx) => {
        await tx.get(fragile, 'a');
        if (tx.attempt === 1) await store.append('b', added(-1));
        tx.append('c', added(1));
      }),
    );
    expect(error).toBeInstanceOf(ProjectionFailedError);
    expect(await store.version('c')).toBe(0);
  });
});

describe.each(places)('a weaker transaction over a store in $name', (place) => {
  test.each(['snapshot', 'repeatable-read'] as const)(
    'of isolation %s minds the streams it writes, not what it only read',
    async (isolation) => {
      const store = await countedStore(place);
      await store.append('a', added(1));
      const reads = async (tx: Tx) => {
        await tx.get(sums, 'a');
        await tx.entries(sums).toArray();
        await tx.version('a');
      };
      const change = () => store.append('a', added(1));
      expect(await runs(store, reads, change, { isolation })).toBe(1);
      const moved = () => store.append('mine', added(1));
      expect(await runs(store, reads, moved, { isolation })).toBe(2);
      const exists = (tx: Tx) => tx.append('a', added(1), { expectedVersion: 'exists' });
      expect(await runs(store, reads, change, { isolation }, exists)).toBe(2);
      let before = -1;
      await store.transaction(
        async (tx) => {
          before = (await tx.get(sums, 'a'))?.n ?? 0;
          await store.append('a', added(1));
          expect((await tx.get(sums, 'a'))?.n).toBe(before);
        },
        { isolation },
      );
    },
  );

  test.each(['read-committed', 'read-uncommitted'] as const)(
    'of isolation %s minds nothing, and sees at each read what is committed',
    async (isolation) => {
      const store = await countedStore(place);
      await store.append('a', added(1, 'x'));
      const change = () => store.append('a', added(1, 'x'));
      const reads = (tx: Tx) => tx.get(sums, 'a');
      const writes = async (tx: Tx) => {
        expect((await tx.get(sums, 'a'))?.n).toBe(2);
        expect(await tx.version('a')).toBe(2);
        tx.append('a', added(1, 'x'));
        expect((await tx.get(tags, 'x'))?.n).toBe(3);
        expect(await tx.version('a')).toBe(3);
        await store.append('a', added(1, 'x'));
        expect((await tx.get(tags, 'x'))?.n).toBe(4);
        expect((await tx.entries(sums).toArray())[0]?.[1].n).toBe(4);
      };
      expect(await runs(store, reads, change, { isolation }, writes)).toBe(1);
      expect((await store.get(sums, 'a'))?.n).toBe(4);
    },
  );

  test('of isolation read-committed holds the versions that are demanded', async () => {
    const store = await countedStore(place);
    await store.append('a', added(1));
    const isolation = 'read-committed';
    const error = await failure(
      store.transaction((tx) => tx.append('a', added(1), { expectedVersion: 5 }), { isolation }),
    );
    expect(error).toBeInstanceOf(VersionConflictError);
    const anew = await runs(
      store,
      () => {},
      () => store.append('a', added(1)),
      { isolation },
      async (tx) => tx.append('a', added(1), { expectedVersion: tx.attempt }),
    );
    expect(anew).toBe(2);
  });
});

test('1 000 increments at once, with the default options, end at exactly 1 000', async () => {
  for (const place of places) {
    const store = await countedStore(place);
    const increment = () =>
      store.transaction(async (tx) => {
        const { n } = (await tx.get(sums, 'counter')) ?? { n: 0 };
        tx.append('counter', added(1));
        return n + 1;
      });
    const results = await Promise.all(Array.from({ length: 1000 }, increment));
    expect(new Set(results).size).toBe(1000);
    expect((await store.get(sums, 'counter'))?.n).toBe(1000);
    expect(store.head.position).toBe(1000);
  }
});
