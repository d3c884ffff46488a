/** `store.snapshot`: what it leaves on the disk, what opening makes of it, and what becomes of files that are not as they should be. */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StoreDamagedError, StoreReadOnlyError } from '#src/errors.js';
import {
  defineIndex,
  defineProjection,
  openStore,
  openStoreSync,
  type Store,
  type StoreOptions,
} from '#src/store.js';
import { SeededRandom } from '../support/random.js';
import { expectFold, expectHistories, expectLog } from '../support/snapshot-check.js';
import { counter, derived, eventBy, type Told } from '../support/snapshots.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const options = { ...derived, segmentBytes: 4096, durability: 'os' } as const;

interface Stage {
  readonly directory: string;
  readonly told: Told[];
  open(more?: StoreOptions): Store;
  append(store: Store, count: number): void;
  files(): string[];
  path(name: string): string;
}

function stage(seed = 1): Stage {
  const directory = join(temporaryDirectory(), 'store');
  const random = new SeededRandom(seed);
  const told: Told[] = [];
  return {
    directory,
    told,
    open: (more = {}) => openStoreSync(directory, { ...options, ...more }) as Store,
    append(store, count) {
      for (let n = 0; n < count; n += 1) {
        const next = eventBy(random);
        store.appendSync(next.stream, next.event);
        told.push(next);
      }
    },
    files: () => readdirSync(join(directory, 'snapshots')),
    path: (name) => join(directory, 'snapshots', name),
  };
}

/** A store with snapshots at 60 and 100, closed, with a tail of ten commits. */
function snapshotted(): Stage {
  const on = stage();
  const store = on.open();
  on.append(store, 60);
  store.snapshotSync();
  on.append(store, 40);
  store.snapshotSync();
  on.append(store, 10);
  store.closeSync();
  return on;
}

const positions = [0, 1, 37, 59, 60, 61, 85, 99, 100, 101, 109];

function expectAll(on: Stage, more?: StoreOptions): void {
  const store = on.open(more);
  expectFold(store, on.told, positions);
  expectLog(store, on.told);
  for (const from of [1, 50, 60, 61, 105]) expectHistories(store, on.told, from);
  store.closeSync();
}

/** All of a directory, but what others may be writing. */
function copyStore(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}

describe('a snapshot', () => {
  test('is read by the next opening, which routes only what stands behind it', () => {
    const on = snapshotted();
    const store = on.open();
    for (const { name, position } of store.stats().projections) {
      expect([name, position]).toEqual([name, 100]);
    }
    store.closeSync();
    expectAll(on);
  });

  test('is made as of the head, and tells of itself', async () => {
    const on = stage();
    const store = await openStore(on.directory, options);
    on.append(store as Store, 30);
    const report = await store.snapshot();
    expect(report.position).toBe(30);
    expect(report.parts.map(({ name, version }) => [name, version])).toEqual([
      ['Counter/of streams', 1],
      ['tagged', 2],
      ['sum', 1],
    ]);
    for (const { bytes } of report.parts) expect(bytes).toBeGreaterThan(512);
    const again = await store.snapshot();
    expect(again.position).toBe(30);
    expect([again.bytes, ...again.parts.map(({ bytes }) => bytes)]).toEqual([0, 0, 0, 0]);
    expectFold(store as Store, on.told, [10, 30]);
    await store.close();
  });

  test('of an empty log is none', async () => {
    const on = stage();
    const store = await openStore(on.directory, options);
    expect(await store.snapshot()).toMatchObject({ position: 0, bytes: 0, parts: [] });
    await store.close();
  });

  test('leaves the two newest of each kind, or as many as the option says', () => {
    const on = snapshotted();
    const store = on.open();
    for (let n = 0; n < 3; n += 1) {
      on.append(store, 5);
      store.snapshotSync();
    }
    expect(on.files()).toHaveLength(8);
    store.closeSync();
    const one = on.open({ snapshotsKept: 1 });
    on.append(one, 5);
    one.snapshotSync();
    expect(on.files()).toHaveLength(4);
    expectFold(one, on.told, [3, 60, 112]);
    one.closeSync();
  });

  test('of a store in memory is there until it is closed', async () => {
    const told: Told[] = [];
    const random = new SeededRandom(5);
    const store = await openStore({ memory: true, ...derived });
    for (let n = 0; n < 50; n += 1) {
      const next = eventBy(random);
      await store.append(next.stream, next.event);
      told.push(next);
      if (n % 20 === 19) await store.snapshot();
    }
    expectFold(store as Store, told, [10, 20, 30, 45]);
    await store.close();
  });

  test('goes on while others read and append', async () => {
    const on = stage();
    const store = (await openStore(on.directory, options)) as Store;
    on.append(store, 80);
    let making: Promise<unknown> | undefined = store.snapshot().then(() => {
      making = undefined;
    });
    let turns = 0;
    while (making) {
      on.append(store, 1);
      expectFold(store, on.told);
      turns += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(turns).toBeGreaterThan(2);
    await store.snapshot();
    expectFold(store, on.told, [40, 80, 81]);
    await store.close();
    expectAll(on);
  });

  test('asked for several times at once is made one after the other, also by two stores', async () => {
    const on = stage();
    const one = (await openStore(on.directory, options)) as Store;
    const two = (await openStore(on.directory, options)) as Store;
    on.append(one, 30);
    on.append(two, 30);
    const reports = await Promise.all([one.snapshot(), two.snapshot(), one.snapshot()]);
    for (const { position } of reports) expect(position).toBe(60);
    on.append(one, 1);
    const inside = one.snapshot();
    one.snapshotSync();
    await inside;
    two.refreshSync();
    for (const store of [one, two]) {
      expectFold(store, on.told, [30, 60]);
      await store.close();
    }
    expectAll(on);
  });

  test('is refused by a store that is open for reading, which reads those there are', async () => {
    const on = snapshotted();
    const before = on.files();
    const store = (await openStore(on.directory, { ...derived, readOnly: true })) as Store;
    await expect(store.snapshot()).rejects.toThrow(StoreReadOnlyError);
    expect(() => store.snapshotSync()).toThrow(StoreReadOnlyError);
    expect(store.stats().projections[0]?.position).toBe(100);
    expectFold(store, on.told, positions);
    await store.close();
    expect(on.files()).toEqual(before);
  });
});

describe('what is not as it should be', () => {
  test.each(['log', 'projection-_ounter', 'projection-tagged', 'index'])(
    'is passed over, whichever byte of the newest %s file is changed',
    (kind) => {
      const on = snapshotted();
      const name = on.files().findLast((each) => each.startsWith(kind)) ?? '';
      const bytes = readFileSync(on.path(name));
      // Every part of the file, in steps that share no divisor with its blocks.
      for (let at = 3; at < bytes.length; at += Math.max(1, Math.floor(bytes.length / 23))) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ 4;
        writeFileSync(on.path(name), changed);
        const store = on.open();
        expectFold(store, on.told, [60, 100]);
        expectLog(store, on.told);
        store.closeSync();
      }
    },
  );

  test('is passed over when it is cut short, empty, missing, or of another store', () => {
    for (const spoil of [
      (path: string) => truncateSync(path, 100),
      (path: string) => truncateSync(path, 0),
      (path: string) => rmSync(path),
      (path: string) => appendFileSync(path, '{}\n'),
    ]) {
      const on = snapshotted();
      for (const name of on.files()) spoil(on.path(name));
      expectAll(on);
    }
    const on = snapshotted();
    const other = stage(2);
    const store = other.open();
    other.append(store, 200);
    store.snapshotSync();
    store.closeSync();
    for (const name of other.files()) copyFileSync(other.path(name), on.path(name));
    expectAll(on);
  });

  test('is found while it is in use, and the reads go on', () => {
    const on = snapshotted();
    const store = on.open();
    for (const name of on.files()) {
      const bytes = readFileSync(on.path(name));
      writeFileSync(on.path(name), Buffer.alloc(bytes.length, 'x'));
    }
    expectFold(store, on.told, positions);
    expectLog(store, on.told);
    expectHistories(store, on.told);
    store.snapshotSync();
    expectFold(store, on.told, positions);
    store.closeSync();
    expectAll(on);
  });

  test('is made anew by the next snapshot', () => {
    const on = snapshotted();
    for (const name of on.files()) truncateSync(on.path(name), 50);
    const store = on.open();
    store.snapshotSync();
    store.closeSync();
    const again = on.open();
    expect(again.stats().projections[0]?.position).toBe(110);
    again.closeSync();
    expectAll(on);
  });

  test('is damage of the log when it lies beyond its end', () => {
    const on = stage();
    const store = on.open();
    on.append(store, 40);
    store.closeSync();
    const shorter = join(temporaryDirectory(), 'shorter');
    copyStore(on.directory, shorter);
    const longer = on.open();
    on.append(longer, 20);
    longer.snapshotSync();
    longer.closeSync();
    for (const name of ['snapshots']) copyStore(join(on.directory, name), join(shorter, name));
    expect(() => openStoreSync(shorter, options)).toThrow(StoreDamagedError);
    expect(() => openStoreSync(shorter, options)).toThrow(/made at position 60/);
    const reading = openStoreSync(shorter, {
      ...options,
      readOnly: true,
      projections: [],
      indexes: [],
    });
    expect(reading.recovery).toMatchObject({ state: 'damaged', position: 40 });
    expect(reading.readAllSync().toArray()).toHaveLength(40);
    reading.closeSync();
  });

  test('is damage of the log when that has another seal there', () => {
    const on = stage();
    const store = on.open();
    on.append(store, 40);
    store.closeSync();
    const other = join(temporaryDirectory(), 'other');
    copyStore(on.directory, other);
    const one = on.open();
    on.append(one, 20);
    one.snapshotSync();
    on.append(one, 1);
    one.closeSync();
    const two = openStoreSync(other, options) as Store;
    const told = [...on.told];
    on.append(two, 20);
    on.told.length = told.length;
    two.snapshotSync();
    on.append(two, 1);
    two.closeSync();
    rmSync(join(other, 'snapshots'), { recursive: true });
    copyStore(join(on.directory, 'snapshots'), join(other, 'snapshots'));
    expect(() => openStoreSync(other, options)).toThrow(StoreDamagedError);
    expect(() => openStoreSync(other, options)).toThrow(/seal/);
  });

  test('is removed when somebody left it half written', () => {
    const on = snapshotted();
    writeFileSync(on.path('log-00000000000000000100.ndjson.abc.tmp'), 'half');
    const reading = openStoreSync(on.directory, { ...options, readOnly: true });
    reading.closeSync();
    expect(on.files().filter((name) => name.endsWith('.tmp'))).toHaveLength(1);
    on.open().closeSync();
    expect(on.files().filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('definitions', () => {
  test('of several versions have snapshots side by side', () => {
    const on = snapshotted();
    const twice = defineProjection({
      name: counter.name,
      version: 2,
      initial: { n: 0 },
      on: {
        added: (draft, event) => {
          draft.n += 2 * (event.data as { by: number }).by;
        },
      },
    });
    const newer = openStoreSync(on.directory, { ...options, projections: [twice] });
    const expected = newer.entriesSync(twice).toArray();
    newer.snapshotSync();
    newer.closeSync();
    expectAll(on);
    const again = openStoreSync(on.directory, { ...options, projections: [twice] });
    expect(again.stats().projections[0]?.position).toBe(110);
    expect(again.entriesSync(twice).toArray()).toEqual(expected);
    again.closeSync();
  });

  test('whose states cannot all be written fold those from the log', () => {
    const directory = join(temporaryDirectory(), 'store');
    const holes = defineProjection({
      name: 'holes',
      version: 1,
      initial: (): { list: number[] } => ({ list: [] }),
      on: {
        set: (_draft, event) => {
          const list: number[] = [];
          list[(event.data as { at: number }).at] = 1;
          return { list };
        },
      },
    });
    const store = openStoreSync(directory, { projections: [holes] });
    for (let n = 0; n < 20; n += 1)
      store.appendSync(`s/${n % 5}`, { type: 'set', data: { at: n % 3 } });
    const expected = store.entriesSync(holes).toArray();
    store.snapshotSync();
    expect(store.entriesSync(holes).toArray()).toEqual(expected);
    store.closeSync();
    const again = openStoreSync(directory, { projections: [holes] });
    for (const [key, state] of expected) expect(again.getSync(holes, key)).toStrictEqual(state);
    expect(again.entriesSync(holes).toArray()).toStrictEqual(expected);
    again.closeSync();
  });

  test('that stopped as a whole are left out, with the reason', () => {
    const directory = join(temporaryDirectory(), 'store');
    const stopping = defineProjection({
      name: 'stopping',
      version: 1,
      initial: 0,
      key: (event) => {
        if (event.position === 3) throw new Error('no key');
        return 'all';
      },
      on: { x: (n: number) => n + 1 },
    });
    const store = openStoreSync(directory, { projections: [stopping] });
    for (let n = 0; n < 5; n += 1) store.appendSync('s/1', { type: 'x', data: n });
    const { parts } = store.snapshotSync();
    expect(parts).toMatchObject([
      { name: 'stopping', bytes: 0, skipped: expect.stringContaining('position 3') as string },
    ]);
    expect(store.at(2).getSync(stopping, 'all')).toBe(2);
    store.closeSync();
    const again = openStoreSync(directory, { projections: [stopping] });
    expect(again.at(2).getSync(stopping, 'all')).toBe(2);
    expect(() => again.getSync(stopping, 'all')).toThrow(/no key/);
    again.closeSync();
  });

  test('of indexes that cannot be saved or loaded are built again from the log', () => {
    const on = snapshotted();
    const parts = {
      create: () => [0],
      apply: (index: number[], group: readonly unknown[]) => void index.push(group.length),
      bytes: () => 1,
    };
    const unloadable = defineIndex({
      ...parts,
      name: 'sum',
      version: 1,
      save: (_index, sink) => sink.write('a', new Uint8Array(1)),
      load: () => {
        throw new Error('not mine');
      },
    });
    const store = openStoreSync(on.directory, { indexes: [unloadable] });
    expect(store.indexSync(unloadable).reduce((total, each) => total + each)).toBe(110);
    store.closeSync();
    const unsavable = defineIndex({
      ...parts,
      name: 'unsavable',
      version: 1,
      save: () => {
        throw new Error('too large');
      },
      load: () => [0],
    });
    const other = openStoreSync(on.directory, { indexes: [unsavable] });
    expect(other.snapshotSync().parts).toMatchObject([
      { skipped: expect.stringContaining('too large') as string },
    ]);
    other.closeSync();
  });
});
