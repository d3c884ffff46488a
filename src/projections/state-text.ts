/**
 * States as JSON and back (docs/FORMAT.md, "Sorted files", `state`): what JSON lacks is said by an object with the member `$`. What comes back
 * is deeply frozen, and equal to what was written but for parts that the state held more than once: these become copies.
 */
import { freeze } from 'immer';
import { containerKind, setMember } from './state-value.js';

const TAG = '$';

type Pairs = readonly (readonly [unknown, unknown])[];

interface Tagged {
  readonly $: string;
  readonly v?: unknown;
}

/** The state's JSON; `undefined` when it cannot be written so that the same comes back. */
export function stateText(state: unknown): string | undefined {
  try {
    return JSON.stringify(plainOf(state));
  } catch (error) {
    if (error instanceof Unwritable || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Something in a state has no form in a file. */
class Unwritable extends Error {}

function tagged(name: string, value?: unknown): Tagged {
  return value === undefined ? { [TAG]: name } : { [TAG]: name, v: value };
}

/** What JSON.stringify writes as it should be; the very same object where nothing of it differs. */
function plainOf(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : plainNumber(value);
    case 'undefined':
      return tagged('undefined');
    case 'bigint':
      return tagged('bigint', String(value));
    case 'object':
      return value === null ? null : plainContainer(value);
    default:
      throw new Unwritable();
  }
}

function plainNumber(value: number): Tagged {
  return tagged('number', Object.is(value, -0) ? '-0' : String(value));
}

function plainContainer(value: object): unknown {
  switch (containerKind(value)) {
    case 'array':
      return plainList(value as readonly unknown[]);
    case 'object':
      return plainObject(value as Readonly<Record<string, unknown>>);
    case 'map':
      return tagged('map', [...(value as ReadonlyMap<unknown, unknown>)].map(plainPair));
    case 'set':
      return tagged('set', [...(value as ReadonlySet<unknown>)].map(plainOf));
    default:
      throw new Unwritable();
  }
}

function plainPair([key, value]: readonly [unknown, unknown]): [unknown, unknown] {
  return [plainOf(key), plainOf(value)];
}

function plainList(list: readonly unknown[]): unknown {
  // A hole is no undefined, and an array may carry members of its own.
  if (Object.keys(list).length !== list.length) throw new Unwritable();
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const plain = plainOf(list[index]);
    if (plain === list[index]) continue;
    copy ??= [...list];
    copy[index] = plain;
  }
  return copy ?? list;
}

function plainObject(value: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(value);
  const isBare = Object.getPrototypeOf(value) === null;
  // JSON.stringify would call it.
  const isOdd = isBare || Object.hasOwn(value, TAG) || typeof value['toJSON'] === 'function';
  if (isOdd) {
    const pairs = names.map((name) => [name, plainOf(value[name])]);
    return tagged(isBare ? 'bare' : 'object', pairs);
  }
  let copy: Record<string, unknown> | undefined;
  for (const name of names) {
    const plain = plainOf(value[name]);
    if (plain === value[name]) continue;
    copy ??= { ...value };
    setMember(copy, name, plain);
  }
  return copy ?? value;
}

/** The state that was written as this JSON value, which is used up; deeply frozen. */
export function stateFrom(plain: unknown): unknown {
  return freeze(revived(plain), true);
}

function revived(plain: unknown): unknown {
  if (typeof plain !== 'object' || plain === null) return plain;
  if (Array.isArray(plain)) {
    for (let index = 0; index < plain.length; index += 1) {
      const part: unknown = plain[index];
      if (typeof part === 'object') plain[index] = revived(part);
    }
    return plain;
  }
  if (Object.hasOwn(plain, TAG)) return untagged(plain as Tagged);
  for (const [name, part] of Object.entries(plain)) {
    if (typeof part === 'object') setMember(plain, name, revived(part));
  }
  return plain;
}

function untagged({ $: name, v: value }: Tagged): unknown {
  switch (name) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(value);
    case 'bigint':
      return BigInt(value as string);
    case 'map':
      return new Map((value as Pairs).map(([key, part]) => [revived(key), revived(part)]));
    case 'set':
      return new Set((value as readonly unknown[]).map(revived));
    default: {
      const object = name === 'bare' ? (Object.create(null) as object) : {};
      for (const [member, part] of value as Pairs) {
        setMember(object, member as string, revived(part));
      }
      return object;
    }
  }
}
