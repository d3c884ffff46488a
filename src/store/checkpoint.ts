/**
 * How far a named subscription has come, durably: events of a stream of the store's own (docs/FORMAT.md, "Checkpoints of subscriptions"), of which the
 * last one counts.
 *
 * Invariants:
 * - nothing that is not done lies before a checkpoint: an event is never skipped;
 * - at most `UNSAVED_MAX` events that were given out lie behind it: so many at most come again after a death;
 * - each is written on the condition that the one before is the last of its stream: a second reader, if ever there were one, fails instead of moving it.
 */
import { systemCode } from '../errors.js';
import type { Beginning } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import type { CommitPart, Committed, RecordedEvent } from '../log/types.js';
import {
  behind,
  checkpointFailure,
  checkpointPart,
  type FoundCheckpoint,
  type Progress,
  subscriptionEnded,
} from './checkpoint-record.js';

/** Events given out that a checkpoint does not cover yet, at most. */
export const UNSAVED_MAX = 1000;
/** From so many on one is written at once. */
const UNSAVED_HIGH = 750;
/** Between the beginnings of two writes, ms, unless there is much to save. */
const INTERVAL_MS = 100;
/** Until the next attempt when one failed, ms. */
const RETRY_MS = 1000;
/** A checkpoint that is older is written again once there is a later place, so that it does not go with the history that retention drops, ms. */
const OLD_MS = 3_600_000;
/** Passed over without an event, so many are worth a checkpoint at the end. */
const MANY_POSITIONS = 100;

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
  /** Grows with each of them. */
  #change = 0;
  /** Up to which they are durable. */
  #savedChange = 0;
  /** Whether there is more than what was saved, or is being saved. */
  #isBehind = false;
  /** When the last one was saved, ms since 1970. */
  #savedAt: number;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt: number;
  #lastError: unknown;
  #ended = false;
  /** The last write of all. */
  #ending: Promise<void> | undefined;

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
    const { clock, monotonic } = log.environment;
    const now = clock();
    this.#savedAt = Date.parse(found.time) || now;
    this.#dueAt = monotonic() + INTERVAL_MS - Math.max(0, now - this.#savedAt);
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

  /** Whether nothing was saved for so long that retention may come near. */
  get isOld(): boolean {
    return this.#log.environment.clock() - this.#savedAt >= OLD_MS;
  }

  /**
   * Whether a reader that ends at that position, past what is done, leaves its place there. Not for a few commits, which may all be checkpoints: who has
   * nothing to do would write one each time that it looks.
   */
  isWorthMoving(position: number): boolean {
    const passed = position - this.position;
    return passed >= MANY_POSITIONS || (passed > 0 && this.isOld);
  }

  /**
   * That event is done, and with it all that were given before. Here every event comes along: it costs two comparisons, mostly.
   * @param count - how many were given
   */
  done(event: RecordedEvent, count: number): void {
    if (count === this.#count) return;
    this.#done = event;
    this.#count = count;
    this.#change += 1;
    this.#isBehind = true;
    if (this.#writing) return;
    const isMuch = count - this.#savedCount >= UNSAVED_HIGH && this.#lastError === undefined;
    if (this.#timer === undefined || isMuch) this.#soon(isMuch);
  }

  /** Everything before that place was given and done, or is not for this subscription. */
  passed(progress: Progress): void {
    this.#pass(progress);
    if (!this.#writing && this.#timer === undefined) this.#soon(false);
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

  #pass(progress: Progress | undefined): void {
    if (!progress || this.#ended) return;
    this.#done = progress;
    this.#change += 1;
    this.#isBehind = true;
  }

  /**
   * Resolves when all that was done until this call is saved.
   * @throws what writing it failed with; RecollectError (`SUBSCRIPTION_ENDED`) when it ended without
   */
  async save(): Promise<void> {
    const change = this.#change;
    // It may cover less. What it fails with does not matter when the next attempt succeeds.
    await this.#writing?.catch(() => {});
    if (this.#savedChange >= change) return;
    if (!this.#ended) await this.#write();
    await this.#ending?.catch(() => {});
    if (this.#savedChange < change) throw this.#lastError ?? subscriptionEnded();
  }

  /**
   * The last one. It is handed over at once, behind what is being written.
   * @param progress - a place that was come to without an event
   * @throws what writing it failed with
   */
  end(progress: Progress | undefined): Promise<void> {
    this.#pass(progress);
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const before = this.#stop();
    if (!this.#isBehind) return await before;
    this.#isBehind = false;
    const cover = this.#covering();
    const last = this.#log.commitOwn([this.#part(before ? 1 : 0)]);
    // When the one before fails, the last one does not find the version that it expects: the cause is what is told.
    const [first, second] = await Promise.allSettled([before, last]);
    if (second.status === 'fulfilled') cover(second.value);
    const failed = [first, second].find((result) => result.status === 'rejected');
    if (!failed) return;
    this.#lastError = checkpointFailure(this.#name, failed.reason);
    throw this.#lastError;
  }

  /** {@link Checkpoint.end}, at once. */
  endSync(progress: Progress | undefined): void {
    this.#pass(progress);
    const before = this.#stop();
    if (!this.#isBehind) return;
    this.#isBehind = false;
    const cover = this.#covering();
    try {
      cover(this.#log.commitOwnSync([this.#part(before ? 1 : 0)]));
    } catch (error) {
      this.#lastError = checkpointFailure(this.#name, error);
      throw this.#lastError;
    }
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
    // The name may be another's by now.
    if (this.#ended) return Promise.reject(this.#lastError ?? subscriptionEnded());
    this.#writing ??= this.#writeNow();
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const { monotonic } = this.#log.environment;
    const cover = this.#covering();
    this.#isBehind = false;
    this.#dueAt = monotonic() + INTERVAL_MS;
    try {
      const committed = await this.#log.commitOwn([this.#part(0)]);
      this.#version += 1;
      cover(committed);
    } catch (error) {
      this.#dueAt = monotonic() + RETRY_MS;
      if (!this.#ended) this.#isBehind = true;
      throw this.#failed(error);
    } finally {
      this.#writing = undefined;
      if (this.#isBehind && !this.#ended) this.#soon(false);
    }
  }

  /** What is to be called when all that is done at this moment is durable. */
  #covering(): (committed: Committed) => void {
    const change = this.#change;
    const count = this.#count;
    const { place } = this.#progress();
    return ({ time }) => {
      // The last one may be settled before the one that it stands behind.
      if (change < this.#savedChange) return;
      this.#savedChange = change;
      this.#savedCount = count;
      this.#saved = place;
      this.#savedAt = Date.parse(time);
      this.#lastError = undefined;
    };
  }

  #failed(error: unknown): unknown {
    const told = checkpointFailure(this.#name, error);
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
    return checkpointPart(this.#log, this.#name, this.#progress(), this.#version + waiting);
  }
}
