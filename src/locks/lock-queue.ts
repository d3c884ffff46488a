/**
 * One lock of many readers or one writer, and those who wait for it. Knows nothing of files or names; read-write-lock.ts and
 * file-lock.ts stand on it.
 *
 * Invariants:
 * - a writer holds it alone;
 * - who comes first among its priority is first; a reader behind a waiting writer waits, whoever reads now;
 * - critical goes before normal, but at most `CRITICAL_IN_A_ROW` times while somebody normal waits;
 * - whoever stands first and fits has it already: after every change the queue is worked off as far as it goes;
 * - a waiter is settled once, and whoever is settled stands in no queue, has no timer and no listener;
 * - no circle of owners waits for each other when a call returns.
 */
import { cycleError, findCycle, reentryError, youngestOf } from './deadlock.js';
import type { Lease } from './lease.js';
import type { Owner, Party } from './owner.js';
import { type LockRequest, toldTimeoutMs } from './request.js';
import type { Contended, Holding, LockKind, Mode, Waiting } from './wait-for.js';

const CRITICAL_IN_A_ROW = 8;

/** setTimeout takes no longer time; who waits longer is waited for again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The lock in the hands of somebody, until it is released. */
export class Held implements Holding, Lease {
  readonly queue: LockQueue;
  readonly mode: Mode;
  readonly owner: Owner | undefined;
  readonly label: string | undefined;
  /** On the monotonic clock, ms. */
  readonly since: number;
  #released = false;

  /** @internal Made by the queue. */
  constructor(queue: LockQueue, mode: Mode, owner: Owner | undefined, label: string | undefined) {
    this.queue = queue;
    this.mode = mode;
    this.owner = owner;
    this.label = label;
    this.since = performance.now();
  }

  get released(): boolean {
    return this.#released;
  }

  /** Gives the lock back, once. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.queue.leave(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** Somebody who waits. */
export class Waiter implements Waiting {
  readonly queue: LockQueue;
  readonly mode: Mode;
  readonly request: LockRequest;
  readonly party: Party;
  readonly number: number;
  /** On the monotonic clock, ms. */
  readonly since: number = performance.now();
  readonly #resolve: (held: Held) => void;
  readonly #reject: (reason: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #aborted: (() => void) | undefined;
  #settled = false;

  constructor(
    queue: LockQueue,
    mode: Mode,
    request: LockRequest,
    party: Party,
    settle: { resolve: (held: Held) => void; reject: (reason: unknown) => void },
  ) {
    lastWaiter += 1;
    this.number = lastWaiter;
    this.queue = queue;
    this.mode = mode;
    this.request = request;
    this.party = party;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
    for (let owner = party.waiting; owner !== undefined; owner = owner.around) owner.waitsNow(this);
  }

  get asker(): Owner | undefined {
    return this.party.waiting;
  }

  get label(): string | undefined {
    return this.request.label;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Ends the wait without the lock. */
  giveUp(reason: unknown): void {
    this.queue.giveUp(this, reason);
  }

  /** From now on it can give up. */
  beginTimer(): void {
    const { timeoutMs, signal } = this.request;
    if (timeoutMs !== Number.POSITIVE_INFINITY) this.#wakeAfter(timeoutMs);
    if (signal === undefined) return;
    this.#aborted = () => this.giveUp(signal.reason);
    signal.addEventListener('abort', this.#aborted, { once: true });
  }

  #wakeAfter(remainingMs: number): void {
    const nowMs = Math.min(remainingMs, TIMER_MS_MAX);
    this.#timer = setTimeout(() => {
      if (remainingMs > nowMs) this.#wakeAfter(remainingMs - nowMs);
      else this.giveUp(this.queue.timeoutError(this));
    }, nowMs);
  }

  /** @internal Called by the queue, in which it stands no longer: nothing is left of it, and nobody waits for it. */
  endWait(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    if (this.#aborted) this.request.signal?.removeEventListener('abort', this.#aborted);
    for (let owner = this.asker; owner !== undefined; owner = owner.around) {
      owner.waitsNoLonger(this);
    }
  }

  /** @internal After `endWait`. */
  take(held: Held): void {
    this.#resolve(held);
  }

  /** @internal After `endWait`. */
  fail(reason: unknown): void {
    this.#reject(reason);
  }
}

let lastWaiter = 0;

export interface LockQueueFacts {
  /** As others are told of the lock. */
  readonly name: string;
  /** How the two modes are called. */
  readonly kinds: Readonly<Record<Mode, LockKind>>;
  readonly timeoutError: (queue: LockQueue, mode: Mode, timeoutMs: number) => Error;
  /** Called when nobody holds it or waits for it any more. */
  readonly idle?: ((name: string) => void) | undefined;
}

/** What is empty at first stays shared until it is needed: most locks are taken once and given back. Nothing is ever put into it. */
const NONE: Set<never> = new Set();

export class LockQueue implements Contended {
  readonly #facts: LockQueueFacts;
  #readers: Set<Held> = NONE;
  #writer: Held | undefined;
  #critical: Set<Waiter> = NONE;
  #normal: Set<Waiter> = NONE;
  /** Critical ones that went before somebody normal, since the last normal one. */
  #inARow = 0;

  constructor(facts: LockQueueFacts) {
    this.#facts = facts;
  }

  get name(): string {
    return this.#facts.name;
  }

  kindOf(mode: Mode): LockKind {
    return this.#facts.kinds[mode];
  }

  get holders(): Held[] {
    return this.#writer ? [this.#writer] : [...this.#readers];
  }

  /** In the order of their coming; critical ones first. */
  get waiters(): Waiter[] {
    return [...this.#critical, ...this.#normal];
  }

  get isIdle(): boolean {
    return this.#writer === undefined && this.#readers.size === 0 && !this.#isAwaited;
  }

  get #isAwaited(): boolean {
    return this.#critical.size > 0 || this.#normal.size > 0;
  }

  /**
   * The lock at once, or a promise of it.
   * @throws DeadlockError at once for an owner that holds it already; rejects with LockTimeoutError, DeadlockError, the signal's reason
   */
  acquire(mode: Mode, request: LockRequest, party: Party): Held | Promise<Held> {
    this.#refuseReentry(mode, party);
    if (!this.#isAwaited && this.#fits(mode)) {
      this.#inARow = 0;
      return this.#give(mode, request, party);
    }
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this, mode, request, party, { resolve, reject });
      this.#line(request.critical).add(waiter);
      // A critical one may go before those who wait, and then nobody need wait for anybody.
      this.#workOff();
      if (waiter.settled) return;
      if (request.timeoutMs === 0) {
        waiter.giveUp(this.timeoutError(waiter));
        return;
      }
      breakCycles(waiter);
      if (!waiter.settled) waiter.beginTimer();
    });
  }

  /**
   * @internal For one who has the lock already, by other means than a turn. It stands among the holders where it fits, so that others wait for it;
   * beside one who has the turn it counts for its owner only.
   */
  join(mode: Mode, request: LockRequest, party: Party): Held {
    if (!this.#isAwaited && this.#fits(mode)) return this.#give(mode, request, party);
    return this.#heldBy(party, new Held(this, mode, party.holding, request.label));
  }

  /** @internal Ends a wait without the lock. */
  giveUp(waiter: Waiter, reason: unknown): void {
    if (waiter.settled) return;
    (waiter.request.critical ? this.#critical : this.#normal).delete(waiter);
    waiter.endWait();
    waiter.fail(reason);
    this.#workOff();
    this.#tellIdle();
  }

  /** @internal Called by what is released. */
  leave(held: Held): void {
    if (this.#writer === held) this.#writer = undefined;
    else this.#readers.delete(held);
    held.owner?.holdsNoLonger(held);
    this.#workOff();
    this.#tellIdle();
  }

  timeoutError(waiter: Waiter): Error {
    return this.#facts.timeoutError(this, waiter.mode, toldTimeoutMs(waiter.request));
  }

  holdersInTheWay(waiter: Waiting): Iterable<Held> {
    if (this.#writer) return [this.#writer];
    return waiter.mode === 'write' ? this.#readers : [];
  }

  waiterInTheWay(waiter: Waiting): Waiter | undefined {
    if (this.#writer || waiter.mode === 'write') return undefined;
    const first = this.#first();
    return first === waiter ? undefined : first;
  }

  #line(critical: boolean): Set<Waiter> {
    if (critical) {
      if (this.#critical === NONE) this.#critical = new Set();
      return this.#critical;
    }
    if (this.#normal === NONE) this.#normal = new Set();
    return this.#normal;
  }

  #fits(mode: Mode): boolean {
    return this.#writer === undefined && (mode === 'read' || this.#readers.size === 0);
  }

  #first(): Waiter | undefined {
    if (!this.#isAwaited) return undefined;
    const [critical] = this.#critical;
    const [normal] = this.#normal;
    if (critical === undefined || normal === undefined) return critical ?? normal;
    return this.#inARow < CRITICAL_IN_A_ROW ? critical : normal;
  }

  /** Gives the lock to those who stand first, for as long as they fit. */
  #workOff(): void {
    for (;;) {
      const waiter = this.#first();
      if (waiter === undefined || !this.#fits(waiter.mode)) return;
      const { critical } = waiter.request;
      (critical ? this.#critical : this.#normal).delete(waiter);
      this.#inARow = critical && this.#normal.size > 0 ? this.#inARow + 1 : 0;
      waiter.endWait();
      waiter.take(this.#give(waiter.mode, waiter.request, waiter.party));
    }
  }

  #give(mode: Mode, request: LockRequest, party: Party): Held {
    const held = new Held(this, mode, party.holding, request.label);
    if (mode === 'write') this.#writer = held;
    else if (this.#readers === NONE) this.#readers = new Set([held]);
    else this.#readers.add(held);
    return this.#heldBy(party, held);
  }

  #heldBy({ holding }: Party, held: Held): Held {
    if (holding !== undefined) {
      holding.holdsNow(held);
      // An owner that waits elsewhere at the same time may close a circle by what it gets.
      if (holding.waits.size > 0) for (const waiter of [...holding.waits]) breakCycles(waiter);
    }
    return held;
  }

  #refuseReentry(mode: Mode, { waiting }: Party): void {
    for (let owner = waiting; owner !== undefined; owner = owner.around) {
      const held = owner.holdOf(this);
      if (held !== undefined) throw reentryError(this, mode, waiting, held);
    }
  }

  #tellIdle(): void {
    if (this.#facts.idle !== undefined && this.isIdle) this.#facts.idle(this.name);
  }
}

/** Ends waits, the youngest of each circle first, until the waiter stands in none. */
function breakCycles(waiter: Waiting): void {
  for (let cycle = findCycle(waiter); cycle !== undefined; cycle = findCycle(waiter)) {
    const victim = youngestOf(cycle);
    victim.giveUp(cycleError(cycle, victim));
    if (victim === waiter) return;
  }
}
