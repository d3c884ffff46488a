/** Old events are read in the newest shape that the program knows; newer ones are not guessed at. */
import { describe, expect, test } from 'vitest';
import {
  defineEvents,
  event,
  InvalidEventError,
  type RecordedEvent,
  UnknownSchemaVersionError,
  UpcastFailedError,
} from '#src/index.js';
import { Interpreter } from '#src/projections/interpret.js';
import { recordedEvent } from '../support/recorded-event.js';

/** Three shapes: { amount }, then { by }, then { by, unit }. */
const upcasters = {
  added: {
    1: ({ amount }: { amount: number }) => ({ by: amount }),
    2: (data: { by: number }, e: RecordedEvent) => ({ ...data, unit: e.stream.split('/')[0] }),
  },
};
const events = defineEvents({ added: event<{ by: number; unit: string }>(), seen: event<null>() });
const interpreter = new Interpreter(events, upcasters);

function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Reads an event of version 1 with only that upcaster. */
function readBy(upcaster: (data: never, event: RecordedEvent) => unknown, data: unknown = {}) {
  const only = new Interpreter(undefined, { added: { 1: upcaster } });
  return only.interpret(recordedEvent({ type: 'added', data, position: 4 }));
}

describe('the current version of a type', () => {
  test('is one more than its upcasters reach from', () => {
    expect(interpreter.current('added')).toBe(3);
    expect(interpreter.current('seen')).toBe(1);
    expect(interpreter.current('unheard.of')).toBe(1);
    expect(interpreter.current('constructor')).toBe(1);
    expect(new Interpreter(undefined, { added: {} }).current('added')).toBe(1);
  });
});

describe('the version of a new event', () => {
  test('is the current one unless an earlier one is given', () => {
    expect(interpreter.versionFor('added', undefined, 'events[0]')).toBe(3);
    expect(interpreter.versionFor('added', 3, 'events[0]')).toBe(3);
    expect(interpreter.versionFor('added', 1, 'events[0]')).toBe(1);
  });

  test('is never one that could not be read again', () => {
    const error = errorOf(() => interpreter.versionFor('added', 4, 'events[0]'));
    expect(error).toBeInstanceOf(InvalidEventError);
    expect(error).toMatchObject({ path: 'events[0].schemaVersion' });
    expect(() => interpreter.versionFor('seen', 2, 'events[0]')).toThrow(/newest version .* is 1/);
  });

  test('is any for a type that is not declared', () => {
    expect(interpreter.versionFor('unheard.of', 9, 'events[0]')).toBe(9);
    expect(interpreter.versionFor('unheard.of', undefined, 'events[0]')).toBe(1);
  });
});

describe('an event of an earlier version', () => {
  test('goes through all upcasters behind its version, in order', () => {
    const first = recordedEvent({ type: 'added', data: { amount: 5 } });
    const second = recordedEvent({ type: 'added', data: { by: 6 }, schemaVersion: 2 });
    expect(interpreter.interpret(first).data).toEqual({ by: 5, unit: 'users' });
    expect(interpreter.interpret(second).data).toEqual({ by: 6, unit: 'users' });
    expect(interpreter.interpret(first).schemaVersion).toBe(3);
  });

  test('is a deeply frozen copy, equal in everything but data and version', () => {
    const stored = recordedEvent({ type: 'added', data: { amount: 5 }, actor: 'anna' });
    const read = interpreter.interpret(stored);
    const { data, schemaVersion, ...rest } = read;
    expect({ ...rest, data: stored.data, schemaVersion: 1 }).toEqual(stored);
    expect([data, schemaVersion]).toEqual([{ by: 5, unit: 'users' }, 3]);
    expect(Object.isFrozen(read) && Object.isFrozen(data)).toBe(true);
    expect(stored.data).toEqual({ amount: 5 });
  });

  test('shares nothing with the code that made its data', () => {
    const shared = { tags: ['a'] };
    const read = readBy(() => Object.freeze({ shared }));
    shared.tags.push('b');
    expect(read.data).toEqual({ shared: { tags: ['a'] } });
    expect(Object.isFrozen((read.data as { shared: typeof shared }).shared.tags)).toBe(true);
  });

  test('is handed to each upcaster as it is stored', () => {
    const seen: unknown[] = [];
    const keep = (data: unknown, e: RecordedEvent) => seen.push(e.data, e.schemaVersion) && data;
    const both = new Interpreter(undefined, { added: { 1: keep, 2: keep } });
    both.interpret(recordedEvent({ type: 'added', data: 'old' }));
    expect(seen).toEqual(['old', 1, 'old', 1]);
  });

  test('keeps members with the names of what every object has', () => {
    const data = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
    const read = readBy((old) => old, data);
    expect(JSON.stringify(read.data)).toBe(JSON.stringify(data));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('an event that needs no upcaster', () => {
  test('is itself', () => {
    for (const stored of [
      recordedEvent({ type: 'added', data: { by: 1, unit: 'x' }, schemaVersion: 3 }),
      recordedEvent({ type: 'seen' }),
      recordedEvent({ type: 'unheard.of', schemaVersion: 7 }),
      recordedEvent({ type: '__proto__', schemaVersion: 2 }),
    ]) {
      expect(interpreter.interpret(stored)).toBe(stored);
      expect(new Interpreter().interpret(stored)).toBe(stored);
    }
  });
});

describe('an event of a newer version', () => {
  test.each([
    ['added', 4, 3],
    ['seen', 2, 1],
  ])('of the declared type %s is refused', (type, schemaVersion, known) => {
    const error = errorOf(() =>
      interpreter.interpret(recordedEvent({ type, schemaVersion, position: 12 })),
    );
    expect(error).toBeInstanceOf(UnknownSchemaVersionError);
    expect(error).toMatchObject({ type, schemaVersion, known, position: 12 });
  });

  test('is refused also when only upcasters declare its type', () => {
    const only = new Interpreter(undefined, { added: { 1: () => ({}) } });
    const newer = recordedEvent({ type: 'added', schemaVersion: 3 });
    expect(() => only.interpret(newer)).toThrow(UnknownSchemaVersionError);
  });
});

describe('an upcaster that fails', () => {
  test('is named with type, version and event, and keeps its cause', () => {
    const cause = new Error('no amount');
    const failing = new Interpreter(undefined, {
      added: {
        1: (data: unknown) => data,
        2: () => {
          throw cause;
        },
      },
    });
    const error = errorOf(() => failing.interpret(recordedEvent({ type: 'added', position: 9 })));
    expect(error).toBeInstanceOf(UpcastFailedError);
    expect(error).toMatchObject({ type: 'added', schemaVersion: 2, event: '9.0', cause });
    expect((error as Error).message).toContain(
      'The upcaster of "added" from version 2 to 3 failed at event 9.0: no amount.',
    );
  });

  test.each<[string, (data: never) => unknown, RegExp]>([
    ['gives a promise', () => Promise.reject(new Error('nobody waits')), /gave a promise/],
    ['gives nothing', () => undefined, /gave undefined/],
    ['gives a Date', () => ({ at: new Date(0) }), /data\.at: Date cannot be stored as JSON/],
    ['gives NaN', () => Number.NaN, /data: NaN cannot be stored/],
    ['gives a Map', () => new Map(), /data: Map cannot be stored/],
    [
      'changes the stored data',
      (data: { n: number }) => {
        data.n = 2;
        return data;
      },
      /read only/,
    ],
    [
      'throws something that is no error',
      () => {
        throw Object.create(null);
      },
      /failed at event 4\.0: object\./,
    ],
  ])('because it %s says so', (_, upcaster, said) => {
    const error = errorOf(() => readBy(upcaster, { n: 1 })) as UpcastFailedError;
    expect(error).toBeInstanceOf(UpcastFailedError);
    expect(error).toMatchObject({ type: 'added', schemaVersion: 1, event: '4.0' });
    expect(error.message).toMatch(said);
  });
});

describe('wrong upcasters', () => {
  const step = (data: unknown) => data;
  test.each<[string, unknown, RegExp]>([
    ['that are a function', step, /upcasters must be an object, not function/],
    ['that are a list', [step], /not an array/],
    ['with a function for a type', { added: step }, /upcasters of "added" must be an object/],
    ['with a gap', { added: { 1: step, 3: step } }, /one from version 3 but none from version 2/],
    ['without the first', { added: { 2: step } }, /one from version 2 but none from version 1/],
    ['from version 0', { added: { 0: step } }, /"0" is no schema version/],
    ['from version 1.5', { added: { 1: step, 1.5: step } }, /"1\.5" is no schema version/],
    ['from version "01"', { added: { '01': step } }, /"01" is no schema version/],
    ['from version "one"', { added: { one: step } }, /"one" is no schema version/],
    ['that are no functions', { added: { 1: {} } }, /from version 1 must be a function/],
    ['that wait', { added: { 1: async () => ({}) } }, /must be a plain function/],
    [
      'of a type misspelt',
      { aded: { 1: step } },
      /"aded" is not declared\. Did you mean "added"\?/,
    ],
    ['of a type without a name', { '': { 1: step } }, /must not be empty/],
  ])('%s are a TypeError that says so', (_, wrong, said) => {
    expect(() => new Interpreter(events, wrong)).toThrow(TypeError);
    expect(() => new Interpreter(events, wrong)).toThrow(said);
  });

  test('are not those that are undefined, which count as absent', () => {
    expect(new Interpreter(events, { added: undefined }).current('added')).toBe(1);
    expect(new Interpreter(events, { added: { 1: step, 2: undefined } }).current('added')).toBe(2);
  });
});
