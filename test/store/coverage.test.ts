/** Retention lets go only what a snapshot stands for that can be used. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { register, registered } from '#src/compaction/registry.js';
import {
  defineIndex,
  defineProjection,
  openStore,
  type Store,
  type StoreOptions,
} from '#src/index.js';
import { runSync } from '#src/log/io.js';
import { pathsOf } from '#src/log/paths.js';
import { RealDisk } from '#src/log/real-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const FILLER = 'x'.repeat(700);

/** Once a key's count has come beyond `upTo`, its states have a hole, and no file can hold them. */
function holed(upTo: number) {
  return defineProjection({
    name: 'holed',
    version: 1,
    initial: { n: 0, list: [] as number[] },
    on: {
      added: (state) => {
        const n = state.n + 1;
        // biome-ignore lint/suspicious/noSparseArray: this is what cannot be written
        return { n, list: n > upTo ? ([1, , 3] as number[]) : [n] };
      },
    },
  });
}

async function opened(directory: string, options: StoreOptions): Promise<Store> {
  const settings = {
    segmentBytes: 4096,
    durability: 'os',
    compaction: { automatic: false },
  } as const;
  return (await openStore(directory, {
    ...settings,
    retention: { bytes: 1 },
    ...options,
  })) as Store;
}

async function append(store: Store, count: number, streams = 3): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await store.append(`a/${n % streams}`, {
      type: 'added',
      data: { text: FILLER, tag: `t${n % 2}` },
    });
  }
}

function place(): string {
  return join(temporaryDirectory(), 'store');
}

function namesIn(directory: string, part: string): string[] {
  return readdirSync(join(directory, part));
}

describe('a projection whose states cannot be written', () => {
  test('keeps its events from being dropped, also when its snapshot is there already', async () => {
    const directory = place();
    const projections = [holed(0)];
    const store = await opened(directory, { projections });
    await append(store, 30);
    const plan = await store.compact({ dryRun: true });
    expect(plan.projections).toEqual([{ name: 'holed', covered: 0 }]);
    const first = await store.compact();
    expect(first).toMatchObject({ dropped: [], projections: [{ name: 'holed', covered: 0 }] });
    expect(first.refused[0]?.projection).toBe('holed');
    const snapshot = await store.snapshot();
    expect(snapshot.parts).toMatchObject([{ name: 'holed', keys: 3, bytes: 0, unsaved: 3 }]);
    const again = await store.compact();
    expect(again).toMatchObject({ dropped: [], projections: [{ name: 'holed', covered: 0 }] });
    await store.close();
    const other = await opened(directory, { projections });
    expect(await other.compact({ dryRun: true })).toMatchObject({ dropped: [] });
    expect(await other.compact()).toMatchObject({ dropped: [] });
    expect(await other.get(projections[0] as ReturnType<typeof holed>, 'a/1')).toMatchObject({
      n: 10,
    });
    // One key's events go on, the lines of the others are taken over.
    await append(other, 8, 1);
    expect((await other.snapshot()).parts).toMatchObject([{ keys: 3, unsaved: 3 }]);
    expect(await other.compact()).toMatchObject({ dropped: [] });
    await other.close();
  });

  test('keeps the last snapshot that has them all, which what was dropped before is known by', async () => {
    const directory = place();
    const projection = holed(10);
    const store = await opened(directory, { projections: [projection] });
    await append(store, 30);
    const { dropped } = await store.compact();
    expect(dropped.at(-1)?.last).toBeGreaterThan(20);
    for (let round = 1; round <= 4; round += 1) {
      await append(store, 9);
      expect((await store.snapshot()).parts[0]).toMatchObject({ unsaved: 3 });
      const later = (await store.compact()).dropped;
      expect(later.filter(({ last }) => last > 30)).toEqual([]);
    }
    await store.close();
    const other = await opened(directory, { projections: [projection] });
    expect(await other.get(projection, 'a/1')).toMatchObject({ n: 22 });
    expect((await other.entries(projection).toArray()).length).toBe(3);
    await other.close();
  });
});

/** Counts; `load` does what the test wants. */
function counting(load: (n: number) => number, save?: () => void) {
  return defineIndex({
    name: 'counting',
    version: 1,
    create: () => ({ n: 0 }),
    apply: (index, group) => {
      index.n += group.filter(({ type }) => type === 'added').length;
    },
    save: (index, sink) => {
      save?.();
      sink.write('n', Buffer.from(String(index.n)));
    },
    load: (source) => ({ n: load(Number(Buffer.from(source.read('n')).toString())) }),
    bytes: () => 8,
  });
}

describe('an index', () => {
  test('whose snapshot it cannot load covers nothing, until it has written one that it can', async () => {
    const directory = place();
    const store = await opened(directory, { indexes: [counting((n) => n)], retention: {} });
    await append(store, 30);
    await store.snapshot();
    await store.close();

    let isAble = false;
    const unable = counting((n) => {
      if (!isAble) throw new Error('not yet');
      return n;
    });
    const other = await opened(directory, { indexes: [unable] });
    expect((await other.index(unable)).n).toBe(30);
    expect((await other.compact({ dryRun: true })).projections).toMatchObject([{ covered: 0 }]);
    const refused = await other.compact();
    expect(refused).toMatchObject({ dropped: [], projections: [{ name: 'counting', covered: 0 }] });
    expect((await other.snapshot()).parts[0]?.skipped).toContain('cannot load');
    isAble = true;
    const report = await other.compact();
    expect(report.projections).toEqual([{ name: 'counting', covered: 30 }]);
    expect(report.dropped.length).toBeGreaterThan(0);
    await append(other, 3);
    await other.snapshot();
    await other.close();

    const last = await opened(directory, { indexes: [unable] });
    expect((await last.index(unable)).n).toBe(33);
    await last.close();
  });

  test('that another process wrote covers only what this one can load', async () => {
    const directory = place();
    const good = counting((n) => n);
    const bad = counting(() => {
      throw new Error('never');
    });
    const reader = await opened(directory, { indexes: [bad] });
    const writer = await opened(directory, { indexes: [good] });
    await append(writer, 30);
    await writer.snapshot();
    expect(await reader.compact()).toMatchObject({ dropped: [], projections: [{ covered: 0 }] });
    await Promise.all([reader.close(), writer.close()]);
  });

  test('is saved although a block of the snapshot before is damaged', async () => {
    const directory = place();
    const index = counting((n) => n);
    let holds: (() => Promise<unknown>) | undefined;
    function* untilPassed(): Generator<undefined, void> {
      let done = false;
      void holds?.().finally(() => {
        done = true;
      });
      while (holds && !done) yield;
    }
    // Saved first; it is done when the other one has come past the snapshot's position.
    const slow = defineIndex({
      name: 'slow',
      version: 1,
      create: () => ({}),
      apply: () => {},
      save: () => untilPassed(),
      load: () => ({}),
      bytes: () => 8,
    });
    const store = await opened(directory, { indexes: [slow, index], retention: {} });
    await append(store, 10);
    await store.snapshot();
    await append(store, 10);
    const [name = ''] = namesIn(directory, 'snapshots').filter((each) =>
      each.startsWith('index-counting'),
    );
    const bytes = readFileSync(join(directory, 'snapshots', name));
    bytes[bytes.indexOf('"d":') + 5] = 0x21;
    writeFileSync(join(directory, 'snapshots', name), bytes);
    holds = async () => {
      await append(store, 5);
      return await store.index(index);
    };
    const { position, parts } = await store.snapshot();
    expect(position).toBe(20);
    expect(parts.map(({ skipped }) => skipped)).toEqual([undefined, undefined]);
    await store.close();
    const other = await opened(directory, { indexes: [index] });
    expect((await other.index(index)).n).toBe(25);
    await other.close();
  });
});

/** Its keys are not its streams. */
function tags(version: number) {
  return defineProjection({
    name: 'tags',
    version,
    initial: { n: 0 },
    key: (event) => (event.data as { tag: string }).tag,
    on: {
      added: (draft) => {
        draft.n += 1;
      },
    },
  });
}

describe('what goes with it', () => {
  test('are the places of keys in a dropped segment', async () => {
    const directory = place();
    const projection = tags(1);
    const store = await opened(directory, { projections: [projection] });
    await append(store, 30);
    const { dropped } = await store.compact();
    expect(dropped.length).toBeGreaterThan(3);
    const firsts = dropped.map(({ first }) => String(first).padStart(20, '0'));
    const left = namesIn(directory, 'index').filter((name) => firsts.includes(name.slice(0, 20)));
    expect(left).toEqual([]);
    expect(namesIn(directory, 'index').some((name) => name.includes('-tags-'))).toBe(true);
    expect(await store.get(projection, 't1')).toEqual({ n: 15 });
    await store.close();
  });

  test('are the registration and the places of versions whose snapshots are removed', async () => {
    const directory = place();
    const others = [1, 2, 3, 4, 5, 6];
    for (const version of others) {
      const store = await opened(directory, { projections: [tags(version)], retention: {} });
      await append(store, 6);
      await store.compact();
      await store.close();
      // As if the last program that had it open were long gone.
      await forget(directory, tags(version));
    }
    const store = await opened(directory, { projections: [tags(7)], retention: {} });
    await append(store, 6);
    await store.compact();
    const snapshots = namesIn(directory, 'snapshots').join();
    const indexes = namesIn(directory, 'index').join();
    for (const version of others) {
      expect(snapshots.includes(`tags-${version}-`)).toBe(version > 2);
      expect(indexes.includes(`tags-${version}-`)).toBe(version > 2);
    }
    expect(namesIn(directory, 'registry')).toHaveLength(others.length - 2 + 1);
    await store.close();
  });
});

async function forget(directory: string, identity: ReturnType<typeof tags>): Promise<void> {
  const disk = new RealDisk();
  const paths = pathsOf(directory);
  const now = Date.now() - 40 * 86_400_000;
  const known = runSync(disk, registered(paths, Date.now()));
  const covered = known.find(({ name }) => name === identity.name)?.covered ?? 0;
  for (const name of namesIn(directory, 'registry')) {
    const path = join(paths.registry, name);
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: number };
    if (version === identity.version) rmSync(path);
  }
  runSync(disk, register(paths, identity, covered, now, randomBytes));
}

describe('a program that stays open', () => {
  test('is seen again each day', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      const directory = place();
      const store = await opened(directory, { projections: [tags(1)] });
      const seen = async () => {
        await vi.waitFor(() => expect(namesIn(directory, 'registry')).toHaveLength(1));
        const [name = ''] = namesIn(directory, 'registry');
        return (
          JSON.parse(readFileSync(join(directory, 'registry', name), 'utf8')) as { seen: string }
        ).seen;
      };
      const first = await seen();
      const later = Date.parse(first) + 2 * 86_400_000;
      const due = async () => {
        while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
      };
      for (let halves = 0; halves < 5; halves += 1) {
        await due();
        await vi.advanceTimersByTimeAsync(12 * 3_600_000);
      }
      await due();
      expect(Date.parse(await seen())).toBeGreaterThanOrEqual(later - 86_400_000);
      await store.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
