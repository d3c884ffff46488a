/** Schemas check data once, when it is appended, and what they give is what is stored. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineEvents,
  event,
  InvalidEventError,
  type StandardResult,
  type StandardSchema,
} from '#src/index.js';
import { EventSchemas } from '#src/projections/schema.js';

/** A schema that answers with what the function gives, as a library of its own would. */
function schemaOf(validate: (value: unknown) => unknown): StandardSchema {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: validate as (value: unknown) => StandardResult<unknown>,
    },
  };
}

/** The schemas of one type, `named`. */
function schemasOf(schema: StandardSchema): EventSchemas {
  return new EventSchemas(defineEvents({ named: schema }));
}

function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const user = z.object({
  name: z.string(),
  age: z.coerce.number().optional(),
  tags: z.array(z.object({ id: z.number() })).default([]),
});
const schemas = new EventSchemas(
  defineEvents({
    'user.named': user,
    'user.checked': user.refine(async ({ name }) => name !== 'taken', { path: ['name'] }),
    'user.seen': event<{ at: string }>(),
  }),
);

describe('what a schema gives', () => {
  test('is stored instead of what was handed in', () => {
    const given = { name: 'Anna', age: '7', extra: true };
    const stored = { name: 'Anna', age: 7, tags: [] };
    expect(schemas.check('user.named', given, 'events[0]')).toEqual(stored);
    expect(schemas.checkSync('user.named', given, 'events[0]')).toEqual(stored);
    expect(given).toEqual({ name: 'Anna', age: '7', extra: true });
  });

  test('is waited for when the schema waits', async () => {
    const stored = schemas.check('user.checked', { name: 'Anna' }, 'events[0]');
    expect(stored).toBeInstanceOf(Promise);
    await expect(stored).resolves.toEqual({ name: 'Anna', tags: [] });
  });

  test('may come from a promise that is not of this realm', async () => {
    const foreign = schemasOf(
      // biome-ignore lint/suspicious/noThenProperty: a promise of another library
      schemaOf((value) => ({ then: (done: (result: unknown) => void) => done({ value }) })),
    );
    await expect(foreign.check('named', 5, 'events[0]')).resolves.toBe(5);
  });

  test('is at hand at once when the schema does not wait', () => {
    expect(schemas.check('user.named', { name: 'Anna' }, 'events[0]')).not.toBeInstanceOf(Promise);
  });
});

describe('data without a schema', () => {
  test('is taken as it is', () => {
    const data = { at: 'now' };
    expect(schemas.check('user.seen', data, 'events[0]')).toBe(data);
    expect(schemas.checkSync('user.seen', data, 'events[0]')).toBe(data);
  });

  test('is taken for any type when none are declared', () => {
    const none = new EventSchemas();
    const data = { at: 'now' };
    expect(none.check('anything', data, 'events[0]')).toBe(data);
    expect(none.checkSync('constructor', data, 'events[0]')).toBe(data);
  });

  test('is not a promise, which would be mistaken for an answer', () => {
    const error = errorOf(() => schemas.check('user.seen', Promise.resolve(1), 'events[0]'));
    expect(error).toBeInstanceOf(InvalidEventError);
    expect(error).toMatchObject({ path: 'events[0].data', hint: 'Await it first.' });
  });
});

describe('data that a schema refuses', () => {
  test.each([
    [{ name: 5 }, 'events[0].data.name'],
    [{ name: 'Anna', tags: [{ id: 1 }, { id: 'two' }] }, 'events[0].data.tags[1].id'],
    [{ name: 'Anna', age: 'old' }, 'events[0].data.age'],
    [null, 'events[0].data'],
  ])('%j is told of by the exact path', (data, path) => {
    for (const call of ['check', 'checkSync'] as const) {
      const error = errorOf(() => schemas[call]('user.named', data, 'events[0]'));
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({ code: 'INVALID_EVENT', path });
      expect((error as Error).message).toMatch(/^events\[0\]\.data.*: Invalid input: .*\.$/);
      expect((error as Error).message).toContain('The schema of "user.named" refuses it.');
    }
  });

  test('is told of by a rejection when the schema waits', async () => {
    const answer = schemas.check('user.checked', { name: 'taken' }, 'events[2]');
    await expect(answer).rejects.toBeInstanceOf(InvalidEventError);
    await expect(answer).rejects.toMatchObject({ path: 'events[2].data.name' });
  });

  test('is told of with everything that is wrong, up to a bound', () => {
    const error = errorOf(() => schemas.check('user.named', { age: 'x', tags: 1 }, 'events[0]'));
    expect((error as InvalidEventError).path).toBe('events[0].data.name');
    expect((error as InvalidEventError).hint).toMatch(
      /Also wrong: events\[0\]\.data\.age: .*; events\[0\]\.data\.tags: .*\.$/,
    );
    const long = 'x'.repeat(10_000);
    const issues = Array.from({ length: 1000 }, () => ({ message: long, path: [long, 'a b', 0] }));
    const many = schemasOf(schemaOf(() => ({ issues })));
    const bounded = errorOf(() => many.check('named', 1, 'events[0]')) as InvalidEventError;
    expect(bounded.message.length).toBeLessThan(3000);
    expect(bounded.message).toContain('; 994 more.');
  });

  test.each([
    ['names', ['a', 'b c'], 'events[0].data.a["b c"]'],
    ['numbers', [0, 'x'], 'events[0].data[0].x'],
    ['objects with a key', [{ key: 'a' }, { key: 1 }], 'events[0].data.a[1]'],
    ['symbols', [Symbol('s')], 'events[0].data[Symbol(s)]'],
    ['nothing', undefined, 'events[0].data'],
  ])('is found by a path of %s', (_, path, spelled) => {
    const refusing = schemasOf(schemaOf(() => ({ issues: [{ message: 'wrong', path }] })));
    const error = errorOf(() => refusing.check('named', 1, 'events[0]'));
    expect(error).toMatchObject({ path: spelled });
  });

  test('is refused also when the schema does not say why', () => {
    const silent = schemasOf(schemaOf(() => ({ issues: [] })));
    expect(() => silent.check('named', 1, 'events[0]')).toThrow(
      /events\[0\]\.data: refused by the schema of "named"/,
    );
  });

  test('is told of without anything that moves a terminal', () => {
    const message = '\u001b[2J\u202eevil';
    const hostile = schemasOf(schemaOf(() => ({ issues: [{ message, path: [message] }] })));
    const error = errorOf(() => hostile.check('named', 1, 'events[0]')) as Error;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(error.message).not.toMatch(/[\u0000-\u001f\u202a-\u202e]/);
  });
});

describe('a schema that waits', () => {
  test('is a TypeError in a synchronous call, whatever comes of it', () => {
    const failing = schemasOf(schemaOf(() => Promise.reject(new Error('nobody waits'))));
    const error = errorOf(() => failing.checkSync('named', 1, 'events[0]'));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ code: 'ASYNC_SCHEMA' });
    expect(() => schemas.checkSync('user.checked', { name: 'Anna' }, 'events[0]')).toThrow(
      /^events\[0\]\.data: the schema of "user.checked" answers with a promise/,
    );
  });
});

describe('a schema that is broken', () => {
  test.each<[string, (value: unknown) => unknown, RegExp]>([
    ['answers with nothing', () => undefined, /answered with undefined/],
    ['answers with a text', () => 'fine', /answered with string/],
    ['gives a text as issues', () => ({ issues: 'bad' }), /issues that are no list/],
    ['gives a promise as value', () => ({ value: Promise.reject(new Error()) }), /a promise as/],
  ])('and %s is named, and nothing is stored', (_, validate, said) => {
    const broken = schemasOf(schemaOf(validate));
    for (const call of ['check', 'checkSync'] as const) {
      const error = errorOf(() => broken[call]('named', 1, 'events[0]')) as InvalidEventError;
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error.message).toMatch(said);
      expect(error.message).toMatch(/the schema of "named" .*Mend the schema\.$/);
    }
  });

  test('and throws is the cause of the error', async () => {
    const cause = new Error('no such table');
    const throwing = schemasOf(
      schemaOf(() => {
        throw cause;
      }),
    );
    const error = errorOf(() => throwing.check('named', 1, 'events[0]'));
    expect(error).toMatchObject({ code: 'INVALID_EVENT', cause });
    expect((error as Error).message).toContain('threw (no such table)');
    const rejecting = schemasOf(schemaOf(() => Promise.reject(cause)));
    await expect(rejecting.check('named', 1, 'events[0]')).rejects.toMatchObject({ cause });
  });
});

describe('a type that is not declared', () => {
  test('is refused, with those that look like it', () => {
    for (const call of ['check', 'checkSync'] as const) {
      const error = errorOf(() => schemas[call]('user.name', {}, 'events[1]'));
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({ path: 'events[1].type' });
      expect((error as InvalidEventError).hint).toMatch(/^Did you mean "user\.named"/);
    }
  });

  test('is refused with those that there are when none looks like it', () => {
    expect(() => schemas.check('constructor', {}, 'events[0]')).toThrow(
      'Declared are "user.checked", "user.named", "user.seen".',
    );
    const types = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`type.${i}`, event()]));
    const many = new EventSchemas(defineEvents(types));
    expect(() => many.check('something.else', {}, 'events[0]')).toThrow(/, and 12 more\.$/);
  });

  test.each([undefined, '', 5, 'a\nb'])('and is no name is a wrong argument: %j', (type) => {
    expect(() => schemas.check(type as string, {}, 'events[0]')).toThrow(TypeError);
    expect(() => schemas.check(type as string, {}, 'events[0]')).toThrow(/events\[0\]\.type/);
  });
});
