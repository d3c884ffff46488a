/** What the type checker must know, and what it must refuse: `npm run typecheck` reads this file. */
import type { Draft } from 'immer';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  defineEvents,
  defineIndex,
  defineProjection,
  type EventMap,
  type Events,
  type EventsOf,
  event,
  type IndexDefinition,
  type IndexOf,
  type NewEvent,
  type NewEventOf,
  type Projection,
  type RecordedEvent,
  type RecordedEventOf,
  removed,
  type StateOf,
  type Upcasters,
} from '#src/index.js';

const events = defineEvents({
  'counter.added': event<{ by: number }>(),
  'counter.dropped': event<null>(),
  'user.named': z.object({ name: z.string(), tries: z.coerce.number().default(1) }),
});
type Declared = typeof events;

const counter = defineProjection({
  name: 'counter',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    'counter.added': (draft, e) => {
      expectTypeOf(draft).toEqualTypeOf<Draft<{ n: number }>>();
      expectTypeOf(e.type).toEqualTypeOf<'counter.added'>();
      expectTypeOf(e.data).toEqualTypeOf<{ by: number }>();
      expectTypeOf(e.position).toEqualTypeOf<number>();
      draft.n += e.data.by;
    },
    'counter.dropped': () => removed,
    'user.named': (draft) => ({ n: draft.n + 1 }),
  },
});

/** Never called: what stands in it is only for the type checker. */
const never = (_code: () => void): void => undefined;

describe('a projection', () => {
  test('has the state that its initial has', () => {
    expectTypeOf<StateOf<typeof counter>>().toEqualTypeOf<{ n: number }>();
    expectTypeOf<EventsOf<typeof counter>>().toEqualTypeOf<Declared>();
    expectTypeOf(counter.initialOf('a')).toEqualTypeOf<{ n: number }>();
    expect(counter.initialOf('a')).toEqual({ n: 0 });
  });

  test('is one of the projections that a store takes', () => {
    const all: readonly Projection[] = [counter];
    const declared: Events = events;
    expect(all).toHaveLength(1);
    expect(declared.types).toHaveLength(3);
  });

  test('knows the state also when initial asks for the key, and the event in key', () => {
    interface Todo {
      readonly owner: string;
      readonly items: readonly string[];
    }
    const todo = defineProjection({
      name: 'todo',
      version: 1,
      events,
      initial: (key): Todo => ({ owner: key, items: [] }),
      key: (e) => {
        expectTypeOf(e).toEqualTypeOf<RecordedEventOf<Declared>>();
        return e.type === 'user.named' ? e.data.name : undefined;
      },
      on: {
        'user.named': (draft, e) => {
          expectTypeOf(draft.items).toEqualTypeOf<string[]>();
          draft.items.push(e.data.name);
        },
      },
    });
    expectTypeOf<StateOf<typeof todo>>().toEqualTypeOf<Todo>();
    expect(todo.types).toEqual(['user.named']);
  });

  test('knows the state when a function that takes the key is not annotated', () => {
    const seen = defineProjection({
      name: 'seen',
      version: 1,
      events,
      initial: (key) => ({ key, times: 0 }),
      on: {
        'user.named': (draft) => {
          draft.times += 1;
        },
      },
    });
    expectTypeOf<StateOf<typeof seen>>().toEqualTypeOf<{ key: string; times: number }>();
    expect(seen.initialOf('a')).toEqual({ key: 'a', times: 0 });
  });

  test('may have a state that is a number, a Map, or null at first', () => {
    const total = defineProjection({
      name: 'total',
      version: 1,
      events,
      initial: 0,
      on: { 'counter.added': (sum, e) => sum + e.data.by },
    });
    expectTypeOf<StateOf<typeof total>>().toEqualTypeOf<number>();
    const names = defineProjection({
      name: 'names',
      version: 1,
      events,
      initial: () => new Map<string, number>(),
      on: { 'user.named': (draft, e) => void draft.set(e.data.name, e.data.tries) },
    });
    expectTypeOf<StateOf<typeof names>>().toEqualTypeOf<Map<string, number>>();
    const last = defineProjection({
      name: 'last',
      version: 1,
      events,
      initial: (): { name: string } | null => null,
      on: { 'user.named': (_, e) => ({ name: e.data.name }) },
    });
    expectTypeOf<StateOf<typeof last>>().toEqualTypeOf<{ name: string } | null>();
    expect([total, names, last].map((each) => each.types.length)).toEqual([1, 1, 1]);
  });

  test('without events takes any type, with data that is unknown', () => {
    const anything = defineProjection({
      name: 'anything',
      version: 1,
      initial: { n: 0 },
      key: (e) => {
        expectTypeOf(e).toEqualTypeOf<RecordedEvent>();
        return [e.stream, e.type];
      },
      on: {
        'whatever.happened': (draft, e) => {
          expectTypeOf(e.data).toEqualTypeOf<unknown>();
          draft.n += 1;
        },
      },
    });
    expectTypeOf<StateOf<typeof anything>>().toEqualTypeOf<{ n: number }>();
    expect(anything.types).toEqual(['whatever.happened']);
  });

  test('does not compile with a wrong type, member, result or key', () => {
    never(() => {
      const rest = { name: 'x', version: 1, events, initial: { n: 0 } } as const;
      defineProjection({
        name: 'x',
        version: 1,
        events,
        initial: { n: 0 },
        on: {
          'counter.added': (draft, e) => {
            draft.n += e.data.by;
          },
          // @ts-expect-error a misspelt event type
          'counter.aded': (draft) => draft,
        },
      });
      defineProjection({
        name: 'x',
        version: 1,
        events,
        initial: { n: 0 },
        on: {
          'counter.added': (draft, e) => {
            // @ts-expect-error the state has no such member
            draft.m += 1;
            // @ts-expect-error the data has no such member
            draft.n += e.data.amount;
            // @ts-expect-error a number is no text
            draft.n = 'one';
          },
          // @ts-expect-error another state
          'counter.dropped': () => ({ m: 1 }),
          // @ts-expect-error nothing waits for a handler
          'user.named': async (draft) => {
            draft.n += 1;
          },
        },
      });
      defineProjection({
        name: 'x',
        version: 1,
        events,
        initial: { n: 0 },
        // @ts-expect-error a key is a string
        key: () => 1,
        // @ts-expect-error a number instead of a state
        on: { 'counter.added': (draft, e) => (draft.n += e.data.by) },
      });
      // @ts-expect-error a projection has no such member
      defineProjection({ ...rest, on: {}, handlers: {} });
      // @ts-expect-error event was not called
      defineEvents({ added: event });
    });
    expect(counter.name).toBe('counter');
  });
});

describe('events', () => {
  test('are told apart by their type', () => {
    const read = (e: RecordedEventOf<Declared>): string => {
      expectTypeOf(e.type).toEqualTypeOf<'counter.added' | 'counter.dropped' | 'user.named'>();
      if (e.type === 'user.named') {
        expectTypeOf(e.data).toEqualTypeOf<{ name: string; tries: number }>();
        return e.data.name;
      }
      if (e.type === 'counter.added') {
        expectTypeOf(e.data).toEqualTypeOf<{ by: number }>();
        return String(e.data.by);
      }
      expectTypeOf(e.data).toEqualTypeOf<null>();
      return e.id;
    };
    expectTypeOf<RecordedEventOf<Declared>>().toExtend<RecordedEvent>();
    expectTypeOf(read).returns.toEqualTypeOf<string>();
    expect(read).toBeTypeOf('function');
  });

  test('are appended as the input of their schema and read as its output', () => {
    type New = NewEventOf<Declared>;
    expectTypeOf<New>().toExtend<NewEvent>();
    const named: New = { type: 'user.named', data: { name: 'Anna', tries: '3' } };
    const short: New = { type: 'user.named', data: { name: 'Anna' }, metadata: { by: 'test' } };
    never(() => {
      // @ts-expect-error a misspelt event type
      const misspelt: New = { type: 'counter.aded', data: { by: 1 } };
      // @ts-expect-error the data of another type
      const other: New = { type: 'counter.added', data: { name: 'Anna' } };
      // @ts-expect-error the schema wants a name
      const nameless: New = { type: 'user.named', data: { tries: 1 } };
      return [misspelt, other, nameless];
    });
    expect([named, short]).toHaveLength(2);
  });

  test('that are not declared are plain', () => {
    expectTypeOf<NewEventOf<Events>>().toEqualTypeOf<NewEvent>();
    expectTypeOf<RecordedEventOf<Events>>().toEqualTypeOf<RecordedEvent>();
    expectTypeOf<Events>().toEqualTypeOf<Events<EventMap>>();
    expect(event()).toBe(event());
  });

  test('of several maps are declared together', () => {
    const both = defineEvents({ ...events.map, 'site.visited': event<{ url: string }>() });
    expectTypeOf<RecordedEventOf<typeof both, 'site.visited'>['data']>().toEqualTypeOf<{
      url: string;
    }>();
    expect(both.types).toHaveLength(4);
  });
});

describe('an upcaster', () => {
  test('may say what the earlier data was', () => {
    const upcasters: Upcasters<Declared> = {
      'counter.added': { 1: (data: { amount: number }) => ({ by: data.amount }) },
      'user.named': { 1: (data, e) => ({ data, at: e.time }) },
    };
    never(() => {
      // @ts-expect-error a misspelt event type
      const misspelt: Upcasters<Declared> = { 'counter.aded': {} };
      return misspelt;
    });
    expect(Object.keys(upcasters)).toHaveLength(2);
  });
});

describe('an index', () => {
  test('is what create gives, and gets the events that it wants', () => {
    const tags = defineIndex({
      name: 'tags',
      version: 1,
      events,
      types: ['user.named'],
      create: () => new Map<string, number>(),
      apply: (index, group) => {
        for (const e of group) {
          expectTypeOf(e.type).toEqualTypeOf<'user.named'>();
          index.set(e.data.name, e.position);
        }
      },
      save: (index, sink) => sink.write('all', Buffer.from(JSON.stringify([...index]))),
      load: (source) => new Map(JSON.parse(Buffer.from(source.read('all')).toString())),
      bytes: (index) => index.size * 100,
    });
    expectTypeOf(tags).toEqualTypeOf<IndexDefinition<Map<string, number>>>();
    expectTypeOf<IndexOf<typeof tags>>().toEqualTypeOf<Map<string, number>>();
    const all: readonly IndexDefinition[] = [tags];
    expect(all).toHaveLength(1);
  });

  test('gets all declared events unless it says which, and any when none are declared', () => {
    const parts = { create: () => [0], load: () => [0], save: () => undefined, bytes: () => 1 };
    const typed = defineIndex({
      name: 'typed',
      version: 1,
      events,
      ...parts,
      apply: (_, group) =>
        expectTypeOf(group).toEqualTypeOf<readonly RecordedEventOf<Declared>[]>(),
    });
    const plain = defineIndex({
      name: 'plain',
      version: 1,
      ...parts,
      apply: (_, group) => expectTypeOf(group).toEqualTypeOf<readonly RecordedEvent[]>(),
    });
    never(() => {
      const rest = { name: 'x', version: 1, events, ...parts, apply: () => undefined };
      // @ts-expect-error a misspelt event type
      defineIndex({ ...rest, types: ['user.nmed'] });
    });
    expect([typed.types, plain.types]).toEqual([events.types, undefined]);
  });
});
