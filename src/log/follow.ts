/** Reading that does not end: history, then what is appended, in log order. */
import { invalidArgument, PositionAheadError, StoreClosedError } from '../errors.js';
import type { Changes } from './changes.js';
import { type ReadSource, readAll } from './reader.js';
import type { FollowOptions, RecordedEvent } from './types.js';

/** A log that is followed. */
export interface FollowSource {
  readonly reading: ReadSource;
  readonly changes: Changes;
  readonly isClosing: boolean;
  /** Looks for commits of other processes now. Gives the position of the last one known. */
  refresh(): Promise<number>;
}

/** The first event to give: a commit's position, and a place in that commit. */
export interface Beginning {
  readonly position: number;
  readonly index: number;
}

/** @throws TypeError unless it says where to begin */
export function checkedFrom(from: FollowOptions['from']): Beginning | 'end' {
  if (from === undefined || from === 'start') return { position: 1, index: 0 };
  if (from === 'end') return from;
  if (typeof from === 'number') {
    if (Number.isSafeInteger(from) && from >= 1) return { position: from, index: 0 };
    throw invalidArgument('from must be a position, an integer from 1');
  }
  const after: unknown = (from as { after?: unknown } | null)?.after;
  const match = typeof after === 'string' && /^([1-9][0-9]{0,15})\.([0-9]{1,9})$/.exec(after);
  if (match) return { position: Number(match[1]), index: Number(match[2]) + 1 };
  throw invalidArgument(
    "from must be 'start', 'end', a position, or { after: the id of an event }",
  );
}

/** The events from there on, until the signal is aborted or the log is closed. */
export async function* followFrom(
  source: FollowSource,
  begin: Beginning,
  filter: Pick<FollowOptions, 'types' | 'streams'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<RecordedEvent, void, undefined> {
  const { changes, reading } = source;
  try {
    let { position, index } = begin;
    const head = await source.refresh();
    // Behind the last event there may be nothing yet; an event itself must stand.
    if (position > head + (index === 0 ? 1 : 0)) throw new PositionAheadError(position, head);
    while (!signal?.aborted && !source.isClosing) {
      const waiting = changes.next(signal);
      const to = await source.refresh();
      if (position > to) {
        await waiting;
        continue;
      }
      for await (const event of readAll.async(reading, { ...filter, from: position, to })) {
        if (event.position === position && event.index < index) continue;
        if (signal?.aborted) return;
        yield event;
      }
      position = to + 1;
      index = 0;
    }
  } catch (error) {
    if (error instanceof StoreClosedError && source.isClosing) return;
    throw error;
  }
}
