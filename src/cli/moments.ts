/** Ranges of the log as they are asked for, by position or by time. */
import { HistoryPrunedError } from '../errors.js';
import type { RecordedEvent, Store } from '../store.js';
import { momentOf } from './times.js';

export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Which of them, and from which end. */
export interface Reading {
  readonly direction?: 'forward' | 'backward' | undefined;
  readonly streams?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
}

/**
 * The events of a range as they are stored. Who does not say where it begins means everything that retention has kept.
 * @throws what `store.at` and `store.readAll` throw; HistoryPrunedError when nothing of what was asked for is left, or when its beginning is not
 */
export async function* eventsWithin(
  store: Store,
  asked: AskedRange,
  reading: Reading = {},
): AsyncGenerator<RecordedEvent> {
  const range = await rangeOf(store, asked);
  if (!range) return;
  const options = { ...range, ...reading, raw: true };
  try {
    yield* store.readAll(options);
  } catch (error) {
    if (!(error instanceof HistoryPrunedError)) throw error;
    const { firstPosition: from } = error;
    if (asked.from !== undefined || from > range.to) throw error;
    // Backward, it has given everything by now.
    if (reading.direction !== 'backward') yield* store.readAll({ ...options, from });
  }
}

/** The positions of a range; undefined when nothing is in it. */
async function rangeOf(
  store: Store,
  { from, to }: AskedRange,
): Promise<{ readonly from: number; readonly to: number } | undefined> {
  const first = from === undefined ? 1 : await firstOf(store, momentOf(from));
  const last = to === undefined ? store.head.position : await store.at(momentOf(to)).position();
  return first > last ? undefined : { from: first, to: last };
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
