/** Which documents may be found at all, decided by their columns and marks before any of them is ranked. */
import type { Collection } from './collection.js';
import type { Where } from './document.js';
import { markOf } from './marks.js';

/**
 * Writes a 1 into `allowed` for each document that passes, and gives how many these are.
 * @param livingAt - ms: what is over by then does not pass
 */
export function allow(
  collection: Collection,
  where: Where,
  allowed: Uint8Array,
  livingAt: number | undefined,
): number {
  const { marks: table, ordinals } = collection;
  const { marks = [], anyOf = [], minImportance = 0, since, until } = where;
  allowed.set(collection.columns.alive.subarray(0, ordinals));
  const { lives, columns } = collection;
  if (livingAt !== undefined) lives.keep(allowed, ordinals, columns.life, livingAt);
  // From column to column, because a loop over numbers alone is many times faster than one that decides.
  if (minImportance > 0) keep(allowed, collection.columns.importance, minImportance, undefined);
  if (since !== undefined || until !== undefined) {
    keep(allowed, collection.columns.time, since, until);
  }
  for (const mark of marks) table.keep(allowed, ordinals, [markOf(mark)]);
  for (const list of anyOf) table.keep(allowed, ordinals, list.map(markOf));
  let count = 0;
  for (let ordinal = 0; ordinal < ordinals; ordinal += 1) count += allowed[ordinal] as number;
  return count;
}

/** NaN passes where it is not asked to be at least something. */
function keep(
  allowed: Uint8Array,
  column: Float64Array,
  least: number | undefined,
  most: number = Number.POSITIVE_INFINITY,
): void {
  const from = least ?? Number.NEGATIVE_INFINITY;
  const nothing = least === undefined ? 1 : 0;
  const end = Math.min(allowed.length, column.length);
  for (let ordinal = 0; ordinal < end; ordinal += 1) {
    const value = column[ordinal] as number;
    if (Number.isNaN(value) ? nothing === 0 : value < from || value > most) allowed[ordinal] = 0;
  }
}
