/**
 * Who asks for a lock. An owner is an async context, entered by `withX` and the decorators, or what a call gives as `owner`.
 *
 * Contexts nest: what is asked for inside `withWrite` keeps that one from ending, so a wait counts for its owner and for all owners around
 * it. Two calls beside each other in one context are two owners: neither is in the other's way for good.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Contended, Holding, Owning, Waiting } from './wait-for.js';

/** What a call may give as its owner. */
export type OwnerKey = object | symbol | string;

let lastAge = 0;

export class Owner implements Owning {
  readonly around: Owner | undefined;
  readonly age: number;
  readonly #key: OwnerKey | undefined;
  readonly #label: string | undefined;
  readonly #holds: Holding[] = [];
  readonly #waits = new Set<Waiting>();

  constructor(around: Owner | undefined, label: string | undefined, key?: OwnerKey) {
    this.around = around;
    this.#label = label;
    this.#key = key;
    if (around === undefined) lastAge += 1;
    this.age = around === undefined ? lastAge : around.age;
  }

  get name(): string {
    if (this.#label !== undefined) return this.#label;
    if (typeof this.#key === 'string') return this.#key;
    if (typeof this.#key === 'symbol') return this.#key.description ?? `owner ${this.age}`;
    return this.around === undefined ? `owner ${this.age}` : this.around.name;
  }

  /** True when it neither holds nor waits: it has ended, or has not begun. */
  get isIdle(): boolean {
    return this.#holds.length === 0 && this.#waits.size === 0;
  }

  get waits(): ReadonlySet<Waiting> {
    return this.#waits;
  }

  /** How it holds the queue's lock, if it does. */
  holdOf(queue: Contended): Holding | undefined {
    return this.#holds.find((held) => held.queue === queue);
  }

  holdsNow(held: Holding): void {
    if (this.#key !== undefined) given.set(this.#key, this);
    this.#holds.push(held);
  }

  holdsNoLonger(held: Holding): void {
    // What was taken last is mostly given back first.
    const place = this.#holds.lastIndexOf(held);
    if (place >= 0) this.#holds.splice(place, 1);
    this.#forgetWhenIdle();
  }

  waitsNow(waiter: Waiting): void {
    if (this.#key !== undefined) given.set(this.#key, this);
    this.#waits.add(waiter);
  }

  waitsNoLonger(waiter: Waiting): void {
    this.#waits.delete(waiter);
    this.#forgetWhenIdle();
  }

  #forgetWhenIdle(): void {
    if (this.#key !== undefined && this.isIdle) given.delete(this.#key);
  }
}

/** Owners that calls gave, while they hold or wait for something. */
const given = new Map<OwnerKey, Owner>();
const contexts = new AsyncLocalStorage<Owner>();

/** The owner whose context this call runs in. One that has ended keeps nobody waiting, and is passed over. */
export function contextOwner(): Owner | undefined {
  let owner = contexts.getStore();
  while (owner?.isIdle) owner = owner.around;
  return owner;
}

function givenOwner(key: OwnerKey, label: string | undefined): Owner {
  // Kept from the first thing that it holds or waits for, which follows at once.
  return given.get(key) ?? new Owner(undefined, typeof key === 'string' ? undefined : label, key);
}

/** Runs the work in the owner's context. */
export function runAs<T>(owner: Owner, work: () => T): T {
  return contexts.run(owner, work);
}

/** Who a call waits for, and who will hold what it gets. */
export interface Party {
  /** Its wait counts for this owner and those around it. Undefined: it takes no part in finding deadlocks. */
  readonly waiting: Owner | undefined;
  /** Undefined: held by nobody in particular, such as a lease that may be handed on. */
  readonly holding: Owner | undefined;
}

const NOBODY: Party = Object.freeze({ waiting: undefined, holding: undefined });

/** For a lease: the owner that is given, or nobody. Inside a context, the wait is the context's. */
export function partyOfLease(key: OwnerKey | undefined, label: string | undefined): Party {
  if (key !== undefined) {
    const owner = givenOwner(key, label);
    return { waiting: owner, holding: owner };
  }
  const waiting = contextOwner();
  return waiting === undefined ? NOBODY : { waiting, holding: undefined };
}

/** For work that runs under a lock, in a context of its own unless an owner is given. */
export function partyOfWork(
  key: OwnerKey | undefined,
  label: string | undefined,
): { readonly waiting: Owner; readonly holding: Owner } {
  const owner = key === undefined ? new Owner(contextOwner(), label) : givenOwner(key, label);
  return { waiting: owner, holding: owner };
}
