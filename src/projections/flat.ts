/**
 * States that are small objects of primitives, such as counters, fold without Immer: the handler is given a copy to change. Nothing in such a
 * copy can be shared with anybody, which is all that a draft is there to prevent, and a draft costs ten times as much as the handler does.
 *
 * As soon as a handler puts an object into the copy, or is in any way surprised by it, folding goes on with drafts.
 */
import { setMember } from './state-value.js';

/** Each event looks at all of them. */
const MEMBERS_MAX = 16;

/** A copy to be changed; undefined for a state that is not small and flat. */
export function flatCopy(state: object): object | undefined {
  if (Array.isArray(state)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(state);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  let members = 0;
  for (const key in state) {
    members += 1;
    if (members > MEMBERS_MAX || holdsObject((state as Record<string, unknown>)[key])) {
      return undefined;
    }
  }
  if (prototype === Object.prototype) return { ...state };
  const copy: object = Object.create(null) as object;
  for (const key in state) setMember(copy, key, (state as Record<string, unknown>)[key]);
  return copy;
}

function holdsObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Whether the copy holds nothing but primitives still. */
export function isFlat(copy: object): boolean {
  for (const key in copy) {
    if (holdsObject((copy as Record<string, unknown>)[key])) return false;
  }
  return true;
}

/** Whether it is still an object of the same kind: an assignment to `__proto__` may have made another of it. */
export function isSameKind(copy: object, state: object): boolean {
  return Object.getPrototypeOf(copy) === Object.getPrototypeOf(state);
}

/** The copy, or the very state that it was made of when nothing was changed. */
export function changedOrSame(copy: object, state: object): object {
  const keys = Object.keys(copy);
  const before = Object.keys(state);
  const same =
    keys.length === before.length &&
    Object.getOwnPropertySymbols(copy).length === 0 &&
    keys.every(
      (key, index) =>
        key === before[index] &&
        Object.is((copy as Record<string, unknown>)[key], (state as Record<string, unknown>)[key]),
    );
  return same ? state : copy;
}
