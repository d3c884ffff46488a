import { original } from 'immer';
import { describe, expect, test } from 'vitest';
import {
  ABSENT,
  type Foldable,
  FoldFailure,
  fold,
  type Handler,
  OpenFold,
} from '#src/projections/fold.js';
import { removed } from '#src/projections/removed.js';
import { recordedEvent } from '../support/recorded-event.js';

interface Counter {
  n: number;
  other?: unknown;
}

function projectionOf(handler: Handler, initial: unknown = { n: 0 }): Foldable {
  return { name: 'counter', initialOf: () => initial, handlerOf: () => handler };
}

const events = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    recordedEvent({ type: 'added', position: index + 1 }),
  );

const ANY = recordedEvent({ type: 'added' });

const add: Handler = (draft) => {
  (draft as Counter).n += 1;
};

const puts =
  (value: () => unknown, name: string | symbol = 'other'): Handler =>
  (draft) => {
    (draft as Record<string | symbol, unknown>)[name] = value();
  };

describe('a state that is a small object of primitives', () => {
  test('is changed by all events, and frozen', () => {
    const state = fold(projectionOf(add), 'k', ABSENT, events(3));
    expect(state).toEqual({ n: 3 });
    expect(Object.isFrozen(state)).toBe(true);
  });

  test('is left as it was before', () => {
    const before = fold(projectionOf(add), 'k', ABSENT, events(1));
    const after = fold(projectionOf(add), 'k', before, events(1));
    expect([before, after]).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('is the very same object when nothing was changed', () => {
    const before = fold(projectionOf(add), 'k', ABSENT, events(1));
    const same = projectionOf((draft) => {
      (draft as Counter).n += 1;
      (draft as Counter).n -= 1;
    });
    expect(fold(same, 'k', before, events(2))).toBe(before);
  });

  test('may gain members in any order and lose them', () => {
    const projection = projectionOf((draft, { position }) => {
      const counter = draft as { n?: number; m?: number };
      counter.m = position;
      if (position === 2) delete counter.n;
    });
    expect(fold(projection, 'k', ABSENT, events(2))).toEqual({ m: 2 });
  });

  test('keeps having no prototype', () => {
    const initial = Object.assign(Object.create(null) as object, { n: 0 });
    const state = fold(projectionOf(add, initial), 'k', ABSENT, events(2));
    expect(Object.getPrototypeOf(state)).toBe(null);
    expect({ ...(state as object) }).toEqual({ n: 2 });
  });

  test('is removed, and begins again', () => {
    const projection = projectionOf((draft, { position }) =>
      position === 2 ? removed : add(draft, ANY),
    );
    expect(fold(projection, 'k', ABSENT, events(2))).toBe(ABSENT);
    expect(fold(projection, 'k', ABSENT, events(3))).toEqual({ n: 1 });
  });
});

describe('a handler', () => {
  test('may put an object into the state: later events change neither it nor what it was made of', () => {
    const constant = { list: [0] };
    const projection = projectionOf((draft, { position }) => {
      const counter = draft as { n: number; other?: typeof constant };
      if (position === 1) counter.other = constant;
      else counter.other?.list.push(position);
    });
    expect(fold(projection, 'k', ABSENT, events(3))).toEqual({ n: 0, other: { list: [0, 2, 3] } });
    expect(constant).toEqual({ list: [0] });
  });

  test('may ask Immer about its draft', () => {
    const projection = projectionOf((draft) => {
      const counter = draft as Counter;
      counter.n = (original(counter) as Counter).n + 1;
    });
    const first = fold(projection, 'k', ABSENT, events(1));
    expect(fold(projection, 'k', first, events(1))).toEqual({ n: 2 });
  });

  test('may return the next state', () => {
    const projection = projectionOf((draft) => ({ n: (draft as Counter).n + 1 }));
    expect(fold(projection, 'k', ABSENT, events(3))).toEqual({ n: 3 });
  });

  test('that changes the draft and returns another state is refused', () => {
    const projection = projectionOf((draft) => {
      (draft as Counter).n += 1;
      return { n: 7 };
    });
    expect(() => fold(projection, 'k', ABSENT, events(1))).toThrow('changed its draft');
  });

  test('that throws is told of with its event', () => {
    const projection = projectionOf((draft, { position }) => {
      (draft as Counter).n += 1;
      if (position === 2) throw new RangeError('no');
    });
    expect(() => fold(projection, 'k', ABSENT, events(3))).toThrow(
      expect.objectContaining({ event: expect.objectContaining({ position: 2 }) as unknown }),
    );
    expect(() => fold(projection, 'k', ABSENT, events(3))).toThrow(FoldFailure);
  });

  test.each<[string, Handler]>([
    ['a promise', () => Promise.reject(new Error('nobody waits for this'))],
    ['a date', puts(() => new Date(0))],
    ['a function', puts(() => () => 1)],
    ['a symbol', puts(() => Symbol('s'))],
    ['a member named by a symbol', puts(() => 1, Symbol('s'))],
  ])('that makes %s of the state is refused', (_, handler) => {
    expect(() => fold(projectionOf(handler), 'k', ABSENT, events(1))).toThrow(FoldFailure);
  });

  test.each(['__proto__', 'constructor', 'toString'])(
    'may write a number to %s, and harms nothing',
    (name) => {
      const projection = projectionOf((draft) => {
        (draft as Record<string, unknown>)[name] = 5;
        (draft as Counter).n += 1;
      });
      expect(fold(projection, 'k', ABSENT, events(2))).toMatchObject({ n: 2 });
      expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
    },
  );

  test('cannot give the state another prototype', () => {
    const projection = projectionOf(puts(() => ({ polluted: true }), '__proto__'));
    expect(() => fold(projection, 'k', ABSENT, events(1))).toThrow(FoldFailure);
  });
});

describe('a fold that is given its events one by one', () => {
  test.each([
    ['changes drafts', add],
    ['returns states', ((state) => ({ n: (state as Counter).n + 1 })) as Handler],
  ])('gives what folding them at once gives, when the handler %s', (_, handler) => {
    const projection = projectionOf(handler);
    const open = new OpenFold(projection, 'k', ABSENT);
    expect(events(4).map((event) => open.take(event))).toEqual([true, true, true, true]);
    expect(open.end()).toEqual(fold(projection, 'k', ABSENT, events(4)));
  });

  test('says so when earlier events must be folded again', () => {
    const projection = projectionOf((draft, { position }) => {
      if (position === 3) return { n: (draft as Counter).n + 1 };
      add(draft, ANY);
      return undefined;
    });
    const open = new OpenFold(projection, 'k', ABSENT);
    expect(events(3).map((event) => open.take(event))).toEqual([true, true, false]);
    expect(fold(projection, 'k', ABSENT, events(3))).toEqual({ n: 3 });
  });
});
