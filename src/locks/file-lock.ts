/**
 * A lock between processes and threads, held by the kernel on an open file and released when its holder dies, however it dies. Nothing
 * is ever judged by age: a paused holder keeps its lock, and wakes up still holding it.
 *
 * The lock file is never deleted: whoever waits has the old file open, and a lock on a deleted file excludes nobody who
 * makes a new one.
 *
 * Each acquisition opens the file anew, because a lock belongs to the opened descriptor: so two acquisitions inside one process
 * exclude each other just like two processes.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { invalidArgument, LockTimeoutError, StoreAccessError } from '../errors.js';
import { decodeHolder, encodeHolder, HOLDER_BYTES, type Holder } from './holder.js';
import { rangesCanBeLocked, tryLock, unlock } from './native-lock.js';
import { pause } from './pause.js';
import { nextPause, pollLock } from './wait.js';

/** Far beyond any content: locks are mandatory on Windows. */
const RANGE = rangesCanBeLocked ? { offset: 2 ** 40, length: 1 } : { offset: 0, length: 0 };

export const fileLockTimeoutMsDefault = 60_000;

export interface FileLockOptions {
  /** Shown to others who wait. */
  readonly label?: string | undefined;
}

export interface FileLockWait {
  /** Default 60 000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with the signal's reason. Not for synchronous calls, which cannot be told of it. */
  readonly signal?: AbortSignal | undefined;
}

/** A lock that is held. Releasing it twice does nothing. */
export interface Lease {
  readonly released: boolean;
  release(): void;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

class FileLease implements Lease {
  #file: number | undefined;

  constructor(file: number) {
    this.#file = file;
  }

  get released(): boolean {
    return this.#file === undefined;
  }

  release(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      unlock(file, RANGE.offset, RANGE.length);
    } finally {
      // Closing releases, too: the lock cannot outlive its descriptor.
      closeSync(file);
    }
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

type Kind = 'shared' | 'exclusive';

export class FileLock {
  readonly file: string;
  readonly #label: string;

  /** The file is made when it is missing, readable by its owner only. Its directory must exist. */
  constructor(file: string, options: FileLockOptions = {}) {
    if (typeof file !== 'string' || file === '' || file.includes('\0')) {
      throw invalidArgument('file must be a path, without a zero byte');
    }
    const { label = '' } = options;
    if (typeof label !== 'string') throw invalidArgument('label must be text');
    this.file = resolve(file);
    this.#label = label;
  }

  /** Waits until nobody holds the lock exclusively. @throws LockTimeoutError */
  shared(wait: FileLockWait = {}): Promise<Lease> {
    return this.#acquire('shared', wait);
  }

  sharedSync(wait: FileLockWait = {}): Lease {
    return this.#acquireSync('shared', wait);
  }

  /** Waits until nobody else holds the lock. @throws LockTimeoutError */
  exclusive(wait: FileLockWait = {}): Promise<Lease> {
    return this.#acquire('exclusive', wait);
  }

  exclusiveSync(wait: FileLockWait = {}): Lease {
    return this.#acquireSync('exclusive', wait);
  }

  async withShared<T>(work: () => T | Promise<T>, wait: FileLockWait = {}): Promise<T> {
    const lease = await this.shared(wait);
    try {
      return await work();
    } finally {
      lease.release();
    }
  }

  withSharedSync<T>(work: () => T, wait: FileLockWait = {}): T {
    const lease = this.sharedSync(wait);
    try {
      return work();
    } finally {
      lease.release();
    }
  }

  async withExclusive<T>(work: () => T | Promise<T>, wait: FileLockWait = {}): Promise<T> {
    const lease = await this.exclusive(wait);
    try {
      return await work();
    } finally {
      lease.release();
    }
  }

  withExclusiveSync<T>(work: () => T, wait: FileLockWait = {}): T {
    const lease = this.exclusiveSync(wait);
    try {
      return work();
    } finally {
      lease.release();
    }
  }

  /** Who took the lock exclusively last, and whether somebody holds it so that it could not be taken now. */
  status(): { readonly free: boolean; readonly lastHolder: Holder | undefined } {
    const file = this.#open();
    try {
      const free = tryLock(file, RANGE.offset, RANGE.length, 'exclusive');
      return { free, lastHolder: lastHolder(file) };
    } finally {
      closeSync(file);
    }
  }

  #open(): number {
    const { O_RDWR, O_CREAT, O_NOFOLLOW = 0 } = constants;
    try {
      return openSync(this.file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    } catch (error) {
      throw new StoreAccessError(this.file, error);
    }
  }

  #acquireSync(kind: Kind, wait: FileLockWait): Lease {
    const timeoutMs = timeoutOf(wait);
    const file = this.#open();
    try {
      const outcome = pollLock(
        {
          tryLock: () => tryLock(file, RANGE.offset, RANGE.length, kind),
          pause,
          now: () => performance.now(),
          random: Math.random,
        },
        performance.now() + timeoutMs,
      );
      if (outcome !== 'taken') throw this.#timeout(file, timeoutMs);
      this.#sign(file, kind);
      return new FileLease(file);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  async #acquire(kind: Kind, wait: FileLockWait): Promise<Lease> {
    const timeoutMs = timeoutOf(wait);
    wait.signal?.throwIfAborted();
    const file = this.#open();
    try {
      const deadline = performance.now() + timeoutMs;
      let pauseMs = 0;
      while (!tryLock(file, RANGE.offset, RANGE.length, kind)) {
        wait.signal?.throwIfAborted();
        if (performance.now() >= deadline) throw this.#timeout(file, timeoutMs);
        pauseMs = nextPause(pauseMs, Math.random());
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      this.#sign(file, kind);
      return new FileLease(file);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  #sign(file: number, kind: Kind): void {
    if (kind !== 'exclusive') return;
    const startedAt = Math.round(Date.now() - process.uptime() * 1000);
    const record = encodeHolder({
      pid: process.pid,
      host: hostname(),
      startedAt,
      label: this.#label,
    });
    try {
      writeSync(file, record, 0, record.length, 0);
    } catch {
      // The record only serves error messages: a full disk must not keep anyone from the lock.
    }
  }

  #timeout(file: number, timeoutMs: number): LockTimeoutError {
    const holder = lastHolder(file);
    return new LockTimeoutError({
      file: this.file,
      timeoutMs,
      pid: holder?.pid,
      host: holder?.host,
      since: holder ? new Date(holder.startedAt) : undefined,
      label: holder?.label === '' ? undefined : holder?.label,
    });
  }
}

function timeoutOf(wait: FileLockWait): number {
  if (typeof wait !== 'object' || wait === null) {
    throw invalidArgument('how to wait must be an object, such as { timeoutMs: 1000 }');
  }
  const { timeoutMs = fileLockTimeoutMsDefault, signal } = wait;
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw invalidArgument('signal must be an AbortSignal');
  }
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw invalidArgument('timeoutMs must be a number from 0');
  }
  return timeoutMs;
}

function lastHolder(file: number): Holder | undefined {
  const bytes = Buffer.alloc(HOLDER_BYTES);
  try {
    readSync(file, bytes, 0, HOLDER_BYTES, 0);
  } catch {
    return undefined;
  }
  return decodeHolder(bytes);
}
