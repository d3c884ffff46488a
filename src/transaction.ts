/**
 * Transactions: reads as of one position plus the transaction's own writes, one commit at the end. Optimistic: no lock is held while the function
 * runs; what it read is a condition of the commit, decided against the true end of the log (src/log/guard.ts).
 *
 * Invariants:
 * - nothing is written unless the function ended, in time, without throwing;
 * - an attempt that was given up writes nothing: it is cut off from the store before the next one begins;
 * - the outcome of the commit is what the caller is told, also when it comes after the time ran out.
 */
import {
  checkOptionNames,
  invalidArgument,
  type MovedRead,
  optionNames,
  TransactionConflictError,
  TransactionTimeoutError,
} from './errors.js';
import { checkSignal } from './log/on-abort.js';
import type { CommitContext, ExpectedVersion } from './log/types.js';
import type { Projection } from './projections/define.js';
import type { Events, NewEventOf } from './projections/events.js';
import type { AsyncEntries, EntriesOptions } from './projections/types.js';
import { Attempt, type AttemptParts, type Level, type Queue } from './transaction/attempt.js';
import type { Savepoint } from './transaction/buffer.js';
import { Handle } from './transaction/handle.js';
import { Lanes } from './transaction/lanes.js';
import type { TransactionSource } from './transaction/source.js';
import { TransactionCounts, type TransactionStats } from './transaction/statistics.js';
import { TimeLimit } from './transaction/time-limit.js';

export type { Savepoint, TransactionSource, TransactionStats };

/** What may happen between a transaction's reads and its commit. */
export type Isolation =
  /** Nothing that it read has changed: as if it had run alone. The default. */
  | 'serializable'
  /** No stream that it writes has changed. What it only read may have: write skew is possible. */
  | 'snapshot'
  /** Another name for `snapshot`. */
  | 'repeatable-read'
  /** Anything but what `append` demands with an `expectedVersion`; each read sees what is committed at that moment. */
  | 'read-committed'
  /** The same: nothing uncommitted can be read. */
  | 'read-uncommitted';

export interface TransactionOptions extends CommitContext {
  /** Default `'serializable'`. */
  readonly isolation?: Isolation | undefined;
  /** For all attempts together, ms. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** How often the function may run again after a conflict. Default 10. It runs once more where it only let others go first. */
  readonly retries?: number | undefined;
  /** Aborted before the commit: nothing is written and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The members of {@link TransactionOptions}, for all that takes them and more. */
export const TRANSACTION_MEMBERS: Readonly<Record<keyof TransactionOptions, true>> = {
  isolation: true,
  timeoutMs: true,
  retries: true,
  signal: true,
  actor: true,
  reason: true,
  correlationId: true,
  causationId: true,
  idempotencyKey: true,
};
const OPTIONS = optionNames<TransactionOptions>(TRANSACTION_MEMBERS);

/**
 * What a transaction's function works with. Of no use once the function has ended.
 *
 * Folds see its own events with a position, a time and versions that are the commit's only if nobody commits before.
 */
export interface Transaction<E extends Events = Events> {
  /**
   * Reads see the store as of this position, and the transaction's own writes. It is fixed by the first read, or by asking for it before: a first
   * `get` of a key for which others queue waits for its turn, and reads as of then.
   */
  readonly position: number;
  /** How often the function has run, from 1. */
  readonly attempt: number;
  /** The key's state; undefined when it is absent. @throws ProjectionNotRegisteredError, ProjectionFailedError */
  get<State>(projection: Projection<State>, key: string): Promise<State | undefined>;
  /** Keys and their states, sorted by key. */
  entries<State>(projection: Projection<State>, options?: EntriesOptions): AsyncEntries<State>;
  /** The stream's version, its own writes included; 0 when it is absent. */
  version(stream: string): Promise<number>;
  /**
   * Takes events up for the commit at the end. A version that is demanded counts the transaction's own events before these; what was read of the
   * stream stays a condition beside it.
   * @throws InvalidEventError, LimitExceededError, TypeError
   */
  append(
    stream: string,
    events: NewEventOf<E> | readonly NewEventOf<E>[],
    options?: { readonly expectedVersion?: ExpectedVersion | undefined },
  ): void;
  /** A place to go back to. */
  savepoint(): Savepoint;
  /** Forgets what was appended since. What was read stays a condition. */
  rollbackTo(savepoint: Savepoint): void;
  /** Ends the transaction with nothing written. @throws TransactionRolledBackError, always */
  rollback(reason: string): never;
}

const TIMEOUT_MS = 30_000;
const RETRIES = 10;
const BACK_OFF_MS = 2;
const BACK_OFF_FACTOR = 1.5;
const BACK_OFF_MS_MAX = 250;

/** Of so many conditions it is asked whether somebody queues for them. */
const BUSY_LANES_ASKED_MAX = 50;

/** A transaction waits in so many lanes at most. */
const LANES_MAX = 8;

const LEVELS: Readonly<Record<Isolation, Level>> = {
  serializable: 'serializable',
  snapshot: 'snapshot',
  'repeatable-read': 'snapshot',
  'read-committed': 'read-committed',
  'read-uncommitted': 'read-committed',
};

interface Settings {
  readonly parts: AttemptParts;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly signal: AbortSignal | undefined;
}

type Work<T> = (handle: Handle) => Promise<T> | T;

/** How one attempt ended, if it did not throw. */
type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'conflict'; readonly moved: readonly MovedRead[] }
  /** Others who lost over the same key before wait in this lane. Nothing was tried. */
  | { readonly kind: 'yielded'; readonly lane: string };

function checkedNumber(value: unknown, name: string, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && value >= 0) return value;
  throw invalidArgument(`${name} must be a number from 0`);
}

/** Runs the transactions of one open store. */
export class Transactions {
  readonly #source: TransactionSource;
  readonly #lanes: Lanes;
  readonly #counts = new TransactionCounts();

  constructor(source: TransactionSource) {
    this.#source = source;
    this.#lanes = new Lanes(source.turns, () => source.monotonic());
  }

  get stats(): TransactionStats {
    return this.#counts.stats;
  }

  async run<T, E extends Events>(
    work: (transaction: Transaction<E>) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    if (typeof work !== 'function') throw invalidArgument('a transaction takes a function');
    const settings = this.#settings(options);
    settings.signal?.throwIfAborted();
    const counts = this.#counts;
    counts.started += 1;
    counts.running += 1;
    const begun = this.#source.monotonic();
    const limit = TimeLimit.begin(settings.timeoutMs, settings.signal);
    try {
      const timed = this.#inTime(work as unknown as Work<T>, settings.timeoutMs, begun);
      const result = await this.#attempts(timed, settings, limit);
      counts.committed += 1;
      counts.took(this.#source.monotonic() - begun);
      return result;
    } catch (error) {
      if (error instanceof TransactionTimeoutError) counts.timedOut += 1;
      else if (error instanceof TransactionConflictError) counts.failed += 1;
      else counts.rolledBack += 1;
      throw error;
    } finally {
      counts.running -= 1;
      limit.end();
    }
  }

  /** A function that keeps its thread busy ends before any timer can say that its time is over. */
  #inTime<T>(work: Work<T>, timeoutMs: number, begun: number): Work<T> {
    return async (handle) => {
      const value = await work(handle);
      if (this.#source.monotonic() - begun <= timeoutMs) return value;
      throw new TransactionTimeoutError(timeoutMs);
    };
  }

  #settings(options: TransactionOptions): Settings {
    checkOptionNames(options, OPTIONS, 'a transaction');
    const { isolation = 'serializable', timeoutMs, retries, signal, ...context } = options;
    if (!Object.hasOwn(LEVELS, isolation)) {
      throw invalidArgument(`isolation must be one of ${Object.keys(LEVELS).join(', ')}`);
    }
    checkSignal(signal);
    return {
      parts: { source: this.#source, level: LEVELS[isolation], context },
      timeoutMs: checkedNumber(timeoutMs, 'timeoutMs', TIMEOUT_MS),
      retries: checkedNumber(retries, 'retries', RETRIES),
      signal,
    };
  }

  async #attempts<T>(work: Work<T>, settings: Settings, limit: TimeLimit): Promise<T> {
    // All that it lost over: who leaves one lane for another loses to those in the first again.
    const lanes = new Set<string>();
    let conflicts = 0;
    let tookMs = 0;
    for (let number = 1; ; number += 1) {
      const left: (() => void)[] = [];
      let outcome: Outcome<T>;
      let begun = 0;
      try {
        // In one order everywhere, so that they do not wait for one another.
        for (const lane of [...lanes].sort()) {
          left.push(await this.#lanes.enter(lane, conflicts, limit.signal, tookMs));
        }
        begun = this.#source.monotonic();
        outcome = await this.#attempt(work, settings.parts, limit, number);
      } finally {
        for (const leave of left) leave();
      }
      tookMs = this.#source.monotonic() - begun;
      if (outcome.kind === 'done') return outcome.value;
      if (outcome.kind === 'yielded') lanes.add(outcome.lane);
      else {
        const { moved } = outcome;
        conflicts += 1;
        this.#counts.conflicted += 1;
        if (conflicts > settings.retries) throw new TransactionConflictError(number, moved);
        const [first] = moved;
        if (lanes.size === LANES_MAX) lanes.clear();
        lanes.add(laneOf(first?.projection ?? '', first?.key ?? first?.stream ?? ''));
        // Not in the lane: others may go meanwhile.
        await limit.pause(this.#backOff(conflicts));
      }
      this.#counts.retried += 1;
    }
  }

  #backOff(conflicts: number): number {
    const pause = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * BACK_OFF_FACTOR ** (conflicts - 1));
    return pause * (0.5 + this.#source.random() / 2);
  }

  async #attempt<T>(
    work: Work<T>,
    parts: AttemptParts,
    limit: TimeLimit,
    number: number,
  ): Promise<Outcome<T>> {
    const position = await limit.race(this.#source.head());
    const queue: Queue | undefined = number > 1 ? undefined : (...key) => this.#queue(key, limit);
    const attempt = new Attempt(parts, position, number, queue);
    try {
      return await this.#carryOut(work, attempt, limit);
    } finally {
      attempt.leave();
    }
  }

  async #carryOut<T>(work: Work<T>, attempt: Attempt, limit: TimeLimit): Promise<Outcome<T>> {
    let value: T;
    try {
      value = await limit.race(Promise.resolve(work(new Handle(attempt))));
    } finally {
      attempt.end();
    }
    await limit.race(attempt.settle());
    if (attempt.isEmpty) return { kind: 'done', value };
    const first = attempt.number === 1 && !attempt.isInTurn;
    const lane = first ? this.#busyLane(attempt) : undefined;
    if (lane !== undefined) return { kind: 'yielded', lane };
    try {
      await attempt.commit(limit.signal);
      return { kind: 'done', value };
    } catch (error) {
      const moved = await attempt.moved(error);
      if (!moved) throw error;
      return { kind: 'conflict', moved };
    }
  }

  /** A turn in the lane of what an attempt reads first, if somebody is in it. */
  #queue([projection, key]: readonly [string, string], limit: TimeLimit): ReturnType<Queue> {
    if (this.#lanes.isEmpty) return undefined;
    const lane = laneOf(projection, key);
    return this.#lanes.isBusy(lane) ? this.#lanes.enter(lane, 0, limit.signal) : undefined;
  }

  /**
   * A lane with somebody in it for what the attempt rests on. Newcomers who commit past those that lost before make them lose again: under
   * steady load somebody would use up all retries.
   */
  #busyLane(attempt: Attempt): string | undefined {
    if (this.#lanes.isEmpty) return undefined;
    let asked = 0;
    for (const [projection, key] of attempt.conditions()) {
      // To ask for all that a long listing read would take longer than to lose once.
      if (asked === BUSY_LANES_ASKED_MAX) return undefined;
      asked += 1;
      const lane = laneOf(projection, key);
      if (this.#lanes.isBusy(lane)) return lane;
    }
    return undefined;
  }
}

function laneOf(projection: string, key: string): string {
  return JSON.stringify([projection, key]);
}
