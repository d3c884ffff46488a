/** States are saved and loaded beside the index of texts a little at a time, however large one of them is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSmall, piecesOf, Whole } from '#src/memory/pieces.js';
import {
  type SavedState,
  savedStates,
  savedStopped,
  saveStates,
} from '#src/memory/recall-saved.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { times } from '../support/runs.js';

/** What is saved, and how much of it between two yields. */
function saved(states: readonly SavedState[], stopped: readonly string[] = []) {
  const parts = new Map<string, Uint8Array>();
  let bytesAtOnce = 0;
  let bytesMax = 0;
  const sink = {
    write(part: string, bytes: Uint8Array) {
      expect(parts.has(part)).toBe(false);
      parts.set(part, bytes);
      bytesAtOnce += bytes.length;
      bytesMax = Math.max(bytesMax, bytesAtOnce);
    },
  };
  for (const _ of saveStates(sink, states, stopped)) bytesAtOnce = 0;
  const source = {
    parts: () => [...parts.keys()],
    read: (part: string) => parts.get(part) as Uint8Array,
  };
  return { source, bytesMax, count: parts.size };
}

const loaded = (source: Parameters<typeof savedStates>[0]) => [...savedStates(source)].flat();

const text = 'The parcel arrived at the upper shelf behind the tea. ';
const item = (n: number) => ({ id: `i${n}`, data: text.repeat(4), tags: ['a', `b${n}`] });

describe('states of what can be found', () => {
  test('are saved in parts of bounded size, also one that is as large as all others', () => {
    const large: SavedState = [
      'conversations/large',
      { title: 'x', items: Array.from({ length: 3000 }, (_, n) => item(n)), empty: {}, none: [] },
      Array.from({ length: 3000 }, (_, n) => [`i${n}`, { position: n, time: 't' }, n] as const),
    ];
    const small = Array.from(
      { length: 2000 },
      (_, n): SavedState => [`records/${n}`, item(n), [['', null, n]]],
    );
    const states = [...small.slice(0, 1000), large, ...small.slice(1000)];
    const { source, bytesMax, count } = saved(states, ['users/odd']);
    expect(bytesMax).toBeLessThan(100_000);
    expect(count).toBeGreaterThan(30);
    for (const portion of savedStates(source)) expect(portion.length).toBeLessThan(200);
    expect(loaded(source)).toEqual(states);
    for (const [, state] of loaded(source)) expectDeeplyFrozen(state);
    expect(savedStopped(source)).toEqual(['users/odd']);
  });

  test('that lack a beginning, or an end, are not loaded', () => {
    const rows = (list: unknown) => ({
      parts: () => ['states-0'],
      read: () => new TextEncoder().encode(JSON.stringify(list)),
    });
    expect(() => loaded(rows([['piece', [], 1]]))).toThrow(RangeError);
    expect(() => loaded(rows([['begin', 'a/b']]))).toThrow(RangeError);
  });
});

describe('a value in pieces', () => {
  test('is the same value when they are put together, whatever its members are called', () => {
    const key = fc.oneof(fc.constantFrom('__proto__', 'constructor', '', 'a'), fc.string());
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.string({ maxLength: 60 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(null, true),
        fc.array(tie('value')),
        fc
          .array(fc.tuple(key, tie('value')))
          .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as unknown),
      ),
    }));
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 200 }), (whole, most) => {
        const again = new Whole();
        for (const [path, piece] of piecesOf(whole, most)) {
          const isPart = typeof piece === 'object' && piece !== null;
          const isEmpty = isPart && Object.keys(piece).length === 0;
          expect(isEmpty || !isPart || isSmall(piece, most)).toBe(true);
          again.add(path, structuredCopy(piece));
        }
        expect(JSON.stringify(again.end())).toBe(JSON.stringify(whole));
      }),
      { numRuns: times(300) },
    );
  });

  test('goes nowhere but into what there is', () => {
    const whole = new Whole();
    whole.add([], {});
    expect(() => whole.add(['__proto__', 'polluted'], true)).toThrow(RangeError);
    expect(() => whole.add(['a', 'b'], true)).toThrow(RangeError);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

const structuredCopy = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
