/**
 * How far a named subscription has come, durably: events of a stream of the store's own (docs/FORMAT.md, "Checkpoints of subscriptions"), of which the
 * last one counts.
 *
 * Invariants:
 * - nothing that is not done lies before a checkpoint: an event is never skipped;
 * - at most `UNSAVED_MAX` events that were given out lie behind it: so many at most come again after a death;
 * - each is written on the condition that the one before is the last of its stream: a second reader, if ever there were one, fails instead of moving it.
 */
import {
  HistoryPrunedError,
  InvalidEventError,
  SubscriptionInUseError,
  systemCode,
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

/** Events given out that a checkpoint does not cover yet, at most. */
export const UNSAVED_MAX = 1000;
/** From so many on one is written at once. */
const UNSAVED_HIGH = 750;
/** Between the beginnings of two writes, ms, unless there is much to save. */
const INTERVAL_MS = 100;
/** Until the next attempt when one failed, ms. */
const RETRY_MS = 1000;

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
  if (!event) return { place: undefined, version: 0 };
  const { version } = event;
  const { next, time, store } = checkedData(event);
  if (store === log.storeId) return { place: next, version };
  // Positions may have changed on the way here, times have not: nothing before the first commit of that time is new.
  if (time === null) return { place: { position: 1, index: 0 }, version };
  const before = new Date(Date.parse(time) - 1).toISOString();
  const position = (yield* log.positionAt(before, log.position)) + 1;
  return { place: { position, index: 0 }, version };
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

/** Whatever nothing was written of, and may succeed later. */
const PASSING: ReadonlySet<string | undefined> = new Set([
  'LOCK_TIMEOUT',
  'STORE_FULL',
  'STORE_ACCESS',
  'QUEUE_FULL',
]);

export class Checkpoint {
  readonly #log: LogInternals;
  readonly #name: string;
  readonly #onFailure: (error: unknown) => void;
  #version: number;
  /** The durable one. */
  #saved: Beginning;
  #savedCount = 0;
  /** What may be saved: behind the event that was done last, or a place that was come to without one. */
  #done: RecordedEvent | Progress | undefined;
  #count = 0;
  /** Whether that is more than what was saved, or is being saved. */
  #isBehind = false;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.NEGATIVE_INFINITY;
  #lastError: unknown;
  #ended = false;

  /** @param onFailure - hears of what no later attempt will mend */
  constructor(
    log: LogInternals,
    name: string,
    found: FoundCheckpoint,
    onFailure: (error: unknown) => void,
  ) {
    this.#log = log;
    this.#name = name;
    this.#version = found.version;
    this.#saved = found.place ?? { position: 1, index: 0 };
    this.#onFailure = onFailure;
  }

  /** Everything up to this position is done, durably. */
  get position(): number {
    return this.#saved.position - 1;
  }

  /** What the last attempt failed with; gone with the next that succeeds. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** Whether one more event may be given out. */
  get hasRoom(): boolean {
    return this.#count - this.#savedCount < UNSAVED_MAX;
  }

  /**
   * That event is done, and with it all that were given before. Here every event comes along: it costs two comparisons, mostly.
   * @param count - how many were given
   */
  done(event: RecordedEvent, count: number): void {
    if (count === this.#count) return;
    this.#done = event;
    this.#count = count;
    this.#isBehind = true;
    if (this.#writing) return;
    const isMuch = count - this.#savedCount >= UNSAVED_HIGH && this.#lastError === undefined;
    if (this.#timer === undefined || isMuch) this.#soon(isMuch);
  }

  /** Everything before that place was given and done, or is not for this subscription. */
  passed(progress: Progress): void {
    this.#done = progress;
    this.#isBehind = true;
    if (!this.#writing && this.#timer === undefined) this.#soon(false);
  }

  /** The first one, which fixes the beginning. */
  async begin(progress: Progress): Promise<void> {
    this.#done = progress;
    await this.#orStop(this.#write());
  }

  /** Resolves when there is room; when that fails, nothing is written any more. */
  async makeRoom(): Promise<void> {
    await this.#orStop(this.save());
  }

  async #orStop(saved: Promise<void>): Promise<void> {
    try {
      await saved;
    } catch (error) {
      void this.#stop();
      this.#isBehind = false;
      throw error;
    }
  }

  /** Resolves when all that is done is saved. */
  async save(): Promise<void> {
    await this.#writing?.catch(() => {});
    if (this.#isBehind) await this.#write();
    else await this.#writing;
  }

  /**
   * The last one. It is handed over at once, behind what is being written.
   * @throws what writing it failed with
   */
  async end(): Promise<void> {
    const before = this.#stop();
    if (!this.#isBehind) return await before;
    this.#isBehind = false;
    await Promise.all([before, this.#log.commitOwn([this.#part(before ? 1 : 0)])]);
  }

  /** {@link Checkpoint.end}, at once. */
  endSync(): void {
    const before = this.#stop();
    if (!this.#isBehind) return;
    this.#isBehind = false;
    this.#log.commitOwnSync([this.#part(before ? 1 : 0)]);
  }

  #stop(): Promise<void> | undefined {
    this.#ended = true;
    clearTimeout(this.#timer);
    return this.#writing;
  }

  #soon(atOnce: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waitMs = atOnce ? 0 : this.#dueAt - this.#log.environment.monotonic();
    const write = (): void => {
      this.#timer = undefined;
      // Whoever must know of a failure is told by `onFailure`, or when there is no more room.
      this.#write().catch(() => {});
    };
    if (waitMs <= 0) write();
    // It keeps no process alive: what is not saved comes again.
    else this.#timer = setTimeout(write, waitMs).unref();
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeNow();
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const { monotonic } = this.#log.environment;
    const count = this.#count;
    const { place } = this.#progress();
    this.#isBehind = false;
    this.#dueAt = monotonic() + INTERVAL_MS;
    try {
      await this.#log.commitOwn([this.#part(0)]);
      this.#version += 1;
      this.#saved = place;
      this.#savedCount = count;
      this.#lastError = undefined;
    } catch (error) {
      this.#isBehind = true;
      this.#dueAt = monotonic() + RETRY_MS;
      throw this.#failed(error);
    } finally {
      this.#writing = undefined;
      if (this.#isBehind && !this.#ended) this.#soon(false);
    }
  }

  #failed(error: unknown): unknown {
    const told =
      error instanceof VersionConflictError
        ? new SubscriptionInUseError({ subscription: this.#name })
        : error;
    this.#lastError = told;
    if (!PASSING.has(systemCode(told))) {
      // Nothing more may be written under this name.
      this.#isBehind = false;
      this.#ended = true;
      this.#onFailure(told);
    }
    return told;
  }

  #progress(): Progress {
    const done = this.#done;
    if (!done) return { place: this.#saved, time: null };
    return 'place' in done ? done : { place: behind(done), time: done.time };
  }

  /** @param waiting - checkpoints that are handed over and not settled */
  #part(waiting: number): CommitPart {
    const { place, time } = this.#progress();
    const data: CheckpointData = {
      next: `${place.position}.${place.index}`,
      time,
      store: this.#log.storeId,
    };
    return {
      stream: `${CHECKPOINT_STREAMS}${this.#name}`,
      events: { type: CHECKPOINT_TYPE, data },
      expectedVersion: this.#version + waiting,
    };
  }
}
