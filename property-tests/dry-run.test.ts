/** On stores of any kind: what `compact({ dryRun: true })` reports is what the compaction behind it reports, and it changes nothing. */
import fc from 'fast-check';
import { afterAll, expect, it, vi } from 'vitest';
import { register } from '#src/compaction/registry.js';
import { defineIndex, defineProjection, type RetentionOptions } from '#src/index.js';
import { runSync } from '#src/log/io.js';
import type { Store } from '#src/store.js';
import { append, DAY_MS, openOn, paths } from '../test/support/aging-store.js';
import { counted } from '../test/support/counted.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';

afterAll(() => {
  vi.useRealTimers();
});

/** Stops at the first event. */
const stopped = defineProjection({
  name: 'stopped',
  version: 1,
  initial: () => ({ n: 0 }),
  key: () => {
    throw new Error('no key');
  },
  on: { added: () => {} },
});

const index = (saves: boolean) =>
  defineIndex({
    name: 'last',
    version: 1,
    create: () => ({ position: 0 }),
    apply: (state, group) => {
      state.position = group.at(-1)?.position ?? 0;
    },
    save: (state, sink) => {
      if (!saves) throw new Error('not today');
      sink.write('position', Buffer.from(String(state.position)));
    },
    load: (source) => ({ position: Number(Buffer.from(source.read('position')).toString()) }),
    bytes: () => 8,
  });

const retention: fc.Arbitrary<RetentionOptions | undefined> = fc.option(
  fc.record(
    {
      days: fc.integer({ min: 0, max: 12 }),
      bytes: fc.integer({ min: 0, max: 6000 }),
      categories: fc.constantFrom({ b: { days: 3 } }, { b: {} }, { a: { days: 0 } }),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);

const world = fc.record({
  retention,
  /** Commits, and then a compaction, or none. */
  rounds: fc.array(fc.record({ commits: fc.nat({ max: 60 }), compacts: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  }),
  projections: fc.subarray(['counted', 'stopped']),
  index: fc.constantFrom('none', 'saves', 'fails'),
  /** Another program registered a projection, which covered so much. */
  other: fc.option(fc.nat({ max: 120 }), { nil: undefined }),
  reopened: fc.boolean(),
  later: fc.integer({ min: 0, max: 5 }),
});

it('tells what the compaction behind it does', { timeout: timeoutMs }, async () => {
  const property = fc.asyncProperty(world, async (made) => {
    const disk = new SimulatedDisk();
    const options = {
      ...(made.retention ? { retention: made.retention } : {}),
      projections: [counted, stopped].filter(({ name }) => made.projections.includes(name)),
      indexes: made.index === 'none' ? [] : [index(made.index === 'saves')],
    };
    let store: Store = await openOn(disk, 'a', options);
    if (made.other !== undefined) {
      const identity = { name: 'other', version: 1, fingerprint: 'f'.repeat(64) };
      const random = (count: number) => Buffer.alloc(count, 7);
      const work = register(paths, identity, made.other, disk.clock.now(), random);
      runSync(disk.process('o'), work);
    }
    for (const [round, { commits, compacts }] of made.rounds.entries()) {
      await append(store, disk, ['a/1', 'b/1', 'c'], commits);
      if (compacts && round < made.rounds.length - 1) await store.compact();
    }
    if (made.reopened) {
      await store.close();
      store = await openOn(disk, 'b', options);
    }
    disk.clock.advance(made.later * DAY_MS);
    const files = filesOf(disk);
    const { elapsedMs: _, ...plan } = await store.compact({ dryRun: true });
    expect(filesOf(disk)).toEqual(files);
    const { elapsedMs: __, ...report } = await store.compact();
    expect({ ...plan, dryRun: false }).toEqual(report);
    await store.close();
  });
  await fc.assert(property, { numRuns: times(12), seed });
});

/** Names and sizes of all that is in the store, but for `index/`, which is written behind every segment, whoever asks for what. */
function filesOf(disk: SimulatedDisk): string[] {
  const process = disk.process('lister');
  const { directory } = paths;
  const found: string[] = [];
  const list = (folder: string): void => {
    for (const name of process.list(folder).sort()) {
      const path = `${folder}/${name}`;
      const facts = process.facts(path);
      if (path === paths.index) continue;
      if (facts?.kind === 'directory') list(path);
      else found.push(`${path} ${facts?.size}`);
    }
  };
  list(directory);
  return found;
}
