/** Several openers of one store: what others wrote is read within `freshnessMs`. */
import { describe, expect, test } from 'vitest';
import { PositionAheadError } from '#src/index.js';
import { tagIndexOf } from '../support/tag-index.js';
import type { MakePlace } from './suite.js';
import { added, bothWays, byTag, counter, dropped, options, tagged } from './support.js';

const tags = tagIndexOf(true);
const all = { ...options, indexes: [tags] };

export function freshness(make: MakePlace): void {
  bothWays('a store that others write to', (way) => {
    test('is read as they left it', async () => {
      const { open } = make();
      const [one, two] = [way(await open(all)), way(await open(all))];
      const reader = await open({ ...all, readOnly: true });
      for (let n = 1; n <= 10; n += 1) {
        const [writer, other] = n % 2 === 0 ? [one, two] : [two, one];
        const { position } = await writer.append('c/1', [added(), tagged(`t${n}`, 'a')]);
        expect(position).toBe(n);
        for (const calls of [other, way(reader)]) {
          expect(await calls.get(counter, 'c/1')).toEqual({ n });
          expect((await calls.get(byTag, 'a'))?.texts).toHaveLength(n);
          expect(await calls.entries(counter)).toEqual([['c/1', { n }]]);
          expect((await calls.index(tags)).positions).toHaveLength(n);
          expect(await calls.version('c/1')).toBe(2 * n);
        }
        expect(await way.at(reader.at(n)).get(counter, 'c/1')).toEqual({ n });
      }
      await one.append('c/1', dropped);
      expect(await two.get(counter, 'c/1')).toBeUndefined();
      expect(await two.entries(counter)).toEqual([]);
    });

    test('is read as it was known, when only refresh looks', async () => {
      const { open } = make();
      const writer = way(await open(all));
      const store = await open({ ...all, freshnessMs: Number.POSITIVE_INFINITY });
      const lazy = way(store);
      await writer.append('c/1', [added(), tagged('t', 'a')]);
      expect(await lazy.get(counter, 'c/1')).toBeUndefined();
      expect(await lazy.entries(counter)).toEqual([]);
      expect((await lazy.index(tags)).positions).toEqual([]);
      expect(() => store.at(1)).toThrow(PositionAheadError);
      expect(await way.at(store.at(new Date('9999-01-01'))).get(counter, 'c/1')).toBeUndefined();
      await lazy.refresh();
      expect(await lazy.get(counter, 'c/1')).toEqual({ n: 1 });
      expect((await lazy.get(byTag, 'a'))?.texts).toEqual(['t']);
      expect((await lazy.index(tags)).positions).toEqual(['1.1']);
      expect(await way.at(store.at(1)).get(counter, 'c/1')).toEqual({ n: 1 });
      // Its own write stands behind that of the other, which is then known too.
      await writer.append('c/1', added(10));
      expect(await lazy.get(counter, 'c/1')).toEqual({ n: 1 });
      await lazy.append('c/1', added(100));
      expect(await lazy.get(counter, 'c/1')).toEqual({ n: 111 });
    });
  });

  describe('several openers of one store', () => {
    test('write and read side by side, and all end at the same states', async () => {
      const { open } = make();
      const small = { ...all, segmentBytes: 4096 };
      const stores = [
        await open(small),
        await open({ ...small, cacheBytes: 1000 }),
        await open({ ...small, freshnessMs: 5 }),
      ];
      const calls = Array.from({ length: 150 }, async (_, n) => {
        const store = stores[n % 3];
        if (!store) throw new Error('there are three');
        const said = [added(n), tagged(`t${n}`, `tag${n % 4}`)];
        if (n % 10 === 0) store.appendSync(`c/${n % 5}`, said);
        else await store.append(`c/${n % 5}`, said);
        const texts = (await store.get(byTag, `tag${n % 4}`))?.texts ?? [];
        expect(texts).toContain(`t${n}`);
        expect(store.getSync(counter, `c/${n % 5}`)?.n).toBeGreaterThanOrEqual(n);
      });
      await Promise.all(calls);
      const [first, ...others] = stores;
      const expected = first?.entriesSync(byTag).toArray();
      expect(expected?.flatMap(([, { texts }]) => texts)).toHaveLength(150);
      for (const store of others) {
        await store.refresh();
        expect(store.entriesSync(byTag).toArray()).toEqual(expected);
        expect(await store.entries(counter).toArray()).toEqual(
          await first?.entries(counter).toArray(),
        );
        expect((await store.index(tags)).positions).toEqual((await first?.index(tags))?.positions);
      }
    });
  });
}
