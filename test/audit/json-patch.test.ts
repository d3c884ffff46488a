import { describe, expect, test } from 'vitest';
import { applyPatch, type JsonPatch } from '#src/audit/json-patch.js';
import { PatchFailedError } from '#src/errors.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';

const document = { list: ['a', 'b', 'c'], 'a/b': 1, 'm~n': 2, '': 3, nested: { deep: { n: 1 } } };

describe('applyPatch', () => {
  test.each<[string, unknown, readonly JsonPatch[], unknown]>([
    ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: [2] }], { a: 1, b: [2] }],
    ['adds over a member', { a: 1 }, [{ op: 'add', path: '/a', value: 2 }], { a: 2 }],
    ['inserts an element', ['a', 'b'], [{ op: 'add', path: '/1', value: 'x' }], ['a', 'x', 'b']],
    ['appends by length', ['a'], [{ op: 'add', path: '/1', value: 'x' }], ['a', 'x']],
    ['appends by -', ['a'], [{ op: 'add', path: '/-', value: 'x' }], ['a', 'x']],
    ['removes a member', { a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
    ['removes an element', ['a', 'b', 'c'], [{ op: 'remove', path: '/1' }], ['a', 'c']],
    ['replaces an element', ['a', 'b'], [{ op: 'replace', path: '/1', value: null }], ['a', null]],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: 5 }], 5],
    ['adds the whole', undefined, [{ op: 'add', path: '', value: { a: 1 } }], { a: 1 }],
    ['removes the whole', { a: 1 }, [{ op: 'remove', path: '' }], undefined],
    [
      'moves a member',
      { a: 1, b: {} },
      [{ op: 'move', from: '/a', path: '/b/c' }],
      { b: { c: 1 } },
    ],
    [
      'moves an element',
      ['a', 'b', 'c'],
      [{ op: 'move', from: '/0', path: '/2' }],
      ['b', 'c', 'a'],
    ],
    [
      'leaves what moves to its place',
      { a: 1 },
      [{ op: 'move', from: '/a', path: '/a' }],
      { a: 1 },
    ],
    ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
    [
      'tests',
      { a: { b: 1, c: [2] } },
      [{ op: 'test', path: '/a', value: { c: [2], b: 1 } }],
      { a: { b: 1, c: [2] } },
    ],
    [
      'reads / and ~ in names',
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'replace', path: '/m~0n', value: 3 },
      ],
      { 'm~n': 3 },
    ],
    ['reads ~01 as ~1', { '~1': 1 }, [{ op: 'remove', path: '/~01' }], {}],
    ['reads an empty name', { '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
    [
      'does one after the other',
      [],
      [
        { op: 'add', path: '/0', value: { a: [] } },
        { op: 'add', path: '/0/a/-', value: 1 },
      ],
      [{ a: [1] }],
    ],
  ])('%s', (_what, value, patches, expected) => {
    const made = applyPatch(value, patches);
    expect(made).toStrictEqual(expected);
    expectDeeplyFrozen(made);
  });

  test('keeps apart what was copied', () => {
    const patches: JsonPatch[] = [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/-', value: 2 },
    ];
    expect(applyPatch({ a: [1] }, patches)).toEqual({ a: [1], b: [1, 2] });
  });

  test('changes neither the value nor the patches, and shares frozen parts', () => {
    const untouched = Object.freeze({ list: Object.freeze([1]) });
    const value = { untouched, list: [{ n: 1 }] };
    const added = { n: 2 };
    const patches: JsonPatch[] = [
      { op: 'add', path: '/list/-', value: added },
      { op: 'replace', path: '/list/1/n', value: 3 },
    ];
    const made = applyPatch(value, patches) as typeof value;
    expect(made).toEqual({ untouched, list: [{ n: 1 }, { n: 3 }] });
    expect(made.untouched).toBe(untouched);
    expect(value.list).toEqual([{ n: 1 }]);
    expect(Object.isFrozen(value) || Object.isFrozen(value.list[0])).toBe(false);
    expect(added).toEqual({ n: 2 });
    expect(Object.isFrozen(added)).toBe(false);
  });

  test.each<[string, unknown, string]>([
    ['a member that is not there', { op: 'remove', path: '/x' }, 'no member "x"'],
    [
      'a member to replace that is not there',
      { op: 'replace', path: '/x', value: 1 },
      'no member "x"',
    ],
    ['a way through a number', { op: 'add', path: '/a~1b/c', value: 1 }, 'neither an object'],
    ['a way through what is not there', { op: 'add', path: '/x/y', value: 1 }, 'no member "x"'],
    ['an element behind the end', { op: 'replace', path: '/list/3', value: 1 }, 'no element "3"'],
    ['a place behind the end', { op: 'add', path: '/list/4', value: 1 }, 'no element "4"'],
    ['- where something must stand', { op: 'remove', path: '/list/-' }, 'no element "-"'],
    ['an index with a leading zero', { op: 'remove', path: '/list/01' }, 'no element "01"'],
    [
      'an index that is a name',
      { op: 'add', path: '/list/length', value: 1 },
      'no element "length"',
    ],
    ['a pointer without its /', { op: 'remove', path: 'list' }, 'no JSON pointer'],
    ['a pointer with a lonely ~', { op: 'remove', path: '/m~n' }, 'no JSON pointer'],
    ['a pointer that is no text', { op: 'remove', path: 5 }, 'no JSON pointer'],
    ['a missing value', { op: 'add', path: '/x' }, 'it has no value'],
    ['an unknown operation', { op: 'increase', path: '/x' }, 'no such operation'],
    ['what is no operation', null, 'no operation'],
    [
      'a test that does not hold',
      { op: 'test', path: '/nested', value: { deep: {} } },
      'another value',
    ],
    ['a move into itself', { op: 'move', from: '/nested', path: '/nested/deep/x' }, 'into itself'],
    ['a copy of what is not there', { op: 'copy', from: '/x', path: '/y' }, 'no member "x"'],
    ['an inherited member', { op: 'remove', path: '/constructor' }, 'no member "constructor"'],
    [
      'a way through a prototype',
      { op: 'add', path: '/__proto__/polluted', value: 1 },
      'no member "__proto__"',
    ],
  ])('names the operation that fails: %s', (_what, operation, problem) => {
    const first: JsonPatch = { op: 'add', path: '/new', value: 1 };
    const before = JSON.stringify(document);
    let failure: unknown;
    try {
      applyPatch(document, [first, operation as JsonPatch]);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(PatchFailedError);
    const failed = failure as PatchFailedError;
    expect(failed.code).toBe('PATCH_FAILED');
    expect(failed.index).toBe(1);
    expect(failed.operation).toBe(operation);
    expect(failed.message).toContain('patches[1]');
    expect(failed.message).toContain(problem);
    expect(JSON.stringify(document)).toBe(before);
  });

  test('has nothing to change once the whole is removed', () => {
    const patches: JsonPatch[] = [
      { op: 'remove', path: '' },
      { op: 'add', path: '/a', value: 1 },
    ];
    expect(() => applyPatch({}, patches)).toThrow('there is no value');
    expect(() => applyPatch(undefined, [{ op: 'remove', path: '' }])).toThrow('there is no value');
  });

  test('leads into no Map or Set', () => {
    const value = { map: new Map([['a', 1]]) };
    expect(() => applyPatch(value, [{ op: 'remove', path: '/map/a' }])).toThrow('Map or Set');
  });

  test('sets members with names of prototypes like any other', () => {
    const made = applyPatch({}, [
      { op: 'add', path: '/__proto__', value: { polluted: true } },
      { op: 'add', path: '/__proto__/more', value: 1 },
      { op: 'replace', path: '/__proto__/polluted', value: 'no' },
      { op: 'copy', from: '/__proto__', path: '/constructor' },
      { op: 'move', from: '/constructor', path: '/prototype' },
    ]) as object;
    const member = '{"polluted":"no","more":1}';
    expect(JSON.stringify(made)).toBe(`{"__proto__":${member},"prototype":${member}}`);
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
