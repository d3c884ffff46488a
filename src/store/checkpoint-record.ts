/** A checkpoint as it stands in the log: an event of a stream of the store's own (docs/FORMAT.md, "Checkpoints of subscriptions"). */
import {
  HistoryPrunedError,
  InvalidEventError,
  RecollectError,
  SubscriptionInUseError,
  UnknownSchemaVersionError,
  VersionConflictError,
} from '../errors.js';
import { nextBatch } from '../log/event-sequence.js';
import type { Beginning } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { CommitPart, RecordedEvent } from '../log/types.js';

/** What the names of their streams begin with. */
export const CHECKPOINT_STREAMS = '$subscription/';
export const CHECKPOINT_TYPE = '$subscription.moved';

/** Data of the event. */
interface CheckpointData {
  /** Id of the first event that is not done, which need not stand yet. */
  readonly next: string;
  /** Every commit before this time is done, whatever its position has become; null: none need be. */
  readonly time: string | null;
  /** Id of the store whose positions these are. */
  readonly store: string;
}

/** A place in the log, and what leads there when positions have changed. */
export interface Progress {
  readonly place: Beginning;
  readonly time: string | null;
}

export interface FoundCheckpoint {
  /** Where to begin; `undefined` when there is none yet. */
  readonly place: Beginning | undefined;
  /** Of the stream. */
  readonly version: number;
  /** When it was saved, ISO 8601, '' when there is none. */
  readonly time: string;
}

/** The place behind an event. */
export function behind({ position, index, last }: RecordedEvent): Beginning {
  return last ? { position: position + 1, index: 0 } : { position, index: index + 1 };
}

/** The place with the time that belongs to it: of the last commit before it or, where that is not kept any more, of the first behind it. */
export function* progressAt(log: LogInternals, place: Beginning): Io<Progress> {
  const { position, index } = place;
  try {
    return { place, time: yield* timeOf(log, index > 0 ? position : position - 1) };
  } catch (error) {
    if (!(error instanceof HistoryPrunedError)) throw error;
    return { place, time: yield* timeOf(log, position) };
  }
}

function* timeOf(log: LogInternals, position: number): Io<string | null> {
  if (position < 1) return null;
  if (position === log.position) return log.time;
  const work = log.readingAll({ from: position, to: position, limit: 1 })();
  const [event] = (yield* nextBatch(work)) ?? [];
  return event?.time ?? null;
}

/** The last checkpoint of that stream. @throws InvalidEventError, UnknownSchemaVersionError, HistoryPrunedError, StoreDamagedError */
export function* findCheckpoint(log: LogInternals, stream: string): Io<FoundCheckpoint> {
  const work = log.readingStream(stream, { direction: 'backward', limit: 1 })();
  const [event] = (yield* nextBatch(work)) ?? [];
  if (!event) return { place: undefined, version: 0, time: '' };
  const { version, time } = event;
  return { place: yield* placeIn(log, event), version, time };
}

function* placeIn(log: LogInternals, event: RecordedEvent): Io<Beginning> {
  const { next, time, store } = checkedData(event);
  if (store === log.storeId) return next;
  // Positions may have changed on the way here, times have not: nothing before the first commit of that time is new.
  if (time === null) return { position: 1, index: 0 };
  const before = new Date(Date.parse(time) - 1).toISOString();
  return { position: (yield* log.positionAt(before, log.position)) + 1, index: 0 };
}

function checkedData(event: RecordedEvent): Omit<CheckpointData, 'next'> & { next: Beginning } {
  const { type, schemaVersion, position, stream, version, data } = event;
  if (schemaVersion > 1) {
    throw new UnknownSchemaVersionError({ type, schemaVersion, known: 1, position });
  }
  const { next, time, store } = (data ?? {}) as Partial<Record<keyof CheckpointData, unknown>>;
  const match = typeof next === 'string' && /^([1-9][0-9]{0,15})\.([0-9]{1,9})$/.exec(next);
  const isTime = typeof time === 'string' && !Number.isNaN(Date.parse(time));
  if (type !== CHECKPOINT_TYPE || !match || !(isTime || time === null) || store === undefined) {
    throw new InvalidEventError(
      `${stream}@${version}`,
      'this is no checkpoint of a subscription',
      'Something else wrote to its stream; use another name for the subscription.',
    );
  }
  const place = { position: Number(match[1]), index: Number(match[2]) };
  return { next: place, time: isTime ? time : null, store: String(store) };
}

/** What `log.commitOwn` writes on top of that version. */
export function checkpointPart(
  log: LogInternals,
  name: string,
  { place, time }: Progress,
  expectedVersion: number,
): CommitPart {
  const next = `${place.position}.${place.index}`;
  const data: CheckpointData = { next, time, store: log.storeId };
  const events = { type: CHECKPOINT_TYPE, data };
  return { stream: `${CHECKPOINT_STREAMS}${name}`, events, expectedVersion };
}

/** What a failure to write one means: nobody but another reader of the name writes to its stream. */
export function checkpointFailure(name: string, error: unknown): unknown {
  if (!(error instanceof VersionConflictError)) return error;
  return new SubscriptionInUseError({ subscription: name });
}

export function subscriptionEnded(): RecollectError {
  return new RecollectError(
    'SUBSCRIPTION_ENDED',
    'The subscription has ended, and its name may be read by another. Call checkpoint() before return(), and before leaving a loop over it.',
  );
}
