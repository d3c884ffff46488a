/** Declaring event types, as programs without a type checker do it. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineEvents, event, LimitExceededError } from '#src/index.js';
import { eventsOf, isEvents } from '#src/projections/events.js';

/** As JavaScript calls it. */
const declare = defineEvents as (map: unknown) => ReturnType<typeof defineEvents>;

describe('declared events', () => {
  test('know their types, sorted, and are frozen', () => {
    const events = defineEvents({ b: event<null>(), a: z.string() });
    expect(events.types).toEqual(['a', 'b']);
    for (const part of [events, events.types, events.map]) expect(Object.isFrozen(part)).toBe(true);
  });

  test('do not change when the map does', () => {
    const map: Record<string, ReturnType<typeof event>> = { a: event() };
    const events = defineEvents(map);
    map['b'] = event();
    expect(Object.keys(events.map)).toEqual(['a']);
  });

  test('may have the names of what every object has', () => {
    const events = declare({ ['__proto__']: event(), constructor: event() });
    expect(events.types).toEqual(['__proto__', 'constructor']);
    expect(Object.keys(events.map)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(events.map)).toBeNull();
  });

  test('are known as such, and nothing else is', () => {
    expect(isEvents(defineEvents({ a: event() }))).toBe(true);
    for (const value of [{ map: {}, types: [] }, null, 'a', undefined])
      expect(isEvents(value)).toBe(false);
  });

  test('take a schema that is a function', () => {
    const schema = Object.assign(() => undefined, {
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
    });
    expect(declare({ a: schema }).types).toEqual(['a']);
  });
});

describe('wrong events', () => {
  test.each<[string, unknown, RegExp]>([
    ['that are no object', 'a', /must be an object, not string/],
    ['that are a list', ['a'], /not an array/],
    ['that are none', {}, /at least one event type/],
    ['without a name', { '': event() }, /must not be empty/],
    ['with a control character', { 'a\u0000': event() }, /control character/],
    ["with a name that begins with '$'", { $a: event() }, /begins with '\$'/],
    ['with event itself', { a: event }, /"a" must be event<Data>\(\).*: call event, with \(\)/],
    ['with nothing', { a: undefined }, /"a" must be event<Data>\(\).*, not undefined/],
    ['with null', { a: null }, /not null/],
    ['with an object', { a: { by: 'number' } }, /not an object/],
    [
      'with a schema of another standard',
      { a: { '~standard': { version: 2 } } },
      /Standard Schema/,
    ],
    ['with half a schema', { a: { '~standard': { version: 1 } } }, /Standard Schema/],
  ])('%s are a TypeError that says so', (_, map, said) => {
    expect(() => declare(map)).toThrow(TypeError);
    expect(() => declare(map)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => declare(map)).toThrow(said);
  });

  test('with a name beyond 200 bytes are beyond a limit', () => {
    expect(() => declare({ ['a'.repeat(201)]: event() })).toThrow(LimitExceededError);
  });

  test("are not those of the store itself, whose names begin with '$'", () => {
    expect(eventsOf({ '$retention.set': event<null>() }, true).types).toEqual(['$retention.set']);
  });
});
