import { original } from 'immer';
import { describe, expect, test, vi } from 'vitest';
import type { RecordedEvent } from '#src/index.js';
import { ABSENT, type Foldable, FoldFailure, fold } from '#src/projections/fold.js';
import { removed } from '#src/projections/removed.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { eventOf } from '../support/events.js';

type AnyHandler<State> = (draft: State, event: RecordedEvent) => unknown;

function projectionOf<State>(
  initial: State | ((key: string) => State),
  on: Record<string, AnyHandler<State>>,
): Foldable {
  const handlers = new Map(Object.entries(on));
  return {
    name: 'tried',
    initialOf: (key) =>
      typeof initial === 'function' ? (initial as (key: string) => State)(key) : initial,
    handlerOf: (type) => handlers.get(type) as AnyHandler<unknown> | undefined,
  };
}

function events(...types: readonly (string | readonly [string, unknown])[]): RecordedEvent[] {
  return types.map((entry, index) => {
    const [type, data] = typeof entry === 'string' ? [entry, {}] : entry;
    return eventOf(type, data, index + 1);
  });
}

function failureOf(call: () => unknown): FoldFailure {
  try {
    call();
  } catch (error) {
    if (error instanceof FoldFailure) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

interface Counter {
  n: number;
}
const counter = projectionOf<Counter>(
  { n: 0 },
  {
    added: (draft, { data }) => {
      draft.n += (data as { by: number }).by;
    },
    dropped: () => removed,
    doubled: (state) => ({ n: state.n * 2 }),
  },
);

describe('fold', () => {
  test('begins with the initial state of the key and applies the events in order', () => {
    const named = projectionOf<{ key: string; n: number }>((key) => ({ key, n: 1 }), {
      added: (draft) => {
        draft.n += 1;
      },
      doubled: (draft) => {
        draft.n *= 2;
      },
    });
    expect(fold(named, 'a', ABSENT, events('added', 'doubled'))).toEqual({ key: 'a', n: 4 });
    expect(fold(named, 'b', ABSENT, events('doubled', 'added'))).toEqual({ key: 'b', n: 3 });
  });

  test('goes on from a state without changing it', () => {
    const before = fold(counter, 'k', ABSENT, events(['added', { by: 1 }]));
    const after = fold(counter, 'k', before, events(['added', { by: 2 }], 'doubled'));
    expect(before).toEqual({ n: 1 });
    expect(after).toEqual({ n: 6 });
    expectDeeplyFrozen(before);
    expectDeeplyFrozen(after);
  });

  test('passes over events that have no handler', () => {
    expect(fold(counter, 'k', ABSENT, events('other', 'constructor', '__proto__'))).toBe(ABSENT);
    const before = fold(counter, 'k', ABSENT, events(['added', { by: 1 }]));
    expect(fold(counter, 'k', before, events('other'))).toBe(before);
    expect(fold(counter, 'k', before, [])).toBe(before);
  });

  test('gives a key that was removed the initial state again at its next event', () => {
    expect(fold(counter, 'k', ABSENT, events(['added', { by: 5 }], 'dropped'))).toBe(ABSENT);
    const again = events(['added', { by: 5 }], 'dropped', ['added', { by: 1 }]);
    expect(fold(counter, 'k', ABSENT, again)).toEqual({ n: 1 });
  });

  test('has one draft for many events that change numbers and texts', () => {
    const drafts = new Set<unknown>();
    const watched = projectionOf(
      { n: 0, child: { text: '' } },
      {
        changed: (draft) => {
          drafts.add(draft);
          draft.n += 1;
          draft.child.text += 'x';
        },
      },
    );
    fold(watched, 'k', ABSENT, events('changed', 'changed', 'changed', 'changed'));
    // The first call of a handler has a draft of its own only when another event opened one.
    expect(drafts.size).toBe(1);
  });

  test('lets a later event change what an earlier one took over from its data', () => {
    const tasks = projectionOf<{ list: { done: boolean }[] }>(
      { list: [] },
      {
        planned: (draft, { data }) => {
          draft.list.push(data as { done: boolean });
        },
        done: (draft) => {
          for (const task of draft.list) task.done = true;
        },
      },
    );
    const planned = events(['planned', { done: false }], ['planned', { done: false }], 'done');
    expect(fold(tasks, 'k', ABSENT, planned)).toEqual({ list: [{ done: true }, { done: true }] });
    expect(planned[0]?.data).toEqual({ done: false });
  });

  test("never changes a constant of the handler's, not even over several events and keys", () => {
    const EMPTY = { visits: 0 };
    const visits = projectionOf<{ stats: { visits: number } | null }>(
      { stats: null },
      {
        visited: (draft) => {
          draft.stats ??= EMPTY;
          if (draft.stats !== EMPTY) draft.stats.visits += 1;
        },
      },
    );
    const three = events('visited', 'visited', 'visited');
    expect(fold(visits, 'a', ABSENT, three)).toEqual({ stats: { visits: 2 } });
    expect(fold(visits, 'b', ABSENT, three)).toEqual({ stats: { visits: 2 } });
    expect(EMPTY).toEqual({ visits: 0 });
  });

  test('keeps two places apart that an event gave the same piece of the draft', () => {
    const board = projectionOf<{ cards: Counter[]; chosen: Counter | null }>(
      { cards: [{ n: 1 }], chosen: null },
      {
        chosen: (draft) => {
          draft.chosen = draft.cards[0] ?? null;
        },
        counted: (draft) => {
          if (draft.chosen) draft.chosen.n += 1;
        },
      },
    );
    const after = fold(board, 'k', ABSENT, events('chosen', 'counted'));
    expect(after).toEqual({ cards: [{ n: 1 }], chosen: { n: 2 } });
  });

  test('keeps what did not change as the very same object', () => {
    const two = projectionOf(
      { left: { n: 0 }, right: { n: 0 }, map: new Map([['a', { n: 0 }]]) },
      {
        left: (draft) => {
          draft.left.n += 1;
        },
        copied: (state) => ({ ...state, left: { n: 9 } }),
      },
    );
    const before = fold(two, 'k', ABSENT, events('left')) as Record<string, unknown>;
    for (const type of ['left', 'copied']) {
      const after = fold(two, 'k', before, events(type)) as Record<string, unknown>;
      expect(after['right']).toBe(before['right']);
      expect(after['map']).toBe(before['map']);
      expect(after['left']).not.toBe(before['left']);
    }
  });

  test('gives the state itself back when nothing was changed', () => {
    const lazy = projectionOf({ n: 0 }, { seen: () => undefined, returned: (draft) => draft });
    const before = fold(lazy, 'k', ABSENT, events('seen'));
    expect(fold(lazy, 'k', before, events('seen', 'returned'))).toBe(before);
  });

  test('takes numbers, texts and null for states, where only what is returned counts', () => {
    const total = projectionOf<number>(0, {
      added: (n, { data }) => n + (data as number),
      seen: () => undefined,
      dropped: () => removed,
    });
    expect(fold(total, 'k', ABSENT, events(['added', 2], 'seen', ['added', 3]))).toBe(5);
    expect(fold(total, 'k', 7, events('dropped', ['added', 1]))).toBe(1);
    const latest = projectionOf<unknown>(null, { set: (_state, { data }) => data });
    expect(fold(latest, 'k', ABSENT, events(['set', 'text']))).toBe('text');
    expect(fold(latest, 'k', ABSENT, events(['set', { a: [1] }], ['set', null]))).toBe(null);
    expect(fold(latest, 'k', null, events(['set', { a: [1] }]))).toEqual({ a: [1] });
  });

  test('takes a piece of the draft, or a new state around pieces of it, for the next state', () => {
    const nested = projectionOf<Record<string, unknown>>(
      { inner: { deep: { n: 1 } } },
      {
        unwrapped: (draft) => draft['inner'],
        wrapped: (draft) => ({ outer: [draft['inner']], more: new Map([['k', draft]]) }),
        frozen: (draft) => Object.freeze({ kept: draft['inner'] }),
      },
    );
    const inner = { deep: { n: 1 } };
    expect(fold(nested, 'k', ABSENT, events('unwrapped'))).toEqual(inner);
    const wrapped = fold(nested, 'k', ABSENT, events('wrapped'));
    expect(wrapped).toEqual({ outer: [inner], more: new Map([['k', { inner }]]) });
    expectDeeplyFrozen(wrapped);
    const frozen = fold(nested, 'k', ABSENT, events('frozen'));
    expect(frozen).toEqual({ kept: inner });
    expectDeeplyFrozen(frozen);
  });

  test('does not freeze or change the initial state that it was given, and copies it once', () => {
    const initial = { list: [1], nested: { map: new Map([['a', [1]]]) } };
    const given = projectionOf(initial, {
      pushed: (draft) => {
        draft.list.push(2);
      },
    });
    const first = fold(given, 'a', ABSENT, events('pushed')) as typeof initial;
    initial.list.push(99);
    const second = fold(given, 'b', ABSENT, events('pushed')) as typeof initial;
    expect(first.list).toEqual([1, 2]);
    expect(second.list).toEqual([1, 2]);
    expect(second.nested).toBe(first.nested);
    expect(first.nested).not.toBe(initial.nested);
    expect(Object.isFrozen(initial.nested.map.get('a'))).toBe(false);
    initial.nested.map.set('b', []);
    expectDeeplyFrozen(first);
  });

  test('lets a handler that answers in both ways see its draft untouched by other events', () => {
    const seen: number[] = [];
    const both = projectionOf<Counter>(
      { n: 0 },
      {
        added: (draft) => {
          draft.n += 1;
        },
        either: (draft, { data }) => {
          seen.push(original(draft)?.n ?? -1);
          if ((data as { isNew: boolean }).isNew) return { n: draft.n * 10 };
          draft.n += 1;
          return undefined;
        },
      },
    );
    const story = events('added', ['either', { isNew: false }], 'added', [
      'either',
      { isNew: true },
    ]);
    expect(fold(both, 'k', ABSENT, story)).toEqual({ n: 30 });
    expect(seen.at(-1)).toBe(3);
  });
});

describe('a handler that fails', () => {
  test('is reported with its event and what it threw', () => {
    const cause = new Error('no such thing');
    const throwing = projectionOf<Counter>(
      { n: 0 },
      {
        added: (draft) => {
          draft.n += 1;
        },
        broken: (draft) => {
          draft.n = -1;
          throw cause;
        },
      },
    );
    const before = fold(throwing, 'k', ABSENT, events('added'));
    const story = events('added', 'broken', 'added');
    const failure = failureOf(() => fold(throwing, 'k', before, story));
    expect(failure.event).toBe(story[1]);
    expect(failure.cause).toBe(cause);
    expect(failure.message).toContain('broken');
    expect(before).toEqual({ n: 1 });
  });

  test('may not return a promise', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const waiting = projectionOf<Counter>(
      { n: 0 },
      {
        added: (draft) => {
          draft.n += 1;
        },
        waited: () => Promise.reject(new Error('later')),
      },
    );
    const story = events('added', 'waited');
    const failure = failureOf(() => fold(waiting, 'k', ABSENT, story));
    expect(failure.event).toBe(story[1]);
    expect(failure.message).toContain('promise');
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test.each([
    ['alone', []],
    ['behind others', ['added', 'added']],
  ])('may not change its draft and return something else, %s', (_where, earlier) => {
    const mixed = projectionOf<Counter>(
      { n: 0 },
      {
        added: (draft) => {
          draft.n += 1;
        },
        mixed: (draft) => (draft.n = 5),
      },
    );
    const story = events(...earlier, 'mixed', 'added');
    const failure = failureOf(() => fold(mixed, 'k', ABSENT, story));
    expect(failure.event).toBe(story[earlier.length]);
    expect(failure.message).toContain('returned something else as well');
  });

  test('is reported for its event when the initial state cannot be made', () => {
    const cause = new Error('no initial state');
    const story = events('added');
    const hopeless = projectionOf<Counter>(
      () => {
        throw cause;
      },
      { added: () => undefined },
    );
    expect(failureOf(() => fold(hopeless, 'k', ABSENT, story)).cause).toBe(cause);
    const missing = projectionOf<undefined>(undefined, { added: () => undefined });
    expect(failureOf(() => fold(missing, 'k', ABSENT, story)).message).toContain('Use null');
  });
});
