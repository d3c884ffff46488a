/** States as JSON and back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stateFrom, stateText } from '#src/projections/state-text.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';

function again(state: unknown): unknown {
  const text = stateText(state);
  if (text === undefined) throw new Error('it cannot be written');
  return stateFrom(JSON.parse(text));
}

const bare = (members: Record<string, unknown>): unknown =>
  Object.assign(Object.create(null) as object, members);

describe('a state', () => {
  test.each([
    ['null', null],
    ['a number', 1.5],
    ['a text with half a surrogate pair', 'a\ud800b'],
    ['what no JSON number can be', [Number.NaN, Infinity, -Infinity, -0, 0]],
    ['big integers', { n: 12345678901234567890n }],
    ['undefined, as a member and in an array', { a: undefined, b: [undefined, 1] }],
    [
      'a Map with keys of all kinds',
      new Map<unknown, unknown>([
        ['a', 1],
        [1, { b: 2 }],
        [null, new Map()],
        [undefined, 3],
      ]),
    ],
    ['a Set in a Map in an array', [new Map([['s', new Set([1, 'x', { y: 1 }])]])]],
    ['members named like what the form uses', { $: 'map', v: [1], inner: { $: { $: 1 } } }],
    [
      'members that would change the prototype',
      JSON.parse('{"__proto__":{"x":1},"constructor":2}'),
    ],
    ['an object without a prototype', bare({ a: 1, $: 2, b: bare({}) })],
    ['a member named toJSON', { toJSON: 'no function' }],
    ['nothing in it', [{}, [], new Map(), new Set()]],
  ])('comes back with %s', (_name, state) => {
    const back = again(state);
    expect(back).toStrictEqual(state);
    expectDeeplyFrozen(back);
  });

  test('keeps the order of its members and entries', () => {
    const state = {
      z: 1,
      a: new Map([
        ['z', 1],
        ['a', 2],
      ]),
      m: new Set(['z', 'a']),
    };
    const back = again(state) as typeof state;
    expect(Object.keys(back)).toEqual(['z', 'a', 'm']);
    expect([...back.a.keys()]).toEqual(['z', 'a']);
    expect([...back.m]).toEqual(['z', 'a']);
  });

  test('of any kind comes back as it was', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.bigInt(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
    );
    const { state } = fc.letrec<{ state: unknown }>((tie) => ({
      state: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.array(tie('state'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$', 'v', '__proto__')), tie('state'), {
          maxKeys: 4,
        }),
        fc.array(fc.tuple(leaf, tie('state')), { maxLength: 4 }).map((entries) => new Map(entries)),
        fc.array(tie('state'), { maxLength: 4 }).map((values) => new Set(values)),
      ),
    }));
    fc.assert(
      fc.property(state, (value) => {
        expect(again(value)).toStrictEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  test('that has no form in a file is not written', () => {
    const holed = [1, 2, 3];
    delete holed[1];
    expect(stateText(holed)).toBeUndefined();
    expect(stateText(Object.assign([1], { name: 'x' }))).toBeUndefined();
  });
});
