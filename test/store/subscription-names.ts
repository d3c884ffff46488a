/** Subscriptions with a name: checkpoints, one reader, and what the store's own streams have to do with others. */
import { describe, expect, test } from 'vitest';
import {
  LimitExceededError,
  StoreReadOnlyError,
  type Subscription,
  SubscriptionInUseError,
} from '#src/index.js';
import { take, three, waiting } from './subscribing.js';
import type { AnyStore, Factory, MakePlace } from './suite.js';
import { expectFailure, expectInvalidArgument, places, plain } from './support.js';

async function taken(subscription: Pick<Subscription, 'next'>, count: number): Promise<string[]> {
  return places(await take(subscription, count));
}

/** What the checkpoints of a name say, oldest first. */
async function checkpoints(store: AnyStore, name: string): Promise<unknown[]> {
  const events = await store.readStream(`$subscription/${name}`).toArray();
  return events.map(({ data }) => (data as { next: string }).next);
}

async function many(store: AnyStore, commits: number, perCommit: number): Promise<void> {
  const events = Array.from({ length: perCommit }, (_, n) => plain('one', n));
  for (let n = 0; n < commits; n += 1) void store.append('a/1', events);
  await store.flush();
}

export function subscriptionNames(make: MakePlace, { canReopen, canShare }: Factory): void {
  describe('a subscription with a name', () => {
    test('goes on behind what was done: what was given last comes again', async () => {
      const store = await make().open();
      await three(store);
      const first = store.subscribe({ name: 'n' });
      expect(await taken(first, 3)).toEqual(['a/1@1', 'b/1@1', 'b/1@2']);
      await first.return();
      const second = store.subscribe({ name: 'n' });
      expect(await taken(second, 2)).toEqual(['b/1@2', 'b/1@3']);
      await second.checkpoint();
      await second.return();
      expect(await taken(store.subscribe({ name: 'n' }), 1)).toEqual(['a/1@2']);
    });

    test('comes again with the event that its loop was left at, by break and by an error', async () => {
      const store = await make().open();
      await three(store);
      for await (const _ of store.subscribe({ name: 'n' })) break;
      const loop = async () => {
        for await (const { id } of store.subscribe({ name: 'n' })) {
          if (id === '2.0') throw new RangeError(id);
        }
      };
      await expect(loop()).rejects.toThrow(new RangeError('2.0'));
      expect(await taken(store.subscribe({ name: 'n' }), 1)).toEqual(['b/1@1']);
    });

    test('begins where the first one began, whatever the later ones say', async () => {
      const store = await make().open();
      await three(store);
      const first = store.subscribe({ name: 'n', from: 'end' });
      const next = first.next();
      await waiting(store);
      await first.return();
      expect(await next).toMatchObject({ done: true });
      await store.append('c/1', plain('six', 6));
      expect(await taken(store.subscribe({ name: 'n', from: 'end' }), 1)).toEqual(['c/1@1']);
    });

    test('keeps what is done when the store is closed, whichever way', async () => {
      if (!canReopen) return;
      const { open, openSync } = make();
      for (const close of ['close', 'closeSync'] as const) {
        const store = close === 'close' ? await open() : openSync();
        await three(store);
        const subscription = store.subscribe({ name: close });
        await take(subscription, 3);
        await store[close]();
        const again = await open();
        expect(await taken(again.subscribe({ name: close }), 1)).toEqual(['b/1@2']);
        await again.close();
      }
    });

    test('saves what is done when its signal is aborted, before it is told', async () => {
      const store = await make().open();
      await three(store);
      const abort = new AbortController();
      const subscription = store.subscribe({ name: 'n', signal: abort.signal });
      await take(subscription, 3);
      abort.abort(new Error('enough'));
      await expect(subscription.next()).rejects.toThrow('enough');
      expect((await checkpoints(store, 'n')).at(-1)).toBe('2.1');
      expect(await taken(store.subscribe({ name: 'n' }), 1)).toEqual(['b/1@2']);
    });

    test('writes few checkpoints for many events, and one when nothing more is to be done', async () => {
      const store = await make().open();
      await many(store, 100, 50);
      const subscription = store.subscribe({ name: 'n' });
      expect(await take(subscription, 5000)).toHaveLength(5000);
      const next = subscription.next();
      await waiting(store);
      await subscription.checkpoint();
      const saved = await checkpoints(store, 'n');
      expect(saved[0]).toBe('1.0');
      expect(saved.at(-1)).toBe('101.0');
      // The first, one for each 750 events, and those that time brought: a write for each event would be 5000.
      expect(saved.length).toBeLessThan(100);
      expect(store.stats().subscriptions[0]).toMatchObject({ checkpoint: 100, given: 5000 });
      const version = await store.version('$subscription/n');
      await subscription.checkpoint();
      await subscription.return();
      await next;
      expect(await store.version('$subscription/n')).toBe(version);
    });

    test('is not moved by what others save, and writes nothing then', async () => {
      const store = await make().open();
      await three(store);
      const idle = store.subscribe({ name: 'idle', streams: ['none'] });
      const next = idle.next();
      const busy = store.subscribe({ name: 'busy' });
      for (let n = 0; n < 5; n += 1) {
        await busy.next();
        await busy.checkpoint();
      }
      await busy.return();
      await waiting(store);
      await idle.checkpoint();
      await idle.return();
      await next;
      expect(await checkpoints(store, 'idle')).toEqual(['1.0']);
      expect(await checkpoints(store, 'busy')).toEqual(['1.0', '2.0', '2.1', '2.2', '3.0', '4.0']);
    });

    test('saves how far it came over what is for others', async () => {
      const store = await make().open();
      await many(store, 10_001, 1);
      await store.append('b/1', plain('two', 1));
      const subscription = store.subscribe({ name: 'n', streams: ['b/*'] });
      await subscription.next();
      expect((await checkpoints(store, 'n')).length).toBeGreaterThanOrEqual(1);
      await subscription.return();
      expect((await checkpoints(store, 'n')).at(-1)).toBe('10001.0');
    });

    test('has a checkpoint only with a name, and only before it ended', async () => {
      const store = await make().open();
      await three(store);
      await expectInvalidArgument(() => store.subscribe().checkpoint());
      const subscription = store.subscribe({ name: 'n' });
      await subscription.checkpoint();
      expect(await store.version('$subscription/n')).toBe(0);
      for await (const _ of subscription) break;
      await expect(subscription.checkpoint()).rejects.toMatchObject({ code: 'SUBSCRIPTION_ENDED' });
    });

    test('has a name of 186 bytes at most', async () => {
      const store = await make().open();
      await three(store);
      const longest = `${'n'.repeat(183)}/é`;
      expect(await taken(store.subscribe({ name: longest }), 1)).toEqual(['a/1@1']);
      await expectFailure(() => store.subscribe({ name: `${longest}n` }), LimitExceededError, {
        limit: 'subscriptionNameBytesMax',
        max: 186,
        actual: 187,
      });
    });

    test('may be named like a path, a pattern, or what objects have', async () => {
      const store = await make().open();
      await three(store);
      for (const name of ['../../etc', '/', '.', '*', '__proto__', 'constructor', '$x', 'ü 🐟']) {
        const subscription = store.subscribe({ name });
        expect(await taken(subscription, 2)).toEqual(['a/1@1', 'b/1@1']);
        await subscription.return();
        expect(await taken(store.subscribe({ name }), 1)).toEqual(['b/1@1']);
      }
    });
  });

  describe('one reader at a time has a name', () => {
    async function expectTaken(other: AnyStore, since: Date): Promise<void> {
      await expectFailure(() => other.subscribe({ name: 'n' }).next(), SubscriptionInUseError, {
        code: 'SUBSCRIPTION_IN_USE',
        subscription: 'n',
        pid: process.pid,
        since,
        label: 'anna',
      });
    }

    test('in one store, and it is free again when that one ends', async () => {
      const { open, clock } = make();
      const store = await open({ actor: 'anna' });
      await three(store);
      const since = new Date(clock.now());
      const first = store.subscribe({ name: 'n' });
      const second = store.subscribe({ name: 'n' });
      // Who does not read takes nothing.
      expect(await taken(second, 1)).toEqual(['a/1@1']);
      await expectTaken(store, since);
      await expectFailure(() => first.next(), SubscriptionInUseError, { subscription: 'n' });
      expect(await taken(second, 1)).toEqual(['b/1@1']);
      expect(await taken(store.subscribe({ name: 'other' }), 1)).toEqual(['a/1@1']);
      await second.return();
      expect(await taken(store.subscribe({ name: 'n' }), 1)).toEqual(['b/1@1']);
    });

    test('of two that begin at once', async () => {
      const store = await make().open();
      await three(store);
      const answers = await Promise.allSettled(
        Array.from({ length: 5 }, () => store.subscribe({ name: 'n' }).next()),
      );
      const given = answers.filter(({ status }) => status === 'fulfilled');
      expect(given).toMatchObject([{ value: { value: { id: '1.0' } } }]);
      const refused = answers.filter((answer) => answer.status === 'rejected');
      expect(refused.map(({ reason }) => (reason as { code: string }).code)).toEqual(
        Array(4).fill('SUBSCRIPTION_IN_USE'),
      );
    });

    test('in two stores of one place; the other goes on where it was, though it had not looked since', async () => {
      if (!canShare) return;
      const { open, clock } = make();
      const since = new Date(clock.now());
      const one = await open({ actor: 'anna' });
      const other = await open({ freshnessMs: Number.POSITIVE_INFINITY });
      await three(one);
      const first = one.subscribe({ name: 'n' });
      expect(await taken(first, 2)).toEqual(['a/1@1', 'b/1@1']);
      const next = other.subscribe({ name: 'n' });
      await expectTaken(other, since);
      await first.checkpoint();
      await first.return();
      expect(await taken(next, 2)).toEqual(['b/1@2', 'b/1@3']);
      await next.return();
      expect(await taken(one.subscribe({ name: 'n' }), 1)).toEqual(['b/1@3']);
    });

    test('is refused to a store that is opened for reading only, which has others', async () => {
      if (!canShare) return;
      const { open } = make();
      const store = await open();
      await three(store);
      const reader = await open({ readOnly: true });
      await expectFailure(() => reader.subscribe({ name: 'n' }), StoreReadOnlyError);
      const subscription = reader.subscribe({ from: 3 });
      expect(await taken(subscription, 1)).toEqual(['a/1@2']);
      const next = taken(subscription, 1);
      await waiting(reader);
      await store.append('c/1', plain('six', 6));
      expect(await next).toEqual(['c/1@1']);
    });
  });

  describe('the checkpoints of subscriptions', () => {
    test('are given by none but to who names them', async () => {
      const store = await make().open();
      await three(store);
      const mails = store.subscribe({ name: 'mails' });
      await take(mails, 5);
      await mails.checkpoint();
      await store.append('c/1', plain('six', 6));
      const unasked = ['a/1@1', 'b/1@1', 'b/1@2', 'b/1@3', 'a/1@2', 'c/1@1'];
      for (const options of [
        {},
        { streams: ['*'] },
        { name: 'other' },
        { name: 'c', streams: ['*'] },
      ]) {
        const subscription = store.subscribe(options);
        expect(await taken(subscription, 6)).toEqual(unasked);
        const next = subscription.next();
        await waiting(store);
        await subscription.return();
        expect(await next).toMatchObject({ done: true });
      }
      for (const streams of [['$subscription/mails'], ['$subscription/m*'], ['$*']]) {
        expect(await taken(store.subscribe({ streams }), 1)).toEqual(['$subscription/mails@1']);
      }
    });

    test('cannot be written by anybody else', async () => {
      const store = await make().open();
      await expectInvalidArgument(() => store.append('$subscription/n', plain('one', 1)));
    });
  });
}
