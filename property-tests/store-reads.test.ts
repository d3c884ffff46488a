/**
 * What a store reads equals a plain left fold of its log: now and at every position, whatever was appended by whom, evicted, closed, opened
 * again, upcast, and lost with a process or with the power in between.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  defineEvents,
  defineProjection,
  event,
  type NewEventOf,
  type RecordedEventOf,
  removed,
  type Store,
  type StoreView,
} from '#src/index.js';
import { openStoreOn, openStoreOnSync } from '#src/store.js';
import { seededChooser } from '../test/support/chooser.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { SimulatedDisk } from '../test/support/simulated-disk.js';
import type { SimulatedProcess } from '../test/support/simulated-process.js';
import { DIRECTORY, environmentOn, QUEUE_BYTES, randomOn } from '../test/support/story.js';

const STREAMS = ['s/1', 's/2', '__proto__'];
const KEYS = ['a', 'b', 'b/1', 'constructor', '\u{1f600}', '\uffee'];

const events = defineEvents({
  grown: event<{ cm: number; keys: readonly string[] }>(),
  dropped: event<{ keys: readonly string[] }>(),
  other: event<null>(),
});
type TestEvents = typeof events;
type Recorded = RecordedEventOf<TestEvents>;

/** The default key, and a draft that is changed. */
const sums = defineProjection({
  name: 'sums',
  version: 1,
  events,
  initial: { n: 0, ids: [] as string[] },
  on: {
    grown: (draft, { id, data }) => {
      draft.n += data.cm;
      draft.ids.push(id);
    },
    dropped: () => removed,
  },
});
/** Several keys an event, or none, and a state that is returned. */
const texts = defineProjection({
  name: 'texts',
  version: 1,
  events,
  initial: (key) => `${key}:`,
  key: ({ data }) => data?.keys,
  on: {
    grown: (text, { data }) => `${text}${data.cm},`,
    dropped: () => removed,
  },
});
const options = {
  events,
  projections: [sums, texts],
  upcasters: {
    grown: {
      1: (data: { inches: number }) => ({ ...data, cm: data.inches * 2 }),
      2: ({ cm, keys = [] }: { cm: number; keys?: string[] }) => ({ cm, keys }),
    },
  },
};

interface Folded {
  readonly sums: Map<string, unknown>;
  readonly texts: Map<string, unknown>;
}

/** Told in other words than the projections, and without any of their machinery. */
function folded(log: readonly Recorded[], to: number): Folded {
  const sums = new Map<string, { n: number; ids: string[] }>();
  const texts = new Map<string, string>();
  for (const { id, position, stream, type, data } of log) {
    if (position > to) break;
    if (type === 'grown') {
      const { n, ids } = sums.get(stream) ?? { n: 0, ids: [] };
      sums.set(stream, { n: n + data.cm, ids: [...ids, id] });
      for (const key of new Set(data.keys))
        texts.set(key, `${texts.get(key) ?? `${key}:`}${data.cm},`);
    } else if (type === 'dropped') {
      sums.delete(stream);
      for (const key of data.keys) texts.delete(key);
    }
  }
  return { sums, texts };
}

const sorted = (states: Map<string, unknown>): unknown[] =>
  [...states].sort(([a], [b]) => (a < b ? -1 : 1));

type Reading =
  | Pick<Store<TestEvents>, 'get' | 'getSync' | 'entries' | 'entriesSync'>
  | StoreView<TestEvents>;

async function expectFold(reading: Reading, expected: Folded, sync: boolean): Promise<void> {
  for (const stream of STREAMS) {
    const state = sync ? reading.getSync(sums, stream) : await reading.get(sums, stream);
    expect(state).toEqual(expected.sums.get(stream));
  }
  for (const key of KEYS) {
    const state = sync ? reading.getSync(texts, key) : await reading.get(texts, key);
    expect(state).toEqual(expected.texts.get(key));
  }
  const entries = sync
    ? [reading.entriesSync(sums).toArray(), reading.entriesSync(texts).toArray()]
    : [await reading.entries(sums).toArray(), await reading.entries(texts).toArray()];
  expect(entries).toEqual([sorted(expected.sums), sorted(expected.texts)]);
}

const keysOf = fc.array(fc.constantFrom(...KEYS), { maxLength: 3 });
const newEvent = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 }), keysOf)
      .map(([n, version, keys]) => grown(n, version, keys)),
  },
  { weight: 2, arbitrary: keysOf.map((keys) => ({ type: 'dropped' as const, data: { keys } })) },
  { weight: 1, arbitrary: fc.constant({ type: 'other' as const, data: null }) },
);

/** As a program of that version would have written it. */
function grown(n: number, schemaVersion: number, keys: string[]): NewEventOf<TestEvents> {
  const data =
    schemaVersion === 1 ? { inches: n, keys } : { cm: n, ...(keys.length > 0 ? { keys } : {}) };
  const full = schemaVersion === 3 ? { cm: n, keys } : data;
  return { type: 'grown', data: full as { cm: number; keys: string[] }, schemaVersion };
}

const who = fc.constantFrom('a' as const, 'b' as const);
const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      who,
      sync: fc.boolean(),
      parts: fc.array(
        fc.record({
          stream: fc.constantFrom(...STREAMS),
          events: fc.array(newEvent, { minLength: 1, maxLength: 3 }),
        }),
        { minLength: 1, maxLength: 2 },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('read' as const), who, sync: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('look back' as const),
      who,
      sync: fc.boolean(),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      who,
      call: fc.integer({ min: 1, max: 12 }),
      moment: fc.constantFrom('before' as const, 'during' as const, 'after' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('power loss' as const), seed: fc.nat(1e6) }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer One> ? One : never;
type Who = 'a' | 'b';

/** Two processes with a store each on one disk. Every store that is opened has another cache. */
class World {
  disk: SimulatedDisk;
  readonly #stores = new Map<Who, { store: Store<TestEvents>; process: SimulatedProcess }>();
  readonly #last = new Map<Who, SimulatedProcess>();
  readonly #caches: readonly number[];
  #opened = 0;
  /** What was read at a position stays true. */
  readonly #seen: { readonly position: number; readonly entries: unknown }[] = [];

  constructor(diskSeed: number, caches: readonly number[]) {
    this.disk = new SimulatedDisk({ seed: diskSeed });
    this.#caches = caches;
  }

  async store(name: Who): Promise<Store<TestEvents>> {
    const open = this.#stores.get(name);
    if (open?.process.alive) return open.store;
    // Another one of that name, when the last has died.
    const process = this.disk.process(name);
    this.#last.set(name, process);
    this.#opened += 1;
    const cacheBytes = this.#caches[this.#opened % this.#caches.length];
    const random = randomOn(this.disk, this.#opened);
    const environment = environmentOn(process, this.disk, random);
    const all = {
      ...options,
      cacheBytes,
      segmentBytes: 4096,
      queueBytes: QUEUE_BYTES,
      lockTimeoutMs: 20,
    };
    const store =
      this.#opened % 2 === 0
        ? openStoreOnSync(environment, DIRECTORY, all)
        : await openStoreOn(environment, DIRECTORY, all);
    this.#stores.set(name, { store, process });
    return store;
  }

  async act(action: Action): Promise<void> {
    if (action.do === 'power loss') {
      this.disk = this.disk.powerLoss(seededChooser(action.seed));
      this.#stores.clear();
      return;
    }
    const store = await this.store(action.who);
    if (action.do === 'crash') {
      const process = this.disk.process(action.who);
      process.crashAt(process.calls + action.call, action.moment);
    } else if (action.do === 'close') {
      await store.close();
      this.#stores.delete(action.who);
    } else if (action.do === 'append') {
      if (action.sync) store.commitSync(joined(action.parts));
      else await store.commit(joined(action.parts));
    } else if (action.do === 'read') {
      const log = store.readAllSync().toArray();
      await expectFold(store, folded(log, Number.POSITIVE_INFINITY), action.sync);
      const { position } = store.head;
      this.#seen.push({ position, entries: store.entriesSync(sums).toArray() });
    } else {
      const log = store.readAllSync().toArray();
      const position = Math.round(action.share * store.head.position);
      await expectFold(store.at(position), folded(log, position), action.sync);
    }
  }

  /** A process that died in the middle of it is started again. */
  async survive(action: Action): Promise<void> {
    try {
      await this.act(action);
    } catch (error) {
      if (action.do === 'power loss' || this.#last.get(action.who)?.alive) throw error;
    }
  }

  async checkAll(): Promise<void> {
    for (const name of ['a', 'b'] as const) {
      const store = await this.store(name);
      const log = store.readAllSync().toArray();
      const { position: head } = store.head;
      await expectFold(store, folded(log, head), name === 'a');
      for (let position = head; position >= 0; position -= 1) {
        await expectFold(store.at(position), folded(log, position), position % 2 === 0);
      }
      for (const { position, entries } of this.#seen) {
        expect(store.at(position).entriesSync(sums).toArray()).toEqual(entries);
      }
    }
  }

  async close(): Promise<void> {
    for (const { store } of this.#stores.values()) await store.close().catch(() => undefined);
  }
}

/** One part for each stream, as commits want it. */
function joined(
  parts: readonly { stream: string; events: readonly NewEventOf<TestEvents>[] }[],
): { stream: string; events: NewEventOf<TestEvents>[] }[] {
  const byStream = new Map<string, NewEventOf<TestEvents>[]>();
  for (const { stream, events } of parts) {
    byStream.set(stream, [...(byStream.get(stream) ?? []), ...events]);
  }
  return [...byStream].map(([stream, events]) => ({ stream, events }));
}

test('get, entries and at(p) equal a plain left fold of the log', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 40 }),
      fc.array(fc.constantFrom(0, 600, 2000, 1_000_000), { minLength: 1, maxLength: 3 }),
      fc.nat(1e6),
      async (actions, caches, diskSeed) => {
        const world = new World(diskSeed, caches);
        try {
          for (const action of actions) await world.survive(action);
          await world.act({ do: 'power loss', seed: diskSeed });
          await world.checkAll();
        } finally {
          await world.close();
        }
      },
    ),
    { numRuns: times(150), seed, endOnFailure: true },
  );
});
