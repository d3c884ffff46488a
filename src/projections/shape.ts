/** Checks of what untyped callers may hand in as a definition. All of them throw a TypeError that names the member. */
import { isAsyncFunction, isGeneratorFunction } from 'node:util/types';
import { invalidArgument, nearest, quote } from '../errors.js';
import { kindOf } from '../log/json.js';
import { checkName, checkNotOwn } from '../log/names.js';

/** An object that is no array, whose members all have one of the names. Members that are undefined count as absent. */
export function checkMembers(
  value: unknown,
  what: string,
  names: readonly string[],
): asserts value is Readonly<Record<string, unknown>> {
  checkObject(value, what);
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || names.includes(name)) continue;
    const [near] = nearest(name, names, 1);
    const hint = near === undefined ? `its members are ${names.join(', ')}` : `use ${near}`;
    throw invalidArgument(`${what} has no member ${quote(name)}; ${hint}`);
  }
}

export function checkObject(value: unknown, what: string): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw invalidArgument(`${what} must be an object, not ${kindOf(value)}`);
}

/**
 * A name of 1 to 200 bytes. What begins with '$' is the store's own.
 * @throws TypeError, LimitExceededError
 */
export function checkDefinitionName(
  name: unknown,
  what: string,
  internal: boolean,
): asserts name is string {
  checkName(name, what);
  if (!internal) checkNotOwn(name, what);
}

export function checkVersion(version: unknown, what: string): asserts version is number {
  if (typeof version === 'number' && Number.isSafeInteger(version) && version > 0) return;
  throw invalidArgument(`${what} must be an integer from 1, not ${shown(version)}`);
}

/** A function that gives its result at once: a fold never waits. @param yields - whether it may give it in portions */
export function checkFunction(value: unknown, what: string, yields = false): void {
  if (typeof value !== 'function') {
    throw invalidArgument(`${what} must be a function, not ${kindOf(value)}`);
  }
  if (isAsyncFunction(value) || (isGeneratorFunction(value) && !yields)) {
    throw invalidArgument(`${what} must be a plain function: nothing waits for it`);
  }
}

/** A list of names, each once, sorted by UTF-16 code units. */
export function checkTypes(types: unknown, what: string): readonly string[] {
  if (!Array.isArray(types) || types.length === 0) {
    throw invalidArgument(`${what} must be a list of at least one event type, or left out`);
  }
  for (const type of types) checkName(type, `an event type in ${what}`);
  return Object.freeze([...new Set(types as string[])].sort());
}

/** Throws when a declared list does not have the type. */
export function checkDeclared(type: string, declared: readonly string[], what: string): void {
  if (declared.includes(type)) return;
  throw invalidArgument(
    `${what}: the event type ${quote(type)} is not declared. ${meant(type, declared)}`,
  );
}

/** "Did you mean "a"?", or which names there are. */
export function meant(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  if (near.length > 0) return `Did you mean ${near.map(quote).join(' or ')}?`;
  const more = names.length > 8 ? `, and ${names.length - 8} more` : '';
  return `Declared are ${names.slice(0, 8).map(quote).join(', ')}${more}.`;
}

/** A number or a text as it is, of anything else what it is. */
export function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? quote(value) : kindOf(value);
}

/** Whether somebody would wait for the value. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return typeof (value as { then?: unknown }).then === 'function';
}

/** Nobody will wait for the promise: its failure must not end the process. */
export function abandon(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => undefined);
}

/** Gives the value, unless it is a promise. */
export function atOnce<T>(value: T, what: string): T {
  if (!isThenable(value)) return value;
  abandon(value);
  throw invalidArgument(`${what} gave a promise; nothing waits for it, so give the value itself`);
}
