/** What goes through the store into its log, and what comes back. */
import { describe, expect, test } from 'vitest';
import {
  IdempotencyKeyReusedError,
  InvalidEventError,
  LimitExceededError,
  type StoreReadAllOptions,
  VersionConflictError,
} from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import type { MakePlace } from './suite.js';
import {
  added,
  bothWays,
  counter,
  dropped,
  events,
  expectFailure,
  expectInvalidArgument,
  options,
  places,
  plain,
  saying,
  tagged,
} from './support.js';

export function appending(make: MakePlace): void {
  bothWays('the log of a store', (way) => {
    test('gives back what was appended, in order and frozen', async () => {
      const calls = way(await make().open(options));
      expect(await calls.append('c/1', [added(1), added(2)])).toMatchObject({
        position: 1,
        firstVersion: 1,
        version: 2,
        repeated: false,
      });
      const committed = await calls.commit([
        { stream: 'c/1', events: dropped, expectedVersion: 2 },
        { stream: 'n/1', events: [tagged('hello', 'a')], expectedVersion: 'absent' },
      ]);
      expect(committed).toMatchObject({ position: 2, versions: { 'c/1': 3, 'n/1': 1 } });
      const all = await calls.readAll();
      expect(places(all)).toEqual(['c/1@1', 'c/1@2', 'c/1@3', 'n/1@1']);
      expect(all.map(({ type }) => type)).toEqual([
        'counter.added',
        'counter.added',
        'counter.dropped',
        'note.tagged',
      ]);
      expectDeeplyFrozen(all[3]);
      expect(await calls.readStream('c/1', { from: 2, direction: 'backward' })).toEqual([
        all[2],
        all[1],
      ]);
      expect(await calls.readAll({ types: ['note.*'] })).toEqual([all[3]]);
      expect(await calls.version('c/1')).toBe(3);
      expect(await calls.version('other')).toBe(0);
    });

    test('keeps the conditions of the log', async () => {
      const calls = way(await make().open(options));
      await calls.append('c/1', added(), { idempotencyKey: 'k' });
      expect(await calls.append('c/1', added(), { idempotencyKey: 'k' })).toMatchObject({
        position: 1,
        repeated: true,
      });
      await expectFailure(
        () => calls.append('c/1', added(2), { idempotencyKey: 'k' }),
        IdempotencyKeyReusedError,
      );
      await expectFailure(
        () => calls.append('c/1', added(), { expectedVersion: 'absent' }),
        VersionConflictError,
        { failures: [{ stream: 'c/1', expected: 'absent', actual: 1 }] },
      );
      await expectFailure(
        () =>
          calls.commit([{ stream: 'c/2', events: added() }], {
            checks: [{ stream: 'c/1', expectedVersion: 5 }],
          }),
        VersionConflictError,
      );
      expect(await calls.version('c/2')).toBe(0);
    });

    test('refuses types that are not declared, and takes any where none are', async () => {
      const typed = way(await make().open(options));
      const wrong = { type: 'counter.aded', data: { by: 1 } };
      await expectFailure(() => typed.append('c/1', [added(), wrong as never]), InvalidEventError, {
        path: 'events[1].type',
        hint: 'Did you mean "counter.added"?',
      });
      await expectFailure(
        () => typed.commit([{ stream: 'c/1', events: [wrong as never] }]),
        InvalidEventError,
        { path: 'parts[0].events[0].type' },
      );
      expect(await typed.readAll()).toEqual([]);
      const untyped = way(await make().open());
      await untyped.append('c/1', wrong);
      expect((await untyped.readAll()).map(saying)).toEqual([{ ...wrong, schemaVersion: 1 }]);
    });

    test.each<[string, unknown]>([
      ['nothing', undefined],
      ['null', null],
      ['text', 'counter.added'],
      ['a list in a list', [[added()]]],
      ['data that JSON does not have', { type: 'counter.added', data: { by: 1n } }],
      ['a function', { type: 'counter.added', data: () => 1 }],
      ['a promise', { type: 'counter.added', data: Promise.resolve({ by: 1 }) }],
    ])('refuses %s as an event, declared or not', async (_, event) => {
      for (const opened of [await make().open(options), await make().open()]) {
        const calls = way(opened as never);
        await expectFailure(() => calls.append('c/1', event as never), InvalidEventError);
        await expectFailure(
          () => calls.commit([{ stream: 'c/1', events: event as never }]),
          InvalidEventError,
        );
        expect(await calls.readAll()).toEqual([]);
      }
    });

    test('refuses an empty list, a wrong stream, and parts that are none', async () => {
      for (const opened of [await make().open(options), await make().open()]) {
        const calls = way(opened as never);
        await expectInvalidArgument(() => calls.append('c/1', []));
        await expectInvalidArgument(() => calls.append('', plain('counter.added', { by: 1 })));
        await expectInvalidArgument(() => calls.append(7 as never, plain('counter.added', {})));
        await expectInvalidArgument(() => calls.commit([]));
        await expectInvalidArgument(() => calls.commit(null as never));
        await expectInvalidArgument(() => calls.commit([null as never]));
        await expectInvalidArgument(() => calls.commit([{ stream: 'c/1', events: [] }]));
        await expectFailure(
          () => calls.append('x'.repeat(201), plain('counter.added', { by: 1 })),
          LimitExceededError,
        );
        expect(await calls.readAll()).toEqual([]);
      }
    });

    test.each<[unknown]>([
      [null],
      [{ from: 2, to: 1 }],
      [{ from: 0 }],
      [{ limit: -1 }],
      [{ direction: 'up' }],
      [{ types: 'a' }],
      [{ raw: 'yes' }],
    ])('refuses to read with %o', async (wrong) => {
      const calls = way(await make().open(options));
      await expectInvalidArgument(() => calls.readAll(wrong as StoreReadAllOptions));
      if (wrong && 'types' in (wrong as object)) return;
      await expectInvalidArgument(() => calls.readStream('c/1', wrong as never));
    });
  });

  describe('many appends at once', () => {
    test('a bad event fails its caller alone', async () => {
      const store = await make().open(options);
      const calls = Array.from({ length: 40 }, (_, n) =>
        store.append(`c/${n}`, n % 4 === 0 ? ({ type: 'odd', data: n } as never) : added(n)),
      );
      const outcomes = await Promise.allSettled(calls);
      for (const [n, outcome] of outcomes.entries()) {
        if (n % 4 !== 0) expect(outcome.status).toBe('fulfilled');
        else expect(outcome).toMatchObject({ reason: { code: 'INVALID_EVENT' } });
        expect(store.versionSync(`c/${n}`)).toBe(n % 4 === 0 ? 0 : 1);
        expect(store.getSync(counter, `c/${n}`)).toEqual(n % 4 === 0 ? undefined : { n });
      }
    });

    test('an asynchronous call never throws, whatever it is given', async () => {
      const store = await make().open({ events });
      const wrong = [
        store.append('c/1', { type: 'odd', data: 1 } as never),
        store.append('c/1', undefined as never),
        store.append(undefined as never, added()),
        store.commit(undefined as never),
        store.commit([{ stream: 'c/1', events: { type: 'odd', data: 1 } as never }]),
        store.get(undefined as never, 'c/1'),
        store.get(counter, 'c/1'),
        store.index(undefined as never),
        store.version(undefined as never),
      ];
      for (const outcome of await Promise.allSettled(wrong))
        expect(outcome.status).toBe('rejected');
    });
  });
}
