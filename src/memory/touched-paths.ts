/** Which places of a state patches change, as JSON pointers. */
import type { JsonPatch } from '../store.js';

/** Whether a pointer is the other one, or leads through it. */
export function isAtOrBelow(path: string, other: string): boolean {
  return path === other || path.startsWith(`${other}/`);
}

/** Whether one pointer is the other, or leads through it. */
export function overlaps(left: string, right: string): boolean {
  return isAtOrBelow(left, right) || isAtOrBelow(right, left);
}

/**
 * The places that patches changed between two states, without those at or below the pointers to be ignored. An element that came into an array or left
 * it changes the array: those behind it stand elsewhere now.
 */
export function touchedPaths(
  before: unknown,
  after: unknown,
  patches: readonly JsonPatch[],
  ignored: readonly string[],
): string[] {
  const touched = new Set<string>();
  for (const { op, path } of patches) {
    if (ignored.some((pointer) => isAtOrBelow(path, pointer))) continue;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const moves = op !== 'replace' && path !== '';
    const inArray = moves && (isArrayAt(before, parent) || isArrayAt(after, parent));
    touched.add(inArray ? parent : path);
  }
  return [...touched];
}

function isArrayAt(state: unknown, pointer: string): boolean {
  let value = state;
  for (const step of pointer === '' ? [] : pointer.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return false;
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Object.hasOwn(value, name)) return false;
    value = (value as Record<string, unknown>)[name];
  }
  return Array.isArray(value);
}
