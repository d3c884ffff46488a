/** Subscriptions: history, then live, in order, without gaps or repeats; how they begin and how they end. */
import { describe, expect, test } from 'vitest';
import {
  defineEvents,
  event,
  PositionAheadError,
  type RecordedEvent,
  StoreClosedError,
  type SubscribeOptions,
  type Subscription,
  UnknownSchemaVersionError,
  UpcastFailedError,
} from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { until } from '../support/programs.js';
import type { AnyStore, Factory, MakePlace } from './suite.js';
import { expectFailure, expectInvalidArgument, places, plain, saying } from './support.js';

/** The next events; fewer when it ends before. */
export async function take(
  subscription: Pick<Subscription, 'next'>,
  count: number,
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  while (events.length < count) {
    const { value, done } = await subscription.next();
    if (done) break;
    events.push(value);
  }
  return events;
}

async function taken(subscription: Pick<Subscription, 'next'>, count: number): Promise<string[]> {
  return places(await take(subscription, count));
}

/** Commits of one and of three events, five in all. */
export async function three(store: AnyStore): Promise<void> {
  await store.append('a/1', plain('one', 1));
  await store.append('b/1', [plain('two', 2), plain('two', 3), plain('three', 4)]);
  await store.append('a/1', plain('one', 5));
}

const over = { value: undefined, done: true };

/** Resolves when the subscription waits for an event that there is not yet. */
export async function waiting(store: AnyStore): Promise<void> {
  await until(() => store.stats().subscriptions.some((subscription) => subscription.waiting));
}

export function subscribing(make: MakePlace, { canReopen, canShare }: Factory): void {
  describe('a subscription', () => {
    test('gives the history and then what comes, in order', async () => {
      const store = await make().open();
      await three(store);
      const subscription = store.subscribe();
      expect(await taken(subscription, 5)).toEqual(['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2']);
      const next = taken(subscription, 3);
      await waiting(store);
      await store.append('c/1', plain('six', 6));
      store.appendSync('c/1', [plain('six', 7), plain('six', 8)]);
      expect(await next).toEqual(['c/1@1', 'c/1@2', 'c/1@3']);
      expect(await subscription.return()).toEqual(over);
      expect(await subscription.next()).toEqual(over);
    });

    test.each([
      ['the start', 'start', ['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['the end', 'end', ['c/1@1']],
      ['a position', 2, ['b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['the next position', 4, ['c/1@1']],
      ['behind an event', { after: '1.0' }, ['b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['behind an event inside a commit', { after: '2.0' }, ['b/1@2', 'b/1@3', 'a/1@2', 'c/1@1']],
      ['behind the last event', { after: '3.0' }, ['c/1@1']],
    ] as const)('begins at %s, also under a name', async (_, from, expected) => {
      const store = await make().open();
      await three(store);
      const plainly = store.subscribe({ from });
      const named = store.subscribe({ from, name: 'n' });
      await store.append('c/1', plain('six', 6));
      expect(await taken(plainly, expected.length)).toEqual(expected);
      expect(await taken(named, expected.length)).toEqual(expected);
    });

    test('gives only the streams and types that were asked for', async () => {
      const store = await make().open();
      await three(store);
      const byStream = store.subscribe({ streams: ['a/*'] });
      const byType = store.subscribe({ types: ['three', 'other*'], name: 'types' });
      const streams = taken(byStream, 3);
      const types = taken(byType, 2);
      await store.append('b/1', plain('otherwise', 1));
      await store.append('a/2', plain('six', 6));
      expect(await streams).toEqual(['a/1@1', 'a/1@2', 'a/2@1']);
      expect(await types).toEqual(['b/1@3', 'b/1@4']);
    });

    test('takes its lists as they were when it was made', async () => {
      const store = await make().open();
      await three(store);
      const streams = ['b/1'];
      const subscription = store.subscribe({ streams });
      streams[0] = 'a/1';
      expect(await taken(subscription, 1)).toEqual(['b/1@1']);
    });

    test('gives deeply frozen events, the same as readAll', async () => {
      const store = await make().open();
      await store.append('a/1', plain('one', { deep: [{ er: 1 }] }, { metadata: { m: [1] } }), {
        actor: 'anna',
        reason: 'why',
        idempotencyKey: 'k',
      });
      const [given] = await take(store.subscribe(), 1);
      expect(given).toEqual((await store.readAll().toArray())[0]);
      expectDeeplyFrozen(given);
    });

    test('answers calls of next that do not wait for one another in order', async () => {
      const store = await make().open();
      await three(store);
      const subscription = store.subscribe({ name: 'n' });
      const calls = Array.from({ length: 7 }, () => subscription.next());
      await store.append('c/1', [plain('six', 6), plain('six', 7)]);
      const given = (await Promise.all(calls)).map(({ value }) => value as RecordedEvent);
      const history = ['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2'];
      expect(places(given)).toEqual([...history, 'c/1@1', 'c/1@2']);
    });

    test('neither misses nor repeats an event while many are appended', async () => {
      const store = await make().open({ segmentBytes: 4096 });
      const count = 200;
      const readers = ['one', 'two', undefined].map(async (name) => {
        const seen: unknown[] = [];
        for await (const { data } of store.subscribe({ name })) {
          seen.push((data as { n: number }).n);
          if (seen.length === count) break;
        }
        return seen;
      });
      const text = 'x'.repeat(200);
      for (let n = 0; n < count; n += 1) {
        const sized = plain('sized', { n, text });
        if (n % 10 === 0) store.appendSync(`a/${n % 3}`, sized);
        else if (n % 7 === 0) await store.append(`a/${n % 3}`, sized);
        else void store.append(`a/${n % 3}`, sized);
      }
      for (const seen of await Promise.all(readers)) {
        expect(seen).toEqual(Array.from({ length: count }, (_, n) => n));
      }
    });

    test('tells where it is', async () => {
      const store = await make().open();
      await three(store);
      expect(store.stats().subscriptions).toEqual([]);
      const subscription = store.subscribe({ streams: ['b/*'], from: 2 });
      expect(subscription.position).toBe(1);
      await subscription.next();
      expect(subscription.position).toBe(2);
      expect(store.stats().subscriptions).toEqual([
        { position: 2, lag: 1, given: 1, waiting: false },
      ]);
      await take(subscription, 2);
      const next = subscription.next();
      await waiting(store);
      expect(subscription.position).toBe(3);
      expect(store.stats().subscriptions).toEqual([
        { position: 3, lag: 0, given: 3, waiting: true },
      ]);
      await subscription.return();
      expect(await next).toEqual(over);
      expect(store.stats().subscriptions).toEqual([]);
    });

    test('looks whatever freshnessMs says', async () => {
      const { open } = make();
      const store = await open({ freshnessMs: Number.POSITIVE_INFINITY });
      const subscription = store.subscribe();
      const next = taken(subscription, 1);
      await waiting(store);
      const writer = canShare ? await open() : store;
      await writer.append('a/1', plain('one', 1));
      expect(await next).toEqual(['a/1@1']);
    });
  });

  describe('a subscription ends', () => {
    test('with its loop', async () => {
      const store = await make().open();
      await three(store);
      const subscription = store.subscribe();
      for await (const { position } of subscription) if (position === 2) break;
      expect(await subscription.next()).toEqual(over);
      expect(store.stats().subscriptions).toEqual([]);
    });

    test('with its block', async () => {
      const store = await make().open();
      await three(store);
      let outside: Subscription | undefined;
      {
        await using subscription = store.subscribe();
        await subscription.next();
        outside = subscription;
      }
      expect(await outside.next()).toEqual(over);
    });

    test('with return, while it waits', async () => {
      const store = await make().open();
      const subscription = store.subscribe();
      const next = subscription.next();
      await waiting(store);
      expect(await subscription.return()).toEqual(over);
      expect(await next).toEqual(over);
    });

    test('when the store is closed: while it waits, while it reads, before it began', async () => {
      const store = await make().open();
      await three(store);
      const [waits, reads, named, fresh] = [
        store.subscribe({ from: 'end' }),
        store.subscribe(),
        store.subscribe({ name: 'n' }),
        store.subscribe(),
      ];
      const next = waits.next();
      expect(await taken(reads, 1)).toEqual(['a/1@1']);
      expect(await taken(named, 1)).toEqual(['a/1@1']);
      await waiting(store);
      await store.close();
      expect(await next).toEqual(over);
      for (const each of [waits, reads, named, fresh]) expect(await each.next()).toEqual(over);
      await expectFailure(() => store.subscribe(), StoreClosedError, { code: 'STORE_CLOSED' });
    });

    test('when the store is closed at once', async () => {
      const store = await make().open();
      await three(store);
      const [waits, named, begins] = [
        store.subscribe({ from: 'end' }),
        store.subscribe({ name: 'n' }),
        store.subscribe({ name: 'other' }),
      ];
      const next = waits.next();
      await taken(named, 2);
      await waiting(store);
      const beginning = begins.next();
      store.closeSync();
      expect(await next).toEqual(over);
      expect(await beginning).toEqual(over);
      expect(await named.next()).toEqual(over);
      await named.return();
    });

    test('with the reason of its signal, once', async () => {
      const store = await make().open();
      await three(store);
      const reason = new Error('enough');
      for (const name of [undefined, 'n']) {
        const before = store.subscribe({ name, signal: AbortSignal.abort(reason) });
        expect(await before.next().catch((error: unknown) => error)).toBe(reason);
        expect(await before.next()).toEqual(over);

        const waits = new AbortController();
        const subscription = store.subscribe({ name, from: 'end', signal: waits.signal });
        const next = subscription.next();
        await waiting(store);
        waits.abort(reason);
        expect(await next.catch((error: unknown) => error)).toBe(reason);
        expect(await subscription.next()).toEqual(over);

        const reads = new AbortController();
        const seen: RecordedEvent[] = [];
        const loop = async () => {
          const options = { name: name && 'other', signal: reads.signal };
          for await (const event of store.subscribe(options)) {
            seen.push(event);
            if (seen.length === 2) reads.abort(reason);
          }
        };
        expect(await loop().catch((error: unknown) => error)).toBe(reason);
        expect(places(seen)).toEqual(['a/1@1', 'b/1@1']);
      }
      expect(store.stats().subscriptions).toEqual([]);
    });

    test('at an event that is too new, behind those before it, and raw it does not', async () => {
      if (!canReopen) return;
      const { open } = make();
      const before = await open();
      await before.append('a', [
        plain('other', 1),
        plain('grown', 2, { schemaVersion: 3 }),
        plain('other', 3),
      ]);
      await before.close();
      const events = defineEvents({ grown: event<number>(), other: event<number>() });
      const store = await open({ events });
      for (const [name, given] of [
        [undefined, ['a@1']],
        ['n', ['a@1']],
        ['n', []],
      ] as const) {
        const subscription = store.subscribe({ name });
        expect(await taken(subscription, given.length)).toEqual(given);
        await expectFailure(() => subscription.next(), UnknownSchemaVersionError, {
          type: 'grown',
          schemaVersion: 3,
          position: 1,
        });
        expect(await subscription.next()).toEqual(over);
      }
      expect((await take(store.subscribe({ raw: true }), 3)).map(saying)).toEqual(
        (await store.readStream('a', { raw: true }).toArray()).map(saying),
      );
    });

    test('at an upcaster that throws; others give the newest shape', async () => {
      const events = defineEvents({ grown: event<{ cm: number }>() });
      const upcasters = {
        grown: {
          1: ({ inches }: { inches: number }) => {
            if (inches > 9) throw new RangeError('too tall');
            return { cm: inches * 2.5 };
          },
        },
      } as const;
      const store = await make().open({ events, upcasters });
      for (const inches of [2, 4, 10]) {
        await store.append('a', plain('grown', { inches }, { schemaVersion: 1 }) as never);
      }
      const subscription = store.subscribe();
      const given = await take(subscription, 2);
      expect(given.map(({ data }) => data)).toEqual([{ cm: 5 }, { cm: 10 }]);
      for (const each of given) expectDeeplyFrozen(each);
      await expectFailure(() => subscription.next(), UpcastFailedError, { event: '3.0' });
    });
  });

  describe('a subscription is refused', () => {
    test('what is no place to begin, no filter, no name and no signal', async () => {
      const store = await make().open();
      await three(store);
      const wrong = [
        { from: 0 },
        { from: 1.5 },
        { from: 'middle' },
        { from: null },
        { from: {} },
        { from: { after: 7 } },
        { from: { after: '1' } },
        { from: { after: '0.0' } },
        { from: { after: '1.0\n' } },
        { types: 'one' },
        { streams: [1] },
        { streams: { length: 1 } },
        { raw: 1 },
        { signal: {} },
        { name: '' },
        { name: null },
        { name: 7 },
        { name: 'a\nb' },
        { name: 'a\u0000' },
        { name: '\ud800' },
        { name: 'n', streams: ['$subscription/other'] },
        { name: 'n', streams: ['a', '$subscription/*'] },
      ];
      for (const options of [...wrong, null, 'start']) {
        await expectInvalidArgument(() => store.subscribe(options as SubscribeOptions));
      }
      expect(await store.version('$subscription/n')).toBe(0);
    });

    test('a beginning beyond the head, also under a name, which stays free', async () => {
      const store = await make().open();
      await three(store);
      for (const name of [undefined, 'n']) {
        for (const [from, position] of [
          [5, 5],
          [{ after: '4.0' }, 4],
        ] as const) {
          const subscription = store.subscribe({ from, name });
          const facts = { code: 'POSITION_AHEAD', position, head: 3 };
          await expectFailure(() => subscription.next(), PositionAheadError, facts);
          expect(await subscription.next()).toEqual(over);
        }
      }
      expect(await taken(store.subscribe({ name: 'n' }), 1)).toEqual(['a/1@1']);
    });
  });
}
