/** Entries: sorted keys and their states, by prefix and in pages. */
import { describe, expect, test } from 'vitest';
import { type EntriesOptions, StoreClosedError } from '#src/index.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import type { MakePlace } from './suite.js';
import {
  added,
  bothWays,
  byTag,
  counter,
  dropped,
  expectFailure,
  expectInvalidArgument,
  options,
  tagged,
} from './support.js';

/** Code units put the astral sign before the last of the plane below it; code points would not. */
const NAMES = [
  'a',
  'a/1',
  'a/10',
  'a/2',
  'b',
  'B',
  'ä',
  '\u{1f600}',
  '\uffee',
  'a\u{1f600}',
  ' ',
  '~',
];

export function listing(make: MakePlace): void {
  bothWays('entries', (way) => {
    test('come sorted by UTF-16 code units, without absent and removed keys', async () => {
      const store = await make().open(options);
      const calls = way(store);
      expect(await calls.entries(counter)).toEqual([]);
      for (const [n, name] of NAMES.entries()) await calls.append(name, added(n));
      await calls.append('gone', [added(), dropped]);
      const expected = NAMES.map((name, n) => [name, { n }] as const).sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      expect(expected.map(([name]) => name).indexOf('\u{1f600}')).toBeLessThan(
        expected.map(([name]) => name).indexOf('\uffee'),
      );
      expect(await calls.entries(counter)).toEqual(expected);
      await calls.append('b', dropped);
      expect(await calls.entries(counter)).toEqual(expected.filter(([name]) => name !== 'b'));
      await calls.append('b', added(9));
      expect((await calls.entries(counter, { prefix: 'b' }))[0]).toEqual(['b', { n: 9 }]);
      expectDeeplyFrozen(await calls.entries(counter).then(([entry]) => entry));
    });

    test('are bounded by prefix, after and limit', async () => {
      const calls = way(await make().open(options));
      for (const name of NAMES) await calls.append(name, added());
      const names = async (range: EntriesOptions) =>
        (await calls.entries(counter, range)).map(([key]) => key);
      const sorted = [...NAMES].sort((a, b) => (a < b ? -1 : 1));
      for (const prefix of [undefined, '', 'a', 'a/', 'a/1', 'x', '\u{1f600}', '\ud83d']) {
        for (const after of [undefined, '', 'a', 'a/1', 'a/1x', 'zz', '\uffff']) {
          for (const limit of [undefined, 0, 1, 2, 100]) {
            const expected = sorted
              .filter((key) => key.startsWith(prefix ?? '') && (after === undefined || key > after))
              .slice(0, limit);
            expect(await names({ prefix, after, limit })).toEqual(expected);
          }
        }
      }
    });

    test('count present keys towards the limit, not removed ones', async () => {
      const calls = way(await make().open(options));
      for (let n = 0; n < 60; n += 1) {
        await calls.append(
          `c/${String(n).padStart(2, '0')}`,
          n % 3 === 0 ? [added(n)] : [added(n), dropped],
        );
      }
      const page = await calls.entries(counter, { after: 'c/10', limit: 5 });
      expect(page.map(([key]) => key)).toEqual(['c/12', 'c/15', 'c/18', 'c/21', 'c/24']);
    });

    test.each<[unknown]>([
      [null],
      ['a'],
      [{ prefix: 1 }],
      [{ prefix: null }],
      [{ after: 1 }],
      [{ limit: -1 }],
      [{ limit: 1.5 }],
      [{ limit: '1' }],
      [{ limit: Number.NaN }],
    ])('are refused with %o', async (wrong) => {
      const store = await make().open(options);
      await store.append('c/1', added());
      await expectInvalidArgument(() => way(store).entries(counter, wrong as EntriesOptions));
      await expectInvalidArgument(() =>
        way.at(store.at(1)).entries(counter, wrong as EntriesOptions),
      );
    });

    test('in pages leave no gap and repeat nothing while others append', async () => {
      const store = await make().open(options);
      const calls = way(store);
      for (let n = 0; n < 90; n += 3) await calls.append(`k${String(n).padStart(3, '0')}`, added());
      const seen: string[] = [];
      let after: string | undefined;
      for (let round = 0; ; round += 1) {
        const page = await calls.entries(counter, { after, limit: 7 });
        if (page.length === 0) break;
        seen.push(...page.map(([key]) => key));
        after = seen.at(-1);
        // One before, one behind, and one that takes a key away and gives it back.
        await calls.append(`k${String(round * 3 + 1).padStart(3, '0')}`, added());
        await calls.append(`k${String(80 + round).padStart(3, '0')}x`, added());
        await calls.append('k045', [dropped, added()]);
      }
      expect(seen).toEqual([...new Set(seen)].sort());
      for (let n = 0; n < 90; n += 3) expect(seen).toContain(`k${String(n).padStart(3, '0')}`);
    });
  });

  describe('one iteration over entries', () => {
    test('sees the store at one position, whatever is appended meanwhile', async () => {
      const store = await make().open({ ...options, cacheBytes: 1000 });
      for (let n = 0; n < 300; n += 1) store.appendSync(`k${String(n).padStart(3, '0')}`, added());
      const change = (n: number): void => {
        store.appendSync(`k${String((n * 7) % 300).padStart(3, '0')}`, added(10));
        store.appendSync(`k${String(n % 300).padStart(3, '0')}x`, added());
        if (n % 5 === 0) store.appendSync(`k${String((n * 11) % 300).padStart(3, '0')}`, dropped);
      };
      const sequence = store.entries(counter);
      const before = await sequence.toArray();
      let n = 0;
      const seen: unknown[] = [];
      for await (const entry of sequence) {
        seen.push(entry);
        change(n++);
      }
      expect(seen).toEqual(before);
      // Each iteration begins anew.
      const after = store.entriesSync(counter).toArray();
      expect(after.length).toBeGreaterThan(300);
      const seenSync: unknown[] = [];
      for (const entry of store.entriesSync(counter)) {
        seenSync.push(entry);
        change(n++);
      }
      expect(seenSync).toEqual(after);
    });

    test('can be left in the middle', async () => {
      const store = await make().open(options);
      for (let n = 0; n < 100; n += 1) store.appendSync(`k${n}`, added());
      for await (const [key] of store.entries(counter)) if (key === 'k1') break;
      for (const [key] of store.entriesSync(counter)) if (key === 'k1') break;
      expect(await store.entries(counter).toArray()).toHaveLength(100);
    });

    test('ends with an error when the store is closed', async () => {
      const store = await make().open(options);
      for (let n = 0; n < 100; n += 1) store.appendSync(`n/${n}`, tagged('t', `tag${n}`));
      const [later, laterSync] = [store.entries(byTag), store.entriesSync(byTag)];
      let seen = 0;
      await expectFailure(async () => {
        for await (const entry of later) {
          seen += entry.length;
          if (seen === 2) await store.close();
        }
      }, StoreClosedError);
      expect(seen).toBeLessThan(200);
      await expectFailure(() => later.toArray(), StoreClosedError);
      await expectFailure(() => laterSync.toArray(), StoreClosedError);
    });
  });
}
