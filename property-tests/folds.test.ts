/** However the events of a key are dealt out to calls of `fold`, the state is what a plain Immer `produce` for each event makes of them. */
import fc from 'fast-check';
import { enableMapSet, isDraft, nothing, produce } from 'immer';
import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '#src/index.js';
import { ABSENT, type Foldable, fold, type Handler } from '#src/projections/fold.js';
import { removed } from '#src/projections/removed.js';
import { expectDeeplyFrozen } from '../test/support/deeply-frozen.js';
import { eventOf } from '../test/support/events.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

enableMapSet();

interface Thing {
  n: number;
  tags: string[];
}

interface State {
  n: number;
  selected: Thing | null;
  list: Thing[];
  by: Record<string, Thing | number>;
  map: Map<string, Thing | number>;
  set: Set<Thing | number>;
}

interface Data {
  readonly n: number;
  readonly key: string;
  readonly thing: Thing;
}

const initial: State = {
  n: 0,
  selected: null,
  list: [{ n: 0, tags: [] }],
  by: {},
  map: new Map(),
  set: new Set(),
};

/** A constant of the caller's, which no event may change. */
const constant: Thing = { n: 100, tags: ['constant'] };

type Change = (state: State, data: Data) => unknown;

/** One element of a list that may be empty. */
function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(1, list.length)];
}

const changes: Record<string, Change> = {
  count: (state, { n }) => {
    state.n += n;
  },
  leave: () => undefined,
  answer: (state) => state,
  select: (state, { n }) => {
    state.selected = at(state.list, n) ?? null;
  },
  changeSelected: (state, { n, key }) => {
    if (state.selected === null) return;
    state.selected.n += n;
    state.selected.tags.push(key);
  },
  pushData: (state, { thing }) => {
    state.list.push(thing);
  },
  pushNew: (state, { n, thing }) => {
    state.list.push({ n, tags: thing.tags });
  },
  pushConstant: (state) => {
    state.list.push(constant);
  },
  wrapPiece: (state, { n, key }) => {
    const piece = at(state.list, n);
    if (piece) state.by[key] = { n, tags: piece.tags };
  },
  changeListed: (state, { n, key }) => {
    const thing = at(state.list, n);
    if (!thing) return;
    thing.n += 1;
    thing.tags.unshift(key);
  },
  shift: (state) => {
    state.list.shift();
  },
  splice: (state, { n, thing }) => {
    state.list.splice(n % 3, 1, thing, { ...thing });
  },
  sort: (state) => {
    state.list.sort((a, b) => a.n - b.n);
  },
  reverse: (state) => {
    state.list.reverse();
  },
  filter: (state, { n }) => {
    state.list = state.list.filter((thing) => thing.n !== n);
  },
  swap: (state) => {
    const [first, second] = state.list;
    if (first && second) [state.list[0], state.list[1]] = [second, first];
  },
  setBy: (state, { key, n }) => {
    state.by[key] = n;
  },
  setByThing: (state, { key, thing }) => {
    state.by[key] = thing;
  },
  changeBy: (state, { key }) => {
    const thing = state.by[key];
    if (typeof thing === 'object') thing.n += 1;
  },
  deleteBy: (state, { key }) => {
    delete state.by[key];
  },
  setMap: (state, { key, thing, n }) => {
    state.map.set(key, n % 2 ? n : thing);
  },
  setMapPiece: (state, { key, n }) => {
    const thing = at(state.list, n);
    if (thing) state.map.set(key, thing);
  },
  changeMap: (state) => {
    for (const thing of state.map.values()) if (typeof thing === 'object') thing.n += 1;
  },
  deleteMap: (state, { key }) => {
    state.map.delete(key);
  },
  addToSet: (state, { n, thing }) => {
    state.set.add(n % 2 ? n : thing);
  },
  changeSet: (state) => {
    for (const thing of state.set) if (typeof thing === 'object') thing.tags.push('in set');
  },
  clearSet: (state) => {
    state.set.clear();
  },
  next: (state, { n }) => ({ ...state, n }),
  nextFrozen: (state, { n, thing }) => Object.freeze({ ...state, n, list: [...state.list, thing] }),
  nextIfOdd: (state, { n }) => {
    if (n % 2) return { ...state, n };
    state.n -= 1;
    return undefined;
  },
  forget: () => removed,
  forgetIfOdd: (state, { n }) => {
    if (n % 2) return removed;
    state.n = n;
    return undefined;
  },
};

const handlers = new Map<string, Handler>(
  Object.entries(changes).map(([name, change]) => [
    name,
    (draft, event) => change(draft as State, event.data as Data),
  ]),
);

const projection: Foldable = {
  name: 'random',
  initialOf: () => initial,
  handlerOf: (type) => handlers.get(type),
};

/** What one event makes of a state, by Immer alone. */
function step(state: State | undefined, event: RecordedEvent): State | undefined {
  const handler = projection.handlerOf(event.type);
  const next: unknown = produce(state ?? structuredClone(initial), (draft: unknown) => {
    const returned = handler?.(draft, event);
    if (returned === removed) return nothing;
    // Immer leaves drafts in what was frozen before it saw it.
    if (typeof returned === 'object' && returned !== null && !isDraft(returned)) {
      return { ...returned };
    }
    return returned;
  });
  return next as State | undefined;
}

const data: fc.Arbitrary<Data> = fc.record({
  n: fc.nat(5),
  key: fc.constantFrom('a', 'b', 'constructor'),
  thing: fc.record({ n: fc.nat(5), tags: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }) }),
});

const stories = fc.array(fc.tuple(fc.constantFrom(...Object.keys(changes)), data), {
  minLength: 1,
  maxLength: 25,
});

const runs = { seed, numRuns: times(400) };

describe('folding', () => {
  test(
    'makes the same of events in one call, in several and in Immer alone',
    () => {
      const story = fc.tuple(stories, fc.array(fc.nat(4), { maxLength: 25 }));
      fc.assert(
        fc.property(story, ([told, cuts]) => {
          const events = told.map(([type, given], index) => eventOf(type, given, index + 1));
          const expected = events.reduce(step, undefined) ?? ABSENT;
          const together = fold(projection, 'key', ABSENT, events);
          expect(together).toEqual(expected);
          expectDeeplyFrozen(together);
          let state: unknown = ABSENT;
          for (let start = 0, call = 0; start < events.length; call += 1) {
            const end = start + 1 + (cuts[call] ?? 0);
            state = fold(projection, 'key', state, events.slice(start, end));
            expectDeeplyFrozen(state);
            start = end;
          }
          expect(state).toEqual(expected);
        }),
        runs,
      );
      expect(constant).toEqual({ n: 100, tags: ['constant'] });
      expect(initial.list).toEqual([{ n: 0, tags: [] }]);
      expect(Object.isFrozen(initial)).toBe(false);
    },
    timeoutMs,
  );

  test(
    'keeps what no event touches as the very same object',
    () => {
      fc.assert(
        fc.property(stories, (told) => {
          const events = told.map(([type, given], index) => eventOf(type, given, index + 1));
          const before = fold(projection, 'key', ABSENT, events);
          fc.pre(before !== ABSENT);
          const left = fold(projection, 'key', before, [eventOf('leave', {}, 100)]);
          expect(left).toBe(before);
          const counted = fold(projection, 'key', before, [
            eventOf('count', { n: 1 }, 101),
            eventOf('next', { n: 7 }, 102),
            eventOf('count', { n: 1 }, 103),
          ]) as State;
          for (const name of ['selected', 'list', 'by', 'map', 'set'] as const) {
            expect(counted[name]).toBe((before as State)[name]);
          }
        }),
        runs,
      );
    },
    timeoutMs,
  );
});
