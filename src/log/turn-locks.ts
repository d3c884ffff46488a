/**
 * Turns that transactions of several processes give one another over what they conflicted about. Each turn is a lock on a byte of the lock file, far
 * behind its content, which the kernel gives back when the holder dies.
 *
 * Nothing rests on these locks: whoever does without one, because it cannot be had or because its holder does not move, risks no more than a conflict.
 */
import { crc32 } from 'node:zlib';
import { systemCode } from '../errors.js';
import type { Disk } from './disk.js';
import { QUEUE_LOCK, TURN_COUNTS, TURN_LOCKS } from './format.js';
import { onAbort } from './on-abort.js';

/** Whether somebody queues is looked at so often at most, ms. */
const LOOK_MS = 1;
/** Between two attempts at a lock, ms. */
const PAUSE_MS = 1;
/** Who had a turn that others waited for leaves them so long, ms. */
const STEP_BACK_MS = 2;
/** A turn that nobody takes for so long, ms, is had by somebody that does not move, such as a stopped process. */
const STUCK_MS = 1000;
/** Who has one tells so often, ms, that it still moves. */
const MOVES_MS = 250;
/** So long another one takes its place then, ms. */
const REPLACED_MS = 10_000;
const TURNS = TURN_LOCKS.length / 2;
const COUNT_BYTES = TURN_COUNTS.length / TURNS;

/** Two names may have one turn: then they wait for each other for nothing. */
class Turn {
  readonly number: number;
  /** The byte of whoever has it. */
  readonly held: number;
  /** The byte of all who wait for it. */
  readonly awaited: number;

  constructor(number: number) {
    this.number = number;
    this.held = TURN_LOCKS.offset + 2 * number;
    this.awaited = this.held + 1;
  }
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
  /** Until when other ones take the place of these. */
  readonly #stuck = new Map<number, number>();
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
    const { held, awaited } = this.#turnOf(name);
    return this.#isHeldByOthers(held) || this.#isHeldByOthers(awaited);
  }

  /**
   * Waits for the turn; gives the call that ends it.
   * @throws the signal's reason
   */
  async take(name: string, signal: AbortSignal): Promise<() => void> {
    if (!this.#areUsed) return () => {};
    let taken: Turn | undefined;
    this.#share(QUEUE_LOCK.offset);
    try {
      taken = await this.#taken(this.#turnOf(name), signal);
      // Everybody finds out for himself that a turn is stuck, and all come together at the one in its place.
      if (!taken) taken = await this.#taken(this.#turnOf(name), signal);
    } finally {
      if (!taken) this.#giveBack(QUEUE_LOCK.offset);
    }
    const turn = taken;
    if (!turn) return () => {};
    const moves = setInterval(() => this.#areUsed && this.#countOn(turn), MOVES_MS).unref();
    return () => {
      clearInterval(moves);
      this.#leave(turn);
    };
  }

  /** The file is about to be closed. */
  end(): void {
    this.#ended = true;
  }

  get #areUsed(): boolean {
    return this.#disk.rangeLocks && !this.#ended;
  }

  #turnOf(name: string): Turn {
    const number = crc32(name) % TURNS;
    const until = this.#stuck.get(number);
    if (until === undefined) return new Turn(number);
    if (this.#now() < until) return new Turn((number + TURNS / 2) % TURNS);
    this.#stuck.delete(number);
    return new Turn(number);
  }

  /** `undefined` when it cannot be had, or is stuck. */
  async #taken(turn: Turn, signal: AbortSignal): Promise<Turn | undefined> {
    this.#share(turn.awaited);
    try {
      return (await this.#wait(turn, signal)) ? turn : undefined;
    } finally {
      this.#giveBack(turn.awaited);
    }
  }

  async #wait(turn: Turn, signal: AbortSignal): Promise<boolean> {
    let count = this.#count(turn);
    let deadline = this.#now() + STUCK_MS;
    const stepBack = this.#stepBackUntil - this.#now();
    if (stepBack > 0) await pause(stepBack, signal);
    for (;;) {
      const isTaken = this.#areUsed ? this.#tryHold(turn.held) : undefined;
      if (isTaken === true) this.#countOn(turn);
      if (isTaken !== false) return isTaken === true;
      const now = this.#now();
      if (now > deadline) {
        const latest = this.#count(turn);
        if (latest === count) {
          this.#stuck.set(turn.number, now + REPLACED_MS);
          return false;
        }
        count = latest;
        deadline = now + STUCK_MS;
      }
      await pause(PAUSE_MS, signal);
    }
  }

  /** How often somebody took the turn; the same number for longer than anybody keeps one tells that nobody moves. */
  #count({ number }: Turn): number {
    const bytes = Buffer.alloc(COUNT_BYTES);
    fairly(() => this.#disk.read(this.#file, bytes, 0, COUNT_BYTES, countAt(number)));
    return bytes.readUInt32LE();
  }

  #countOn(turn: Turn): void {
    const bytes = Buffer.alloc(COUNT_BYTES);
    bytes.writeUInt32LE((this.#count(turn) + 1) % 2 ** 32);
    fairly(() => this.#disk.write(this.#file, bytes, 0, COUNT_BYTES, countAt(turn.number)));
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

function countAt(number: number): number {
  return TURN_COUNTS.offset + number * COUNT_BYTES;
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
