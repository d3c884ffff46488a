import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '#src/index.js';
import { ABSENT, type Foldable, FoldFailure, fold } from '#src/projections/fold.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { eventOf } from '../support/events.js';

type Change = (draft: Record<string, unknown>, event: RecordedEvent) => unknown;

/** Folds one event per change, in one call. */
function folded(initial: unknown, ...changes: readonly Change[]): unknown {
  return fold(...storyOf(initial, changes));
}

function storyOf(
  initial: unknown,
  changes: readonly Change[],
): [Foldable, string, unknown, RecordedEvent[]] {
  const projection: Foldable = {
    name: 'tried',
    initialOf: () => initial,
    handlerOf: (type) => changes[Number(type)] as Foldable['handlerOf'] & Change as never,
  };
  const events = changes.map((_change, index) => eventOf(String(index), {}, index + 1));
  return [projection, 'key', ABSENT, events];
}

describe('Map and Set in a state', () => {
  test('can be changed in a draft, with what they hold', () => {
    const initial = { ages: new Map([['ann', { age: 1 }]]), tags: new Set(['a']) };
    const after = folded(
      initial,
      (draft) => {
        const ages = draft['ages'] as Map<string, { age: number }>;
        ages.set('bob', { age: 2 });
        (draft['tags'] as Set<string>).add('b').delete('a');
      },
      (draft) => {
        for (const entry of (draft['ages'] as Map<string, { age: number }>).values()) {
          entry.age += 10;
        }
      },
    );
    expect(after).toEqual({
      ages: new Map([
        ['ann', { age: 11 }],
        ['bob', { age: 12 }],
      ]),
      tags: new Set(['b']),
    });
    expect(initial.ages.get('ann')).toEqual({ age: 1 });
    expectDeeplyFrozen(after);
  });

  test('refuse to be changed in a state that was read', () => {
    const state = folded({ map: new Map([['a', 1]]), set: new Set([1]) }, () => undefined) as {
      map: Map<string, number>;
      set: Set<number>;
    };
    expect(() => state.map.set('b', 2)).toThrow();
    expect(() => state.map.delete('a')).toThrow();
    expect(() => state.set.add(2)).toThrow();
    expect(() => state.set.clear()).toThrow();
    expect([state.map.size, state.set.size]).toEqual([1, 1]);
  });

  test('may be the state itself', () => {
    const after = folded(new Map(), (draft) => {
      (draft as unknown as Map<string, number>).set('a', 1);
    });
    expect(after).toEqual(new Map([['a', 1]]));
    expectDeeplyFrozen(after);
  });
});

describe('a state is deeply frozen', () => {
  test('also where it holds an object that its maker froze in the first level only', () => {
    const shallow = Object.freeze({ tags: ['a'], nested: Object.freeze({ list: [{}] }) });
    const set: Change = (draft) => {
      draft['value'] = shallow;
    };
    expectDeeplyFrozen(folded({ value: null }, set));
    expectDeeplyFrozen(folded({ value: shallow }, () => undefined));
    expectDeeplyFrozen(folded({ value: null }, () => ({ list: [shallow] })));
  });

  test('also where elements moved and new ones came', () => {
    const after = folded(
      { list: [{ n: 1 }, { n: 2 }, { n: 3 }] },
      (draft) => {
        (draft['list'] as unknown[]).shift();
      },
      (draft) => {
        (draft['list'] as unknown[]).unshift({ tags: [{}] }, { tags: [] });
      },
    );
    expect(after).toEqual({ list: [{ tags: [{}] }, { tags: [] }, { n: 2 }, { n: 3 }] });
    expectDeeplyFrozen(after);
  });
});

describe('what a state cannot hold', () => {
  class Person {
    name = 'Ann';
  }
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;

  test.each<[string, unknown, string]>([
    ['an instance of a class', new Person(), 'Person'],
    ['a Date', new Date(0), 'Date'],
    [
      'an instance of a subclass of Array',
      new (class List extends Array {})(),
      'an array of a class',
    ],
    ['an instance of a subclass of Map', new (class Index extends Map {})(), 'Index'],
    ['a Buffer', Buffer.from('a'), 'Buffer'],
    ['a function', () => 1, 'a function'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['a member named by a symbol', { [Symbol('s')]: 1 }, 'named by a symbol'],
    ['a Map with objects as keys', new Map([[{}, 1]]), 'a key of a Map'],
    ['an object that contains itself', circle, 'contains itself'],
    ['a frozen Map whose entries are open', Object.freeze(new Map([['a', 1]])), 'Object.freeze'],
  ])('%s is reported with its place and the event that put it there', (_name, value, reason) => {
    const [projection, key, before, events] = storyOf({ n: 0, list: [] }, [
      (draft) => {
        draft['n'] = 1;
      },
      (draft) => {
        (draft['list'] as unknown[]).push({ value });
      },
      (draft) => {
        draft['n'] = 2;
      },
    ]);
    for (const call of [events, events.slice(0, 2)]) {
      const failure = catchFailure(() => fold(projection, key, before, call));
      expect(failure.event).toBe(events[1]);
      expect(failure.message).toContain(reason);
      expect(failure.message).toMatch(/state\.list\[0]|contains itself/);
    }
    const returned = storyOf({}, [() => ({ list: [{ value }] })]);
    expect(catchFailure(() => fold(...returned)).message).toContain(reason);
  });

  test('an instance of a class is no initial state either', () => {
    const failure = catchFailure(() => folded({ person: new Person() }, () => undefined));
    expect(failure.message).toContain('state.person: Person cannot be part of a state');
  });

  test('a draft that was kept from another event is told', () => {
    let kept: unknown;
    const failure = catchFailure(() =>
      folded(
        { inner: {}, other: null },
        (draft) => {
          kept = draft['inner'];
          draft['other'] = {};
        },
        (draft) => {
          draft['other'] = { kept };
        },
      ),
    );
    expect(failure.event.version).toBe(2);
  });

  function catchFailure(call: () => unknown): FoldFailure {
    try {
      call();
    } catch (error) {
      if (error instanceof FoldFailure) return error;
      throw error;
    }
    throw new Error('nothing failed');
  }
});

describe('names of prototypes', () => {
  const PROTO: string = '__proto__';
  const evil = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}';
  const evilEvent = eventOf('taken', JSON.parse(evil));

  function taking(change: Change): Foldable {
    return {
      name: 'taking',
      initialOf: () => JSON.parse(`{"value":null,"inner":${evil}}`) as unknown,
      handlerOf: () => change as never,
    };
  }

  test.each<[string, Change]>([
    [
      'assigned',
      (draft, { data }) => {
        draft['value'] = data;
      },
    ],
    ['returned', (draft, { data }) => ({ inner: draft['inner'], value: data })],
    [
      'spread',
      (draft, { data }) => {
        draft['value'] = { ...(data as object) };
      },
    ],
  ])('are members like any other in data that is %s', (_how, change) => {
    const before = fold(taking(change), 'key', ABSENT, [evilEvent]) as Record<string, object>;
    const again = fold(taking(change), 'key', before, [evilEvent, evilEvent]);
    for (const state of [before, again] as Record<string, object>[]) {
      for (const name of ['value', 'inner']) {
        const part = state[name] as object;
        expect(JSON.stringify(part)).toBe(evil);
        expect(Object.getPrototypeOf(part)).toBe(Object.prototype);
        expect((part as { isAdmin?: boolean }).isAdmin).toBeUndefined();
      }
      expectDeeplyFrozen(state);
      expect(
        Object.isFrozen(Object.getOwnPropertyDescriptor(state['inner'], '__proto__')?.value),
      ).toBe(true);
    }
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test('can be changed in a draft below a member of such a name', () => {
    const change: Change = (draft) => {
      const inner = draft['inner'] as Record<string, { isAdmin: boolean; more?: object }>;
      const own = inner[PROTO];
      if (own) own.isAdmin = false;
    };
    const state = fold(taking(change), 'key', ABSENT, [evilEvent, evilEvent]);
    expect(JSON.stringify(state)).toContain('"__proto__":{"isAdmin":false}');
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test('are safe as keys of an object without a prototype, which stays without one', () => {
    const counts = Object.assign(Object.create(null) as Record<string, number>, { a: 1 });
    const count: Change = (draft) => {
      const by = draft['by'] as Record<string, number>;
      for (const name of ['__proto__', 'constructor', 'a']) by[name] = (by[name] ?? 0) + 1;
    };
    const state = folded({ by: counts }, count, count) as { by: Record<string, number> };
    expect(Object.getPrototypeOf(state.by)).toBe(null);
    expect(Object.entries(state.by)).toEqual([
      ['a', 3],
      ['__proto__', 2],
      ['constructor', 2],
    ]);
  });

  test('cannot turn a draft into something else', () => {
    const failing: Change = (draft) => {
      draft[PROTO] = { isAdmin: true };
    };
    expect(() => fold(taking(failing), 'key', ABSENT, [evilEvent])).toThrow(FoldFailure);
  });
});
