import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  defineProjection,
  openStore,
  PositionAheadError,
  type Projection,
  type RecordedEvent,
  type Removed,
  type ReplayStep,
  removed,
  replayStore,
  StoreNotFoundError,
} from '#src/index.js';
import { openLog } from '#src/log/open-log.js';
import { storeSettings } from '#src/store/options.js';
import { replayLog } from '#src/store/replay.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { accounts, events, moved } from './accounts.js';

const projections = [accounts];

async function transfers(directory: string): Promise<void> {
  await using store = await openStore(directory, { events, projections });
  await store.append('bank', moved('a', 'b', 5));
  await store.append('bank', [moved('b', 'c', 3), moved('c', 'a', 2)]);
  await store.append('bank', { type: 'account.closed', data: { name: 'c' } });
}

/** Path and content of every file. */
function contentOf(directory: string): Map<string, string> {
  const content = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    content.set(path, createHash('sha256').update(readFileSync(path)).digest('hex'));
  }
  return content;
}

describe('replayStore', () => {
  test('folds everything again and finds that the store says the same', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const report = await replayStore(directory, { events, projections });
    expect(report).toMatchObject({
      position: 3,
      commits: 3,
      events: 4,
      ok: true,
      projections: [
        { name: 'accounts', version: 1, keys: 2, failed: 0, different: 0, differences: [] },
      ],
    });
    expect(report.time).toMatch(/^\d{4}-.*Z$/);
    expect(report.elapsedMs).toBeGreaterThanOrEqual(0);
  });

  test('can be asked up to a moment', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const earlier = await replayStore(directory, { events, projections, to: 2 });
    expect(earlier).toMatchObject({ position: 2, events: 3, projections: [{ keys: 3 }], ok: true });
    const nothing = await replayStore(directory, { events, projections, to: 0 });
    expect(nothing).toMatchObject({
      position: 0,
      commits: 0,
      projections: [{ keys: 0 }],
      ok: true,
    });
    expect(nothing.time).toBeUndefined();
    const all = await replayStore(directory, { projections, to: new Date('2100-01-01') });
    expect(all.position).toBe(3);
    await expect(replayStore(directory, { to: 4 })).rejects.toThrow(PositionAheadError);
  });

  test('tells what each event did to each key, in log order', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const steps: ReplayStep[] = [];
    let telling = 0;
    await replayStore(directory, {
      events,
      projections,
      compare: false,
      async onEvent(step) {
        telling += 1;
        expect(telling).toBe(1);
        await Promise.resolve();
        steps.push(step);
        telling -= 1;
      },
    });
    expect(steps.map(({ event: { id }, key }) => [id, key])).toEqual([
      ['1.0', 'a'],
      ['1.0', 'b'],
      ['2.0', 'b'],
      ['2.0', 'c'],
      ['2.1', 'c'],
      ['2.1', 'a'],
      ['3.0', 'c'],
    ]);
    expect(steps[0]).toMatchObject({ projection: 'accounts', patches: [{ op: 'add', path: '' }] });
    expect('before' in (steps[0] as object)).toBe(false);
    expect(steps[4]).toMatchObject({ before: { balance: 3 }, after: { balance: 1 } });
    expect(steps[6]).toMatchObject({ before: { balance: 1 }, patches: [{ op: 'remove' }] });
    expect('after' in (steps[6] as object)).toBe(false);
  });

  test('finds every key of a projection whose handlers are not pure', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    let calls = 0;
    const impure = defineProjection({
      name: 'impure',
      version: 1,
      initial: { seen: 0 },
      key: ({ data }) => Object.values(data as Record<string, string>).filter((key) => key === 'a'),
      on: {
        'money.moved': (state) => {
          calls += 1;
          state.seen = calls;
        },
      },
    });
    const report = await replayStore(directory, { projections: [impure, accounts] });
    expect(report).toMatchObject({
      ok: false,
      projections: [
        {
          different: 1,
          differences: [{ key: 'a', replayed: { seen: 2 }, stored: { seen: 4 } }],
        },
        { name: 'accounts', different: 0 },
      ],
    });
    const unasked = await replayStore(directory, { projections: [impure], compare: false });
    expect(unasked.ok).toBe(true);
  });

  test('changes nothing, and goes on to the end that it found while others write', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const before = contentOf(directory);
    await replayStore(directory, { events, projections });
    expect(contentOf(directory)).toEqual(before);

    await using store = await openStore(directory, { events, projections });
    const report = await replayStore(directory, {
      events,
      projections,
      async onEvent() {
        await store.append('bank', moved('a', 'new', 1));
      },
    });
    expect(report).toMatchObject({ position: 3, commits: 3, ok: true });
    expect(store.head.position).toBe(10);
  });

  test('folds what stands before damage, and says that the store is damaged', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const [segment = ''] = readdirSync(join(directory, 'log'));
    const file = join(directory, 'log', segment);
    writeFileSync(file, readFileSync(file, 'utf8').replace('account.closed', 'account.closes'));
    const report = await replayStore(directory, { events, projections });
    expect(report).toMatchObject({
      position: 2,
      projections: [{ different: 0 }],
      recovery: { state: 'damaged', position: 2 },
      ok: false,
    });
  });

  test('takes keys that stop on both sides at the same event for the same, and names them', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    await using store = await openStore(directory, { events, projections });
    await store.append('bank', [
      moved('a', 'b', 1),
      { type: 'account.broken', data: { name: 'a' } },
    ]);
    await store.append('bank', moved('a', 'b', 1));
    const told: string[] = [];
    const report = await replayStore(directory, {
      events,
      projections,
      onEvent: ({ event: { id }, key }) => {
        if (id.startsWith('4') || id.startsWith('5')) told.push(`${id} ${key}`);
      },
    });
    expect(report).toMatchObject({
      ok: true,
      projections: [{ keys: 1, failed: 1, failures: [{ key: 'a', event: '4.1' }] }],
    });
    expect(told).toEqual(['4.0 b', '5.0 b']);
  });

  test('compares up to where a projection stopped as a whole', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const strict: Projection<number> = defineProjection({
      name: 'strict',
      version: 1,
      events,
      initial: 0,
      key: ({ data }) => {
        if ('name' in data) return 'closed';
        if (data.from === 'c') throw new Error('no key');
        return data.from;
      },
      on: { 'money.moved': (count) => count + 1, 'account.closed': (count) => count + 1 },
    });
    const report = await replayStore(directory, { events, projections: [strict] });
    expect(report).toMatchObject({
      position: 3,
      ok: true,
      projections: [{ keys: 1, failed: 0, failures: [{ key: undefined, event: '2.1' }] }],
    });
  });

  test('ends with the reason of its signal, and with what its caller throws', async () => {
    const directory = temporaryDirectory();
    await transfers(directory);
    const controller = new AbortController();
    const replay = replayStore(directory, {
      events,
      projections,
      signal: controller.signal,
      onEvent: () => controller.abort(new Error('enough')),
    });
    await expect(replay).rejects.toThrow('enough');
    const thrown = replayStore(directory, {
      events,
      projections,
      onEvent: () => {
        throw new RangeError('mine');
      },
    });
    await expect(thrown).rejects.toThrow(RangeError);
  });

  test('refuses a directory without a store, and options of another kind', async () => {
    const directory = temporaryDirectory();
    await expect(replayStore(directory)).rejects.toThrow(StoreNotFoundError);
    expect(readdirSync(directory)).toEqual([]);
    for (const options of [
      null,
      { compare: 1 },
      { onEvent: 'log' },
      { signal: {} },
      { signal: null },
      { projections: ['accounts'] },
    ]) {
      await expect(replayStore(directory, options as never)).rejects.toThrow(TypeError);
    }
  });
});

describe('a store that says something else', () => {
  const on: Record<string, (count: number, event: RecordedEvent) => number | Removed> = {
    'money.moved': (count) => count + 1,
    'account.closed': () => removed,
  };
  const key = ({ data }: { data: unknown }) => {
    const { from, name } = data as { from?: string; name?: string };
    return from ?? name;
  };
  const counting = defineProjection({ name: 'counting', version: 1, initial: 0, key, on });

  /** Replays with `counting`; the store reads with another projection of the same name and version. */
  async function replayAgainst(other: Projection<number>) {
    const directory = temporaryDirectory();
    await transfers(directory);
    await using log = await openLog(directory, { readOnly: true });
    const ours = storeSettings({ projections: [counting] });
    return await replayLog(log.internals, ours, {}, storeSettings({ projections: [other] }));
  }

  const changed = (spec: Partial<Parameters<typeof defineProjection<number>>[0]>) =>
    defineProjection<number>({ name: 'counting', version: 1, initial: 0, key, on, ...spec });

  test('is found where a handler was changed without a new version', async () => {
    const other = changed({ on: { ...on, 'money.moved': (count) => count + 2 } });
    const report = await replayAgainst(other);
    expect(report).toMatchObject({
      ok: false,
      projections: [
        {
          different: 2,
          differences: [
            { key: 'a', replayed: 1, stored: 2 },
            { key: 'b', replayed: 1, stored: 2 },
          ],
        },
      ],
    });
  });

  test('is found where it has a key too many, or one is missing', async () => {
    const more = await replayAgainst(changed({ on: { 'money.moved': (count) => count + 1 } }));
    expect(more.projections[0]?.differences).toEqual([{ key: 'c', stored: 1 }]);
    const [less] = (
      await replayAgainst(
        changed({ key: (event) => (key(event) === 'b' ? undefined : key(event)) }),
      )
    ).projections;
    expect(less?.differences).toEqual([{ key: 'b', replayed: 1 }]);
  });

  test('is found where a key, or the whole projection, stops there alone', async () => {
    const failing = changed({
      on: {
        'money.moved': (count, { data }) => {
          if ((data as { from: string }).from === 'b') throw new Error('not this one');
          return count + 1;
        },
        'account.closed': () => removed,
      },
    });
    const report = await replayAgainst(failing);
    expect(report.projections[0]?.differences).toMatchObject([
      { key: 'b', replayed: 1, storedFailure: { code: 'PROJECTION_FAILED', event: '2.0' } },
    ]);
    const stopped = changed({
      key: () => {
        throw new Error('no key');
      },
    });
    const [whole] = (await replayAgainst(stopped)).projections;
    expect(whole?.different).toBe(1);
    expect(whole?.differences).toMatchObject([{ storedFailure: { position: 1 } }]);
  });
});
