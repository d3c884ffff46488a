/**
 * What a state may be made of: primitives, plain objects, arrays, Map and Set. Anything else could not be drafted, frozen, compared or saved,
 * and is refused with the path to it.
 */
import { freeze, isDraft, original } from 'immer';
import { kindOf, member } from '../log/json.js';

/** Arrays, objects, Maps and Sets of a state inside one another. */
export const stateNestingMax = 512;

export type ContainerKind = 'object' | 'array' | 'map' | 'set';

type Trail = (string | number)[];

const HINTS: Readonly<Record<string, string>> = {
  Date: 'Use its toISOString().',
  Promise: 'A handler must not be asynchronous.',
};

function refuse(trail: Trail, problem: string, hint = 'Use plain data.'): never {
  const path = trail.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : member(text, step)),
    'state',
  );
  throw new TypeError(`${path}: ${problem}. ${hint}`);
}

/** The kind of a container of a state; undefined for anything that a state cannot be made of. */
export function containerKind(value: object): ContainerKind | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return 'object';
  if (Array.isArray(value)) return isArrayPrototype(prototype) ? 'array' : undefined;
  if (prototype === Map.prototype) return 'map';
  if (prototype === Set.prototype) return 'set';
  return isForeignPlain(prototype as object) ? 'object' : undefined;
}

/** The Object.prototype of another realm: its objects are as plain as ours. */
function isForeignPlain(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** Alone among prototypes, that of arrays is an array itself, in every realm. */
function isArrayPrototype(prototype: unknown): boolean {
  return prototype === Array.prototype || Array.isArray(prototype);
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function checkPrimitive(value: unknown, trail: Trail): void {
  if (typeof value === 'function') refuse(trail, 'a function cannot be part of a state');
  if (typeof value === 'symbol') refuse(trail, 'a symbol cannot be part of a state');
}

/** @throws TypeError for what a state cannot be made of */
function checkedKind(value: object, trail: Trail): ContainerKind {
  if (trail.length >= stateNestingMax) {
    refuse(trail.slice(0, 4), `it contains itself or is nested deeper than ${stateNestingMax}`);
  }
  const kind = containerKind(value);
  if (kind === 'object' && Object.getOwnPropertySymbols(value).length > 0) {
    refuse(trail, 'a member named by a symbol cannot be part of a state', 'Use a string.');
  }
  if (kind !== undefined) return kind;
  const name = Array.isArray(value) ? 'an array of a class of its own' : kindOf(value);
  return refuse(trail, `${name} cannot be part of a state`, HINTS[name]);
}

function checkMapKey(key: unknown, trail: Trail): void {
  if (isContainer(key)) refuse(trail, 'a key of a Map must be no object', 'Use a string.');
  checkPrimitive(key, trail);
}

/** Sets a member whatever its name: an assignment to `__proto__` would change the prototype instead. */
export function setMember(target: object, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

function shallowCopy(value: object, kind: ContainerKind): object {
  if (kind === 'array') return [...(value as readonly unknown[])];
  if (kind === 'map') return new Map(value as ReadonlyMap<unknown, unknown>);
  if (kind === 'set') return new Set(value as ReadonlySet<unknown>);
  if (Object.getPrototypeOf(value) !== null) return { ...value };
  return Object.assign(Object.create(null) as object, value);
}

/** The container with its parts replaced: a copy, or the same one when no part differs. */
function withParts(
  value: object,
  kind: ContainerKind,
  trail: Trail,
  replace: (part: unknown) => unknown,
): object {
  let copy: object | undefined;
  const differs = (step: string | number, part: unknown): readonly [unknown] | undefined => {
    trail.push(step);
    const replaced = replace(part);
    trail.pop();
    if (replaced === part) return undefined;
    copy ??= shallowCopy(value, kind);
    return [replaced];
  };
  if (kind === 'object') {
    for (const key of Object.keys(value)) {
      const other = differs(key, (value as Record<string, unknown>)[key]);
      if (other) setMember(copy as object, key, other[0]);
    }
    return copy ?? value;
  }
  if (kind === 'map') {
    for (const [key, part] of value as ReadonlyMap<unknown, unknown>) {
      checkMapKey(key, trail);
      const other = differs(String(key), part);
      if (other) (copy as unknown as Map<unknown, unknown>).set(key, other[0]);
    }
    return copy ?? value;
  }
  const parts = [...(value as Iterable<unknown>)];
  for (let index = 0; index < parts.length; index += 1) {
    const other = differs(index, parts[index]);
    if (other) parts[index] = other[0];
  }
  if (copy === undefined) return value;
  return kind === 'set' ? new Set(parts) : parts;
}

/**
 * A frozen copy of a caller's value, who may go on using and changing the value itself.
 * @throws TypeError for what a state cannot be made of
 */
export function frozenCopy(value: unknown, trail: Trail = []): unknown {
  if (!isContainer(value)) {
    checkPrimitive(value, trail);
    return value;
  }
  const kind = checkedKind(value, trail);
  const copy = withParts(value, kind, trail, (part) => frozenCopy(part, trail));
  return frozen(copy === value ? shallowCopy(value, kind) : copy, kind);
}

function frozen(value: object, kind: ContainerKind): object {
  // Object.freeze alone would leave the entries of a Map or Set open to change.
  return kind === 'map' || kind === 'set' ? freeze(value) : Object.freeze(value);
}

/**
 * What a handler returned, with every piece of its (unchanged) draft in it replaced by what that piece stands for. Nothing that the handler
 * made is changed: it is copied where a piece stood.
 * @throws TypeError for what a state cannot be made of
 */
export function withoutDrafts(value: unknown, trail: Trail = []): unknown {
  if (!isContainer(value)) {
    checkPrimitive(value, trail);
    return value;
  }
  if (isDraft(value)) return original(value);
  const kind = checkedKind(value, trail);
  return withParts(value, kind, trail, (part) => withoutDrafts(part, trail));
}

/**
 * Freezes a state in place with all that it holds. `before`, a state that is deeply frozen already, says where the walk may stop: at what stands
 * in the same container there. Other frozen objects are looked into, since a caller's `Object.freeze` is often a shallow one.
 * @throws TypeError for what a state cannot be made of
 */
export function freezeState(value: unknown, before: unknown, trail: Trail = []): void {
  if (!isContainer(value)) {
    checkPrimitive(value, trail);
    return;
  }
  if (value === before) return;
  if (isDraft(value)) refuse(trail, 'a draft that was kept from another event', 'Keep no drafts.');
  const kind = checkedKind(value, trail);
  if (kind === 'array') freezeList(value as readonly unknown[], before, trail);
  else if (kind === 'object') freezeMembers(value, before, trail);
  else if (kind === 'map') freezeEntries(value as ReadonlyMap<unknown, unknown>, before, trail);
  else freezeList([...(value as ReadonlySet<unknown>)], before, trail);
  if (Object.isFrozen(value)) checkFrozenEntries(value, kind, trail);
  else frozen(value, kind);
}

function checkFrozenEntries(value: object, kind: ContainerKind, trail: Trail): void {
  if (kind === 'object' || kind === 'array' || Object.hasOwn(value, 'clear')) return;
  refuse(
    trail,
    'Object.freeze does not keep the entries of a Map or Set from being changed',
    'Leave it as it is: states are frozen anyway.',
  );
}

function freezeMembers(value: object, before: unknown, trail: Trail): void {
  const earlier = isContainer(before) ? (before as Record<string, unknown>) : undefined;
  const keys = Object.keys(value);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    const part = (value as Record<string, unknown>)[key];
    // Most members are numbers and texts, or what stood there before: they need no step on the trail.
    if (typeof part === 'string' || typeof part === 'number') continue;
    if (isContainer(part) && part === earlier?.[key]) continue;
    trail.push(key);
    freezeState(part, earlier?.[key], trail);
    trail.pop();
  }
}

function freezeEntries(value: ReadonlyMap<unknown, unknown>, before: unknown, trail: Trail): void {
  const earlier = before instanceof Map ? (before as ReadonlyMap<unknown, unknown>) : undefined;
  for (const [key, part] of value) {
    checkMapKey(key, trail);
    trail.push(String(key));
    freezeState(part, earlier?.get(key), trail);
    trail.pop();
  }
}

/** Elements move when an earlier one goes: what stood anywhere in the list before is frozen. */
function freezeList(value: readonly unknown[], before: unknown, trail: Trail): void {
  const earlier: readonly unknown[] = Array.isArray(before)
    ? before
    : before instanceof Set
      ? [...before]
      : [];
  let known: Set<unknown> | undefined;
  for (let index = 0; index < value.length; index += 1) {
    const part = value[index];
    if (typeof part === 'string' || typeof part === 'number' || part === earlier[index]) continue;
    if (isContainer(part) && earlier.length > 0) {
      known ??= new Set(earlier);
      if (known.has(part)) continue;
    }
    trail.push(index);
    freezeState(part, earlier[index], trail);
    trail.pop();
  }
}

/** A promise that is not looked at: its failure must not end the process as an unhandled rejection. */
export function abandonPromise(value: unknown): void {
  if (!isContainer(value) || typeof (value as { then?: unknown }).then !== 'function') return;
  Promise.resolve(value).catch(() => undefined);
}

/** Says of a handler's promise what is wrong, and takes care that nobody has to wait for it. */
export function refusePromise(value: unknown): void {
  if (!isContainer(value) || typeof (value as { then?: unknown }).then !== 'function') return;
  abandonPromise(value);
  throw new TypeError(
    'the handler returned a promise. A handler must be synchronous: put what it waits for into the event.',
  );
}
