/** Which values JSON keeps as they are. What passes reads back deep-equal; anything else is refused with the path to it. */
import { InvalidEventError, LimitExceededError, quote, RecollectError } from '../errors.js';
import { commitBytesMax, nestingMax } from './limits.js';

/** What a value is, for a message. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return typeof value;
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== 'Object' ? quote(name).slice(1, -1) : 'an object';
}

/** The path of a member. */
export function member(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${quote(key)}]`;
}

/** The steps from the root to a value; the path is spelled out only when something is wrong. */
type Trail = (string | number)[];

function spell(root: string, trail: Trail): string {
  return trail.reduce<string>(
    (path, step) => (typeof step === 'number' ? `${path}[${step}]` : member(path, step)),
    root,
  );
}

const HINTS: Readonly<Record<string, string>> = {
  undefined: 'Leave it out or use null.',
  function: 'Only data can be stored; leave it out.',
  symbol: 'Use a string.',
  bigint: 'Use a string, or a number if it is small enough.',
  Date: 'Use toISOString().',
  Map: 'Use an object (Object.fromEntries) or an array of pairs.',
  Set: 'Use an array ([...set]).',
  Buffer: 'Use a string, such as toString("base64").',
  Uint8Array: 'Use a string, such as Buffer.from(bytes).toString("base64").',
  RegExp: 'Use its source as a string.',
  Error: 'Use an object with its name and message.',
  Promise: 'Await it first.',
};

function refuse(root: string, trail: Trail, value: unknown): never {
  const kind = value instanceof Error ? 'Error' : kindOf(value);
  const hint = HINTS[kind] ?? 'Use a plain object, such as { ...value }.';
  throw new InvalidEventError(spell(root, trail), `${kind} cannot be stored as JSON`, hint);
}

/** Bytes that the value being checked may still take at least; one value is checked at a time. */
let bytesLeft = 0;

class TooLarge extends Error {}

/**
 * Whether a value is plain JSON, without saying where it is not: one pass without bookkeeping, because nearly everything passes.
 * `room` is how many arrays and objects may still be nested.
 */
function isPlainJson(value: unknown, room: number): boolean {
  // Each value takes at least one byte: what is too large is given up before it is encoded, also when one part stands in it a million times.
  bytesLeft -= typeof value === 'string' ? value.length : 1;
  if (bytesLeft < 0) throw new TooLarge();
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value === 'boolean' || value === null) return true;
  if (typeof value !== 'object' || room === 0) return false;
  if (Array.isArray(value)) {
    if (Object.getPrototypeOf(value) !== Array.prototype) return false;
    const { length } = value;
    for (let index = 0; index < length; index += 1) {
      // A hole reads as undefined, which is no JSON either.
      if (!isPlainJson(value[index], room - 1)) return false;
    }
    return Object.keys(value).length === length && Object.getOwnPropertySymbols(value).length === 0;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const members = value as Record<string, unknown>;
  if (typeof members['toJSON'] === 'function') return false;
  const keys = Object.keys(members);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (!key.isWellFormed() || !isPlainJson(members[key], room - 1)) return false;
  }
  return Object.getOwnPropertySymbols(value).length === 0;
}

/** Throws when a value is not plain JSON. What passes reads back deep-equal. */
function checkJson(value: unknown, root: string, trail: Trail): void {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) {
        throw new InvalidEventError(
          spell(root, trail),
          'half a surrogate pair',
          'Use toWellFormed(), or cut text at whole characters.',
        );
      }
      return;
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) {
        throw new InvalidEventError(
          spell(root, trail),
          `${value} cannot be stored as JSON`,
          'Use null or a string.',
        );
      }
      if (Object.is(value, -0)) {
        throw new InvalidEventError(spell(root, trail), '-0 reads back as 0', 'Use 0.');
      }
      return;
    case 'object':
      break;
    default:
      refuse(root, trail, value);
  }
  if (value === null) return;
  if (trail.length >= nestingMax) {
    const problem = isCyclic(value) ? 'it contains itself' : `nested deeper than ${nestingMax}`;
    throw new InvalidEventError(
      spell(root, trail.slice(0, 4)),
      problem,
      'Store a flatter value, or refer to other parts by id.',
    );
  }
  if (Array.isArray(value)) checkArray(value, root, trail);
  else checkObject(value, root, trail);
}

function checkArray(value: readonly unknown[], root: string, trail: Trail): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Array.prototype && !isForeignArray(prototype)) refuse(root, trail, value);
  for (let index = 0; index < value.length; index += 1) {
    const item = value[index];
    trail.push(index);
    if (item === undefined && !(index in value)) {
      throw new InvalidEventError(spell(root, trail), 'a hole in an array', 'Use null.');
    }
    checkJson(item, root, trail);
    trail.pop();
  }
  const keys = Object.keys(value);
  if (keys.length !== value.length) {
    trail.push(keys.find((key) => !/^\d+$/.test(key)) ?? '');
    throw new InvalidEventError(
      spell(root, trail),
      'an array with a named member',
      'Use an object.',
    );
  }
  checkSymbols(value, root, trail);
}

function checkObject(value: object, root: string, trail: Trail): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !isForeignPlain(prototype)) {
    refuse(root, trail, value);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    trail.push('toJSON');
    refuse(root, trail, (value as { toJSON?: unknown }).toJSON);
  }
  for (const key of Object.keys(value)) {
    trail.push(key);
    if (!key.isWellFormed()) {
      throw new InvalidEventError(
        spell(root, trail),
        'half a surrogate pair in a name',
        'Use toWellFormed().',
      );
    }
    checkJson((value as Record<string, unknown>)[key], root, trail);
    trail.pop();
  }
  checkSymbols(value, root, trail);
}

function checkSymbols(value: object, root: string, trail: Trail): void {
  if (Object.getOwnPropertySymbols(value).length === 0) return;
  throw new InvalidEventError(
    spell(root, trail),
    'a member named by a symbol would be lost',
    'Use a string as its name.',
  );
}

/** The Object.prototype of another realm (a vm context, a test runner): its objects are as plain as ours. */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}

/** The same of arrays: alone among prototypes, that of arrays is an array itself. */
function isForeignArray(prototype: unknown): boolean {
  return Array.isArray(prototype) && isForeignPlain(Object.getPrototypeOf(prototype));
}

function isCyclic(value: object): boolean {
  const above = new Set<object>();
  const visit = (part: unknown): boolean => {
    if (typeof part !== 'object' || part === null) return false;
    if (above.has(part)) return true;
    if (above.size > 10 * nestingMax) return false;
    above.add(part);
    const found = Object.values(part).some(visit);
    above.delete(part);
    return found;
  };
  return visit(value);
}

/**
 * Refuses what JSON would mangle, without encoding anything.
 * @throws InvalidEventError with the path to it, LimitExceededError for what no commit could hold
 */
export function requireJson(value: unknown, path: string): void {
  bytesLeft = commitBytesMax;
  try {
    if (!isPlainJson(value, nestingMax)) checkJson(value, path, []);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    throw new LimitExceededError('commitBytesMax', commitBytesMax, commitBytesMax + 1, path);
  }
}

/**
 * A value as JSON text.
 * @throws InvalidEventError when JSON would mangle it, LimitExceededError when it takes more than `eventBytes` for certain
 */
export function jsonText(value: unknown, path: string, eventBytes: number): string {
  bytesLeft = eventBytes;
  try {
    if (!isPlainJson(value, nestingMax)) checkJson(value, path, []);
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TooLarge) {
      throw new LimitExceededError('eventBytes', eventBytes, eventBytes + 1, path);
    }
    if (error instanceof RecollectError) throw error;
    // A getter, a proxy: code of the caller that answers one way when asked and another way when encoded.
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidEventError(path, `it cannot be encoded (${quote(reason)})`, 'Use plain data.');
  }
}
