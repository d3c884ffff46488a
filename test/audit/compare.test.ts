import { describe, expect, test } from 'vitest';
import { diffStates, foldWithPatches } from '#src/audit/compare.js';
import { diff } from '#src/audit/diff.js';
import { applyPatch } from '#src/audit/json-patch.js';
import { deepFreeze } from '#src/log/decode.js';
import { ABSENT, type Foldable, FoldFailure } from '#src/projections/fold.js';
import { removed } from '#src/projections/removed.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { eventOf } from '../support/events.js';

describe('diff', () => {
  test.each<[string, unknown, unknown, unknown]>([
    ['nothing where nothing changed', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
    ['a member that was added', {}, { a: 1 }, [{ op: 'add', path: '/a', value: 1 }]],
    ['a member that went', { a: 1, b: 2 }, { b: 2 }, [{ op: 'remove', path: '/a' }]],
    [
      'the innermost change',
      { a: { b: { c: 1, d: 2 } } },
      { a: { b: { c: 3, d: 2 } } },
      [{ op: 'replace', path: '/a/b/c', value: 3 }],
    ],
    [
      'a value of another kind as a whole',
      { a: [1] },
      { a: { 0: 1 } },
      [{ op: 'replace', path: '/a', value: { 0: 1 } }],
    ],
    ['a whole primitive', 1, 'one', [{ op: 'replace', path: '', value: 'one' }]],
    [
      'names with / and ~',
      { 'a/b': { '~': 1 } },
      { 'a/b': { '~': 2 } },
      [{ op: 'replace', path: '/a~1b/~0', value: 2 }],
    ],
    ['an element that was appended', [1], [1, 2], [{ op: 'add', path: '/1', value: 2 }]],
    ['an element that was put in front', [1, 2], [0, 1, 2], [{ op: 'add', path: '/0', value: 0 }]],
    [
      'an element that went from the middle',
      ['a', 'b', 'c'],
      ['a', 'c'],
      [{ op: 'remove', path: '/1' }],
    ],
    [
      'several that went',
      [1, 2, 3, 4, 5],
      [1, 3, 5],
      [
        { op: 'remove', path: '/1' },
        { op: 'remove', path: '/2' },
      ],
    ],
    [
      'a change inside an element',
      [{ n: 1 }, { n: 2 }],
      [{ n: 1 }, { n: 3 }],
      [{ op: 'replace', path: '/1/n', value: 3 }],
    ],
    [
      'one that went before one that changed',
      [{ n: 1 }, { n: 2, t: 'x' }, { n: 3 }],
      [{ n: 2, t: 'y' }, { n: 3 }],
      [
        { op: 'replace', path: '/0/n', value: 2 },
        { op: 'add', path: '/0/t', value: 'y' },
        { op: 'remove', path: '/1' },
      ],
    ],
    [
      'one that moved to the front',
      ['a', 'b', 'c'],
      ['c', 'a', 'b'],
      [
        { op: 'add', path: '/0', value: 'c' },
        { op: 'remove', path: '/3' },
      ],
    ],
    ['a text that is not the number', ['1'], [1], [{ op: 'replace', path: '/0', value: 1 }]],
  ])('tells %s', (_what, before, after, patches) => {
    const found = diff(deepFreeze(before), deepFreeze(after));
    expect(applyPatch(before, found)).toEqual(after);
    expect(found).toEqual(patches);
    expectDeeplyFrozen(found);
  });

  test('takes no text for the object that it looks like', () => {
    const before = deepFreeze(['x', { a: 1 }, 'y']);
    const after = deepFreeze(['y', '{"a":1}', 'json {"a":1}', 'x']);
    expect(applyPatch(before, diff(before, after))).toEqual(after);
  });

  test('tells a state that came from one that went', () => {
    expect(diff(ABSENT, { a: 1 })).toEqual([{ op: 'add', path: '', value: { a: 1 } }]);
    expect(diff({ a: 1 }, ABSENT)).toEqual([{ op: 'remove', path: '' }]);
    expect(diff(undefined, { a: 1 })).toEqual([{ op: 'add', path: '', value: { a: 1 } }]);
    expect(diff({ a: 1 }, undefined)).toEqual([{ op: 'remove', path: '' }]);
    expect(diff(undefined, ABSENT)).toEqual([]);
    expect(diff(ABSENT, ABSENT)).toEqual([]);
  });

  test('reads a Map as an object and a Set as an array', () => {
    const before = {
      ages: new Map<unknown, unknown>([
        ['ann', { age: 1 }],
        [2, 'two'],
      ]),
      tags: new Set(['a', 'b']),
    };
    const after = {
      ages: new Map<unknown, unknown>([
        ['ann', { age: 3 }],
        ['__proto__', 0],
      ]),
      tags: new Set(['b', 'c']),
    };
    expect(diff(before, after)).toEqual([
      { op: 'remove', path: '/ages/2' },
      { op: 'replace', path: '/ages/ann/age', value: 3 },
      { op: 'add', path: '/ages/__proto__', value: 0 },
      { op: 'remove', path: '/tags/0' },
      { op: 'add', path: '/tags/1', value: 'c' },
    ]);
    const [patch] = diff(ABSENT, after);
    expect(JSON.stringify(patch)).toBe(
      '{"op":"add","path":"","value":{"ages":{"ann":{"age":3},"__proto__":0},"tags":["b","c"]}}',
    );
    expect(diff(new Map([['a', 1]]), { a: 1 })).toEqual([]);
  });

  test('leaves out what JSON leaves out', () => {
    expect(diff({ a: undefined }, {})).toEqual([]);
    expect(diff({ a: 1 }, { a: undefined })).toEqual([{ op: 'remove', path: '/a' }]);
    expect(diff([undefined, Number.NaN, 5n], [null, null, '5'])).toEqual([]);
    const value = { list: [null], n: null };
    expect(diff({}, { x: { list: [undefined], n: Number.NaN, u: undefined } })).toEqual([
      { op: 'add', path: '/x', value },
    ]);
  });
});

interface List {
  items: { id: number; done?: boolean }[];
}

const list: Foldable = {
  name: 'list',
  initialOf: (): List => ({ items: [] }),
  handlerOf: (type) =>
    ({
      added: (draft: List, { data }: { data: { id: number } }) => {
        draft.items.push({ id: data.id });
      },
      removed: (draft: List, { data }: { data: { id: number } }) => {
        draft.items = draft.items.filter(({ id }) => id !== data.id);
      },
      renewed: (state: List) => ({ items: state.items.map((item) => ({ ...item, done: true })) }),
      same: (draft: List) => {
        const [first] = draft.items;
        if (first) first.id = Number(String(first.id));
        draft.items = [...draft.items];
      },
      dropped: () => removed,
      broken: () => {
        throw new Error('broken');
      },
    })[type] as never,
};

describe('foldWithPatches', () => {
  test('says what each event made of the state', () => {
    const story = [
      ['added', [{ op: 'add', path: '', value: { items: [{ id: 1 }] } }]],
      ['added', [{ op: 'add', path: '/items/1', value: { id: 2 } }]],
      ['same', []],
      [
        'renewed',
        [
          { op: 'add', path: '/items/0/done', value: true },
          { op: 'add', path: '/items/1/done', value: true },
        ],
      ],
      ['removed', []],
      ['unknown', []],
      ['dropped', [{ op: 'remove', path: '' }]],
      ['dropped', []],
    ] as const;
    let state: unknown = ABSENT;
    for (const [index, [type, expected]] of story.entries()) {
      const event = eventOf(type, { id: index + 1 }, index + 1);
      const { after, patches } = foldWithPatches(list, 'k', state, event);
      expect(patches, `${index}: ${type}`).toEqual(expected);
      const made = applyPatch(state === ABSENT ? undefined : state, patches);
      expect(made).toEqual(after === ABSENT ? undefined : after);
      state = after;
    }
    expect(state).toBe(ABSENT);
  });

  test('fails as folding does', () => {
    const event = eventOf('broken', {});
    expect(() => foldWithPatches(list, 'k', ABSENT, event)).toThrow(FoldFailure);
  });
});

test('diffStates leaves out the side on which there is no state', () => {
  const state = { n: 1 };
  expect(diffStates(ABSENT, state)).toEqual({
    after: state,
    patches: [{ op: 'add', path: '', value: state }],
  });
  expect(diffStates(state, ABSENT)).toEqual({
    before: state,
    patches: [{ op: 'remove', path: '' }],
  });
  expect(diffStates(null, 1)).toEqual({
    before: null,
    after: 1,
    patches: [{ op: 'replace', path: '', value: 1 }],
  });
  expect('before' in diffStates(ABSENT, ABSENT)).toBe(false);
});
