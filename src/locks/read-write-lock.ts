/** A lock within this thread: many readers or one writer. */
import { hostname } from 'node:os';
import { checkOptionNames, LockTimeoutError, optionNames } from '../errors.js';
import type { Lease } from './lease.js';
import { type Held, LockQueue } from './lock-queue.js';
import { partyOfLease, partyOfWork, runAs } from './owner.js';
import {
  checkLabel,
  checkWork,
  type LockOptions,
  type LockRequest,
  lockRequest,
  readTimeoutMsDefault,
  writeTimeoutMsDefault,
} from './request.js';
import { type ReadWriteStatus, statusOf } from './status.js';
import type { Mode } from './wait-for.js';

export interface ReadWriteLockOptions {
  /** What the lock is called in errors. */
  readonly label?: string | undefined;
}

const READ_WRITE_LOCK_OPTIONS = optionNames<ReadWriteLockOptions>({ label: true });

/**
 * Many readers or one writer, within this thread. Within one priority first come is first served, and a reader that arrives after a waiting
 * writer waits; critical goes before normal, at most 8 times in a row.
 *
 * An owner that asks for what it holds already, or to write what it reads, gets DeadlockError at once. The owner is the async context that
 * `withRead` and `withWrite` enter, or the `owner` given; a lease without owner takes no part in that.
 */
export class ReadWriteLock {
  readonly #queue: LockQueue;

  constructor(options: ReadWriteLockOptions = {}) {
    checkOptionNames(options, READ_WRITE_LOCK_OPTIONS, 'a ReadWriteLock');
    checkLabel(options.label);
    this.#queue = readWriteQueue(options.label);
  }

  /**
   * Waits until nobody writes. `timeoutMs` is 10 000 unless told otherwise.
   * @throws LockTimeoutError, DeadlockError, TypeError, the signal's reason
   */
  read(options?: LockOptions): Promise<Lease> {
    return this.#lease('read', options);
  }

  /**
   * Waits until nobody else reads or writes. `timeoutMs` is 30 000 unless told otherwise.
   * @throws LockTimeoutError, DeadlockError, TypeError, the signal's reason
   */
  write(options?: LockOptions): Promise<Lease> {
    return this.#lease('write', options);
  }

  /** Does the work while nobody writes, in a context of its own; gives the lock back however the work ends. @throws as `read`, and what the work throws */
  withRead<T>(work: (lease: Lease) => T | Promise<T>, options?: LockOptions): Promise<T> {
    return this.#with('read', work, options);
  }

  /** Does the work while nobody else reads or writes. @throws as `write`, and what the work throws */
  withWrite<T>(work: (lease: Lease) => T | Promise<T>, options?: LockOptions): Promise<T> {
    return this.#with('write', work, options);
  }

  /** Who holds the lock and who waits for it. */
  status(): ReadWriteStatus {
    return statusOf(this.#queue);
  }

  // Returned and not awaited: a turn of the event loop less.
  async #lease(mode: Mode, options: LockOptions | undefined): Promise<Lease> {
    const request = requestFor(mode, options);
    return this.#queue.acquire(mode, request, partyOfLease(request.owner, request.label));
  }

  async #with<T>(
    mode: Mode,
    work: (lease: Lease) => T | Promise<T>,
    options: LockOptions | undefined,
  ): Promise<T> {
    checkWork(work);
    const request = requestFor(mode, options);
    const party = partyOfWork(request.owner, request.label);
    const held = await this.#queue.acquire(mode, request, party);
    try {
      return await runAs(party.holding, () => work(held));
    } finally {
      held.release();
    }
  }
}

/** @internal */
export function requestFor(mode: Mode, options: LockOptions | undefined): LockRequest {
  return lockRequest(options, mode === 'read' ? readTimeoutMsDefault : writeTimeoutMsDefault);
}

/** @internal The queue of a lock within this thread. */
export function readWriteQueue(
  label: string | undefined,
  idle?: (name: string) => void,
): LockQueue {
  return new LockQueue({
    name: label ?? UNNAMED,
    kinds: KINDS,
    timeoutError: timeoutErrorOf,
    idle,
  });
}

const UNNAMED = 'a lock without a label';
const KINDS = Object.freeze({ read: 'read', write: 'write' } as const);

function timeoutErrorOf(queue: LockQueue, _mode: Mode, timeoutMs: number): LockTimeoutError {
  const [holder] = queue.holders as [Held?];
  const heldMs = holder === undefined ? 0 : performance.now() - holder.since;
  const who = holder?.label ?? holder?.owner?.name;
  return new LockTimeoutError({
    resource: queue.name,
    timeoutMs,
    pid: process.pid,
    host: hostname(),
    since: holder === undefined ? undefined : new Date(Date.now() - heldMs),
    label: who,
    holder: toldHolders(queue, holder, heldMs),
    advice: 'Look at what takes so long there, or raise timeoutMs.',
  });
}

function toldHolders(queue: LockQueue, holder: Held | undefined, heldMs: number): string {
  if (holder === undefined) return 'others stood before';
  const { length } = queue.holders;
  const more = length > 1 ? ` and by ${length - 1} more` : '';
  return `held in this process to ${holder.mode} for ${Math.round(heldMs)} ms${more}`;
}
