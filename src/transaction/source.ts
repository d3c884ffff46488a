/** What a transaction needs of the store it runs in. */
import type { MovedRead, VersionFailure } from '../errors.js';
import type { CommitGuard } from '../log/guard.js';
import type {
  CommitOptions,
  CommitPart,
  Committed,
  NewEvent,
  RecordedEvent,
} from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { EntriesOptions } from '../projections/types.js';

/** Turns among the transactions of all processes (src/log/turn-locks.ts). */
export interface Turns {
  readonly areContested: boolean;
  isBusy(name: string): boolean;
  take(name: string, signal: AbortSignal): Promise<() => void>;
}

export interface TransactionSource {
  /** Where other processes may have transactions of their own. */
  readonly turns: Turns | undefined;
  /** Who writes when the transaction names nobody. */
  readonly actor: string | undefined;
  /** Looks for other processes' commits and gives the position of the last one. */
  head(): Promise<number>;
  /** @throws ProjectionNotRegisteredError, TypeError */
  checkGet(projection: Projection, key: string): void;
  /** @throws ProjectionNotRegisteredError, TypeError */
  checkEntries(projection: Projection, options: EntriesOptions): void;
  /** The state as of that position; undefined when the key is absent. */
  state(projection: Projection, key: string, position: number): Promise<unknown>;
  /** Sorted by key, as of that position. */
  entries(
    projection: Projection,
    options: EntriesOptions,
    position: number,
  ): AsyncIterable<readonly [key: string, state: unknown]>;
  version(stream: string, position: number): Promise<number>;
  /** Checks the event and gives a copy as it will be stored; a promise of it when its schema waits. */
  prepare(event: NewEvent, path: string): NewEvent | Promise<NewEvent>;
  /** The event as folds see it. */
  interpret(event: RecordedEvent): RecordedEvent;
  /**
   * Folds more events onto a state; undefined stands for absent on both sides.
   * @throws ProjectionFailedError
   */
  fold(
    projection: Projection,
    key: string,
    before: unknown,
    events: readonly RecordedEvent[],
  ): unknown;
  /** @throws VersionConflictError, CommitBlocked, and what appending throws */
  commit(
    parts: readonly CommitPart[],
    options: CommitOptions,
    guard: CommitGuard | undefined,
  ): Promise<Committed>;
  /** Who moved the stream beyond the version that was expected. */
  mover(failure: VersionFailure): Promise<MovedRead>;
  /** Milliseconds on a clock that never goes back. */
  monotonic(): number;
  /** ISO 8601, of the store's clock. */
  time(): string;
  /** From 0 to 1. */
  random(): number;
}
