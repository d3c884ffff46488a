/**
 * Appends, snapshots, openings, small caches, lost and broken files in any order: every read gives what a plain fold of the log gives.
 *
 * A failure prints the seed and the steps, which is all it takes to see it again.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openStore, openStoreSync, type Store } from '#src/store.js';
import { SeededRandom } from '../test/support/random.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { expectFold, expectHistories, expectLog } from '../test/support/snapshot-check.js';
import { counter, derived, eventBy, type Told, tagged } from '../test/support/snapshots.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

type Step =
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'snapshot'; readonly sync: boolean }
  | {
      readonly do: 'open';
      readonly sync: boolean;
      readonly cacheBytes: number;
      readonly kept: number;
    }
  | { readonly do: 'other'; readonly count: number }
  | { readonly do: 'check'; readonly share: number }
  | { readonly do: 'diff'; readonly from: number; readonly to: number }
  | { readonly do: 'lose'; readonly which: number }
  | { readonly do: 'break'; readonly which: number; readonly at: number };

const share = fc.double({ min: 0, max: 1, noNaN: true });
const number = fc.nat(1000);
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('append'), count: fc.integer({ min: 1, max: 30 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('snapshot'), sync: fc.boolean() }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('open'),
        sync: fc.boolean(),
        cacheBytes: fc.constantFrom(0, 2000, 1_000_000),
        kept: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('other'), count: fc.integer({ min: 1, max: 30 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('check'), share }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('diff'), from: share, to: share }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('lose'), which: number }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('break'), which: number, at: number }) },
  ),
  { minLength: 8, maxLength: 24 },
) as fc.Arbitrary<Step[]>;

class Telling {
  readonly directory: string = join(temporaryDirectory(), 'store');
  readonly told: Told[] = [];
  readonly #random: SeededRandom;
  store: Store;

  constructor(numbers: number) {
    this.#random = new SeededRandom(numbers);
    this.store = this.#openSync(1_000_000, 2);
  }

  #openSync(cacheBytes: number, snapshotsKept: number): Store {
    return openStoreSync(this.directory, this.#options(cacheBytes, snapshotsKept)) as Store;
  }

  #options(cacheBytes: number, snapshotsKept: number) {
    return { ...derived, segmentBytes: 4096, durability: 'os', cacheBytes, snapshotsKept } as const;
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        return await this.#append(step.count);
      case 'snapshot': {
        const report = step.sync ? this.store.snapshotSync() : await this.store.snapshot();
        expect(report.position).toBe(this.told.length);
        return;
      }
      case 'open':
        await this.store.close();
        this.store = step.sync
          ? this.#openSync(step.cacheBytes, step.kept)
          : ((await openStore(this.directory, this.#options(step.cacheBytes, step.kept))) as Store);
        return;
      case 'other':
        return await this.#appendElsewhere(step.count);
      case 'check':
        return await this.check(Math.floor(step.share * this.told.length));
      case 'diff':
        return await this.#diff(step.from, step.to);
      case 'lose':
        return this.#spoil(step.which, (path) => rmSync(path));
      default:
        return this.#spoil(step.which, (path) => {
          const bytes = readFileSync(path);
          const at = (step.at * 7919) % bytes.length;
          bytes[at] = (bytes[at] as number) ^ 1;
          writeFileSync(path, bytes);
        });
    }
  }

  async #append(count: number): Promise<void> {
    const appends: Promise<unknown>[] = [];
    for (let n = 0; n < count; n += 1) {
      const next = eventBy(this.#random, 8);
      this.told.push(next);
      appends.push(this.store.append(next.stream, next.event));
    }
    await Promise.all(appends);
  }

  /** Another store appends, makes a snapshot, and this one comes to stand on that. */
  async #appendElsewhere(count: number): Promise<void> {
    const { store } = this;
    this.store = this.#openSync(1_000_000, 2);
    await this.#append(count);
    await this.store.snapshot();
    await this.store.close();
    this.store = store;
    await this.store.snapshot();
  }

  async check(position: number): Promise<void> {
    await this.store.refresh();
    expectFold(this.store, this.told, [position]);
    expectLog(this.store, this.told);
    expectHistories(this.store, this.told, Math.max(1, position));
    const all = this.store.entriesSync(tagged).toArray();
    expect(await this.store.entries(tagged).toArray()).toEqual(all);
    for (const [key, state] of all.slice(0, 3)) {
      expect(await this.store.get(tagged, key)).toEqual(state);
    }
  }

  /** What differs between two moments is what differs between the states as of them. */
  async #diff(from: number, to: number): Promise<void> {
    await this.store.refresh();
    const [first, second] = [from, to].map((each) => Math.floor(each * this.told.length)) as [
      number,
      number,
    ];
    const differences = this.store.diffSync(tagged, { prefix: '' }, first, second).toArray();
    const at = (position: number) => new Map(this.store.at(position).entriesSync(tagged).toArray());
    const [before, after] = [at(first), at(second)];
    const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
    const changed = keys.filter(
      (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
    );
    expect(differences.map(({ key }) => key)).toEqual(changed);
    for (const { key, before: was, after: is } of differences) {
      expect([was, is]).toEqual([before.get(key), after.get(key)]);
    }
  }

  /** Snapshots and places of keys: what is derived, and may go at any time. */
  #spoil(which: number, how: (path: string) => void): void {
    const paths = ['snapshots', 'index'].flatMap((folder) => {
      const path = join(this.directory, folder);
      try {
        return readdirSync(path).map((name) => join(path, name));
      } catch {
        return [];
      }
    });
    const path = paths[which % Math.max(1, paths.length)];
    if (path !== undefined) how(path);
  }
}

test('every read is that of a plain fold', { timeout: timeoutMs }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps, async (numbers, taken) => {
      const telling = new Telling(numbers);
      try {
        for (const step of taken) await telling.take(step);
        await telling.check(telling.told.length >> 1);
        expect(telling.store.stats().projections.map(({ name }) => name)).toContain(counter.name);
      } finally {
        await telling.store.close();
      }
    }),
    { numRuns: times(9), seed, endOnFailure: true },
  );
});
