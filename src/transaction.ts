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
  invalidArgument,
  type MovedRead,
  TransactionConflictError,
  TransactionTimeoutError,
} from './errors.js';
import type { CommitContext, ExpectedVersion } from './log/types.js';
import type { Projection } from './projections/define.js';
import type { Events, NewEventOf } from './projections/events.js';
import type { AsyncEntries, EntriesOptions } from './projections/types.js';
import { Attempt } from './transaction/attempt.js';
import type { Savepoint } from './transaction/buffer.js';
import { Lanes } from './transaction/lanes.js';
import type { TransactionSource } from './transaction/source.js';
import { TransactionCounts, type TransactionStats } from './transaction/statistics.js';

export type { Savepoint, TransactionSource, TransactionStats };

/** What may happen between a transaction's reads and its commit. */
export type Isolation =
  /** Nothing that it read has changed: as if it had run alone. The default. */
  | 'serializable'
  /** No stream that it writes has changed. What it only read may have: write skew is possible. */
  | 'snapshot'
  /** Another name for `snapshot`. */
  | 'repeatable-read'
  /** Anything; each read sees what is committed at that moment. */
  | 'read-committed'
  /** The same: nothing uncommitted can be read. */
  | 'read-uncommitted';

export interface TransactionOptions extends CommitContext {
  /** Default `'serializable'`. */
  readonly isolation?: Isolation | undefined;
  /** For all attempts together, ms. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** How often the function may run again after a conflict. Default 10. */
  readonly retries?: number | undefined;
  /** Aborted before the commit: nothing is written and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a transaction's function works with. Of no use once the function has ended. */
export interface Transaction<E extends Events = Events> {
  /** Reads see the store as of this position, and the transaction's own writes. */
  readonly position: number;
  /** How often the function has run, from 1. */
  readonly attempt: number;
  /** The key's state; undefined when it is absent. @throws ProjectionNotRegisteredError, ProjectionFailedError */
  get<State>(projection: Projection<State>, key: string): Promise<State | undefined>;
  /** Keys and their states, sorted by key. */
  entries<State>(projection: Projection<State>, options?: EntriesOptions): AsyncEntries<State>;
  /** The stream's version, its own writes included; 0 when it is absent. */
  version(stream: string): Promise<number>;
  /** Takes events up for the commit at the end. @throws InvalidEventError, LimitExceededError, TypeError */
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

const LEVELS: Readonly<Record<Isolation, 'serializable' | 'snapshot' | 'read-committed'>> = {
  serializable: 'serializable',
  snapshot: 'snapshot',
  'repeatable-read': 'snapshot',
  'read-committed': 'read-committed',
  'read-uncommitted': 'read-committed',
};

interface Settings {
  readonly level: 'serializable' | 'snapshot' | 'read-committed';
  readonly timeoutMs: number;
  readonly retries: number;
  readonly signal: AbortSignal | undefined;
  readonly context: CommitContext;
}

function checkedNumber(value: unknown, name: string, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && value >= 0) return value;
  throw invalidArgument(`${name} must be a number from 0`);
}

function settingsOf(options: TransactionOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('the options must be an object');
  }
  const { isolation = 'serializable', timeoutMs, retries, signal, ...context } = options;
  if (!Object.hasOwn(LEVELS, isolation)) {
    throw invalidArgument(`isolation must be one of ${Object.keys(LEVELS).join(', ')}`);
  }
  return {
    level: LEVELS[isolation],
    timeoutMs: checkedNumber(timeoutMs, 'timeoutMs', TIMEOUT_MS),
    retries: checkedNumber(retries, 'retries', RETRIES),
    signal,
    context,
  };
}

/** Runs the transactions of one open store. */
export class Transactions {
  readonly #source: TransactionSource;
  readonly #lanes = new Lanes();
  readonly #counts = new TransactionCounts();

  constructor(source: TransactionSource) {
    this.#source = source;
  }

  get stats(): TransactionStats {
    return this.#counts.stats;
  }

  async run<T, E extends Events>(
    work: (transaction: Transaction<E>) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    if (typeof work !== 'function') throw invalidArgument('a transaction takes a function');
    const settings = settingsOf(options);
    settings.signal?.throwIfAborted();
    const counts = this.#counts;
    counts.started += 1;
    counts.running += 1;
    const begun = this.#source.monotonic();
    const limit = new TimeLimit(settings);
    try {
      const result = await this.#attempts(
        work as (attempt: Attempt) => Promise<T> | T,
        settings,
        limit,
      );
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

  async #attempts<T>(
    work: (attempt: Attempt) => Promise<T> | T,
    settings: Settings,
    limit: TimeLimit,
  ): Promise<T> {
    let lane: string | undefined;
    for (let number = 1; ; number += 1) {
      const attempt = () => this.#attempt(work, settings, limit, number);
      const outcome = await (lane === undefined ? attempt() : this.#lanes.run(lane, attempt));
      if ('value' in outcome) return outcome.value;
      this.#counts.conflicted += 1;
      if (number > settings.retries) throw new TransactionConflictError(number, outcome.moved);
      this.#counts.retried += 1;
      lane ??= laneOf(outcome.moved);
      const pause = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * BACK_OFF_FACTOR ** (number - 1));
      await limit.pause(pause * (0.5 + this.#source.random() / 2));
    }
  }

  async #attempt<T>(
    work: (attempt: Attempt) => Promise<T> | T,
    settings: Settings,
    limit: TimeLimit,
    number: number,
  ): Promise<{ readonly value: T } | { readonly moved: readonly MovedRead[] }> {
    const position = await limit.race(this.#source.head());
    const attempt = new Attempt(this.#source, settings.level, position, number);
    let value: T;
    try {
      value = await limit.race(Promise.resolve(work(attempt)));
      await limit.race(attempt.settle());
    } finally {
      attempt.end();
    }
    if (attempt.isEmpty) return { value };
    limit.check();
    try {
      await attempt.commit(settings.context, settings.signal);
      return { value };
    } catch (error) {
      const moved = await attempt.moved(error);
      if (moved.length === 0) throw error;
      return { moved };
    }
  }
}

function laneOf(moved: readonly MovedRead[]): string {
  const [first] = moved;
  return JSON.stringify([first?.projection ?? '', first?.key ?? first?.stream ?? '']);
}

/** The time a transaction has, and its caller's signal: either ends the wait for the function. */
class TimeLimit {
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort: () => void;
  #stop: (reason: unknown) => void = () => {};
  readonly #stopped: Promise<never>;
  #reason: { readonly error: unknown } | undefined;

  constructor({ timeoutMs, signal }: Settings) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#stopped = new Promise((_, reject) => {
      this.#stop = (error) => {
        this.#reason ??= { error };
        reject(error);
      };
    });
    // Looked at only by those who race against it.
    this.#stopped.catch(() => {});
    this.#onAbort = () => this.#stop(signal?.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (timeoutMs !== Number.POSITIVE_INFINITY) {
      const milliseconds = Math.min(timeoutMs, 2 ** 31 - 1);
      this.#timer = setTimeout(
        () => this.#stop(new TransactionTimeoutError(this.#timeoutMs)),
        milliseconds,
      );
    }
  }

  /** @throws TransactionTimeoutError, or the signal's reason */
  check(): void {
    if (this.#reason) throw this.#reason.error;
  }

  async race<T>(work: Promise<T>): Promise<T> {
    this.check();
    return await Promise.race([work, this.#stopped]);
  }

  async pause(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    try {
      await this.race(pause);
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
