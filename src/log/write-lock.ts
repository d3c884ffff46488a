/** The lock for writing: an OS lock on the lock file, waited for in bounded time, and the record of who took it. */
import { LockTimeoutError, systemCode } from '../errors.js';
import { decodeHolder, encodeHolder, HOLDER_BYTES, type Holder } from '../locks/holder.js';
import { pollLock } from '../locks/wait.js';
import type { Environment } from './environment.js';
import { WAITING_LOCK, WRITE_LOCK } from './format.js';
import { MARK_BYTES } from './mark.js';

/** Where locks cover the whole file (macOS) and a waiter cannot be told, a writer steps back every this many groups. */
const STEP_BACK_EVERY = 8;
const STEP_BACK_MS = 1;

export interface LockPatience {
  /** On the monotonic clock, ms. */
  readonly deadline: number;
  /** Ends the wait early when it gives true. */
  readonly interrupted?: () => boolean;
}

export class WriteLock {
  readonly #environment: Environment;
  readonly #file: number;
  readonly #record: Buffer;
  #groups = 0;
  #stepBackUntil = Number.NEGATIVE_INFINITY;

  /** `file` is this writer's own descriptor of the lock file, opened for writing: a descriptor does not exclude itself. */
  constructor(environment: Environment, file: number, label: string) {
    this.#environment = environment;
    this.#file = file;
    this.#record = encodeHolder({ ...environment.writer, label });
  }

  acquire(patience: LockPatience): 'taken' | 'timeout' | 'interrupted' {
    const { disk, monotonic, randomBytes } = this.#environment;
    const stepBack = this.#stepBackUntil - monotonic();
    if (stepBack > 0) disk.pause(stepBack);
    const tryLock = () => this.#tryLock();
    if (tryLock()) return 'taken';
    const waiting = this.#showWaiting();
    try {
      return pollLock(
        {
          tryLock,
          pause: (milliseconds) => disk.pause(milliseconds),
          now: monotonic,
          random: () => randomBytes(1).readUInt8() / 255,
          ...(patience.interrupted ? { interrupted: patience.interrupted } : {}),
        },
        patience.deadline,
      );
    } finally {
      if (waiting) this.#fairly(() => disk.unlock(this.#file, WAITING_LOCK));
    }
  }

  /** A call that failed may have taken the lock all the same, and then everyone would wait for one who does not know that he has it. */
  #tryLock(): boolean {
    const { disk } = this.#environment;
    try {
      return disk.tryLock(this.#file, WRITE_LOCK, 'exclusive');
    } catch (error) {
      if (systemCode(error) !== undefined) {
        this.#fairly(() => disk.unlock(this.#file, WRITE_LOCK));
      }
      throw error;
    }
  }

  /** Lets others see that somebody waits; true when they do. */
  #showWaiting(): boolean {
    const { disk } = this.#environment;
    if (!disk.rangeLocks) return false;
    return this.#fairly(() => disk.tryLock(this.#file, WAITING_LOCK, 'shared')) ?? false;
  }

  /** What only serves fairness must not decide what becomes of a commit. */
  #fairly<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /**
   * Leaves the lock. If others wait or, where that cannot be seen, may wait, this writer will not try again for a moment; what it wrote
   * is acknowledged meanwhile.
   */
  release(othersWrote: boolean): void {
    const { disk, monotonic } = this.#environment;
    disk.unlock(this.#file, WRITE_LOCK);
    this.#groups += 1;
    if (this.#fairly(() => this.#othersWait(othersWrote))) {
      this.#stepBackUntil = monotonic() + STEP_BACK_MS;
    }
  }

  #othersWait(othersWrote: boolean): boolean {
    const { disk } = this.#environment;
    if (!disk.rangeLocks) return othersWrote || this.#groups % STEP_BACK_EVERY === 0;
    if (!disk.tryLock(this.#file, WAITING_LOCK, 'exclusive')) return true;
    disk.unlock(this.#file, WAITING_LOCK);
    return false;
  }

  /** Says who took the lock, unless the record, which stands behind the mark, says so already. Best effort: it only serves error messages. */
  sign(record: Buffer): void {
    if (record.equals(this.#record)) return;
    try {
      this.#environment.disk.write(this.#file, this.#record, 0, HOLDER_BYTES, MARK_BYTES);
    } catch {
      // A full disk must not keep anyone from the lock.
    }
  }
}

/** The error of a wait that took too long, naming who took the lock last. */
export function lockTimeout(
  environment: Environment,
  file: number,
  path: string,
  timeoutMs: number,
): LockTimeoutError {
  const bytes = Buffer.alloc(HOLDER_BYTES);
  let holder: Holder | undefined;
  try {
    environment.disk.read(file, bytes, 0, HOLDER_BYTES, MARK_BYTES);
    holder = decodeHolder(bytes);
  } catch {
    // Without the record the error is still right, only less telling.
  }
  return new LockTimeoutError({
    file: path,
    timeoutMs,
    pid: holder?.pid,
    host: holder?.host,
    since: holder ? new Date(holder.startedAt) : undefined,
    label: holder?.label === '' ? undefined : holder?.label,
  });
}
