/**
 * Locks within a thread, asked for, given back, given up and timed out in any order: what happens is what a plain model says, and a circle
 * of owners is found if and only if a plain search finds one. Timers are the test's own, so that nothing depends on how fast it runs.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DeadlockError, type Lease, LockTimeoutError, ReadWriteLock } from '#src/locks/index.js';
import { type Asking, allCycles, LockModel } from '../test/support/lock-model.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const unhandled: unknown[] = [];
const hear = (reason: unknown): number => unhandled.push(reason);

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  process.on('unhandledRejection', hear);
});
afterAll(() => {
  vi.useRealTimers();
  process.off('unhandledRejection', hear);
});

/** Long enough for everything that waits for nothing but promises, and for unhandled rejections to be told. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Plan extends Omit<Asking, 'name'> {
  readonly timeoutMs: number;
  readonly aborts: boolean;
  readonly abortedBefore: boolean;
}

const plans: fc.Arbitrary<Plan[]> = fc.array(
  fc.record({
    mode: fc.constantFrom('read' as const, 'write' as const),
    critical: fc.boolean(),
    timeoutMs: fc.constantFrom(0, 3, 7, 20, Number.POSITIVE_INFINITY),
    aborts: fc.boolean(),
    abortedBefore: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
  }),
  { minLength: 2, maxLength: 24 },
);

class Story {
  readonly lock = new ReadWriteLock();
  readonly model = new LockModel();
  readonly got: string[] = [];
  readonly endings: string[] = [];
  readonly expected: string[] = [];
  readonly #deadlines = new Map<string, number>();
  #now = 0;

  /** What both say now. */
  check(): void {
    const { state, holders, waiters } = this.lock.status();
    const labels = (parties: readonly { label: string | undefined }[]) =>
      parties.map(({ label }) => label);
    const { model } = this;
    const inOrder = [
      ...model.waiters.filter(({ critical }) => critical),
      ...model.waiters.filter(({ critical }) => !critical),
    ];
    expect(labels(holders)).toEqual(model.holders.map(({ name }) => name));
    expect(labels(waiters)).toEqual(inOrder.map(({ name }) => name));
    expect(state).toBe(model.holders[0]?.mode ?? 'free');
    if (state === 'write') expect(holders).toHaveLength(1);
  }

  ask(name: string, plan: Plan, signal: AbortSignal): Promise<Lease | undefined> {
    const { mode, critical, timeoutMs: patience } = plan;
    const options = {
      label: name,
      timeoutMs: patience,
      signal,
      priority: critical ? ('critical' as const) : ('normal' as const),
    };
    const lease = mode === 'read' ? this.lock.read(options) : this.lock.write(options);
    if (signal.aborted) this.expected.push(`${name} aborted`);
    else {
      this.model.ask({ name, mode, critical });
      if (this.model.waits(name) && patience === 0) this.#end(name, 'late');
      else this.#deadlines.set(name, this.#now + patience);
    }
    return lease.then(
      (given) => {
        this.got.push(name);
        return given;
      },
      (error: unknown) => {
        const isLate = error instanceof LockTimeoutError;
        if (!isLate) expect(error).toBe(signal.reason);
        this.endings.push(`${name} ${isLate ? 'late' : 'aborted'}`);
        return undefined;
      },
    );
  }

  abort(name: string, controller: AbortController): void {
    controller.abort(new Error(`${name} is not needed`));
    if (this.model.waits(name)) this.#end(name, 'aborted');
  }

  release(name: string, lease: Lease): void {
    lease.release();
    this.model.leave(name);
    // A second time it must take the lock from nobody.
    lease.release();
  }

  tick(): void {
    for (let moment = 0; moment < 4; moment += 1) {
      this.#now += 1;
      const late = [...this.#deadlines].filter(([, deadline]) => deadline === this.#now);
      for (const [name] of late) if (this.model.waits(name)) this.#end(name, 'late');
      vi.advanceTimersByTime(1);
    }
  }

  #end(name: string, how: string): void {
    this.model.leave(name);
    this.expected.push(`${name} ${how}`);
  }
}

describe('a lock of readers and writers', () => {
  test('does what its model does, whatever the order of asking, releasing, aborting and timing out', {
    timeout: timeoutMs,
  }, async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        plans,
        fc.nat({ max: 6 }),
        async (scheduler, list, ticks) => {
          const story = new Story();
          const step = async (what: string, act: () => void): Promise<void> => {
            await scheduler.schedule(Promise.resolve(), what);
            act();
            story.check();
          };
          const actors = list.map(async (plan, index) => {
            const name = `${index}`;
            const controller = new AbortController();
            if (plan.abortedBefore) controller.abort(new Error('too late'));
            let lease: Promise<Lease | undefined> | undefined;
            await step(`ask ${name}`, () => {
              lease = story.ask(name, plan, controller.signal);
            });
            const aborting = plan.aborts
              ? step(`abort ${name}`, () => story.abort(name, controller))
              : undefined;
            const held = await lease;
            if (held) await step(`release ${name}`, () => story.release(name, held));
            await aborting;
          });
          const clock = (async () => {
            for (let tick = 0; tick < ticks; tick += 1) await step('tick', () => story.tick());
          })();
          await scheduler.waitFor(Promise.all([...actors, clock]));
          expect(story.lock.status()).toEqual({ state: 'free', holders: [], waiters: [] });
          expect(story.got).toEqual(story.model.got);
          expect([...story.endings].sort()).toEqual([...story.expected].sort());
          // Nobody is forgotten: each has had the lock or was told why not.
          expect(story.got.length + story.endings.length).toBe(list.length);
          expect(vi.getTimerCount()).toBe(0);
          for (const ending of story.endings) seen.add(ending.replace(/^\d+ /, ''));
          if (story.got.length > 0) seen.add('got');
        },
      ),
      { numRuns: times(250), seed },
    );
    await settled();
    expect(unhandled).toEqual([]);
    // Otherwise the runs above were about nothing.
    expect([...seen].sort()).toEqual(['aborted', 'got', 'late']);
  });
});

interface Move {
  readonly owner: number;
  readonly lock: number;
  readonly mode: 'read' | 'write';
  readonly ends: boolean;
}

const OWNERS = 6;
const LOCKS = 6;

/** Some owners take a lock of their own first, so that long circles come about. */
const beginnings: fc.Arbitrary<Move[]> = fc
  .subarray(Array.from({ length: OWNERS }, (_, index) => index))
  .map((list) => list.map((index) => ({ owner: index, lock: index, mode: 'write', ends: false })));

const wanderings: fc.Arbitrary<Move[]> = fc.array(
  fc.record({
    owner: fc.nat({ max: OWNERS - 1 }),
    lock: fc.nat({ max: LOCKS - 1 }),
    mode: fc.constantFrom('read' as const, 'write' as const, 'write' as const),
    ends: fc.integer({ min: 0, max: 7 }).map((number) => number === 0),
  }),
  { minLength: 4, maxLength: 40 },
);

/** Each of them asks for what the next one has, in any order. */
const rings: fc.Arbitrary<Move[]> = fc
  .tuple(
    fc.shuffledSubarray(
      Array.from({ length: OWNERS }, (_, index) => index),
      { minLength: 2, maxLength: 5 },
    ),
    fc.boolean(),
  )
  .chain(([ring, reads]) => {
    const held = ring.map((index) => ({ owner: index, lock: index, mode: 'write', ends: false }));
    const asked = ring.map((index, place) => ({
      owner: index,
      lock: ring[(place + 1) % ring.length],
      mode: reads ? 'read' : 'write',
      ends: false,
    }));
    return fc
      .shuffledSubarray(asked, { minLength: asked.length })
      .map((shuffled) => [...held, ...shuffled] as Move[]);
  });

const mixtures: fc.Arbitrary<Move[]> = fc
  .tuple(beginnings, wanderings)
  .map(([beginning, wandering]) => [...beginning, ...wandering]);

const moves: fc.Arbitrary<Move[]> = fc.oneof(rings, { arbitrary: mixtures, weight: 3 });

/** Owners that take locks, one wait each at a time, and all of them beside their models. */
class Town {
  readonly locks = Array.from(
    { length: LOCKS },
    (_, index) => new ReadWriteLock({ label: `l${index}` }),
  );
  readonly models = Array.from({ length: LOCKS }, () => new LockModel());
  readonly #key = Symbol('town');
  readonly #leases = new Map<string, Lease[]>();
  readonly #ages = new Map<string, number>();
  readonly #told = new Map<string, unknown>();
  #age = 0;

  get owners(): string[] {
    return [...this.#ages.keys()];
  }

  waits(owner: string): boolean {
    return this.models.some((model) => model.waits(owner));
  }

  holds(owner: string, lock: number): boolean {
    return this.models[lock]?.holds(owner) ?? false;
  }

  age(owner: string): number {
    return this.#ages.get(owner) ?? 0;
  }

  /** All circles as things stand, by a search that knows nothing of the code under test. */
  cycles(): string[][] {
    const next = (owner: string): string[] =>
      this.models.flatMap((model) =>
        model.waiters
          .filter((waiter) => waiter.name === owner)
          .flatMap((waiter) => model.blockersOf(waiter).map(({ name }) => name)),
      );
    return allCycles(this.owners, next);
  }

  async ask(owner: string, index: number, mode: 'read' | 'write'): Promise<void> {
    const lock = this.locks[index] as ReadWriteLock;
    if (!this.#ages.has(owner)) {
      this.#age += 1;
      this.#ages.set(owner, this.#age);
    }
    const options = { owner: `${String(this.#key)} ${owner}`, label: owner };
    lock[mode](options).then(
      (lease) => this.#leases.set(owner, [...(this.#leases.get(owner) ?? []), lease]),
      (error: unknown) => this.#told.set(owner, error),
    );
    if (!this.holds(owner, index)) this.models[index]?.ask({ name: owner, mode, critical: false });
    await settled();
  }

  /** Who was told of a deadlock since this was asked last. */
  told(): [string, unknown][] {
    const told = [...this.#told];
    this.#told.clear();
    return told;
  }

  /** Gives back all that the owner has. */
  async end(owner: string): Promise<void> {
    for (const lease of this.#leases.get(owner) ?? []) lease.release();
    this.#leases.delete(owner);
    for (const model of this.models) model.leave(owner);
    this.#ages.delete(owner);
    await settled();
  }

  giveUp(owner: string): void {
    for (const model of this.models) if (model.waits(owner)) model.leave(owner);
  }

  check(): void {
    for (const [index, model] of this.models.entries()) {
      const { holders, waiters } = (this.locks[index] as ReadWriteLock).status();
      expect(holders.map(({ label }) => label)).toEqual(model.holders.map(({ name }) => name));
      expect(waiters.map(({ label }) => label)).toEqual(model.waiters.map(({ name }) => name));
    }
  }
}

describe('owners of several locks', () => {
  test('are told of a deadlock when one closes, the youngest of it, and never otherwise', {
    timeout: timeoutMs,
  }, async () => {
    const lengths = new Set<number>();
    await fc.assert(
      fc.asyncProperty(moves, async (list) => {
        const town = new Town();
        for (const { owner: number, lock, mode, ends } of list) {
          const owner = `o${number}`;
          if (town.waits(owner)) continue;
          if (ends) await town.end(owner);
          else {
            const isReentry = town.holds(owner, lock);
            await town.ask(owner, lock, mode);
            const told = town.told();
            if (isReentry) {
              expect(told.map(([name]) => name)).toEqual([owner]);
              expect(told[0]?.[1]).toMatchObject({ code: 'DEADLOCK', cycle: { length: 1 } });
            } else {
              // As many as it takes: each was the youngest of a circle that stood when it was told.
              for (const [victim, error] of told) {
                expect(error).toBeInstanceOf(DeadlockError);
                const circles = town.cycles().filter((circle) => circle.includes(victim));
                expect(
                  circles.some((circle) =>
                    circle.every((other) => town.age(other) <= town.age(victim)),
                  ),
                ).toBe(true);
                const { cycle } = error as DeadlockError;
                expect(cycle[0]?.owner).toBe(victim);
                const spelled = cycle.map((step) => step.owner);
                expect(
                  circles.some(
                    (circle) => [...circle].sort().join() === [...spelled].sort().join(),
                  ),
                ).toBe(true);
                expect(cycle.map((step) => step.heldBy)).toEqual([...spelled.slice(1), victim]);
                lengths.add(cycle.length);
                town.giveUp(victim);
              }
            }
            expect(town.cycles()).toEqual([]);
            town.check();
            for (const [victim] of told) await town.end(victim);
          }
          expect(town.cycles()).toEqual([]);
          town.check();
        }
        // Those who hold end, whoever waits gets its turn, and so on: everybody comes through.
        for (let turn = 0; turn < OWNERS && town.owners.length > 0; turn += 1) {
          for (const owner of town.owners) if (!town.waits(owner)) await town.end(owner);
        }
        expect(town.owners).toEqual([]);
        expect(town.told()).toEqual([]);
      }),
      { numRuns: times(250), seed },
    );
    expect(unhandled).toEqual([]);
    for (const length of [2, 3, 4, 5]) expect(lengths).toContain(length);
  });
});
