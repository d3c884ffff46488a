/**
 * Locks by name. One is made when somebody asks for it and dropped when nobody holds it or waits for it; what stays are its figures.
 *
 * Several names of one call are taken in the order of their UTF-16 code units, which is the same for everybody, so that such calls cannot wait
 * for each other in a circle. Calls inside one another can, and are found out by lock-queue.ts.
 */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import type { Lease } from './lease.js';
import { LockDirectory, type LockManagerOptions } from './lock-directory.js';
import type { FileLockKind } from './lock-file.js';
import type { Held, LockQueue } from './lock-queue.js';
import { leaseOf, ManagedLease, SeveralLeases, untilSettled } from './managed-lease.js';
import { type Party, partyOfLease, partyOfWork, runAs } from './owner.js';
import { readWriteQueue, requestFor } from './read-write-lock.js';
import {
  checkEnded,
  checkName,
  checkWork,
  fileLockTimeoutMsDefault,
  type LockOptions,
  type LockRequest,
  lockRequest,
  namesInOrder,
  restOf,
} from './request.js';
import {
  LockStatistics,
  type LockStats,
  type LockTotals,
  type Use,
  type UseParty,
} from './statistics.js';
import type { LockParty } from './status.js';
import type { LockKind, Mode } from './wait-for.js';

/** One name, or several that are taken together: all or none. */
export type LockNames = string | readonly string[];

/** A resource that is in use now. */
export interface LockUseStatus {
  readonly resource: string;
  readonly kind: LockKind;
  readonly holders: readonly LockParty[];
  readonly waiters: readonly LockParty[];
}

/** Somebody who waits. */
export interface LockWait extends LockParty {
  readonly resource: string;
  /** Those who hold the resource now, in this thread. */
  readonly holders: readonly LockParty[];
}

export interface WaitingOptions {
  /** Only who waits longer. Default 300 000. */
  readonly olderThanMs?: number | undefined;
}

const WAITING_OPTIONS = optionNames<WaitingOptions>({ olderThanMs: true });
const OLDER_THAN_MS = 300_000;

/**
 * Locks by name: `read` and `write` within this thread, `shared` and `exclusive` between processes and threads, which need a directory. A name that
 * is read or written here has nothing to do with the same name between processes. Names never become paths: a lock file is
 * called after the SHA-256 of its lock's name, and carries it as its label.
 */
export class LockManager {
  readonly #queues = new Map<string, LockQueue>();
  readonly #dropIdle = (name: string): void => {
    this.#queues.delete(name);
  };
  readonly #statistics = new LockStatistics();
  readonly #directory = new LockDirectory();

  /** @throws TypeError */
  constructor(options: LockManagerOptions = {}) {
    this.#directory.configure(options);
  }

  /** Waits until nobody writes; `timeoutMs` is 10 000 unless told otherwise. @throws LockTimeoutError, DeadlockError, TypeError, the signal's reason */
  read(names: LockNames, options?: LockOptions): Promise<Lease> {
    return this.#lease('read', names, options);
  }

  /** Waits until nobody else reads or writes; `timeoutMs` is 30 000 unless told otherwise. @throws as `read` */
  write(names: LockNames, options?: LockOptions): Promise<Lease> {
    return this.#lease('write', names, options);
  }

  /**
   * Waits until no process holds it exclusively; `timeoutMs` is 60 000 unless told otherwise, here and below.
   * @throws LockTimeoutError, DeadlockError, StoreAccessError, TypeError, also when the manager has no directory; the signal's reason
   */
  shared(names: LockNames, options?: LockOptions): Promise<Lease> {
    return this.#lease('shared', names, options);
  }

  /** @throws as `shared`; DeadlockError at once when this very thread holds it: it could not release it meanwhile */
  sharedSync(names: LockNames, options?: LockOptions): Lease {
    return this.#leaseSync('shared', names, options);
  }

  /** Waits until no process holds it. @throws as `shared` */
  exclusive(names: LockNames, options?: LockOptions): Promise<Lease> {
    return this.#lease('exclusive', names, options);
  }

  /** @throws as `sharedSync` */
  exclusiveSync(names: LockNames, options?: LockOptions): Lease {
    return this.#leaseSync('exclusive', names, options);
  }

  /** Does the work under the lock, in a context of its own, and gives it back however the work ends. @throws as `read`, and what the work throws */
  withRead<T>(
    names: LockNames,
    work: (lease: Lease) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    return this.#with('read', names, work, options);
  }

  /** @throws as `write`, and what the work throws */
  withWrite<T>(
    names: LockNames,
    work: (lease: Lease) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    return this.#with('write', names, work, options);
  }

  /** @throws as `shared`, and what the work throws */
  withShared<T>(
    names: LockNames,
    work: (lease: Lease) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    return this.#with('shared', names, work, options);
  }

  /** @throws as `sharedSync`, and what the work throws */
  withSharedSync<T>(names: LockNames, work: (lease: Lease) => T, options?: LockOptions): T {
    return this.#withSync('shared', names, work, options);
  }

  /** @throws as `exclusive`, and what the work throws */
  withExclusive<T>(
    names: LockNames,
    work: (lease: Lease) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    return this.#with('exclusive', names, work, options);
  }

  /** @throws as `sharedSync`, and what the work throws */
  withExclusiveSync<T>(names: LockNames, work: (lease: Lease) => T, options?: LockOptions): T {
    return this.#withSync('exclusive', names, work, options);
  }

  /** Locks within this thread that there are now: those that somebody holds or waits for. */
  get size(): number {
    return this.#queues.size;
  }

  /** All figures: plain data that JSON keeps. */
  stats(): LockStats {
    return this.#statistics.stats;
  }

  /** The figures of all resources together. */
  totals(): LockTotals {
    return this.#statistics.totals;
  }

  /** What is held and waited for now, sorted by resource and kind. */
  status(): readonly LockUseStatus[] {
    const uses = this.stats().uses.filter(
      ({ holders, waiters }) => holders.length > 0 || waiters.length > 0,
    );
    return Object.freeze(
      uses.map(({ resource, kind, holders, waiters }) =>
        Object.freeze({ resource, kind, holders, waiters }),
      ),
    );
  }

  /** Who waits for long, the longest first, and for whom. @throws TypeError */
  waiting(options: WaitingOptions = {}): readonly LockWait[] {
    checkOptionNames(options, WAITING_OPTIONS, 'waiting');
    const { olderThanMs = OLDER_THAN_MS } = options;
    if (typeof olderThanMs !== 'number' || !(olderThanMs >= 0)) {
      throw invalidArgument('olderThanMs must be a number from 0');
    }
    const status = this.status();
    const waits = status.flatMap(({ resource, kind, waiters }) => {
      const holders = Object.freeze(
        status
          .filter(
            (other) => other.resource === resource && isBetween(other.kind) === isBetween(kind),
          )
          .flatMap((other) => other.holders),
      );
      return waiters
        .filter(({ ageMs }) => ageMs > olderThanMs)
        .map((waiter) => Object.freeze({ resource, ...waiter, holders }));
    });
    return Object.freeze(waits.sort((one, other) => other.ageMs - one.ageMs));
  }

  /** @internal As `withExclusiveSync`, in a context of its own; what can be awaited keeps the lock until it is settled. */
  exclusiveUntilSettled<T>(names: LockNames, work: () => T, options?: LockOptions): T {
    const request = requestOf('exclusive', options);
    const party = partyOfWork(request.owner, request.label);
    const lease = this.#takeSync('exclusive', names, request, party);
    return untilSettled(lease, () => runAs(party.holding, work));
  }

  /** @internal For `getLockManager`, whose first callers may know of no directory. */
  configure(options: LockManagerOptions): void {
    this.#directory.configure(options);
  }

  async #lease(kind: LockKind, names: LockNames, options: LockOptions | undefined): Promise<Lease> {
    const request = requestOf(kind, options);
    return this.#take(kind, names, request, partyOfLease(request.owner, request.label));
  }

  async #with<T>(
    kind: LockKind,
    names: LockNames,
    work: (lease: Lease) => T | Promise<T>,
    options: LockOptions | undefined,
  ): Promise<T> {
    checkWork(work);
    const request = requestOf(kind, options);
    const party = partyOfWork(request.owner, request.label);
    const lease = await this.#take(kind, names, request, party);
    try {
      return await runAs(party.holding, () => work(lease));
    } finally {
      lease.release();
    }
  }

  #take(
    kind: LockKind,
    names: LockNames,
    request: LockRequest,
    party: Party,
  ): Lease | Promise<Lease> {
    if (typeof names === 'string') {
      checkName(names);
      return this.#takeOne(kind, names, request, party);
    }
    return this.#takeAll(kind, namesInOrder(names), request, party);
  }

  async #takeAll(
    kind: LockKind,
    names: readonly string[],
    request: LockRequest,
    party: Party,
  ): Promise<Lease> {
    const deadline = performance.now() + request.timeoutMs;
    const leases: Lease[] = [];
    try {
      for (const name of names) {
        request.signal?.throwIfAborted();
        leases.push(await this.#takeOne(kind, name, restOf(request, deadline), party));
      }
      return leaseOf(leases);
    } catch (error) {
      new SeveralLeases(leases).release();
      throw error;
    }
  }

  #takeOne(
    kind: LockKind,
    name: string,
    request: LockRequest,
    party: Party,
  ): Lease | Promise<Lease> {
    const within = kind === 'read' || kind === 'write';
    // What is wrong with the call itself is no failure of a lock.
    if (!within) this.#directory.check();
    const use = this.#statistics.useOf(name, kind);
    const asker = { label: request.label, owner: party.waiting, since: 0 };
    let lease: Held | Promise<Lease>;
    try {
      lease = within
        ? this.#queueOf(name).acquire(kind, request, party)
        : this.#directory.fileOf(name).acquire(kind, request, party);
    } catch (error) {
      asker.since = performance.now();
      this.#statistics.failed(use, asker, error);
      throw error;
    }
    if (lease instanceof Promise) return this.#waitFor(lease, use, asker);
    // Had at once: there was no wait, and its clock was looked at already.
    asker.since = lease.since;
    this.#statistics.acquired(use, asker, lease.since);
    return new ManagedLease(lease, this.#statistics, use, asker);
  }

  async #waitFor(lease: Promise<Lease>, use: Use, asker: UseParty): Promise<Lease> {
    asker.since = performance.now();
    this.#statistics.waiting(use, asker);
    try {
      const taken = await lease;
      this.#statistics.acquired(use, asker, performance.now());
      return new ManagedLease(taken, this.#statistics, use, asker);
    } catch (error) {
      this.#statistics.failed(use, asker, error);
      throw error;
    }
  }

  #leaseSync(kind: FileLockKind, names: LockNames, options: LockOptions | undefined): Lease {
    const request = requestOf(kind, options);
    return this.#takeSync(kind, names, request, partyOfLease(request.owner, request.label));
  }

  #takeSync(kind: FileLockKind, names: LockNames, request: LockRequest, party: Party): Lease {
    const deadline = performance.now() + request.timeoutMs;
    const leases: Lease[] = [];
    try {
      for (const name of namesInOrder(names)) {
        leases.push(this.#takeOneSync(kind, name, restOf(request, deadline), party));
      }
    } catch (error) {
      new SeveralLeases(leases).release();
      throw error;
    }
    return leaseOf(leases);
  }

  #takeOneSync(kind: FileLockKind, name: string, request: LockRequest, party: Party): Lease {
    this.#directory.check();
    const use = this.#statistics.useOf(name, kind);
    const asker = { label: request.label, owner: party.waiting, since: performance.now() };
    try {
      const lease = this.#directory.fileOf(name).acquireSync(kind, request, party);
      this.#statistics.acquired(use, asker, performance.now());
      return new ManagedLease(lease, this.#statistics, use, asker);
    } catch (error) {
      this.#statistics.failed(use, asker, error);
      throw error;
    }
  }

  #withSync<T>(
    kind: FileLockKind,
    names: LockNames,
    work: (lease: Lease) => T,
    options: LockOptions | undefined,
  ): T {
    checkWork(work);
    const lease = this.#leaseSync(kind, names, options);
    try {
      const result = work(lease);
      checkEnded(result);
      return result;
    } finally {
      lease.release();
    }
  }

  #queueOf(name: string): LockQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = readWriteQueue(name, this.#dropIdle);
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

function requestOf(kind: LockKind, options: LockOptions | undefined): LockRequest {
  if (kind === 'read' || kind === 'write') return requestFor(kind satisfies Mode, options);
  return lockRequest(options, fileLockTimeoutMsDefault);
}

function isBetween(kind: LockKind): boolean {
  return kind === 'shared' || kind === 'exclusive';
}

let ofThisThread: LockManager | undefined;

/**
 * The lock manager of this process (each thread has its own). Options may be given by any call, once: all later ones must agree, or give none.
 * @throws TypeError for options that another call gave otherwise
 */
export function getLockManager(options?: LockManagerOptions): LockManager {
  ofThisThread ??= new LockManager();
  if (options !== undefined) ofThisThread.configure(options);
  return ofThisThread;
}
