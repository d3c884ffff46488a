/** Patches as people read them: what was, what is. */
import { applyPatch, type JsonPatch } from '../store.js';
import type { Context } from './context.js';
import { jsonOf } from './escape.js';

/**
 * One line for each value that changed: `+ /name: "Anna"`, `~ /visits: 0 → 1`, `- /mail: "old"`.
 * @param before - the state that the patches change; undefined for none
 */
export function changeLines(
  { paint }: Context,
  before: unknown,
  patches: readonly JsonPatch[],
): string[] {
  const lines: string[] = [];
  let state = before;
  for (const patch of patches) {
    const was = valueAt(state, patch.path);
    switch (patch.op) {
      case 'add':
        for (const [path, value] of leavesOf(patch.path, patch.value)) {
          lines.push(paint.added(`+ ${path || '/'}: ${jsonOf(value)}`));
        }
        break;
      case 'remove':
        for (const [path, value] of leavesOf(patch.path, was)) {
          lines.push(paint.removed(`- ${path || '/'}: ${jsonOf(value)}`));
        }
        break;
      case 'replace':
        lines.push(
          paint.warning(`~ ${patch.path || '/'}: ${jsonOf(was)} → ${jsonOf(patch.value)}`),
        );
        break;
      default:
        lines.push(paint.warning(`~ ${patch.path || '/'}: ${patch.op}`));
    }
    state = applyPatch(state, [patch]);
  }
  return lines;
}

/** The members of an object one by one, so that a state that appears can be read; anything else as it is. */
function leavesOf(path: string, value: unknown): (readonly [path: string, value: unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  const members = Object.entries(value);
  if (members.length === 0) return [[path, value]];
  return members.map(([name, member]) => [`${path}/${stepOf(name)}`, member] as const);
}

/** RFC 6901. */
function stepOf(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function valueAt(state: unknown, path: string): unknown {
  if (path === '') return state;
  let value = state;
  for (const step of path.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return undefined;
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
