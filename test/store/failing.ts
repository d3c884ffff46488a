/** A handler that throws stops its key and nothing else. */
import { expect, test } from 'vitest';
import { defineIndex, defineProjection, ProjectionFailedError } from '#src/index.js';
import type { Factory, MakePlace } from './suite.js';
import { bothWays, expectFailure, plain } from './support.js';

function summing(version: number, bad: number | undefined) {
  return defineProjection({
    name: 'sums',
    version,
    initial: { n: 0 },
    on: {
      added: (draft, { data }) => {
        if (data === bad) throw new RangeError('too much');
        draft.n += data as number;
      },
    },
  });
}

function grouping(version: number, bad: number | undefined) {
  return defineProjection({
    name: 'groups',
    version,
    initial: { n: 0 },
    key: ({ data }) => {
      if (data === bad) throw new RangeError('no group');
      return (data as number) % 2 === 0 ? 'even' : 'odd';
    },
    on: {
      added: (draft) => {
        draft.n += 1;
      },
    },
  });
}

export function failing(make: MakePlace, { canReopen }: Factory): void {
  bothWays('a handler that throws', (way) => {
    test('stops its key, from that event on, and no other', async () => {
      const sums = summing(1, 13);
      const store = await make().open({ projections: [sums, grouping(1, undefined)] });
      const calls = way(store);
      await calls.append('b', plain('added', 1));
      await calls.append('a', plain('added', 2));
      const facts = {
        code: 'PROJECTION_FAILED',
        projection: 'sums',
        key: 'b',
        position: 3,
        event: '3.1',
        cause: expect.any(RangeError) as unknown,
      };
      await calls.append('b', [plain('added', 5), plain('added', 13)]);
      await calls.append('b', plain('added', 7));
      await calls.append('c', plain('added', 4));
      for (let time = 0; time < 2; time += 1) {
        await expectFailure(() => calls.get(sums, 'b'), ProjectionFailedError, facts);
        expect(await calls.get(sums, 'a')).toEqual({ n: 2 });
        expect(await calls.get(sums, 'c')).toEqual({ n: 4 });
        expect(await way.at(store.at(2)).get(sums, 'b')).toEqual({ n: 1 });
        await expectFailure(() => way.at(store.at(3)).get(sums, 'b'), ProjectionFailedError, facts);
        expect(await way.at(store.at(5)).get(sums, 'c')).toEqual({ n: 4 });
      }
      // A listing fails where the key would stand.
      await expectFailure(() => calls.entries(sums), ProjectionFailedError, facts);
      expect(await calls.entries(sums, { limit: 1 })).toEqual([['a', { n: 2 }]]);
      expect(await calls.entries(sums, { after: 'b' })).toEqual([['c', { n: 4 }]]);
      expect(await way.at(store.at(2)).entries(sums)).toEqual([
        ['a', { n: 2 }],
        ['b', { n: 1 }],
      ]);
      const seen: unknown[] = [];
      await expectFailure(async () => {
        for await (const [key] of store.entries(sums)) seen.push(key);
      }, ProjectionFailedError);
      expect(seen).toEqual(['a']);
      expect(await calls.readAll()).toHaveLength(6);
    });

    test('for the key of an event stops the projection, from that event on', async () => {
      const [sums, groups] = [summing(1, undefined), grouping(1, 13)];
      const store = await make().open({ projections: [sums, groups] });
      const calls = way(store);
      await calls.append('a', [plain('added', 1), plain('added', 2)]);
      expect(await calls.get(groups, 'odd')).toEqual({ n: 1 });
      await calls.append('a', plain('added', 13));
      await calls.append('a', plain('added', 4));
      const facts = { projection: 'groups', key: undefined, position: 2, event: '2.0' };
      for (let time = 0; time < 2; time += 1) {
        await expectFailure(() => calls.get(groups, 'odd'), ProjectionFailedError, facts);
        await expectFailure(() => calls.get(groups, 'never'), ProjectionFailedError, facts);
        await expectFailure(() => calls.entries(groups), ProjectionFailedError, facts);
        await expectFailure(
          () => way.at(store.at(3)).get(groups, 'even'),
          ProjectionFailedError,
          facts,
        );
        expect(await way.at(store.at(1)).get(groups, 'odd')).toEqual({ n: 1 });
        expect(await way.at(store.at(1)).entries(groups)).toHaveLength(2);
        expect(await calls.get(sums, 'a')).toEqual({ n: 20 });
      }
    });

    test('that reads its own store for the key of an event is told that it must not', async () => {
      const sums = summing(1, undefined);
      let read = (): unknown => undefined;
      const reading = defineProjection({
        name: 'reading',
        version: 1,
        initial: 0,
        key: ({ stream }) => {
          read();
          return stream;
        },
        on: { added: (count) => count + 1 },
      });
      const store = await make().open({ projections: [reading, sums] });
      read = () => store.getSync(sums, 'a');
      const calls = way(store);
      await calls.append('a', plain('added', 1));
      await expectFailure(() => calls.get(reading, 'a'), ProjectionFailedError, {
        cause: expect.objectContaining({ code: 'REENTRANT_SYNC_CALL' }) as unknown,
      });
      expect(await calls.get(sums, 'a')).toEqual({ n: 1 });
    });

    test('does not disturb appends, other projections, indexes or figures', async () => {
      const sums = summing(1, 13);
      const groups = grouping(1, 13);
      const index = defineIndex({
        name: 'all',
        version: 1,
        create: () => ({ count: 0 }),
        apply(all, group) {
          all.count += group.length;
        },
        save: () => undefined,
        load: () => ({ count: 0 }),
        bytes: () => 8,
      });
      const store = await make().open({ projections: [sums, groups], indexes: [index] });
      const calls = way(store);
      for (let n = 10; n < 20; n += 1) await calls.append('a', plain('added', n));
      await expectFailure(() => calls.get(sums, 'a'), ProjectionFailedError);
      await expectFailure(() => calls.get(groups, 'odd'), ProjectionFailedError);
      expect(await calls.index(index)).toEqual({ count: 10 });
      expect(store.stats().projections.map(({ position }) => position)).toEqual([10, 10, 10]);
      expect(await calls.version('a')).toBe(10);
    });
  });

  if (!canReopen) return;

  bothWays('a projection that was mended and raised in version', (way) => {
    test('works again', async () => {
      const { open } = make();
      const [sums, groups] = [summing(1, 13), grouping(1, 13)];
      const before = await open({ projections: [sums, groups] });
      for (let n = 10; n < 20; n += 1) await before.append('a', plain('added', n));
      await expectFailure(() => way(before).get(sums, 'a'), ProjectionFailedError);
      await expectFailure(() => way(before).get(groups, 'odd'), ProjectionFailedError);
      await before.close();
      const [sums2, groups2] = [summing(2, undefined), grouping(2, undefined)];
      const after = way(await open({ projections: [sums2, groups2] }));
      expect(await after.get(sums2, 'a')).toEqual({ n: 145 });
      expect(await after.entries(groups2)).toEqual([
        ['even', { n: 5 }],
        ['odd', { n: 5 }],
      ]);
    });
  });
}
