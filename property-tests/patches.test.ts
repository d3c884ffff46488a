/** What `diff` finds, `applyPatch` makes, and `blame` tells from it where everything came from. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blame } from '#src/audit/blame.js';
import { foldWithPatches } from '#src/audit/compare.js';
import { diff } from '#src/audit/diff.js';
import { applyPatch, type JsonPatch, pointerTo } from '#src/audit/json-patch.js';
import { deepFreeze } from '#src/log/decode.js';
import { ABSENT, type Foldable } from '#src/projections/fold.js';
import { expectDeeplyFrozen } from '../test/support/deeply-frozen.js';
import { eventOf } from '../test/support/events.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', '0', '1') },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '', '/', '~', '~1', '-') },
  { weight: 1, arbitrary: fc.string() },
);

const leaf = fc.oneof(
  fc.nat(3),
  fc.constantFrom('x', 'y', '1'),
  fc.boolean(),
  fc.constant<unknown>(null),
);

function objectOf(part: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const members = fc.array(fc.tuple(name, part), { maxLength: 5 });
  return members.map((list) => Object.fromEntries(list) as unknown);
}

/** Few values and names, so that two of them have much in common. */
const json: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 7 }),
    objectOf(tie('value')),
  ),
})).value;

const jsonWithoutArrays: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaf, objectOf(tie('value'))),
})).value;

const runs = { seed, numRuns: times(1000) };

describe('patches', () => {
  test(
    'make one JSON value of another',
    () => {
      fc.assert(
        fc.property(json, json, (before, after) => {
          deepFreeze(before);
          deepFreeze(after);
          const patches = diff(before, after);
          expectDeeplyFrozen(patches);
          const made = applyPatch(before, patches);
          expect(isDeepStrictEqual(made, after)).toBe(true);
          expectDeeplyFrozen(made);
          // Through JSON, as a log keeps them, and on a value that is not frozen.
          const text = JSON.stringify([before, patches]);
          const read = JSON.parse(text) as [unknown, JsonPatch[]];
          const again = applyPatch(...read);
          expect(isDeepStrictEqual(again, after)).toBe(true);
          expectDeeplyFrozen(again);
          expect(JSON.stringify(read)).toBe(text);
          expect(Object.isFrozen(read[1][0])).toBe(read[1].length === 0);
        }),
        runs,
      );
    },
    timeoutMs,
  );

  test('are none between values that are equal', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(diff(value, JSON.parse(JSON.stringify(value)))).toEqual([]);
        expect(diff(value, value)).toEqual([]);
      }),
      runs,
    );
  });

  test('mention as many elements of a list as were taken out of it', () => {
    const cuts = fc.tuple(fc.uniqueArray(fc.nat(100), { maxLength: 30 }), fc.func(fc.boolean()));
    fc.assert(
      fc.property(cuts, ([numbers, isKept]) => {
        const before = numbers.map((n) => ({ n }));
        const after = before.filter(({ n }) => isKept(n)).map((thing) => ({ ...thing }));
        const patches = diff({ before }, { before: after });
        expect(patches).toHaveLength(before.length - after.length);
        expect(patches.every(({ op }) => op === 'remove')).toBe(true);
      }),
      runs,
    );
  });
});

describe('blame', () => {
  /** Each event replaces the whole state with another. */
  const replacing: Foldable = {
    name: 'replacing',
    initialOf: () => null,
    handlerOf: () => (_draft, event) => event.data,
  };

  /** The states after each of the events, and the leaves of the last one. */
  function story(values: readonly unknown[]) {
    let state: unknown = ABSENT;
    const steps = values.map((value, index) => {
      const event = eventOf('replaced', value, index + 1);
      const { after, patches } = foldWithPatches(replacing, 'key', state, event);
      state = after;
      return { event, patches };
    });
    return { state, steps, entries: blame(steps) };
  }

  /** Paths and values of all leaves, in order. */
  function leavesOf(value: unknown, path = ''): { path: string; value: unknown }[] {
    if (typeof value !== 'object' || value === null) return [{ path, value }];
    const keys = Object.keys(value);
    if (keys.length === 0) return [{ path, value }];
    if (!Array.isArray(value)) keys.sort();
    return keys.flatMap((key) =>
      leavesOf((value as Record<string, unknown>)[key], pointerTo(path, key)),
    );
  }

  test(
    'names every leaf of the last state, in order, with its value',
    () => {
      fc.assert(
        fc.property(fc.array(json, { minLength: 1, maxLength: 6 }), (values) => {
          const { state, steps, entries } = story(values);
          const leaves = entries.map(({ path, value }) => ({ path, value }));
          expect(isDeepStrictEqual(leaves, leavesOf(state))).toBe(true);
          for (const { event } of entries) expect(steps[event.position - 1]?.event).toBe(event);
        }),
        runs,
      );
    },
    timeoutMs,
  );

  test(
    'names the event since which the leaf stood there, where there are no lists',
    () => {
      fc.assert(
        fc.property(fc.array(jsonWithoutArrays, { minLength: 1, maxLength: 6 }), (values) => {
          const { entries } = story(values);
          const leaves = values.map((value) => leavesOf(value));
          for (const { path, value, event } of entries) {
            const stands = leaves.map((list) =>
              list.some((one) => one.path === path && isDeepStrictEqual(one.value, value)),
            );
            expect(event.position).toBe(stands.lastIndexOf(false) + 2);
          }
        }),
        runs,
      );
    },
    timeoutMs,
  );
});
