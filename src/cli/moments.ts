/** Ranges of the log as they are asked for, by position or by time. */
import { HistoryPrunedError } from '../errors.js';
import type { Store } from '../store.js';
import { momentOf } from './times.js';

export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * The positions of a range; undefined when nothing is in it. Who does not say where it begins means everything that retention has kept.
 * @throws what `store.at` throws
 */
export async function rangeOf(
  store: Store,
  { from, to }: AskedRange,
): Promise<{ readonly from?: number; readonly to?: number } | undefined> {
  const first = from === undefined ? await firstKept(store) : await firstOf(store, momentOf(from));
  const last = to === undefined ? store.head.position : await store.at(momentOf(to)).position();
  return first > last ? undefined : { from: first, to: last };
}

/** Where the log begins: 1, unless retention took the beginning away. */
async function firstKept(store: Store): Promise<number> {
  try {
    await store.readAll({ from: 1, limit: 1, raw: true }).toArray();
    return 1;
  } catch (error) {
    if (error instanceof HistoryPrunedError) return error.firstPosition;
    throw error;
  }
}

/** The first position at a moment or behind it. */
export async function firstOf(store: Store, moment: number | string): Promise<number> {
  if (typeof moment === 'number') return Math.max(1, moment);
  const { checkedMoment } = await import('../store.js');
  const checked = checkedMoment(moment);
  const milliseconds = 'time' in checked ? Date.parse(checked.time) : 0;
  // A time includes all commits of its millisecond: what is before it has none of them.
  if (milliseconds <= 0) return 1;
  return (await store.at(new Date(milliseconds - 1)).position()) + 1;
}
