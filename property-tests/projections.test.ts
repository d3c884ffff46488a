/** A projection equals a plain left fold of the log at every position, whatever is routed, read and evicted in between, in whatever order. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Io } from '#src/log/io.js';
import type { RecordedEvent } from '#src/log/types.js';
import type { EntryWork } from '#src/projections/listing.js';
import type { ProjectionRuntime } from '#src/projections/projection.js';
import {
  ABSENT,
  FakeLog,
  type PlainDefinition,
  ReadFailure,
  routeAll,
  world,
} from '../test/projections/fakes.js';
import { type Stepped, step } from '../test/support/stepping.js';

const KEYS = ['a', 'b', 'b/1', 'b/2', 'c', '__proto__'];

const definition: PlainDefinition = {
  initial: [],
  keysOf: ({ data }: RecordedEvent) => data as string[],
  on: {
    added: (state, { id }) => [...(state as string[]), id],
    dropped: () => ABSENT,
    broken: () => {
      throw new Error('cannot be folded');
    },
  },
};

type Expected = { readonly state: unknown } | { readonly failedAt: number };

/** What the first `to` commits fold to. */
function folded(log: FakeLog, key: string, to: number): Expected {
  let state: unknown = ABSENT;
  for (const { id, position, type, data } of log.events(to)) {
    if (!(data as string[]).includes(key)) continue;
    if (type === 'broken') return { failedAt: position };
    if (type === 'dropped') state = ABSENT;
    if (type === 'added') state = [...(state === ABSENT ? [] : (state as string[])), id];
  }
  return { state };
}

/** A reading under way, and what it must give. */
interface Reading {
  readonly work: Io<unknown>;
  last: Stepped;
  readonly check: (outcome: Stepped) => void;
}

function stateReading(
  log: FakeLog,
  runtime: ProjectionRuntime,
  key: string,
  at: number | undefined,
): Reading {
  const to = at ?? runtime.position;
  return {
    work: at === undefined ? runtime.state(key) : runtime.stateAt(key, at),
    last: { done: false },
    check(outcome) {
      const model = folded(log, key, to);
      if ('state' in model) expect(outcome).toEqual({ done: true, answer: model.state });
      else expect(outcome.error).toMatchObject({ key, position: model.failedAt });
    },
  };
}

/** Gathers what a listing gives. */
function* gathered(work: EntryWork, found: unknown[]): Io<void> {
  let next = work.next();
  while (!next.done) {
    if (Array.isArray(next.value)) {
      found.push(...next.value);
      next = work.next();
    } else next = work.next(yield next.value as never);
  }
}

function listing(log: FakeLog, runtime: ProjectionRuntime, prefix: string): Reading {
  const to = runtime.position;
  const found: unknown[] = [];
  return {
    work: gathered(runtime.entries({ prefix }, to), found),
    last: { done: false },
    check(outcome) {
      const entries: unknown[] = [];
      let failed: string | undefined;
      for (const key of [...KEYS].sort().filter((name) => name.startsWith(prefix))) {
        const model = folded(log, key, to);
        if ('failedAt' in model) {
          failed = key;
          break;
        }
        if (model.state !== ABSENT) entries.push([key, model.state]);
      }
      expect(found).toEqual(entries);
      if (failed === undefined) expect(outcome.error).toBeUndefined();
      else expect(outcome.error).toMatchObject({ key: failed });
    },
  };
}

function go(log: FakeLog, reading: Reading): boolean {
  try {
    reading.last = step(log.disk, reading.work, reading.last);
  } catch (error) {
    if (!(error instanceof ReadFailure)) throw error;
    reading.last = { done: true, error };
  }
  if (reading.last.done) reading.check(reading.last);
  return reading.last.done;
}

const key = fc.constantFrom(...KEYS);
const event = fc.record({
  type: fc.oneof(
    { weight: 30, arbitrary: fc.constant('added') },
    { weight: 5, arbitrary: fc.constant('dropped') },
    { weight: 5, arbitrary: fc.constant('other') },
    { weight: 1, arbitrary: fc.constant('broken') },
  ),
  data: fc.array(key, { maxLength: 3 }),
});
const action = fc.oneof(
  fc.record({
    kind: fc.constant('append' as const),
    events: fc.array(event, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('route' as const), commits: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('state' as const), key }),
  fc.record({ kind: fc.constant('stateNow' as const), key }),
  fc.record({
    kind: fc.constant('stateAt' as const),
    key,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('entries' as const), prefix: fc.constantFrom('', 'b', 'b/', 'x') }),
  fc.record({
    kind: fc.constant('step' as const),
    which: fc.nat(10),
    times: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant('evict' as const) }),
);
type Action = typeof action extends fc.Arbitrary<infer One> ? One : never;

function play(actions: readonly Action[], cacheBytes: number, decodedBytes: number): void {
  const log = new FakeLog(4);
  const { projection, cache } = world(log, cacheBytes, decodedBytes);
  const runtime = projection(definition);
  let readings: Reading[] = [];
  for (const one of actions) {
    log.atHandFrom = log.position;
    if (one.kind === 'append') {
      log.append(...one.events.map(({ type, data }) => ({ stream: 's', type, data })));
    } else if (one.kind === 'route') {
      const to = Math.min(log.position, runtime.position + one.commits);
      while (runtime.position < to) runtime.route(log.commit(runtime.position + 1));
    } else if (one.kind === 'state') {
      readings.push(stateReading(log, runtime, one.key, undefined));
    } else if (one.kind === 'stateAt') {
      const at = Math.round(one.share * runtime.position);
      readings.push(stateReading(log, runtime, one.key, at));
    } else if (one.kind === 'entries') {
      readings.push(listing(log, runtime, one.prefix));
    } else if (one.kind === 'stateNow') {
      checkNow(log, runtime, one.key);
    } else if (one.kind === 'evict') {
      cache.clear();
    } else {
      const reading = readings[one.which % Math.max(1, readings.length)];
      for (let time = 0; time < one.times && reading && !reading.last.done; time += 1) {
        go(log, reading);
      }
    }
    // A reading is as of where its first step finds the projection.
    const begun = readings.at(-1);
    if (one.kind === 'state' || one.kind === 'stateAt' || one.kind === 'entries') {
      if (begun) go(log, begun);
    }
    readings = readings.filter(({ last }) => !last.done);
  }
  for (const reading of readings) while (!reading.last.done) go(log, reading);
  routeAll(log, runtime);
  for (const name of KEYS) {
    for (let position = 0; position <= log.position; position += 1) {
      const reading = stateReading(log, runtime, name, position);
      while (!go(log, reading));
    }
    checkNow(log, runtime, name);
  }
}

function checkNow(log: FakeLog, runtime: ProjectionRuntime, name: string): void {
  const model = folded(log, name, runtime.position);
  let found: unknown;
  try {
    found = runtime.stateNow(name);
  } catch (error) {
    expect(error).toMatchObject('failedAt' in model ? { key: name, position: model.failedAt } : {});
    return;
  }
  if (typeof found === 'symbol' && found !== ABSENT) return;
  expect({ state: found }).toEqual(model);
}

test('a projection with several keys an event equals a plain left fold at every position', () => {
  fc.assert(
    fc.property(
      fc.array(action, { minLength: 5, maxLength: 60 }),
      fc.constantFrom(0, 700, 1500, 100_000),
      fc.constantFrom(0, 2000, 100_000),
      play,
    ),
    { numRuns: 1000 },
  );
});
