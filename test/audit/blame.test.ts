import { describe, expect, test } from 'vitest';
import { type BlameStep, blame } from '#src/audit/blame.js';
import { diff } from '#src/audit/diff.js';
import type { JsonPatch } from '#src/audit/json-patch.js';
import { deepFreeze } from '#src/log/decode.js';
import { ABSENT } from '#src/projections/fold.js';
import { eventOf } from '../support/events.js';

/** Steps from state to state, as if event 1 had made the first one. */
function through(...states: readonly unknown[]): BlameStep[] {
  return states.map((state, index) => {
    const before = index === 0 ? ABSENT : states[index - 1];
    return { event: eventOf('changed', {}, index + 1), patches: diff(before, deepFreeze(state)) };
  });
}

/** Steps of patches as given. */
function patched(...steps: readonly (readonly JsonPatch[])[]): BlameStep[] {
  return steps.map((patches, index) => ({ event: eventOf('changed', {}, index + 1), patches }));
}

/** `path = value @ version of its event`. */
function told(steps: Iterable<BlameStep>): string[] {
  return blame(steps).map(
    ({ path, value, event }) => `${path} = ${JSON.stringify(value)} @${event.version}`,
  );
}

describe('blame', () => {
  test('tells for each leaf which event set it last', () => {
    const steps = through(
      { name: 'Ann', address: { city: 'Rome', zip: 1 } },
      { name: 'Ann', address: { city: 'Oslo', zip: 1 } },
      { name: 'Eve', address: { city: 'Oslo', zip: 1 } },
      { name: 'Ann', address: { city: 'Oslo', zip: 1 } },
    );
    expect(told(steps)).toEqual([
      '/address/city = "Oslo" @2',
      '/address/zip = 1 @1',
      '/name = "Ann" @4',
    ]);
  });

  test('keeps the event of an element that moved because others came and went before it', () => {
    const steps = through(
      [{ id: 'a', n: 1 }],
      [
        { id: 'a', n: 1 },
        { id: 'b', n: 1 },
      ],
      [
        { id: 'a', n: 1 },
        { id: 'b', n: 2 },
      ],
      [
        { id: 'z', n: 0 },
        { id: 'a', n: 1 },
        { id: 'b', n: 2 },
      ],
      [
        { id: 'z', n: 0 },
        { id: 'b', n: 2 },
      ],
    );
    expect(told(steps)).toEqual(['/0/id = "z" @4', '/0/n = 0 @4', '/1/id = "b" @2', '/1/n = 2 @3']);
  });

  test('keeps the events of those that stay in order when others are moved past them', () => {
    const steps = through([], ['a'], ['a', 'b'], ['a', 'b', 'c'], ['c', 'a', 'b']);
    expect(told(steps)).toEqual(['/0 = "c" @5', '/1 = "a" @2', '/2 = "b" @3']);
  });

  test('tells the event that emptied what is empty', () => {
    const steps = through(
      { list: [1], by: { a: 1 } },
      { list: [], by: { a: 1 } },
      { list: [], by: {} },
    );
    expect(told(steps)).toEqual(['/by = {} @3', '/list = [] @2']);
  });

  test('tells nothing of a state that is gone, and begins anew when it comes again', () => {
    expect(told(through({ a: 1 }, ABSENT))).toEqual([]);
    expect(told([])).toEqual([]);
    expect(told(through({ a: 1 }, ABSENT, { a: 1 }))).toEqual(['/a = 1 @3']);
  });

  test('tells of a state that is one value', () => {
    expect(told(through(1, 2, 2))).toEqual([' = 2 @2']);
  });

  test('sorts members by code units and elements by index', () => {
    const list = Array.from({ length: 11 }, (_, index) => index);
    const paths = blame(through({ b: 1, B: 1, 'a/b': 1, list })).map(({ path }) => path);
    expect(paths).toEqual(['/B', '/a~1b', '/b', ...list.map((index) => `/list/${index}`)]);
  });

  test('follows what was moved and tells of a copy the event that made it', () => {
    const steps = patched(
      [{ op: 'add', path: '', value: { a: { n: 1 }, list: ['x'] } }],
      [
        { op: 'move', from: '/a', path: '/b' },
        { op: 'test', path: '/b/n', value: 1 },
      ],
      [{ op: 'copy', from: '/b', path: '/list/-' }],
    );
    expect(told(steps)).toEqual(['/b/n = 1 @1', '/list/0 = "x" @1', '/list/1/n = 1 @3']);
  });

  test('takes names of prototypes for members like any other', () => {
    const state = JSON.parse('{"__proto__":{"a":1},"constructor":2}') as unknown;
    expect(told(through({}, state))).toEqual(['/__proto__/a = 1 @2', '/constructor = 2 @2']);
  });

  test.each<[string, JsonPatch]>([
    ['a member', { op: 'remove', path: '/x/y' }],
    ['an element', { op: 'remove', path: '/list/7' }],
    ['a place', { op: 'add', path: '/list/3', value: 1 }],
    ['an element to replace', { op: 'replace', path: '/list/1', value: 1 }],
    ['a pointer', { op: 'remove', path: 'list' }],
    ['a container', { op: 'add', path: '/n/x', value: 1 }],
  ])('refuses patches that miss %s of the state before them', (_what, patch) => {
    const first: JsonPatch = { op: 'add', path: '', value: { n: 1, list: [1] } };
    expect(() => blame(patched([first], [patch]))).toThrow('blame needs all steps from the first');
  });
});
