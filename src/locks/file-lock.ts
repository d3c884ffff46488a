/**
 * A lock between processes and threads, held by the kernel on an open file and released when its holder dies, however it dies. Nothing
 * is ever judged by age: a paused holder keeps its lock, and wakes up still holding it.
 *
 * The lock file is never deleted: whoever waits has the old file open, and a lock on a deleted file excludes nobody who
 * makes a new one.
 */
import { resolve } from 'node:path';
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import type { Holder } from './holder.js';
import type { Lease } from './lease.js';
import { type FileLockKind, LockFile } from './lock-file.js';
import { partyOfLease, partyOfWork, runAs } from './owner.js';
import {
  checkEnded,
  checkLabel,
  checkWork,
  fileLockTimeoutMsDefault,
  type LockOptions,
  type LockRequest,
  lockRequest,
} from './request.js';

export interface FileLockOptions {
  /** Shown to others who wait. */
  readonly label?: string | undefined;
  /**
   * True: whoever holds the lock alone gets a token, higher than that of everybody before, also over a power failure. All who use the
   * file must say so. Default false.
   */
  readonly fencing?: boolean | undefined;
}

const FILE_LOCK_OPTIONS = optionNames<FileLockOptions>({ label: true, fencing: true });

export class FileLock {
  readonly file: string;
  readonly #lock: LockFile;

  /** The file is made when it is missing, readable by its owner only. Its directory must exist. @throws TypeError */
  constructor(file: string, options: FileLockOptions = {}) {
    if (typeof file !== 'string' || file === '' || file.includes('\0')) {
      throw invalidArgument('file must be a path, without a zero byte');
    }
    checkOptionNames(options, FILE_LOCK_OPTIONS, 'a FileLock');
    const { label, fencing = false } = options;
    checkLabel(label);
    if (typeof fencing !== 'boolean') throw invalidArgument('fencing must be true or false');
    this.file = resolve(file);
    this.#lock = new LockFile({ path: this.file, label, fencing });
  }

  /**
   * Waits until nobody holds the lock exclusively. `timeoutMs` is 60 000 unless told otherwise, here and below.
   * @throws LockTimeoutError, DeadlockError, StoreAccessError, TypeError, the signal's reason
   */
  async shared(options?: LockOptions): Promise<Lease> {
    return await this.#lease('shared', options);
  }

  /** @throws as `shared`; DeadlockError at once when this very thread holds the lock: it could not release it meanwhile */
  sharedSync(options?: LockOptions): Lease {
    return this.#leaseSync('shared', options);
  }

  /** Waits until nobody else holds the lock. @throws as `shared`; TypeError for a file that is no lock file */
  async exclusive(options?: LockOptions): Promise<Lease> {
    return await this.#lease('exclusive', options);
  }

  /** @throws as `sharedSync` */
  exclusiveSync(options?: LockOptions): Lease {
    return this.#leaseSync('exclusive', options);
  }

  /** Does the work under the lock, in a context of its own, and releases it however the work ends. @throws as `shared`, and what the work throws */
  async withShared<T>(work: (lease: Lease) => T | Promise<T>, options?: LockOptions): Promise<T> {
    return await this.#with('shared', work, options);
  }

  /** @throws as `sharedSync`, and what the work throws */
  withSharedSync<T>(work: (lease: Lease) => T, options?: LockOptions): T {
    return this.#withSync('shared', work, options);
  }

  /** @throws as `exclusive`, and what the work throws */
  async withExclusive<T>(
    work: (lease: Lease) => T | Promise<T>,
    options?: LockOptions,
  ): Promise<T> {
    return await this.#with('exclusive', work, options);
  }

  /** @throws as `sharedSync`, and what the work throws */
  withExclusiveSync<T>(work: (lease: Lease) => T, options?: LockOptions): T {
    return this.#withSync('exclusive', work, options);
  }

  /** Who took the lock exclusively last, and whether somebody holds it so that it could not be taken now. Looking takes it for a moment. */
  status(): { readonly free: boolean; readonly lastHolder: Holder | undefined } {
    return this.#lock.status();
  }

  #lease(kind: FileLockKind, options: LockOptions | undefined): Promise<Lease> {
    const request = requestOf(options);
    return this.#lock.acquire(kind, request, partyOfLease(request.owner, request.label));
  }

  #leaseSync(kind: FileLockKind, options: LockOptions | undefined): Lease {
    const request = requestOf(options);
    return this.#lock.acquireSync(kind, request, partyOfLease(request.owner, request.label));
  }

  async #with<T>(
    kind: FileLockKind,
    work: (lease: Lease) => T | Promise<T>,
    options: LockOptions | undefined,
  ): Promise<T> {
    checkWork(work);
    const request = requestOf(options);
    const party = partyOfWork(request.owner, request.label);
    const lease = await this.#lock.acquire(kind, request, party);
    try {
      return await runAs(party.holding, () => work(lease));
    } finally {
      lease.release();
    }
  }

  #withSync<T>(kind: FileLockKind, work: (lease: Lease) => T, options: LockOptions | undefined): T {
    checkWork(work);
    const lease = this.#leaseSync(kind, options);
    try {
      const result = work(lease);
      checkEnded(result);
      return result;
    } finally {
      lease.release();
    }
  }
}

function requestOf(options: LockOptions | undefined): LockRequest {
  return lockRequest(options, fileLockTimeoutMsDefault);
}
