/** Values that JSON would mangle: what each is, and what the error says to do instead. */

class Point {
  x = 1;
}

class Names extends Array<string> {}

const half = 'half \ud800 pair';

export interface Unstorable {
  readonly name: string;
  readonly make: () => unknown;
  readonly hint: RegExp;
  /** Where in the value the trouble is, when it is not the value itself. */
  readonly inside?: string;
}

export const unstorable: readonly Unstorable[] = [
  { name: 'undefined', make: () => undefined, hint: /null/ },
  { name: 'NaN', make: () => Number.NaN, hint: /null/ },
  { name: 'Infinity', make: () => Number.POSITIVE_INFINITY, hint: /null/ },
  { name: '-Infinity', make: () => Number.NEGATIVE_INFINITY, hint: /null/ },
  { name: '-0', make: () => -0, hint: /0/ },
  { name: 'a function', make: () => () => {}, hint: /data/ },
  { name: 'a class', make: () => Point, hint: /data/ },
  { name: 'a symbol', make: () => Symbol('s'), hint: /string/ },
  { name: 'a BigInt', make: () => 1n, hint: /string/ },
  { name: 'a Date', make: () => new Date(0), hint: /toISOString/ },
  { name: 'a Map', make: () => new Map([[1, 2]]), hint: /fromEntries/ },
  { name: 'a Set', make: () => new Set([1]), hint: /array/ },
  { name: 'a RegExp', make: () => /x/, hint: /source/ },
  { name: 'an Error', make: () => new RangeError('x'), hint: /message/ },
  { name: 'a promise', make: () => Promise.resolve(), hint: /[Aa]wait/ },
  { name: 'a Buffer', make: () => Buffer.from('x'), hint: /base64/ },
  { name: 'a Uint8Array', make: () => new Uint8Array(1), hint: /base64/ },
  { name: 'an instance of a class', make: () => new Point(), hint: /plain object/ },
  { name: 'an instance of a kind of array', make: () => new Names(), hint: /./ },
  { name: 'a String object', make: () => Object('text'), hint: /./ },
  {
    name: 'an object with toJSON',
    make: () => ({ toJSON: () => 1 }),
    hint: /./,
    inside: '.toJSON',
  },
  { name: 'half a surrogate pair', make: () => half, hint: /toWellFormed/ },
  { name: 'the other half', make: () => '\udc00', hint: /toWellFormed/ },
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is refused here
  { name: 'a hole in an array', make: () => [1, , 2], hint: /null/, inside: '[1]' },
  {
    name: 'an array with a named member',
    make: () => Object.assign([1], { name: 1 }),
    hint: /object/,
    inside: '.name',
  },
  {
    name: 'an array with a member named by a symbol',
    make: () => Object.assign([1], { [Symbol('s')]: 1 }),
    hint: /string/,
  },
  {
    name: 'a member named by a symbol',
    make: () => ({ [Symbol('s')]: 1 }),
    hint: /string/,
  },
  {
    name: 'a member whose name is half a surrogate pair',
    make: () => ({ [half]: 1 }),
    hint: /toWellFormed/,
    inside: '["half \\ud800 pair"]',
  },
];
