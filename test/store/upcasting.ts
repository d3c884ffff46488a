/** Events of older shapes are read in the newest one, wherever they are read; stored they stay as they were. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineEvents,
  defineProjection,
  event,
  InvalidEventError,
  type NewEvent,
  ProjectionFailedError,
  UnknownSchemaVersionError,
  UpcastFailedError,
} from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import type { AnyStore, Factory, MakePlace } from './suite.js';
import { bothWays, expectFailure, expectInvalidArgument, plain, saying } from './support.js';

const events = defineEvents({
  grown: event<{ cm: number; how: string }>(),
  other: event<number>(),
});
const upcasters = {
  grown: {
    1: (data: { inches: number }) => ({ cm: data.inches * 2.5 }),
    2: (data: { cm: number }, { stream }: { stream: string }) => ({ ...data, how: stream }),
  },
} as const;
const heights = defineProjection({
  name: 'heights',
  version: 1,
  events,
  initial: { cm: 0, how: '' },
  on: {
    grown: (draft, { data, schemaVersion }) => {
      draft.cm += data.cm;
      draft.how += `${data.how}:${schemaVersion} `;
    },
  },
});
/** Its keys come out of what upcasting gives. */
const byHeight = defineProjection({
  name: 'by-height',
  version: 1,
  events,
  initial: { streams: [] as string[] },
  key: ({ data }) => String((data as { cm: number }).cm),
  on: {
    grown: (draft, { stream }) => {
      draft.streams.push(stream);
    },
  },
});
const options = { events, upcasters, projections: [heights, byHeight] };

const stored: readonly NewEvent[] = [
  plain('grown', { inches: 2 }, { schemaVersion: 1 }),
  plain('grown', { cm: 5 }, { schemaVersion: 2 }),
  plain('grown', { cm: 1, how: 'new' }, { schemaVersion: 3 }),
];
const newest = [
  { type: 'grown', schemaVersion: 3, data: { cm: 5, how: 'a' } },
  { type: 'grown', schemaVersion: 3, data: { cm: 5, how: 'a' } },
  { type: 'grown', schemaVersion: 3, data: { cm: 1, how: 'new' } },
];

/** A store with an event of each version, written as a program of that time would have. */
async function grown(store: AnyStore<typeof events>): Promise<void> {
  for (const event of stored) await store.append('a', event as never);
}

export function upcasting(make: MakePlace, { canReopen }: Factory): void {
  bothWays('events of older shapes', (way) => {
    test('are read in the newest shape everywhere, and raw as they are stored', async () => {
      const store = await make().open(options);
      await grown(store);
      const calls = way(store);
      expect((await calls.readAll()).map(saying)).toEqual(newest);
      expect((await calls.readStream('a', { direction: 'backward' })).map(saying)).toEqual(
        newest.toReversed(),
      );
      const view = way.at(store.at(2));
      expect((await view.readAll()).map(saying)).toEqual(newest.slice(0, 2));
      for (const event of await calls.readAll()) expectDeeplyFrozen(event);
      for (const events of [
        await calls.readAll({ raw: true }),
        await calls.readStream('a', { raw: true }),
      ]) {
        expect(events.map(({ data }) => data)).toEqual(stored.map(({ data }) => data));
        expect(events.map(({ schemaVersion }) => schemaVersion)).toEqual([1, 2, 3]);
      }
      expect((await view.readAll({ raw: true })).map(({ data }) => data)).toEqual([
        { inches: 2 },
        { cm: 5 },
      ]);
      expect(await store.verify()).toMatchObject({ ok: true, events: 3 });
    });

    test('are folded in the newest shape, now and at each moment', async () => {
      const store = await make().open(options);
      await grown(store);
      const calls = way(store);
      expect(await calls.get(heights, 'a')).toEqual({ cm: 11, how: 'a:3 a:3 new:3 ' });
      expect(await calls.entries(byHeight)).toEqual([
        ['1', { streams: ['a'] }],
        ['5', { streams: ['a', 'a'] }],
      ]);
      expect(await way.at(store.at(1)).get(heights, 'a')).toEqual({ cm: 5, how: 'a:3 ' });
      expect(await way.at(store.at(1)).entries(byHeight)).toEqual([['5', { streams: ['a'] }]]);
    });

    test('may still be written, but no newer ones than the program knows', async () => {
      const calls = way(await make().open(options));
      const append = (schemaVersion: unknown) =>
        calls.append('a', { type: 'grown', data: { inches: 1 }, schemaVersion } as never);
      await append(1);
      await expectFailure(() => append(4), InvalidEventError, { path: 'events[0].schemaVersion' });
      for (const wrong of [0, -1, 1.5, '1', null]) {
        await expectInvalidArgument(() => append(wrong));
      }
      await calls.append('a', { type: 'grown', data: { cm: 1, how: 'x' } });
      expect(
        (await calls.readAll({ raw: true })).map(({ schemaVersion }) => schemaVersion),
      ).toEqual([1, 3]);
    });

    test('are upcast without declared types too', async () => {
      const store = await make().open({ upcasters: { grown: upcasters.grown } });
      const calls = way(store);
      await calls.append('a', [plain('grown', { inches: 2 }, { schemaVersion: 1 }), plain('x', 1)]);
      expect((await calls.readAll()).map(saying)).toEqual([
        newest[0],
        { type: 'x', schemaVersion: 1, data: 1 },
      ]);
    });

    test('need not please the schema, which is of the newest', async () => {
      const store = await make().open({
        events: defineEvents({ grown: z.object({ cm: z.number() }) }),
        upcasters: { grown: { 1: upcasters.grown[1] } },
      });
      const calls = way(store);
      await calls.append('a', { type: 'grown', data: { inches: 2 }, schemaVersion: 1 } as never);
      await expectFailure(
        () => calls.append('a', { type: 'grown', data: { inches: 2 } } as never),
        InvalidEventError,
      );
      expect((await calls.readAll()).map(({ data }) => data)).toEqual([{ cm: 5 }]);
    });

    test('that an upcaster fails for stop their keys alone', async () => {
      const store = await make().open({
        events,
        projections: [heights, byHeight],
        upcasters: {
          grown: {
            1: () => {
              throw new Error('cannot say');
            },
            2: upcasters.grown[2],
          },
        },
      });
      const calls = way(store);
      await calls.append('b', stored[2] as never);
      await calls.append('a', stored[0] as never);
      await expectFailure(() => calls.readAll(), UpcastFailedError, { event: '2.0' });
      expect(await calls.readAll({ raw: true })).toHaveLength(2);
      await expectFailure(() => calls.get(heights, 'a'), ProjectionFailedError, {
        key: 'a',
        event: '2.0',
        cause: expect.any(UpcastFailedError) as unknown,
      });
      expect(await calls.get(heights, 'b')).toMatchObject({ cm: 1 });
      // Which key it belongs to cannot be said.
      await expectFailure(() => calls.get(byHeight, '1'), ProjectionFailedError, {
        key: undefined,
      });
      expect(await way.at(store.at(1)).get(byHeight, '1')).toEqual({ streams: ['b'] });
    });
  });

  describe('upcasters', () => {
    test.each<[string, unknown]>([
      ['a gap', { grown: { 2: () => 1 } }],
      ['a type that is not declared', { gron: { 1: () => 1 } }],
      ['anything but a function', { grown: { 1: 'cm' } }],
      ['an asynchronous function', { grown: { 1: async () => 1 } }],
      ['a list', [() => 1]],
    ])('are refused with %s', async (_, wrong) => {
      const { open, openSync } = make();
      const options = { events, upcasters: wrong } as never;
      await expectInvalidArgument(() => open(options));
      await expectInvalidArgument(() => openSync(options));
    });
  });

  if (!canReopen) return;

  bothWays('events that are newer than the program', (way) => {
    test('are told of as such, and read raw', async () => {
      const { open } = make();
      const newer = await open(options);
      await newer.append('b', stored[0] as never);
      await newer.append('a', stored[2] as never);
      await newer.append('c', { type: 'other', data: 1 });
      await newer.close();
      const older = await open({
        events: defineEvents({ grown: event<{ cm: number }>(), other: event<number>() }),
        upcasters: { grown: { 1: upcasters.grown[1] } },
        projections: [heights, byHeight],
      });
      const calls = way(older as never);
      const facts = { type: 'grown', schemaVersion: 3, known: 2, position: 2 };
      await expectFailure(() => calls.readAll(), UnknownSchemaVersionError, facts);
      await expectFailure(() => calls.readStream('a'), UnknownSchemaVersionError, facts);
      expect(await calls.readAll({ raw: true })).toHaveLength(3);
      expect(await calls.readAll({ types: ['other'] })).toHaveLength(1);
      expect(await calls.readAll({ to: 1 })).toHaveLength(1);
      expect(await calls.get(heights, 'b')).toMatchObject({ cm: 5 });
      await expectFailure(() => calls.get(heights, 'a'), ProjectionFailedError, {
        key: 'a',
        position: 2,
        cause: expect.objectContaining(facts) as unknown,
      });
      await expectFailure(() => calls.get(byHeight, '5'), ProjectionFailedError, {
        key: undefined,
        position: 2,
      });
      expect(await way.at(older.at(1)).get(byHeight, '5')).toEqual({ streams: ['b'] });
      expect(await older.verify()).toMatchObject({ ok: true });

      await older.close();
      const again = way(await open(options));
      expect(await again.readAll()).toHaveLength(3);
      expect(await again.get(heights, 'a')).toMatchObject({ cm: 1 });
    });

    test('come behind the events before them', async () => {
      const { open } = make();
      const newer = await open({ upcasters: { grown: upcasters.grown } });
      await newer.append('a', [plain('x', 1), plain('x', 2), plain('grown', { cm: 1, how: '' })]);
      const older = await open({ upcasters: { grown: { 1: upcasters.grown[1] } } });
      const seen: unknown[] = [];
      await expectFailure(async () => {
        for await (const { data } of older.readAll()) seen.push(data);
      }, UnknownSchemaVersionError);
      await expectFailure(() => {
        for (const { data } of older.readAllSync()) seen.push(data);
      }, UnknownSchemaVersionError);
      expect(seen).toEqual([1, 2, 1, 2]);
      await way(older).readAll({ raw: true });
    });
  });
}
