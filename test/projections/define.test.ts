/** What a projection is at run time, and what callers without a type checker are told. */
import { describe, expect, test } from 'vitest';
import { defineEvents, defineProjection, event, LimitExceededError, removed } from '#src/index.js';
import { isProjection, projectionOf } from '#src/projections/define.js';
import { recordedEvent } from '../support/recorded-event.js';

const good = {
  name: 'counter',
  version: 1,
  initial: { n: 0 },
  on: { added: (draft: { n: number }) => ({ n: draft.n + 1 }) },
};

/** As JavaScript calls it. */
const define = defineProjection as unknown as (spec: unknown) => ReturnType<typeof projectionOf>;

/** The keys that a projection with that `key` gives for an event of the stream users/anna. */
function keysBy(key: unknown): readonly string[] {
  return define({ ...good, key }).keysOf(recordedEvent({ type: 'added', position: 7 }));
}

describe('a projection', () => {
  test('is frozen, and is not changed by what is done to the object it was made of', () => {
    const spec = { ...good, on: { ...good.on } };
    const projection = define(spec);
    spec.name = 'other';
    spec.on.added = () => ({ n: 0 });
    expect(Object.isFrozen(projection)).toBe(true);
    expect(projection.name).toBe('counter');
    expect(projection.handlerOf('added')).toBe(good.on.added);
  });

  test('is known as one, and nothing else is', () => {
    expect(isProjection(define(good))).toBe(true);
    for (const value of [good, { ...define(good) }, null, undefined, 'counter', () => good]) {
      expect(isProjection(value)).toBe(false);
    }
  });

  test('handles the types of its handlers, sorted, and no others', () => {
    const step = () => undefined;
    const projection = define({ ...good, on: { z: step, Z: step, a: step, off: undefined } });
    expect(projection.types).toEqual(['Z', 'a', 'z']);
    expect(Object.isFrozen(projection.types)).toBe(true);
    expect(projection.handlerOf('a')).toBe(step);
    for (const type of ['off', 'constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(projection.handlerOf(type)).toBeUndefined();
    }
  });

  test('may handle types with the names of what every object has', () => {
    const on = JSON.parse('{"__proto__":1,"constructor":1}');
    for (const type of Object.keys(on)) {
      Object.defineProperty(on, type, { value: () => removed, enumerable: true });
    }
    const projection = define({ ...good, on });
    expect(projection.types).toEqual(['__proto__', 'constructor']);
    expect(projection.handlerOf('__proto__')?.({}, recordedEvent({ type: '__proto__' }))).toBe(
      removed,
    );
  });

  test('knows its events when it was given some', () => {
    const events = defineEvents({ added: event<null>() });
    expect(define({ ...good, events }).events).toBe(events);
    expect('events' in define(good)).toBe(false);
  });
});

describe('the state before the first event', () => {
  test('is the given value, frozen with all that it holds', () => {
    const projection = define({ ...good, initial: { list: [{ tags: new Set(['a']) }] } });
    const state = projection.initialOf('k') as { list: { tags: Set<string> }[] };
    expect(Object.isFrozen(state)).toBe(true);
    expect(Object.isFrozen(state.list[0])).toBe(true);
    expect(() => state.list[0]?.tags.add('b')).toThrow();
    expect(projection.initialOf('other')).toBe(state);
  });

  test('is made anew for each key by a function, and frozen too', () => {
    const projection = define({ ...good, initial: (key: string) => ({ key }) });
    expect(projection.initialOf('a')).toEqual({ key: 'a' });
    expect(projection.initialOf('b')).toEqual({ key: 'b' });
    expect(Object.isFrozen(projection.initialOf('a'))).toBe(true);
  });

  test.each([null, 0, '', false])('may be %j', (initial) => {
    expect(define({ ...good, initial }).initialOf('k')).toBe(initial);
  });

  test('is never undefined and never a promise', async () => {
    expect(() => define({ ...good, initial: undefined })).toThrow(/initial .*undefined/);
    expect(() => define({ ...good, initial: Promise.resolve({}) })).toThrow(/promise/);
    expect(() => define({ ...good, initial: async () => ({}) })).toThrow(/plain function/);
    const late = define({ ...good, initial: () => Promise.reject(new Error('nobody waits')) });
    expect(() => late.initialOf('k')).toThrow(/gave a promise/);
    expect(() => define({ ...good, initial: () => undefined }).initialOf('k')).toThrow(/undefined/);
  });
});

describe('the keys of an event', () => {
  test('are its stream alone by default', () => {
    const projection = define(good);
    expect(projection.keyIsStream).toBe(true);
    expect(projection.keysOf(recordedEvent({ type: 'added' }))).toEqual(['users/anna']);
  });

  test('are what key gives: one, several, or none', () => {
    expect(define({ ...good, key: () => 'a' }).keyIsStream).toBe(false);
    expect(keysBy(() => 'a')).toEqual(['a']);
    expect(keysBy(() => ['b', 'a'])).toEqual(['b', 'a']);
    expect(keysBy(() => undefined)).toEqual([]);
    expect(keysBy(() => [])).toEqual([]);
    expect(keysBy((e: { stream: string }) => e.stream.split('/')[1])).toEqual(['anna']);
  });

  test('are each there once, and stay what they were when the list changes', () => {
    const list = ['a', 'b', 'a'];
    const keys = keysBy(() => list);
    list.push('c');
    expect(keys).toEqual(['a', 'b']);
  });

  test.each([
    ['a number', 1, 'number'],
    ['null', null, 'null'],
    ['an empty string', '', 'empty'],
    ['half a surrogate pair', '\ud800', 'surrogate'],
    ['a list with a number', ['a', 1], 'number'],
    ['a list with a hole', Array(1), 'undefined'],
    ['a list with an empty string', ['a', ''], 'empty'],
    ['a set', new Set(['a']), 'Set'],
    ['a promise', Promise.resolve('a'), 'Promise'],
  ])('are refused when key gives %s', (_, given, named) => {
    const call = () => keysBy(() => given);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(named);
    expect(call).toThrow(/key of the projection "counter", for event 7\.0/);
  });

  test('are not there when key throws: its error comes through', () => {
    const error = new Error('no such member');
    const key = () => {
      throw error;
    };
    expect(() => keysBy(key)).toThrow(error);
  });
});

describe('the fingerprint of a projection', () => {
  const { fingerprint } = define(good);

  test('is a SHA-256', () => {
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  test('depends on name, version and types', () => {
    const step = () => undefined;
    const others = [
      { ...good, name: 'other' },
      { ...good, version: 2 },
      { ...good, on: { ...good.on, dropped: step } },
      { ...good, on: { dropped: step } },
    ].map((spec) => define(spec).fingerprint);
    expect(new Set([fingerprint, ...others]).size).toBe(5);
  });

  test('does not depend on code, nor on the order of the handlers', () => {
    const step = () => undefined;
    expect(define({ ...good, initial: 5, on: { added: step } }).fingerprint).toBe(fingerprint);
    const both = define({ ...good, on: { a: step, b: step } });
    expect(define({ ...good, on: { b: step, a: step } }).fingerprint).toBe(both.fingerprint);
  });
});

describe('a wrong projection', () => {
  const events = defineEvents({ 'counter.added': event<null>(), 'counter.dropped': event<null>() });
  const step = () => undefined;
  test.each<[string, unknown, RegExp]>([
    ['that is no object', 'counter', /a projection must be an object, not string/],
    ['that is nothing', undefined, /a projection must be an object, not undefined/],
    ['that is a list', [good], /not an array/],
    ['with a member misspelt', { ...good, inital: 0 }, /no member "inital"; use initial/],
    ['with an unknown member', { ...good, zzz: 0 }, /no member "zzz"; its members are name, /],
    ['without a name', { ...good, name: undefined }, /name of a projection must be a string/],
    ['with an empty name', { ...good, name: '' }, /must not be empty/],
    ['with a control character', { ...good, name: 'a\nb' }, /control character/],
    ['with a name of the store', { ...good, name: '$counter' }, /begins with '\$'/],
    ['without a version', { ...good, version: undefined }, /version .* integer from 1, not undef/],
    ['of version 0', { ...good, version: 0 }, /version .* integer from 1, not 0/],
    ['of version 1.5', { ...good, version: 1.5 }, /not 1\.5/],
    ['of version "1"', { ...good, version: '1' }, /not "1"/],
    ['with a map for events', { ...good, events: { a: event() } }, /made by defineEvents/],
    ['with a key that is no function', { ...good, key: 'id' }, /key .* must be a function/],
    ['with a key that waits', { ...good, key: async () => 'a' }, /must be a plain function/],
    ['without handlers', { ...good, on: undefined }, /on .* must be an object, not undefined/],
    ['with no handler', { ...good, on: {} }, /is empty/],
    ['with a list of handlers', { ...good, on: [step] }, /on .* must be an object, not an array/],
    ['with a handler that is none', { ...good, on: { added: {} } }, /handler of "added"/],
    ['with a handler that waits', { ...good, on: { added: async () => {} } }, /plain function/],
    ['with a generator', { ...good, on: { *added() {} } }, /plain function/],
    ['with a type without a name', { ...good, on: { '': step } }, /must not be empty/],
    [
      'with a misspelt type',
      { ...good, events, on: { 'counter.aded': step } },
      /"counter\.aded" is not declared\. Did you mean "counter\.added"\?/,
    ],
    [
      'with a type that is not declared',
      { ...good, events, on: { zzz: step } },
      /Declared are "counter\.added", "counter\.dropped"\./,
    ],
  ])('%s is a TypeError that says so', (_, spec, said) => {
    expect(() => define(spec)).toThrow(TypeError);
    expect(() => define(spec)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => define(spec)).toThrow(said);
  });

  test('with a name beyond 200 bytes is beyond a limit', () => {
    expect(() => define({ ...good, name: 'ä'.repeat(101) })).toThrow(LimitExceededError);
    expect(define({ ...good, name: 'ä'.repeat(100) }).name).toHaveLength(100);
  });

  test("is not one whose name begins with '$' when the store itself defines it", () => {
    expect(projectionOf({ ...good, name: '$streams' }, true).name).toBe('$streams');
  });
});
