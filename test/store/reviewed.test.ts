/** What was found by trying to break the store. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineProjection, openStore, ProjectionNotRegisteredError } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { turnsDuring } from '../support/turns.js';
import { added, counter, expectInvalidArgument, failureOf, options } from './support.js';

describe('a store that looks for others at most every so often', () => {
  test('tells none of several readers at once what is older than that', async () => {
    const directory = temporaryDirectory();
    await using writer = await openStore(directory, options);
    await using reader = await openStore(directory, { ...options, freshnessMs: 50 });
    await reader.get(counter, 'c');
    await writer.append('c', added(1));
    await sleep(60);
    const both = await Promise.all([reader.get(counter, 'c'), reader.get(counter, 'c')]);
    expect(both).toEqual([{ n: 1 }, { n: 1 }]);
    await writer.append('c', added(1));
    await sleep(60);
    const waiting = reader.get(counter, 'c');
    expect(reader.getSync(counter, 'c')).toEqual({ n: 2 });
    expect(await waiting).toEqual({ n: 2 });
  });
});

describe('a wrong argument', () => {
  test('that is another projection of a registered name is told so', async () => {
    await using store = await openStore({ memory: true, ...options });
    const twin = defineProjection({ name: 'counter', version: 1, initial: 0, on: { added() {} } });
    const error = await failureOf(() => store.get(twin, 'c'));
    expect(error).toBeInstanceOf(ProjectionNotRegisteredError);
    expect(String(error)).toContain('something else of that name');
    expect(String(error)).not.toContain('Near to it');
  });

  test('that is a decision of nothing is told what to give instead', async () => {
    await using store = await openStore({ memory: true, ...options });
    const decide = (() => {}) as unknown as () => [];
    await expectInvalidArgument(() => store.command(counter, 'c', decide));
    expect(store.head.position).toBe(0);
  });
});

describe('an asynchronous read that folds for long', () => {
  /** Takes its time with every event. */
  const slow = defineProjection({
    name: 'slow',
    version: 1,
    initial: { n: 0 },
    key: () => 'all',
    on: {
      'counter.added': (draft) => {
        const until = performance.now() + 0.2;
        while (performance.now() < until);
        draft.n += 1;
      },
    },
  });

  test('lets others have their turn, also where nothing is on a disk', async () => {
    await using store = await openStore({ memory: true, projections: [slow], cacheBytes: 0 });
    await store.append(
      'c',
      Array.from({ length: 300 }, () => added()),
    );
    for (let n = 0; n < 300; n += 1) await store.append('c', added());
    const reads = {
      get: () => store.get(slow, 'all'),
      at: () => store.at(300).get(slow, 'all'),
      history: () => store.history(slow, 'all').toArray(),
      blame: () => store.blame(slow, 'all'),
    };
    for (const [name, read] of Object.entries(reads)) {
      expect(await turnsDuring(read), name).toBeGreaterThan(0);
    }
  });
});
