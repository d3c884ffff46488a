/**
 * Appends, reads, compactions with retention, openings, deaths and power losses in any order, against a list of what was acknowledged: what is
 * kept is all there and in order, versions go on, and only what the rules let go is gone.
 */
import fc from 'fast-check';
import { afterAll, expect, it, vi } from 'vitest';
import { runSync } from '#src/log/io.js';
import { listLog, pathsOf, readable } from '#src/log/paths.js';
import { openStoreOn, type Store } from '#src/store.js';
import { seededChooser } from '../test/support/chooser.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';
import { DIRECTORY, environmentOn, randomOn } from '../test/support/story.js';

afterAll(() => {
  vi.useRealTimers();
});

const paths = pathsOf(DIRECTORY);
const DAY_MS = 86_400_000;
const KEPT_DAYS = 3;

type Crash = { readonly call: number; readonly power: number | undefined };
type Step =
  | { readonly kind: 'append'; readonly stream: string; readonly count: number }
  | { readonly kind: 'compact' }
  | { readonly kind: 'open' }
  | { readonly kind: 'wait'; readonly days: number }
  | { readonly kind: 'crash'; readonly crash: Crash; readonly during: 'append' | 'compact' };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream: fc.constantFrom('a/1', 'a/2', 'b/1'),
      count: fc.integer({ min: 1, max: 25 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      days: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      crash: fc.record({
        call: fc.integer({ min: 1, max: 220 }),
        power: fc.option(fc.nat({ max: 1000 }), { nil: undefined }),
      }),
      during: fc.constantFrom('append' as const, 'compact' as const),
    }),
  },
);

interface Written {
  readonly position: number;
  readonly stream: string;
  readonly version: number;
  readonly number: number;
  /** When it was written, ms. */
  readonly at: number;
}

class World {
  disk = new SimulatedDisk();
  readonly written: Written[] = [];
  #store: Store | undefined;
  #opened = 0;
  #number = 0;
  /** Handed over and never answered. */
  #unsure: { readonly stream: string; readonly number: number } | undefined;

  get #process() {
    return this.disk.process(`p${this.#opened}`);
  }

  async open(): Promise<Store> {
    if (this.#store) return this.#store;
    this.#opened += 1;
    const random = randomOn(this.disk, this.#opened);
    const environment = environmentOn(this.#process, this.disk, random);
    const options = { segmentBytes: 4096, retention: { days: KEPT_DAYS }, lockTimeoutMs: 0 };
    this.#store = await openStoreOn(environment, DIRECTORY, options);
    return this.#store;
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async append(stream: string): Promise<void> {
    const store = await this.open();
    this.#number += 1;
    const number = this.#number;
    this.#unsure = { stream, number };
    const data = { number, text: 'x'.repeat(number % 200) };
    const { position, version } = await store.append(stream, { type: 'happened', data });
    this.#unsure = undefined;
    const at = this.disk.clock.now();
    this.written.push({ position, stream, version, number, at });
  }

  async crash({ call, power }: Crash, during: 'append' | 'compact'): Promise<void> {
    const store = await this.open();
    const process = this.#process;
    process.crashAt(process.calls + call);
    try {
      if (during === 'compact') await store.compact();
      else for (let count = 0; count < 20; count += 1) await this.append('a/1');
    } catch (error) {
      if (process.alive) throw error;
    }
    this.disk = power === undefined ? this.disk : this.disk.powerLoss(seededChooser(power));
    process.die();
    this.#store = undefined;
  }

  /** Everything that is there is what was acknowledged, and everything else is gone for a reason. */
  async check(): Promise<void> {
    const store = await this.open();
    const listing = runSync(this.disk.process('lister'), listLog(paths));
    const [kept = 1] = readable(listing);
    const events = await store.readAll({ from: kept }).toArray();
    expect(events.map(({ position }) => position)).toEqual(events.map((_, index) => kept + index));
    const found = events
      .filter(({ stream }) => !stream.startsWith('$'))
      .map(({ position, stream, version, data }) => {
        return { position, stream, version, number: (data as { number: number }).number };
      });
    this.#settle(found.at(-1));
    const expected = this.written.filter(({ position }) => position >= kept);
    expect(found).toEqual(expected.map(({ at: _, ...rest }) => rest));
    const now = this.disk.clock.now();
    for (const { position, at } of this.written) {
      if (position < kept) expect(now - at).toBeGreaterThan(KEPT_DAYS * DAY_MS);
    }
    for (const stream of ['a/1', 'a/2', 'b/1']) {
      const last = this.written.findLast((written) => written.stream === stream);
      expect(await store.version(stream)).toBe(last?.version ?? 0);
    }
    if (kept > 1) {
      const [note] = await store
        .readStream('$store/retention', { direction: 'backward', limit: 1 })
        .toArray();
      expect(note?.data).toMatchObject({ lastPosition: kept - 1 });
    }
  }

  /** What was not answered is whole or absent, and from now on the one or the other. */
  #settle(last: Omit<Written, 'at'> | undefined): void {
    const unsure = this.#unsure;
    this.#unsure = undefined;
    if (!unsure || last?.number !== unsure.number) return;
    this.written.push({ ...last, at: this.disk.clock.now() });
  }
}

async function play(story: readonly Step[]): Promise<void> {
  const world = new World();
  await world.open();
  for (const step of story) {
    switch (step.kind) {
      case 'append':
        for (let count = 0; count < step.count; count += 1) await world.append(step.stream);
        break;
      case 'compact':
        await (await world.open()).compact();
        break;
      case 'open':
        await world.close();
        break;
      case 'wait':
        world.disk.clock.advance(step.days * DAY_MS);
        break;
      case 'crash':
        await world.crash(step.crash, step.during);
        break;
    }
    await world.check();
  }
  await world.close();
}

it('loses only what the rules let go, whatever happens in whatever order', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(fc.asyncProperty(fc.array(steps, { minLength: 4, maxLength: 24 }), play), {
    numRuns: times(25),
    seed,
    endOnFailure: true,
  });
});
