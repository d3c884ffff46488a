/** Reading one key: what is there, what is not, and at once what this process wrote. */
import { describe, expect, test } from 'vitest';
import {
  defineProjection,
  ProjectionNotRegisteredError,
  type RecordedEvent,
  removed,
} from '#src/index.js';
import type { Factory, MakePlace } from './suite.js';
import {
  added,
  bothWays,
  byTag,
  counter,
  dropped,
  events,
  expectFailure,
  expectInvalidArgument,
  failureOf,
  options,
  plain,
  tagged,
} from './support.js';

const HARMFUL = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'then'];

/** Keeps what it got, under whatever key the event says. */
const kept = defineProjection({
  name: 'kept',
  version: 1,
  initial: (): { data: unknown[]; by: Record<string, unknown> } => ({ data: [], by: {} }),
  key: ({ data }) => (data as { keys: string[] }).keys,
  on: {
    kept: (draft, { data }) => {
      draft.data.push(data);
      const [first = ''] = (data as { keys: string[] }).keys;
      // A plain object cannot have it as a member that is assigned, and Immer says so.
      if (first !== '__proto__') draft.by[first] = data;
    },
    forgotten: () => removed,
  },
});

export function keys(make: MakePlace, { canReopen }: Factory): void {
  bothWays('a key', (way) => {
    test('is absent until its first event, and again once it is removed', async () => {
      const calls = way(await make().open(options));
      expect(await calls.get(counter, 'c/1')).toBeUndefined();
      await calls.append('c/1', added(5));
      expect(await calls.get(counter, 'c/1')).toEqual({ n: 5 });
      expect(await calls.get(counter, 'c/2')).toBeUndefined();
      await calls.append('c/1', dropped);
      expect(await calls.get(counter, 'c/1')).toBeUndefined();
      await calls.append('c/1', added(2));
      expect(await calls.get(counter, 'c/1')).toEqual({ n: 2 });
      await calls.append('c/1', [dropped, added(1), added(1)]);
      expect(await calls.get(counter, 'c/1')).toEqual({ n: 2 });
    });

    test('of its own, several or none are given by the projection', async () => {
      const calls = way(await make().open(options));
      await calls.append('n/1', [tagged('one', 'a', 'b'), tagged('two', 'b', 'b'), tagged('none')]);
      await calls.append('n/2', tagged('three', 'a'));
      expect(await calls.get(byTag, 'a')).toEqual({ tag: 'a', texts: ['one', 'three'] });
      expect(await calls.get(byTag, 'b')).toEqual({ tag: 'b', texts: ['one', 'two'] });
      expect(await calls.get(byTag, 'n/1')).toBeUndefined();
      expect(await calls.get(counter, 'n/1')).toBeUndefined();
    });

    test.each(HARMFUL)(
      'named %s harms nothing, nor does data or a stream of that name',
      async (name) => {
        const store = await make().open({ projections: [kept, counter] });
        const calls = way(store);
        expect(await calls.get(kept, name)).toBeUndefined();
        expect(await calls.get(counter, name)).toBeUndefined();
        const data = JSON.parse(`{"keys":["${name}","x"],"${name}":{"polluted":true}}`) as unknown;
        await calls.append(name, [plain('kept', data), plain('counter.added', { by: 3 })]);
        expect(await calls.get(counter, name)).toEqual({ n: 3 });
        for (const key of [name, 'x']) {
          const state = await calls.get(kept, key);
          expect(JSON.stringify(state?.data)).toBe(JSON.stringify([data]));
          expect(Object.getPrototypeOf(state?.data[0])).toBe(Object.prototype);
          if (name !== '__proto__') expect(Object.hasOwn(state?.by ?? {}, name)).toBe(true);
        }
        expect((await calls.entries(kept)).map(([key]) => key)).toEqual([name, 'x'].sort());
        expect((await calls.entries(kept, { prefix: name })).map(([key]) => key)).toEqual([name]);
        expect(await way.at(store.at(1)).get(counter, name)).toEqual({ n: 3 });
        expect(await way.at(store.at(0)).get(kept, name)).toBeUndefined();
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      },
    );

    test('sees at once what this process wrote, whichever way', async () => {
      const store = await make().open(options);
      const calls = way(store);
      let n = 0;
      for (let round = 0; round < 5; round += 1) {
        await store.append('c/1', added());
        expect(await calls.get(counter, 'c/1')).toEqual({ n: ++n });
        store.appendSync('c/1', added());
        expect(await calls.get(counter, 'c/1')).toEqual({ n: ++n });
        await store.commit([{ stream: 'c/1', events: added() }]);
        expect(await calls.get(counter, 'c/1')).toEqual({ n: ++n });
        store.commitSync([{ stream: 'c/1', events: added() }]);
        expect(await calls.get(counter, 'c/1')).toEqual({ n: ++n });
        n += 1;
        const read = store.append('c/1', added()).then(() => calls.get(counter, 'c/1'));
        expect(await read).toEqual({ n });
      }
    });

    test('is the same state until something changes it', async () => {
      const calls = way(await make().open(options));
      await calls.append('n/1', [tagged('one', 'a'), tagged('two', 'b')]);
      const first = await calls.get(byTag, 'a');
      expect(await calls.get(byTag, 'a')).toBe(first);
      await calls.append('n/1', tagged('three', 'b'));
      expect(await calls.get(byTag, 'a')).toBe(first);
    });

    test.each([0, 1000])(
      'is read with a cache of %d bytes as with a large one',
      async (cacheBytes) => {
        const store = await make().open({ ...options, cacheBytes, segmentBytes: 4096 });
        const calls = way(store);
        for (let n = 0; n < 120; n += 1) {
          await calls.append(`c/${n % 7}`, [added(n), tagged(`t${n}`, `tag${n % 5}`, 'all')]);
        }
        for (let k = 0; k < 7; k += 1) {
          let sum = 0;
          for (let n = k; n < 120; n += 7) sum += n;
          expect(await calls.get(counter, `c/${k}`)).toEqual({ n: sum });
        }
        const all = await calls.get(byTag, 'all');
        expect(all?.texts).toEqual(Array.from({ length: 120 }, (_, n) => `t${n}`));
        expect((await calls.entries(byTag)).map(([key]) => key)).toEqual([
          'all',
          'tag0',
          'tag1',
          'tag2',
          'tag3',
          'tag4',
        ]);
        expect((await way.at(store.at(60)).get(byTag, 'all'))?.texts).toHaveLength(60);
        expect(store.stats().cache.bytes).toBeLessThanOrEqual(cacheBytes);
      },
    );

    test('of a projection that is not registered is refused by name', async () => {
      const calls = way(await make().open({ events, projections: [counter] }));
      await expectFailure(() => calls.get(byTag, 'a'), ProjectionNotRegisteredError, {
        code: 'PROJECTION_NOT_REGISTERED',
        projection: 'by-tag',
        registered: ['counter'],
      });
      await expectFailure(() => calls.entries(byTag), ProjectionNotRegisteredError);
      const twin = defineProjection({
        name: 'counter',
        version: 1,
        initial: 0,
        on: { x: () => 1 },
      });
      await expectFailure(() => calls.get(twin, 'a'), ProjectionNotRegisteredError);
    });

    test('must be text, of a projection that was defined', async () => {
      const store = await make().open(options);
      for (const calls of [way(store), way.at(store.at(0))]) {
        for (const wrong of [undefined, null, 7, {}, ['c/1'], Symbol('c')]) {
          await expectInvalidArgument(() => calls.get(counter, wrong as never));
        }
        for (const wrong of ['counter', undefined, null, 7, {}]) {
          await expectInvalidArgument(() => calls.get(wrong as never, 'c/1'));
          await expectInvalidArgument(() => calls.entries(wrong as never));
        }
      }
      await store.append('c/1', added());
      store.getSync(counter, 'c/1');
      await expectInvalidArgument(() => way(store).get(counter, 7 as never));
    });
  });

  describe('a key that is written by many at once', () => {
    test('ends at their sum, and never goes back on the way', async () => {
      const store = await make().open(options);
      let last = 0;
      const calls = Array.from({ length: 200 }, async () => {
        await store.append('c/1', added());
        const state = await store.get(counter, 'c/1');
        const n = state?.n ?? 0;
        expect(n).toBeGreaterThanOrEqual(last);
        last = n;
      });
      await Promise.all(calls);
      expect(store.getSync(counter, 'c/1')).toEqual({ n: 200 });
    });

    test('answers many at once with one state', async () => {
      const store = await make().open({ ...options, cacheBytes: 0 });
      await store.append('c/1', [added(), added()]);
      const states = await Promise.all(Array.from({ length: 50 }, () => store.get(counter, 'c/1')));
      for (const state of states) expect(state).toEqual({ n: 2 });
    });
  });

  describe('projections of one store', () => {
    test('must have names of their own and be made by defineProjection', async () => {
      const { open, openSync } = make();
      const twin = defineProjection({
        name: 'counter',
        version: 2,
        initial: 0,
        on: { x: () => 1 },
      });
      for (const projections of [
        [counter, twin],
        [counter, counter],
        [{ name: 'x' }],
        counter,
        'x',
      ]) {
        const wrong = { projections } as never;
        await expectInvalidArgument(() => open(wrong));
        await expectInvalidArgument(() => openSync(wrong));
      }
      for (const cacheBytes of [-1, Number.NaN, '1', null]) {
        expect(await failureOf(() => open({ cacheBytes } as never))).toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      }
      await expectInvalidArgument(() => open({ events: { x: 1 } } as never));
    });

    test('do not mind what a handler keeps: events and drafts are closed to change', async () => {
      const leaks: RecordedEvent[] = [];
      const leaking = defineProjection({
        name: 'leaking',
        version: 1,
        initial: { texts: [] as string[] },
        on: {
          said: (draft, event) => {
            leaks.push(event);
            draft.texts.push((event.data as { text: string }).text);
          },
        },
      });
      const store = await make().open({ projections: [leaking] });
      await store.append('a', plain('said', { text: 'one' }));
      await store.get(leaking, 'a');
      expect(() => {
        (leaks[0]?.data as { text: string }).text = 'changed';
      }).toThrow(TypeError);
      await store.append('a', plain('said', { text: 'two' }));
      expect(store.getSync(leaking, 'a')).toEqual({ texts: ['one', 'two'] });
    });
  });

  if (!canReopen) return;

  bothWays('a store that is opened again', (way) => {
    test('has the same states', async () => {
      const { open } = make();
      const first = await open({ ...options, segmentBytes: 4096 });
      for (let n = 0; n < 100; n += 1) {
        await first.append(`c/${n % 3}`, [added(n), tagged(`t${n}`, `tag${n % 2}`)]);
      }
      await first.append('c/1', dropped);
      const [counts, tags] = [
        await first.entries(counter).toArray(),
        await first.entries(byTag).toArray(),
      ];
      await first.close();
      for (const readOnly of [true, false]) {
        const store = await open({ ...options, readOnly });
        const calls = way(store);
        expect(await calls.get(counter, 'c/1')).toBeUndefined();
        expect(await calls.get(byTag, 'tag1')).toEqual(tags[1]?.[1]);
        expect(await calls.entries(counter)).toEqual(counts);
        expect(await calls.entries(byTag)).toEqual(tags);
        await store.close();
      }
    });
  });
}
