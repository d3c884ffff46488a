/**
 * History, then what is appended, for one reader: `store.subscribe` (docs/SUBSCRIPTIONS.md). Pull-based: a batch of the log is read when the one before it
 * was given out, so that a slow reader costs one batch of memory.
 *
 * Life: made, begun by the first `next()`, ended once and for good. Whatever ends it goes through `#end`, which gives back what it holds.
 */
import { invalidArgument, RecollectError, StoreClosedError } from '../errors.js';
import type { Beginning } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import { onAbort } from '../log/on-abort.js';
import type { RecordedEvent } from '../log/types.js';
import type { Events, RecordedEventOf } from '../projections/events.js';
import { Checkpoint } from './checkpoint.js';
import {
  CHECKPOINT_STREAMS,
  type Progress,
  progressAt,
  subscriptionEnded,
} from './checkpoint-record.js';
import { claimCheckpoint } from './claim.js';
import { checkBeginning, LiveReading, PAGE_POSITIONS } from './live-reading.js';
import { takeSubscriptionLock } from './subscription-lock.js';
import type { SubscriptionSettings } from './subscription-options.js';

/** What one open subscription is doing. */
export interface SubscriptionStats {
  readonly name?: string;
  /** Everything up to this position was given or passed over. */
  readonly position: number;
  /** Commits behind that, as far as this process knows. */
  readonly lag: number;
  /** Events given since it began. */
  readonly given: number;
  /** Whether somebody asked for an event that there is not yet. */
  readonly waiting: boolean;
  /** Of a named one: everything up to this position is done, durably. */
  readonly checkpoint?: number;
  /** What saving that failed with last; it is tried again. */
  readonly lastError?: string;
}

/** What a subscription needs of its store. */
export interface SubscriptionSource {
  readonly log: LogInternals;
  /** Told to those who find its name taken. */
  readonly label: string;
  /** Makes events what they are now. */
  readonly interpret: ((event: RecordedEvent) => RecordedEvent) | undefined;
  readonly began: (subscription: OpenSubscription) => void;
  readonly ended: (subscription: OpenSubscription) => void;
}

/** A subscription as its store sees it. */
export interface OpenSubscription {
  readonly stats: SubscriptionStats;
  close(): Promise<void>;
  closeSync(): void;
}

/** What `next` gives. */
export type SubscriptionResult<E extends Events> = IteratorResult<RecordedEventOf<E>, undefined>;

const DONE = Object.freeze({ done: true, value: undefined });

/**
 * The events of a store from a place on, one after the other, without an end: first those that stand, then those that come, here or in other processes.
 * For one reader: iterating it again goes on where it was.
 */
export class Subscription<E extends Events = Events>
  implements AsyncIterableIterator<RecordedEventOf<E>, undefined, undefined>, OpenSubscription
{
  /** Undefined when it keeps no checkpoint. */
  readonly name: string | undefined;
  readonly #source: SubscriptionSource;
  readonly #settings: SubscriptionSettings;
  readonly #stop = new AbortController();
  #reading: LiveReading | undefined;
  #checkpoint: Checkpoint | undefined;
  #giveBack: (() => void) | undefined;
  #beginning: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;
  #batch: readonly RecordedEvent[] = [];
  #index = 0;
  /** Behind the batch. */
  #problem: { readonly error: unknown } | undefined;
  /** Why it ended; told once. */
  #failure: { readonly error: unknown } | undefined;
  #given: RecordedEvent | undefined;
  #count = 0;
  #position = 0;
  /** The last call that is not answered yet. */
  #last: Promise<unknown> | undefined;

  /** @internal Made by `store.subscribe`. */
  constructor(source: SubscriptionSource, settings: SubscriptionSettings) {
    const { name, begin, signal } = settings;
    this.name = name;
    this.#source = source;
    this.#settings = settings;
    this.#position = begin.position - 1;
    if (!signal) return;
    const aborted = () => void this.#end({ error: signal.reason }).catch(() => {});
    if (signal.aborted) aborted();
    else this.#stopListening = onAbort(signal, aborted);
  }

  /** Everything up to this position was given or passed over; where the last event that was given stands. */
  get position(): number {
    return Math.max(this.#position, this.#given?.position ?? 0);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next event, as soon as there is one. Asking for it says that the one before is done. Calls that do not wait for one another are answered in order.
   * While it waits the process lives.
   *
   * After `return()`, or when the store was closed, there is none. Any failure, the signal's reason among them, is told once and ends the subscription.
   * @throws SubscriptionInUseError, PositionAheadError, HistoryPrunedError, StoreDamagedError, StoreMovedError, UnknownSchemaVersionError, UpcastFailedError;
   * of a named one also what appending throws
   */
  next(): Promise<SubscriptionResult<E>> {
    if (!this.#last && !this.#ending) {
      const event = this.#take();
      if (event) return Promise.resolve(given<E>(event));
    }
    const answer = () => this.#next();
    const promise = this.#last ? this.#last.then(answer, answer) : answer();
    this.#last = promise;
    const answered = () => {
      if (this.#last === promise) this.#last = undefined;
    };
    promise.then(answered, answered);
    return promise;
  }

  /** Ends it: saves what is done and gives the name back. The event that was given last is done only if another one was asked for, or `checkpoint()` said so. */
  async return(): Promise<SubscriptionResult<E>> {
    await this.#end(undefined);
    return DONE;
  }

  /**
   * Says that every event that was given is done, and resolves when that is durable.
   * @throws TypeError without a name; RecollectError (`SUBSCRIPTION_ENDED`) when it ended before; what appending throws: then they may come again
   */
  async checkpoint(): Promise<void> {
    if (this.name === undefined) {
      throw invalidArgument(
        'only a subscription with a name has a checkpoint; subscribe({ name })',
      );
    }
    if (this.#ending) {
      throw subscriptionEnded();
    }
    if (this.#given) this.#checkpoint?.done(this.#given, this.#count);
    await this.#checkpoint?.save();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(undefined);
  }

  /** @internal */
  get stats(): SubscriptionStats {
    const { name, position } = this;
    const { lastError } = this.#checkpoint ?? {};
    return {
      ...(name === undefined ? {} : { name }),
      position,
      lag: Math.max(0, this.#source.log.position - position),
      given: this.#count,
      waiting: this.#reading?.isWaiting ?? false,
      ...(this.#checkpoint ? { checkpoint: this.#checkpoint.position } : {}),
      ...(lastError === undefined ? {} : { lastError: messageOf(lastError) }),
    };
  }

  /** @internal The store is being closed: hands over what is to be saved at once. What cannot be saved comes again. */
  close(): Promise<void> {
    return this.#end(undefined).catch(() => {});
  }

  /** @internal */
  closeSync(): void {
    this.#settle(undefined);
    this.#ending ??= Promise.resolve();
    try {
      this.#checkpoint?.endSync(this.#passedAtEnd());
    } catch (error) {
      if (!(error instanceof RecollectError)) throw error;
    } finally {
      this.#release();
    }
  }

  /** The next event that is there already; says that the one before is done. */
  #take(): RecordedEvent | undefined {
    const checkpoint = this.#checkpoint;
    if (checkpoint && this.#given) {
      checkpoint.done(this.#given, this.#count);
      if (!checkpoint.hasRoom) return undefined;
    }
    if (this.#index === this.#batch.length) return undefined;
    const event = this.#batch[this.#index] as RecordedEvent;
    this.#index += 1;
    this.#given = event;
    this.#count += 1;
    return event;
  }

  async #next(): Promise<SubscriptionResult<E>> {
    try {
      if (!this.#ending) {
        this.#beginning ??= this.#begin();
        await this.#beginning;
      }
      while (!this.#ending) {
        const event = this.#take();
        if (event) return given<E>(event);
        if (this.#checkpoint?.hasRoom === false) await this.#checkpoint.makeRoom();
        else await this.#load();
      }
    } catch (error) {
      // Whoever ended it meanwhile, by closing the store under it, knows.
      if (!this.#ending && !(error instanceof StoreClosedError)) this.#settle({ error });
      await this.#end(undefined).catch(() => {});
      // The store may have been closed at once while it was taking its name.
      this.#release();
    }
    // What it holds is given back before anybody hears of the end.
    await this.#ending?.catch(() => {});
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
    return DONE;
  }

  async #begin(): Promise<void> {
    const { log, label, began } = this.#source;
    const { begin, filter, name } = this.#settings;
    began(this);
    let place = begin;
    if (name !== undefined) {
      this.#giveBack = await log.run(takeSubscriptionLock(log, name, label));
      place = await this.#beginNamed(name);
    }
    await log.run(checkBeginning(log, place));
    this.#reading = new LiveReading(log, filter, place);
    this.#position = place.position - 1;
  }

  async #beginNamed(name: string): Promise<Beginning> {
    const { log } = this.#source;
    const claimed = await claimCheckpoint(log, name, this.#settings.begin);
    const onFailure = (error: unknown) => void this.#end({ error }).catch(() => {});
    this.#checkpoint = new Checkpoint(log, name, claimed, onFailure);
    return claimed.place;
  }

  async #load(): Promise<void> {
    if (this.#problem) throw this.#problem.error;
    const reading = this.#reading as LiveReading;
    const batch = await reading.read(this.#stop.signal);
    if (batch.length > 0) this.#receive(batch);
    else if (!this.#ending) await this.#pass(reading.next);
  }

  /** The events of a batch that are for this reader, in their newest shape. */
  #receive(batch: readonly RecordedEvent[]): void {
    const { interpret } = this.#source;
    const { checkpoints, raw } = this.#settings;
    const mine = checkpoints ? batch : withoutCheckpoints(batch);
    this.#index = 0;
    this.#batch = mine;
    if (!interpret || raw) return;
    const events: RecordedEvent[] = [];
    this.#batch = events;
    for (const event of mine) {
      try {
        events.push(interpret(event));
      } catch (error) {
        // What stands before it is given first.
        this.#problem = { error };
        return;
      }
    }
  }

  /** Everything before that position was given and done, or is for others. */
  async #pass(next: number): Promise<void> {
    this.#position = next - 1;
    const checkpoint = this.#checkpoint;
    if (!checkpoint) return;
    // The checkpoints of all others are passed over, too: to save that each time would never end.
    const isFar = next - 1 - checkpoint.position >= PAGE_POSITIONS;
    if (!isFar && !(checkpoint.isOld && next - 1 > checkpoint.position)) return;
    const { log } = this.#source;
    const progress = await log.run(progressAt(log, { position: next, index: 0 }));
    if (!this.#ending) checkpoint.passed(progress);
  }

  /**
   * What was passed over since the last checkpoint is part of the last one, or a reader that has nothing to do would fall behind what retention keeps. Here
   * and now: the store may be closing.
   */
  #passedAtEnd(): Progress | undefined {
    const checkpoint = this.#checkpoint;
    const position = this.#position;
    // Before it reads it has no place; and where an event was given since, that one counts.
    if (!checkpoint || !this.#reading || this.position > position) return undefined;
    if (!checkpoint.isWorthMoving(position)) return undefined;
    const { log } = this.#source;
    try {
      return log.runSync(progressAt(log, { position: position + 1, index: 0 }));
    } catch (error) {
      // Then the place before stays: what ends here must end.
      if (!(error instanceof RecollectError)) throw error;
      return undefined;
    }
  }

  #end(failure: { readonly error: unknown } | undefined): Promise<void> {
    if (!this.#ending) {
      this.#settle(failure);
      this.#ending = this.#finish();
    }
    return this.#ending;
  }

  /** Nothing more is given, and nobody waits. */
  #settle(failure: { readonly error: unknown } | undefined): void {
    this.#failure ??= failure;
    this.#batch = [];
    this.#index = 0;
    this.#stopListening?.();
    this.#stop.abort();
  }

  async #finish(): Promise<void> {
    try {
      // Handed over before anything is waited for: the store may be closing.
      await this.#checkpoint?.end(this.#passedAtEnd());
    } finally {
      // It may be taking its name at this moment.
      await this.#beginning?.catch(() => {});
      this.#release();
    }
  }

  #release(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
    this.#source.ended(this);
  }
}

function given<E extends Events>(event: RecordedEvent): SubscriptionResult<E> {
  return { done: false, value: event as RecordedEventOf<E> };
}

/** Mostly there is none, and nothing to copy. */
function withoutCheckpoints(batch: readonly RecordedEvent[]): readonly RecordedEvent[] {
  return batch.some(isCheckpoint) ? batch.filter((event) => !isCheckpoint(event)) : batch;
}

function isCheckpoint({ stream }: RecordedEvent): boolean {
  return stream.startsWith(CHECKPOINT_STREAMS);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
