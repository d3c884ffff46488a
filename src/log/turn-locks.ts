/**
 * Turns that transactions of several processes give one another over what they conflicted about. Each turn is a lock on a byte of the lock file, far
 * behind its content, which the kernel gives back when the holder dies.
 *
 * Nothing rests on these locks: whoever does without one, because it cannot be had or because its holder does not move, risks no more than a conflict.
 */
import { crc32 } from 'node:zlib';
import { systemCode } from '../errors.js';
import type { Disk } from './disk.js';
import { QUEUE_LOCK, TURN_LOCKS } from './format.js';
import { onAbort } from './on-abort.js';

/** Whether somebody queues is looked at so often at most, ms. */
const LOOK_MS = 1;
/** Between two attempts at a lock, ms. */
const PAUSE_MS = 1;
/** Who had a turn that others waited for leaves them so long, ms. */
const STEP_BACK_MS = 2;
/** Who waits so long, ms, waits behind somebody that does not move. */
const WAIT_MS_MAX = 1000;
/** So long nobody is waited for then, ms. */
const IGNORE_MS = 10_000;

/** A byte for whoever has the turn, and behind it one for all who wait for it. */
interface Turn {
  readonly held: number;
  readonly awaited: number;
}

export class TurnLocks {
  readonly #disk: Disk;
  readonly #file: number;
  readonly #now: () => number;
  /** How many turns of this process have or await each byte: to the kernel they are one holder. */
  readonly #counts = new Map<number, number>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #othersQueue = false;
  #stepBackUntil = Number.NEGATIVE_INFINITY;
  #ignoreUntil = Number.NEGATIVE_INFINITY;
  #ended = false;

  /** @param file - the lock file, open for writing */
  constructor(disk: Disk, file: number, now: () => number) {
    this.#disk = disk;
    this.#file = file;
    this.#now = now;
  }

  /** Whether transactions of any process queue, as of a moment ago. */
  get areContested(): boolean {
    if (!this.#areUsed) return false;
    if (this.#counts.has(QUEUE_LOCK.offset)) return true;
    const now = this.#now();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#othersQueue = this.#isHeldByOthers(QUEUE_LOCK.offset);
    }
    return this.#othersQueue;
  }

  /** Whether another process has the turn, or waits for it. */
  isBusy(name: string): boolean {
    if (!this.#areUsed) return false;
    const { held, awaited } = turnOf(name);
    return this.#isHeldByOthers(held) || this.#isHeldByOthers(awaited);
  }

  /**
   * Waits for the turn; gives the call that ends it.
   * @throws the signal's reason
   */
  async take(name: string, signal: AbortSignal): Promise<() => void> {
    if (!this.#areUsed) return () => {};
    const turn = turnOf(name);
    this.#share(QUEUE_LOCK.offset);
    this.#share(turn.awaited);
    let taken = false;
    try {
      taken = await this.#wait(turn, signal);
    } finally {
      this.#giveBack(turn.awaited);
      if (!taken) this.#giveBack(QUEUE_LOCK.offset);
    }
    return taken ? () => this.#leave(turn) : () => {};
  }

  /** The file is about to be closed. */
  end(): void {
    this.#ended = true;
  }

  get #areUsed(): boolean {
    return this.#disk.rangeLocks && !this.#ended && this.#now() >= this.#ignoreUntil;
  }

  async #wait({ held }: Turn, signal: AbortSignal): Promise<boolean> {
    const deadline = this.#now() + WAIT_MS_MAX;
    const stepBack = this.#stepBackUntil - this.#now();
    if (stepBack > 0) await pause(stepBack, signal);
    for (;;) {
      const isTaken = this.#areUsed ? this.#tryHold(held) : undefined;
      if (isTaken !== false) return isTaken === true;
      if (this.#now() > deadline) {
        this.#ignoreUntil = this.#now() + IGNORE_MS;
        return false;
      }
      await pause(PAUSE_MS, signal);
    }
  }

  #leave({ held, awaited }: Turn): void {
    this.#giveBack(held);
    this.#giveBack(QUEUE_LOCK.offset);
    if (this.#areUsed && this.#isHeldByOthers(awaited)) {
      this.#stepBackUntil = this.#now() + STEP_BACK_MS;
    }
  }

  /** `undefined` when it cannot be asked. */
  #tryHold(byte: number): boolean | undefined {
    const count = this.#counts.get(byte) ?? 0;
    const isHeld = count > 0 || this.#tryLock(byte, 'exclusive');
    if (isHeld) this.#counts.set(byte, count + 1);
    return isHeld;
  }

  #share(byte: number): void {
    const count = this.#counts.get(byte) ?? 0;
    // Not had only while somebody looks at it: then it is not seen.
    if (count === 0) this.#tryLock(byte, 'shared');
    this.#counts.set(byte, count + 1);
  }

  #giveBack(byte: number): void {
    const count = this.#counts.get(byte) ?? 0;
    if (count > 1) {
      this.#counts.set(byte, count - 1);
      return;
    }
    this.#counts.delete(byte);
    if (!this.#ended) this.#unlock(byte);
  }

  /** To ask for a byte that this process shares, or holds, would change what it has. */
  #isHeldByOthers(byte: number): boolean {
    if (this.#counts.has(byte)) return false;
    const isHeld = this.#tryLock(byte, 'exclusive') === false;
    if (!isHeld) this.#unlock(byte);
    return isHeld;
  }

  /** `undefined` when it cannot be asked. */
  #tryLock(byte: number, kind: 'exclusive' | 'shared'): boolean | undefined {
    return fairly(() => this.#disk.tryLock(this.#file, { offset: byte, length: 1 }, kind));
  }

  #unlock(byte: number): void {
    fairly(() => this.#disk.unlock(this.#file, { offset: byte, length: 1 }));
  }
}

/** What only serves fairness must not decide what becomes of a commit. */
function fairly<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Two names may have one turn: then they wait for each other for nothing. */
function turnOf(name: string): Turn {
  const held = TURN_LOCKS.offset + 2 * (crc32(name) % (TURN_LOCKS.length / 2));
  return { held, awaited: held + 1 };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const timer = setTimeout(() => {
      stopListening();
      resolve();
    }, milliseconds);
    const stopListening = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
