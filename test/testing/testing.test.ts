/** What `recollect/testing` offers to tests of programs. */
import { AssertionError } from 'node:assert';
import { describe, expect, test } from 'vitest';
import {
  defineEvents,
  defineProjection,
  event,
  InvalidEventError,
  TransactionRolledBackError,
} from '#src/index.js';
import { given, memoryStore, settableClock } from '#src/testing.js';

const events = defineEvents({
  opened: event<{ owner: string }>(),
  deposited: event<{ amount: number }>(),
});

const accounts = defineProjection({
  name: 'accounts',
  version: 1,
  events,
  initial: { balance: 0 },
  on: {
    opened: () => undefined,
    deposited: (draft, e) => {
      draft.balance += e.data.amount;
    },
  },
});

const opened = { type: 'opened' as const, data: { owner: 'anna' } };
const deposited = (amount: number) => ({ type: 'deposited' as const, data: { amount } });

class Refused extends Error {
  readonly code = 'REFUSED';
}

const deposit = (amount: number) => (account: { readonly balance: number } | undefined) => {
  if (!account) throw new Refused('there is no such account');
  return amount === 0 ? [] : deposited(amount);
};

async function assertionOf(promise: Promise<void>): Promise<AssertionError> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AssertionError);
  return error as AssertionError;
}

describe('given a projection', () => {
  test('compares what is decided with what is expected', async () => {
    await given(accounts, [opened])
      .when(deposit(5))
      .then([deposited(5)]);
    await given(accounts, [opened]).when(deposit(0)).then([]);
    await given(accounts)
      .when(() => [opened, deposited(1)])
      .then([opened, deposited(1)]);
    await given(accounts, [opened, deposited(3)])
      .when(async (account) => deposited(account?.balance ?? 0))
      .then([deposited(3)]);
  });

  test('fails with the difference when other events are decided', async () => {
    const error = await assertionOf(
      given(accounts, [opened])
        .when(deposit(5))
        .then([deposited(6)]),
    );
    expect(error.actual).toEqual([deposited(5)]);
    expect(error.expected).toEqual([deposited(6)]);
    expect(error.message).toMatch(/[+-] +amount: 5/);
    await assertionOf(given(accounts, [opened]).when(deposit(5)).then([]));
    await assertionOf(
      given(accounts)
        .when(deposit(5))
        .then([deposited(5)]),
    );
  });

  test.each([
    ['its class', Refused],
    ['its message', /no such account/],
    ['an error like it', new Refused('there is no such account')],
    ['its members', { code: 'REFUSED' }],
  ])('takes %s for the error that is expected', async (_, expected) => {
    await given(accounts).when(deposit(5)).then(expected);
  });

  test.each([
    ['another class', RangeError],
    ['another message', /closed/],
    ['another error', new Refused('closed')],
    ['other members', { code: 'CLOSED' }],
  ])('fails for %s', async (_, expected) => {
    await assertionOf(given(accounts).when(deposit(5)).then(expected));
    await assertionOf(given(accounts, [opened]).when(deposit(5)).then(expected));
  });

  test('takes the key, and the stream, of a projection with keys of its own', async () => {
    const byOwner = defineProjection({
      name: 'by-owner',
      version: 1,
      events,
      initial: { accounts: 0 },
      key: (e) => (e.type === 'opened' ? e.data.owner : undefined),
      on: {
        opened: (draft) => {
          draft.accounts += 1;
        },
      },
    });
    expect(() => given(byOwner, [opened])).toThrow(TypeError);
    await given(byOwner, [opened], { key: 'anna', stream: 'accounts/1' })
      .when((state) => deposited(state?.accounts ?? 0))
      .then([deposited(1)]);
  });

  test('refuses a history that could not be, whatever is expected', async () => {
    const wrong = given(accounts, [{ type: 'unknown' as never, data: {} as never }]);
    await expect(wrong.when(() => []).then(InvalidEventError)).rejects.toBeInstanceOf(
      InvalidEventError,
    );
  });

  test('says so when it is awaited without anything expected', async () => {
    const scenario: unknown = given(accounts, [opened]).when(deposit(5));
    await expect((async () => await scenario)()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  test('refuses wrong arguments', () => {
    const call = given as (...parameters: unknown[]) => { when(work: unknown): unknown };
    expect(() => call('accounts')).toThrow(TypeError);
    expect(() => call(accounts, {})).toThrow(TypeError);
    expect(() => call(accounts).when(undefined)).toThrow(TypeError);
    expect(() => call([]).when({})).toThrow(TypeError);
  });
});

describe('given the events of a store', () => {
  const options = { events, projections: [accounts] };
  const history = [
    { stream: 'a', events: [opened, deposited(10)] },
    { stream: 'b', events: opened },
  ];
  const scenario = given(history, options).when(async (tx) => {
    const { balance } = (await tx.get(accounts, 'a')) ?? { balance: 0 };
    if (balance > 10) tx.rollback('too much');
    tx.append('a', deposited(-balance));
    tx.append('b', deposited(balance));
  });

  test('compares what the transaction commits with what is expected, by stream', async () => {
    await scenario.then([
      { stream: 'a', events: deposited(-10) },
      { stream: 'b', events: [deposited(10)] },
    ]);
    await assertionOf(scenario.then([{ stream: 'a', events: deposited(-10) }]));
    await assertionOf(
      scenario.then([
        { stream: 'b', events: deposited(-10) },
        { stream: 'a', events: deposited(10) },
      ]),
    );
  });

  test('expects errors, too', async () => {
    await given([...history, { stream: 'a', events: deposited(1) }], options)
      .when((tx) => tx.rollback('no'))
      .then(TransactionRolledBackError);
    await assertionOf(scenario.then(TransactionRolledBackError));
  });
});

describe('a settable clock', () => {
  test('stands still until it is moved', () => {
    const clock = settableClock('2026-05-01T00:00:00Z');
    const start = Date.UTC(2026, 4, 1);
    const { now } = clock;
    expect(now()).toBe(start);
    clock.advance(1500);
    expect(now()).toBe(start + 1500);
    clock.set(new Date(5));
    expect(now()).toBe(5);
    clock.set(start);
    expect(now()).toBe(start);
    expect(settableClock().now()).toBe(Date.UTC(2026, 0, 1));
  });

  test('refuses what is no moment', () => {
    expect(() => settableClock('tomorrow')).toThrow(TypeError);
    expect(() => settableClock().set(Number.NaN)).toThrow(TypeError);
    expect(() => settableClock().advance(Number.POSITIVE_INFINITY)).toThrow(TypeError);
  });
});

describe('a memory store', () => {
  test('has its own clock, or the one it is given', async () => {
    const own = await memoryStore({ events, projections: [accounts] });
    own.clock.advance(1);
    const { time } = await own.store.append('a', opened);
    expect(time).toBe('2026-01-01T00:00:00.001Z');
    await own[Symbol.asyncDispose]();
    await expect(own.store.get(accounts, 'a')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    const clock = settableClock(0);
    const { store } = await memoryStore({ clock });
    expect((await store.append('a', { type: 't', data: 1 })).time).toBe('1970-01-01T00:00:00.000Z');
    await store.close();
  });
});
