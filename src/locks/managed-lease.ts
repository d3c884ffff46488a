/** Leases of a manager: counted when they are released, and several in one. */
import type { Lease } from './lease.js';
import { isThenable } from './request.js';
import type { LockStatistics, Use, UseParty } from './statistics.js';

export class ManagedLease implements Lease {
  readonly #lease: Lease;
  readonly #statistics: LockStatistics;
  readonly #use: Use;
  readonly #party: UseParty;

  constructor(lease: Lease, statistics: LockStatistics, use: Use, party: UseParty) {
    this.#lease = lease;
    this.#statistics = statistics;
    this.#use = use;
    this.#party = party;
  }

  get token(): number | undefined {
    return this.#lease.token;
  }

  get released(): boolean {
    return this.#lease.released;
  }

  release(): void {
    if (this.#lease.released) return;
    this.#statistics.released(this.#use, this.#party);
    this.#lease.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** Held and released together. It has no token: take each lock apart where tokens are needed. */
export class SeveralLeases implements Lease {
  readonly #leases: readonly Lease[];
  #released = false;

  constructor(leases: readonly Lease[]) {
    this.#leases = leases;
  }

  get released(): boolean {
    return this.#released;
  }

  /** What was taken last is given back first. All are, also when one of them fails. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const failures: unknown[] = [];
    for (const lease of this.#leases.toReversed()) {
      try {
        lease.release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** One lock's own lease, with its token; several as one. */
export function leaseOf(leases: readonly Lease[]): Lease {
  const [first] = leases;
  return leases.length === 1 && first !== undefined ? first : new SeveralLeases(leases);
}

/** Does the work and releases the lease: when it throws or gives a result, or once that is settled where it can be awaited. */
export function untilSettled<T>(lease: Lease, work: () => T): T {
  let isPending = false;
  try {
    const result = work();
    isPending = isThenable(result);
    return isPending ? (released(result, lease) as T) : result;
  } finally {
    if (!isPending) lease.release();
  }
}

async function released(result: unknown, lease: Lease): Promise<unknown> {
  try {
    return await result;
  } finally {
    lease.release();
  }
}
