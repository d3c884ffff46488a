/** A projection that is built is given snapshots to stand on, so that it does not keep in memory where all events are. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Engine } from '#src/projections/engine.js';
import { defineProjection, openStore, openStoreSync } from '#src/store.js';
import { errors, FakeLog } from '../projections/fakes.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('a runtime that keeps too much', () => {
  function burdened(log: FakeLog) {
    const runtime = {
      name: 'r',
      position: 0,
      noted: 0,
      route(commit: { readonly position: number; readonly count: number }) {
        runtime.position = commit.position;
        runtime.noted += commit.count;
        return false;
      },
      close() {},
    };
    const engine = new Engine(log, errors, { notedMax: 100, smallCommits: 0 });
    return { runtime, engine };
  }

  test('is relieved while it is built, in the background and at once', async () => {
    for (const build of ['later', 'now']) {
      const log = new FakeLog();
      for (let n = 0; n < 70_000; n += 1) log.append({ stream: 's', type: 't' });
      const { runtime, engine } = burdened(log);
      const noted: number[] = [];
      // biome-ignore lint/correctness/useYield: nothing is written here
      engine.relieveBy(function* () {
        noted.push(runtime.noted);
        runtime.noted = 0;
      });
      engine.add(runtime);
      if (build === 'later') await engine.whenReady(runtime);
      else engine.buildSync();
      expect(runtime.position).toBeGreaterThan(68_000);
      expect(noted.length).toBeGreaterThan(1);
      expect(Math.max(...noted)).toBeLessThan(70_000);
      engine.close();
    }
  });

  test('that cannot be relieved is built all the same, and asked again only when it has grown', async () => {
    const log = new FakeLog();
    for (let n = 0; n < 3000; n += 1) log.append({ stream: 's', type: 't' });
    const { runtime, engine } = burdened(log);
    let asked = 0;
    // biome-ignore lint/correctness/useYield: nothing is written here
    engine.relieveBy(function* () {
      asked += 1;
    });
    engine.add(runtime);
    await engine.whenReady(runtime);
    expect(runtime.noted).toBeGreaterThan(1999);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(3000 / 25);
    engine.close();
  });
});

describe('a projection over many events', () => {
  const counted = defineProjection({
    name: 'counted',
    version: 1,
    initial: () => ({ n: 0 }),
    key: ({ stream, data }) => `${stream}/${(data as number) % 10}`,
    on: {
      added: (draft) => {
        draft.n += 1;
      },
    },
  });

  test('stands on a snapshot soon after the first read', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const options = { durability: 'os', segmentBytes: 1024 * 1024, compaction: false } as const;
    const writer = openStoreSync(directory, options);
    for (let n = 0; n < 210; n += 1) {
      const events = Array.from({ length: 1000 }, (_, data) => ({ type: 'added', data }));
      writer.appendSync(`s/${n}`, events);
    }
    writer.closeSync();
    const projections = [counted];
    const store = await openStore(directory, { ...options, projections });
    expect(await store.get(counted, 's/1/1')).toEqual({ n: 100 });
    // Twenty bytes for each event that it keeps.
    const noted = () => store.stats().projections[0]?.bytes ?? 0;
    await expect.poll(noted, { timeout: 60_000 }).toBeLessThan(20 * 100_000);
    expect(await store.get(counted, 's/7/3')).toEqual({ n: 100 });
    expect(await store.at(7).get(counted, 's/7/3')).toBeUndefined();
    expect(await store.entries(counted).toArray()).toHaveLength(2100);
    await store.close();
  });
});
