/** Schemas: asked once when an event is appended, and what they give is what is stored. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvents, defineProjection, event, InvalidEventError } from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import type { MakePlace } from './suite.js';
import { bothWays, expectFailure, saying } from './support.js';

const name = z.string().trim().min(1);
const user = z.object({ name, age: z.coerce.number().default(7) });
/** Answers with a promise, and later for some. */
const checkedName = name.refine(async (given) => {
  await new Promise((resolve) => setTimeout(resolve, given.length));
  return given !== 'taken';
});
const events = defineEvents({
  'user.named': user,
  'user.claimed': z.object({ name: checkedName }),
  'user.seen': event<{ at: number }>(),
});
const users = defineProjection({
  name: 'users',
  version: 1,
  events,
  initial: (): { name: string; age: number } => ({ name: '', age: 0 }),
  on: {
    'user.named': (draft, { data }) => {
      Object.assign(draft, data);
    },
    'user.claimed': (draft, { data }) => {
      draft.name = data.name;
    },
  },
});
const options = { events, projections: [users] };

export function schemas(make: MakePlace): void {
  bothWays('events with a schema', (way) => {
    test('are stored as the schema gives them', async () => {
      const store = await make().open(options);
      const calls = way(store);
      const given = { name: ' Anna ', more: 1 };
      await calls.append('u/1', { type: 'user.named', data: given });
      await calls.commit([
        { stream: 'u/2', events: [{ type: 'user.named', data: { name: 'Bo', age: '8' } }] },
      ]);
      expect(given).toEqual({ name: ' Anna ', more: 1 });
      for (const raw of [true, false]) {
        expect((await calls.readAll({ raw })).map(({ data }) => data)).toEqual([
          { name: 'Anna', age: 7 },
          { name: 'Bo', age: 8 },
        ]);
      }
      expect(await calls.get(users, 'u/1')).toEqual({ name: 'Anna', age: 7 });
      expect(await calls.entries(users)).toEqual([
        ['u/1', { name: 'Anna', age: 7 }],
        ['u/2', { name: 'Bo', age: 8 }],
      ]);
      for (const event of await calls.readAll()) expectDeeplyFrozen(event);
    });

    test('are refused with the path to what is wrong, and nothing is written', async () => {
      const calls = way(await make().open(options));
      await expectFailure(
        () =>
          calls.append('u/1', [
            { type: 'user.named', data: { name: 'Anna' } },
            { type: 'user.named', data: { name: ' ' } },
          ]),
        InvalidEventError,
        { code: 'INVALID_EVENT', path: 'events[1].data.name' },
      );
      await expectFailure(
        () =>
          calls.commit([
            { stream: 'u/1', events: { type: 'user.seen', data: { at: 1 } } },
            { stream: 'u/2', events: { type: 'user.named', data: {} as never } },
          ]),
        InvalidEventError,
        { path: 'parts[1].events[0].data.name' },
      );
      expect(await calls.readAll()).toEqual([]);
    });
  });

  describe('a schema that answers with a promise', () => {
    test('is waited for by append and commit', async () => {
      const store = await make().open(options);
      await store.append('u/1', { type: 'user.claimed', data: { name: ' Anna ' } });
      await store.commit([
        { stream: 'u/1', events: { type: 'user.seen', data: { at: 1 } } },
        {
          stream: 'u/2',
          events: [
            { type: 'user.named', data: { name: 'Cleo' } },
            { type: 'user.claimed', data: { name: 'Bo' } },
          ],
        },
      ]);
      expect(store.readAllSync().toArray().map(saying)).toMatchObject([
        { data: { name: 'Anna' } },
        { data: { at: 1 } },
        { data: { name: 'Cleo', age: 7 } },
        { data: { name: 'Bo' } },
      ]);
      expect(store.getSync(users, 'u/2')).toEqual({ name: 'Bo', age: 7 });
    });

    test('refuses by append and commit, and fails its caller alone', async () => {
      const store = await make().open(options);
      const claims = ['taken', 'Anna', 'taken', 'Bo'].map((name) =>
        store.append('u/1', { type: 'user.claimed', data: { name } }),
      );
      const outcomes = await Promise.allSettled(claims);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(outcomes[0]).toMatchObject({
        reason: { code: 'INVALID_EVENT', path: 'events[0].data.name' },
      });
      await expectFailure(
        () =>
          store.commit([
            { stream: 'u/9', events: { type: 'user.claimed', data: { name: 'taken' } } },
          ]),
        InvalidEventError,
        { path: 'parts[0].events[0].data.name' },
      );
      expect(store.versionSync('u/1')).toBe(2);
      expect(store.versionSync('u/9')).toBe(0);
    });

    test('is a TypeError in a synchronous call, which then writes nothing', async () => {
      const store = await make().open(options);
      const claim = { type: 'user.claimed', data: { name: 'Anna' } } as const;
      const refusal = expect.objectContaining({ code: 'ASYNC_SCHEMA' }) as Error;
      expect(() => store.appendSync('u/1', claim)).toThrow(TypeError);
      expect(() => store.appendSync('u/1', [claim])).toThrow(refusal);
      expect(() => store.commitSync([{ stream: 'u/1', events: claim }])).toThrow(refusal);
      // A rejection nobody waits for would end the process.
      const taken = { type: 'user.claimed', data: { name: 'taken' } } as const;
      expect(() => store.appendSync('u/1', taken)).toThrow(refusal);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(store.head.position).toBe(0);
    });

    test('leaves no rejection behind when another event of the call is refused first', async () => {
      const store = await make().open(options);
      const taken = { type: 'user.claimed', data: { name: 'taken' } } as const;
      const odd = { type: 'odd', data: 1 } as never;
      await expectFailure(() => store.append('u/1', [taken, odd]), InvalidEventError, {
        path: 'events[1].type',
      });
      await expectFailure(
        () =>
          store.commit([
            { stream: 'u/1', events: taken },
            { stream: 'u/2', events: odd },
          ]),
        InvalidEventError,
        { path: 'parts[1].events[0].type' },
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(store.head.position).toBe(0);
    });

    test('changes nothing about what was handed in when append was called', async () => {
      const store = await make().open(options);
      const metadata = { from: ['there'] };
      const claim = { type: 'user.claimed' as const, data: { name: 'Anna' }, metadata };
      const seen = { type: 'user.seen' as const, data: { at: 1 } };
      const list = [claim, seen];
      const context = { actor: 'alice' };
      const appended = store.append('u/1', list, context);
      context.actor = 'mallory';
      claim.data.name = 'changed';
      metadata.from.push('changed');
      seen.data.at = 2;
      list.pop();
      await appended;
      const stored = await store.readAll().toArray();
      expect(stored.map(({ data }) => data)).toEqual([{ name: 'Anna' }, { at: 1 }]);
      expect(stored[0]).toMatchObject({ metadata: { from: ['there'] }, actor: 'alice' });
    });
  });
}
