/**
 * How a state reads as JSON, which is what patches speak of. A Map reads as an object: its keys as text, the later of two that read the same;
 * a Set as an array in its order. As in JSON.stringify, members that are undefined are left out, and NaN, the infinities and an undefined
 * element read as null. A bigint reads as its digits.
 */
import { setMember } from '../projections/state-value.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** One level of a value as JSON: a primitive, an array or an object. JSON is its own view; the parts are not looked at. */
export function viewOf(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return String(value);
  if (value === undefined) return null;
  if (value instanceof Set) return [...(value as ReadonlySet<unknown>)];
  if (value instanceof Map) {
    const view = Object.create(null) as object;
    for (const [key, part] of value as ReadonlyMap<unknown, unknown>) {
      setMember(view, String(key), part);
    }
    return view;
  }
  return value;
}

export function isObjectView(view: unknown): view is JsonObject {
  return typeof view === 'object' && view !== null && !Array.isArray(view);
}

/** Names of the members that JSON keeps. */
export function keysOf(view: JsonObject): string[] {
  const keys = Object.keys(view);
  return keys.every((key) => view[key] !== undefined)
    ? keys
    : keys.filter((key) => view[key] !== undefined);
}

export function hasMember(view: JsonObject, key: string): boolean {
  return Object.hasOwn(view, key) && view[key] !== undefined;
}

/** The value as frozen JSON; the value itself where it is that already. Patches share it with the state that it comes from. */
export function jsonOf(value: unknown): unknown {
  const view = viewOf(value);
  if (Array.isArray(view)) {
    const parts = view.map(jsonOf);
    const same =
      view === value && Object.isFrozen(value) && parts.every((part, i) => part === view[i]);
    return same ? value : Object.freeze(parts);
  }
  if (!isObjectView(view)) return view;
  let same = view === value && Object.isFrozen(value);
  const copy = {};
  const keys = keysOf(view);
  if (keys.length !== Object.keys(view).length) same = false;
  for (const key of keys) {
    const part = jsonOf(view[key]);
    if (part !== view[key]) same = false;
    setMember(copy, key, part);
  }
  return same ? value : Object.freeze(copy);
}

/** Whether two values read the same as JSON. The order of members does not count. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  const a = viewOf(left);
  const b = viewOf(right);
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((part, index) => sameJson(part, b[index]));
  }
  if (!isObjectView(a) || !isObjectView(b)) return a === b;
  const keys = keysOf(a);
  if (keys.length !== keysOf(b).length) return false;
  return keys.every((key) => hasMember(b, key) && sameJson(a[key], b[key]));
}

/** A text that two values have in common exactly when they read the same as JSON. */
export function textOf(value: unknown): string {
  const view = viewOf(value);
  if (Array.isArray(view)) return `[${view.map(textOf).join(',')}]`;
  if (!isObjectView(view)) return JSON.stringify(view) ?? 'null';
  const members = keysOf(view).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${textOf(view[key])}`).join(',')}}`;
}
