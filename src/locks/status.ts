/** Who holds a lock and who waits for it, as its users see it. */
import type { Held, LockQueue, Waiter } from './lock-queue.js';
import type { LockKind } from './wait-for.js';

/** Somebody who holds a lock or waits for it. */
export interface LockParty {
  readonly kind: LockKind;
  readonly label: string | undefined;
  /** Its owner's name, when it has one. */
  readonly owner: string | undefined;
  /** Since it has the lock, or waits for it. */
  readonly ageMs: number;
}

export interface ReadWriteStatus {
  readonly state: 'free' | 'read' | 'write';
  readonly holders: readonly LockParty[];
  /** Critical ones first, each priority in the order of its coming. */
  readonly waiters: readonly LockParty[];
}

export function statusOf(queue: LockQueue): ReadWriteStatus {
  const now = performance.now();
  const holders = queue.holders.map((held) => partyOf(held, held.owner?.name, now));
  const waiters = queue.waiters.map((waiter) => partyOf(waiter, waiter.asker?.name, now));
  return Object.freeze({
    state: queue.holders[0]?.mode ?? 'free',
    holders: Object.freeze(holders),
    waiters: Object.freeze(waiters),
  });
}

function partyOf(who: Held | Waiter, owner: string | undefined, now: number): LockParty {
  const { label, since, mode, queue } = who;
  return Object.freeze({ kind: queue.kindOf(mode), label, owner, ageMs: Math.max(0, now - since) });
}
