/** Indexes: state that is not one small value per key, brought up by groups. */
import { describe, expect, test } from 'vitest';
import {
  defineIndex,
  IndexFailedError,
  ProjectionFailedError,
  ProjectionNotRegisteredError,
  StoreClosedError,
} from '#src/index.js';
import { answersOf, SavedParts, type TagIndex, tagIndexOf } from '../support/tag-index.js';
import type { AnyStore, MakePlace } from './suite.js';
import {
  added,
  bothWays,
  byTag,
  counter,
  events,
  expectFailure,
  expectInvalidArgument,
  type TestEvents,
  tagged,
} from './support.js';

const tags = tagIndexOf(true);
const options = { events, projections: [counter, byTag], indexes: [tags] };

/** What the index must hold: a fold of the log. */
function expected(store: AnyStore<TestEvents>): unknown {
  const found: TagIndex = { tags: new Map(), groups: [], positions: [] };
  for (const event of store.readAllSync({ types: ['note.tagged'] })) {
    if (event.type !== 'note.tagged') continue;
    found.positions.push(event.id);
    for (const tag of event.data.tags) {
      const streams = found.tags.get(tag) ?? new Map<string, number>();
      streams.set(event.stream, (streams.get(event.stream) ?? 0) + 1);
      found.tags.set(tag, streams);
    }
  }
  return answersOf(found);
}

function fill(store: AnyStore<TestEvents>, from: number, to: number): void {
  for (let n = from; n < to; n += 1) {
    store.appendSync(`n/${n % 5}`, [tagged(`t${n}`, `tag${n % 11}`, `tag${n % 3}`), added()]);
  }
}

export function indexing(make: MakePlace): void {
  bothWays('an index', (way) => {
    test('has taken in all that is in the log when it is read, each event once', async () => {
      const store = await make().open(options);
      const calls = way(store);
      expect(answersOf(await calls.index(tags))).toEqual(expected(store));
      for (let round = 0; round < 4; round += 1) {
        fill(store, round * 30, round * 30 + 30);
        await store.append('n/x', tagged('own', 'mine'));
        const index = await calls.index(tags);
        expect(index.tags.get('mine')?.get('n/x')).toBe(round + 1);
        expect(answersOf(index)).toEqual(expected(store));
      }
    });

    test('is brought up by groups', async () => {
      const store = await make().open(options);
      fill(store, 0, 200);
      const { groups } = await way(store).index(tags);
      expect(groups.reduce((sum, events) => sum + events, 0)).toBe(200);
      expect(groups.length).toBeLessThan(20);
      await way(store).index(tags);
      expect(groups.length).toBeLessThan(20);
    });

    test('that throws is stopped for good, and nothing else is', async () => {
      const store = await make().open({ ...options, indexes: [tags, tagIndexOf(false, 'others')] });
      const calls = way(store);
      await calls.append('n/1', tagged('one', 'a'));
      await calls.index(tags);
      await calls.append('n/1', [added(), tagged('two', 'broken')]);
      await calls.append('n/1', tagged('three', 'c'));
      const facts = { projection: 'tags', key: undefined, position: 2, event: '2.1' };
      for (let time = 0; time < 2; time += 1) {
        await expectFailure(() => calls.index(tags), ProjectionFailedError, facts);
      }
      expect(await calls.get(counter, 'n/1')).toEqual({ n: 1 });
      expect((await calls.get(byTag, 'c'))?.texts).toEqual(['three']);
      await calls.append('n/1', tagged('four', 'd'));
      await expectFailure(() => calls.index(tags), ProjectionFailedError, facts);
      expect(store.stats().projections.map(({ position }) => position)).toEqual([4, 4, 4, 4]);
    });

    test('that is not registered, or is none, is refused', async () => {
      const calls = way(await make().open({ events, projections: [counter] }));
      await expectFailure(() => calls.index(tags), ProjectionNotRegisteredError, {
        projection: 'tags',
      });
      for (const wrong of [undefined, null, 'tags', 7]) {
        await expectInvalidArgument(() => calls.index(wrong as never));
      }
      await expectFailure(() => calls.index(counter as never), ProjectionNotRegisteredError);
    });

    test('is told of in the figures of the store', async () => {
      const store = await make().open(options);
      fill(store, 0, 20);
      await way(store).index(tags);
      expect(store.stats().projections).toMatchObject([
        { name: 'counter', version: 1, progress: 1 },
        { name: 'by-tag', version: 1, progress: 1 },
        { name: 'tags', version: 1, position: 20, progress: 1, keys: 0 },
      ]);
      expect(store.stats().projections[2]?.bytes).toBeGreaterThan(0);
    });

    test('of a closed store cannot be read', async () => {
      const store = await make().open(options);
      fill(store, 0, 5);
      await store.close();
      await expectFailure(() => way(store).index(tags), StoreClosedError);
    });
  });

  describe('an index that is saved', () => {
    test.each([
      ['as a whole', false],
      ['in parts', true],
    ])('%s gives the same answers once it is loaded', async (_, parts) => {
      const definition = tagIndexOf(parts);
      const store = await make().open({ ...options, indexes: [definition] });
      fill(store, 0, 150);
      const index = await store.index(definition);
      const saved = new SavedParts();
      definition.save(index, saved);
      expect(saved.parts().length > 2).toBe(parts);
      const loaded = definition.load(saved);
      expect(answersOf(loaded)).toEqual(answersOf(index));
      expect(answersOf(loaded)).toEqual(expected(store));

      // It goes on from there like the one that was never saved.
      fill(store, 150, 200);
      const more = await store.readAll({ from: 151, types: ['note.tagged'] }).toArray();
      definition.apply(loaded, more);
      expect(answersOf(loaded)).toEqual(answersOf(await store.index(definition)));
    });
  });

  describe('indexes of one store', () => {
    test('must be made by defineIndex, under a name that no projection has', async () => {
      const { open } = make();
      const twin = tagIndexOf(true, 'counter');
      for (const wrong of [
        { projections: [counter], indexes: [twin] },
        { indexes: [tags, tagIndexOf(false)] },
        { indexes: [counter] },
        { projections: [tags] },
        { indexes: tags },
      ]) {
        await expectInvalidArgument(() => open(wrong as never));
      }
    });

    test('that cannot be made leave no store open behind them', async () => {
      const { open, openSync } = make();
      const hopeless = defineIndex({
        name: 'hopeless',
        version: 1,
        create: (): number => {
          throw new RangeError('cannot be made');
        },
        apply: () => undefined,
        save: () => undefined,
        load: () => 1,
        bytes: () => 1,
      });
      const facts = { code: 'INDEX_FAILED', index: 'hopeless', cause: expect.any(RangeError) };
      await expectFailure(() => open({ indexes: [hopeless] }), IndexFailedError, facts);
      await expectFailure(() => openSync({ indexes: [hopeless] }), IndexFailedError, facts);
      expect((await open()).head.position).toBe(0);
    });
  });
}
