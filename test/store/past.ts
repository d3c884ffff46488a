/** The store as of a moment: the same reading calls, whose answers never change. */
import { describe, expect, test } from 'vitest';
import { PositionAheadError, StoreClosedError } from '#src/index.js';
import type { AnyStore, MakePlace } from './suite.js';
import {
  added,
  bothWays,
  byTag,
  counter,
  dropped,
  expectFailure,
  expectInvalidArgument,
  failureOf,
  options,
  places,
  type TestEvents,
  tagged,
} from './support.js';

const START = Date.UTC(2026, 0, 31, 11, 59, 57);

export function past(make: MakePlace): void {
  /** Four commits: one, then two in the same millisecond, then one; a second apart, around noon. */
  async function history() {
    const { open, clock } = make();
    clock.set(START);
    const store = await open(options);
    await store.append('c/1', added(1));
    clock.advance(1000);
    await store.append('c/1', [added(10), tagged('two', 'a')]);
    await store.append('c/2', added(100));
    clock.advance(1000);
    await store.append('c/1', dropped);
    clock.advance(1000);
    return { store, clock };
  }

  const counts = [
    [],
    [['c/1', { n: 1 }]],
    [['c/1', { n: 11 }]],
    [
      ['c/1', { n: 11 }],
      ['c/2', { n: 100 }],
    ],
    [['c/2', { n: 100 }]],
  ];

  bothWays('a store as of a moment', (way) => {
    test('answers as it did at that position', async () => {
      const { store } = await history();
      for (let position = 0; position <= 4; position += 1) {
        const calls = way.at(store.at(position));
        expect(await calls.position()).toBe(position);
        expect(await calls.entries(counter)).toEqual(counts[position]);
        const found = counts[position]?.find(([key]) => key === 'c/1');
        expect(await calls.get(counter, 'c/1')).toEqual(found?.[1]);
        expect(await calls.get(byTag, 'a')).toEqual(
          position < 2 ? undefined : { tag: 'a', texts: ['two'] },
        );
        const all = await calls.readAll();
        expect(all).toEqual(
          await way(store)
            .readAll({ to: Math.max(position, 1) })
            .then((events) => events.filter((event) => event.position <= position)),
        );
        expect(await calls.version('c/1')).toBe(
          all.filter(({ stream }) => stream === 'c/1').length,
        );
        expect(await calls.version('none')).toBe(0);
      }
    });

    test.each<[number, number | string | Date]>([
      [0, new Date(START - 1)],
      [1, new Date(START)],
      [1, new Date(START + 999)],
      [3, new Date(START + 1000)],
      [4, new Date(START + 2000)],
      [4, new Date(8.64e15)],
      [0, new Date(-8.64e15)],
      [0, '2026-01-31'],
      [4, '2026-02-01'],
      [1, '2026-01-31T11:59:57Z'],
      [1, '2026-01-31T11:59:57.999Z'],
      [3, '2026-01-31T11:59:58.000Z'],
      [3, '2026-01-31T11:59:58,5Z'],
      [4, '2026-01-31T12:00Z'],
      [4, '2026-01-31T14:00:00+02:00'],
      [3, '2026-01-31T13:59:58+02'],
      [3, '2026-01-31T06:29:58-0530'],
      [0, '2026-01-31T13:59:56.999+02:00'],
      [0, '1969-12-31T23:00:00Z'],
    ])('at position %d takes %o', async (position, moment) => {
      const { store } = await history();
      const calls = way.at(store.at(moment));
      expect(await calls.position()).toBe(position);
      expect(await calls.entries(counter)).toEqual(counts[position]);
    });

    test('is fixed when it is asked for', async () => {
      const { store, clock } = await history();
      const views = [store.at(4), store.at(new Date(START + 10_000)), store.at('9999-01-01')];
      await store.append('c/2', added(1));
      clock.advance(1000);
      await store.append('c/3', added(1));
      for (const view of views) {
        const calls = way.at(view);
        expect(await calls.entries(counter)).toEqual(counts[4]);
        expect(await calls.get(counter, 'c/3')).toBeUndefined();
        expect(await calls.version('c/3')).toBe(0);
        expect(places(await calls.readAll())).toHaveLength(5);
        expect(await calls.position()).toBe(4);
      }
      expect(await way.at(store.at(6)).get(counter, 'c/3')).toEqual({ n: 1 });
    });

    test('reads events within its range only', async () => {
      const { store } = await history();
      const calls = way.at(store.at(3));
      expect(places(await calls.readAll({ from: 2, to: 100 }))).toEqual([
        'c/1@2',
        'c/1@3',
        'c/2@1',
      ]);
      expect(places(await calls.readAll({ direction: 'backward', limit: 1 }))).toEqual(['c/2@1']);
      expect(await calls.readAll({ from: 4 })).toEqual([]);
      expect(await calls.readAll({ types: ['note.*'] })).toHaveLength(1);
      for (const wrong of [null, { from: 3, to: 2 }, { limit: -1 }, { types: 'a' }, { raw: 1 }]) {
        await expectInvalidArgument(() => calls.readAll(wrong as never));
      }
      for (const wrong of [7, undefined, null]) {
        await expectInvalidArgument(() => calls.version(wrong as never));
      }
    });

    test('of a closed store cannot be read', async () => {
      const { store } = await history();
      const calls = way.at(store.at(2));
      await store.close();
      for (const call of [
        () => calls.get(counter, 'c/1'),
        () => calls.entries(counter),
        () => calls.version('c/1'),
        () => calls.readAll(),
      ]) {
        await expectFailure(call, StoreClosedError);
      }
    });
  });

  describe('a moment', () => {
    test('beyond the head is refused, with what to do instead', async () => {
      const { store } = await history();
      await expectFailure(() => store.at(5), PositionAheadError, {
        code: 'POSITION_AHEAD',
        message: expect.stringContaining('Date') as string,
      });
      await store.append('c/1', added());
      expect(store.at(5).getSync(counter, 'c/1')).toEqual({ n: 1 });
    });

    test.each<[unknown]>([
      [-1],
      [1.5],
      [Number.NaN],
      [Number.POSITIVE_INFINITY],
      [undefined],
      [null],
      [{}],
      [1n],
      [new Date(Number.NaN)],
      [''],
      ['now'],
      ['yesterday'],
      ['2026'],
      ['2026-01'],
      ['2026-1-31'],
      ['2026-13-01'],
      ['2026-02-30'],
      ['2026-02-30T00:00:00Z'],
      ['2026-01-31T12:00:00'],
      ['2026-01-31 12:00:00Z'],
      ['2026-01-31T25:00:00Z'],
      ['2026-01-31T12:00:00+99:00'],
      [' 2026-01-31'],
      ['31.01.2026'],
    ])('must not be %o', async (moment) => {
      const store: AnyStore<TestEvents> = await make().open(options);
      await expectInvalidArgument(() => store.at(moment as never));
    });

    test('may be any while nothing is stored, and is refused once the store is closed', async () => {
      const store = await make().open(options);
      for (const moment of [0, new Date(), '2026-01-31']) {
        const view = store.at(moment);
        expect(view.positionSync()).toBe(0);
        expect(view.entriesSync(counter).toArray()).toEqual([]);
        expect(view.readAllSync().toArray()).toEqual([]);
        expect(view.versionSync('c/1')).toBe(0);
      }
      expect(await failureOf(() => store.at(1))).toBeInstanceOf(PositionAheadError);
      await store.close();
      await expectFailure(() => store.at(0), StoreClosedError);
    });

    test('is found among many commits, over many segments', async () => {
      const { open, clock } = make();
      const store = await open({ ...options, segmentBytes: 4096 });
      const start = clock.now();
      for (let n = 1; n <= 300; n += 1) {
        clock.set(start + Math.floor(n / 3) * 10);
        store.appendSync(`c/${n % 4}`, added());
      }
      expect(store.stats().segments).toBeGreaterThan(3);
      for (let n = 0; n < 1000; n += 7) {
        const expected = Math.min(300, Math.floor(n / 10) * 3 + 2);
        expect(await store.at(new Date(start + n)).position()).toBe(expected);
      }
    });
  });
}
