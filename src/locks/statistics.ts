/**
 * What became of a manager's locks, by resource and kind. Counting costs well under a microsecond for each acquisition, so it is
 * never turned off.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { DeadlockError, LockTimeoutError } from '../errors.js';
import { DurationHistogram, type Durations } from './durations.js';
import type { LockParty } from './status.js';
import type { LockKind, Owning } from './wait-for.js';

/** Name of the node:diagnostics_channel on which every {@link LockOperation} of all managers is published. */
export const LOCK_CHANNEL = 'recollect:lock';

/** Something that became of a lock. */
export interface LockOperation {
  readonly operation: 'acquired' | 'released' | 'timed out' | 'failed';
  readonly resource: string;
  readonly kind: LockKind;
  readonly label: string | undefined;
  /** ISO 8601. */
  readonly time: string;
  /** How long was waited; of `released`, how long the lock was held. */
  readonly durationMs: number;
}

/** Counts since the manager was made, or since the resource was forgotten last. */
export interface LockCounts {
  readonly acquisitions: number;
  readonly releases: number;
  readonly timeouts: number;
  /** What failed otherwise: deadlocks, aborted waits, files that could not be locked. */
  readonly errors: number;
  /** Those of them that were deadlocks. */
  readonly deadlocks: number;
}

/** One resource, in one kind of use. */
export interface LockUse extends LockCounts {
  readonly resource: string;
  readonly kind: LockKind;
  readonly holders: readonly LockParty[];
  readonly waiters: readonly LockParty[];
  /** Of what was acquired. */
  readonly wait: Durations;
  /** Of what was released. */
  readonly hold: Durations;
}

/** Of all resources, by kind, those forgotten included. */
export interface LockTotals {
  /** Locks that are held now, and waits for them. */
  readonly held: number;
  readonly waiting: number;
  readonly kinds: Readonly<Record<LockKind, LockCounts>>;
}

/** Plain data: JSON keeps all of it. */
export interface LockStats extends LockTotals {
  /** Sorted by resource, then kind. */
  readonly uses: readonly LockUse[];
  /** How often a resource's figures were dropped, because 1000 others were in use after it. */
  readonly forgotten: number;
  /** The last 100 of all resources, oldest first. */
  readonly operations: readonly LockOperation[];
}

const KINDS: readonly LockKind[] = ['exclusive', 'read', 'shared', 'write'];
const RESOURCES_MAX = 1000;
const LOOKS_MAX = 2 * RESOURCES_MAX;
const OPERATIONS_KEPT = 100;

class Counts {
  acquisitions = 0;
  releases = 0;
  timeouts = 0;
  errors = 0;
  deadlocks = 0;

  get counts(): LockCounts {
    const { acquisitions, releases, timeouts, errors, deadlocks } = this;
    return { acquisitions, releases, timeouts, errors, deadlocks };
  }
}

/** One who waits for a lock or holds it. */
export interface UseParty {
  readonly label: string | undefined;
  readonly owner: Owning | undefined;
  /** Since it waits, then since it holds; on the monotonic clock, ms. */
  since: number;
}

/** The figures of one resource in one kind of use. */
export class Use extends Counts {
  readonly resource: string;
  readonly kind: LockKind;
  readonly totals: Counts;
  readonly holders: Set<UseParty> = new Set();
  readonly waiters: Set<UseParty> = new Set();
  readonly wait: DurationHistogram = new DurationHistogram();
  readonly hold: DurationHistogram = new DurationHistogram();

  constructor(resource: string, kind: LockKind, totals: Counts) {
    super();
    this.resource = resource;
    this.kind = kind;
    this.totals = totals;
  }

  get isIdle(): boolean {
    return this.holders.size === 0 && this.waiters.size === 0;
  }
}

interface Uses extends Partial<Record<LockKind, Use>> {
  /** Used since it was looked at last. */
  recent: boolean;
}

export class LockStatistics {
  readonly #totals: Readonly<Record<LockKind, Counts>> = {
    exclusive: new Counts(),
    read: new Counts(),
    shared: new Counts(),
    write: new Counts(),
  };
  readonly #resources = new Map<string, Uses>();
  /** The last operations, in a ring. */
  readonly #ring: Kept[] = [];
  #ringNext = 0;
  #forgotten = 0;
  readonly #channel: Channel = channel(LOCK_CHANNEL);

  useOf(resource: string, kind: LockKind): Use {
    let uses = this.#resources.get(resource);
    if (uses === undefined) {
      uses = { recent: true };
      this.#resources.set(resource, uses);
      if (this.#resources.size > RESOURCES_MAX) this.#forgetOne();
    }
    uses.recent = true;
    let use = uses[kind];
    if (use === undefined) {
      use = new Use(resource, kind, this.#totals[kind]);
      uses[kind] = use;
    }
    return use;
  }

  /** Somebody begins to wait. */
  waiting(use: Use, party: UseParty): void {
    use.waiters.add(party);
  }

  /** `now` is when, and `party.since` when the wait began. */
  acquired(use: Use, party: UseParty, now: number): void {
    use.waiters.delete(party);
    use.holders.add(party);
    use.acquisitions += 1;
    use.totals.acquisitions += 1;
    const waitMs = now - party.since;
    party.since = now;
    use.wait.add(waitMs);
    this.#keep('acquired', use, party, now, waitMs);
  }

  released(use: Use, party: UseParty): void {
    const now = performance.now();
    use.holders.delete(party);
    use.releases += 1;
    use.totals.releases += 1;
    const heldMs = now - party.since;
    use.hold.add(heldMs);
    this.#keep('released', use, party, now, heldMs);
  }

  failed(use: Use, party: UseParty, error: unknown): void {
    const now = performance.now();
    use.waiters.delete(party);
    const isTimeout = error instanceof LockTimeoutError;
    for (const counts of [use, use.totals]) {
      if (isTimeout) counts.timeouts += 1;
      else counts.errors += 1;
      if (error instanceof DeadlockError) counts.deadlocks += 1;
    }
    this.#keep(isTimeout ? 'timed out' : 'failed', use, party, now, now - party.since);
  }

  /** Uses that somebody holds or waits for. */
  *busy(): Generator<Use> {
    for (const use of this.#uses()) if (!use.isIdle) yield use;
  }

  get totals(): LockTotals {
    let held = 0;
    let waiting = 0;
    for (const { holders, waiters } of this.#uses()) {
      held += holders.size;
      waiting += waiters.size;
    }
    const { exclusive, read, shared, write } = this.#totals;
    const kinds = {
      exclusive: Object.freeze(exclusive.counts),
      read: Object.freeze(read.counts),
      shared: Object.freeze(shared.counts),
      write: Object.freeze(write.counts),
    };
    return Object.freeze({ held, waiting, kinds: Object.freeze(kinds) });
  }

  get stats(): LockStats {
    const now = performance.now();
    const resources = [...this.#resources].sort(([one], [other]) => (one < other ? -1 : 1));
    const uses = resources.flatMap(([, byKind]) =>
      KINDS.flatMap((kind) => {
        const use = byKind[kind];
        return use === undefined ? [] : [reportOf(use, now)];
      }),
    );
    const ordered = [...this.#ring.slice(this.#ringNext), ...this.#ring.slice(0, this.#ringNext)];
    return Object.freeze({
      ...this.totals,
      uses: Object.freeze(uses),
      forgotten: this.#forgotten,
      operations: Object.freeze(ordered.map((kept) => this.#told(kept))),
    });
  }

  *#uses(): Generator<Use> {
    for (const uses of this.#resources.values()) {
      for (const kind of KINDS) {
        const use = uses[kind];
        if (use !== undefined) yield use;
      }
    }
  }

  /**
   * Drops a resource that was not used lately: each is looked at in turn, and one that was used since, or is now, goes to the end of the
   * line (the clock algorithm). Where all are in use the table grows for a while, rather than that one call looks at all of them.
   */
  #forgetOne(): void {
    let looks = 0;
    for (const [resource, uses] of this.#resources) {
      this.#resources.delete(resource);
      if (!uses.recent && KINDS.every((kind) => uses[kind]?.isIdle ?? true)) {
        this.#forgotten += 1;
        if (this.#resources.size <= RESOURCES_MAX) return;
      } else {
        uses.recent = false;
        this.#resources.set(resource, uses);
      }
      looks += 1;
      if (looks === LOOKS_MAX) return;
    }
  }

  #keep(
    operation: LockOperation['operation'],
    use: Use,
    { label }: UseParty,
    at: number,
    durationMs: number,
  ): void {
    const { resource, kind } = use;
    const kept = this.#ring[this.#ringNext];
    if (kept === undefined) {
      this.#ring.push({ operation, resource, kind, label, at, durationMs });
    } else {
      // The ring is full: what stands longest is written over, so that nothing is made for each operation.
      kept.operation = operation;
      kept.resource = resource;
      kept.kind = kind;
      kept.label = label;
      kept.at = at;
      kept.durationMs = durationMs;
    }
    this.#ringNext = this.#ringNext === OPERATIONS_KEPT - 1 ? 0 : this.#ringNext + 1;
    if (!this.#channel.hasSubscribers) return;
    this.#channel.publish(this.#told({ operation, resource, kind, label, at, durationMs }));
  }

  #told({ at, ...rest }: Kept): LockOperation {
    return Object.freeze({
      ...rest,
      time: new Date(Date.now() - performance.now() + at).toISOString(),
    });
  }
}

interface Kept {
  operation: LockOperation['operation'];
  resource: string;
  kind: LockKind;
  label: string | undefined;
  /** On the monotonic clock, ms. */
  at: number;
  durationMs: number;
}

function reportOf(use: Use, now: number): LockUse {
  const { resource, kind, holders, waiters } = use;
  return Object.freeze({
    resource,
    kind,
    ...use.counts,
    holders: partiesOf(kind, holders, now),
    waiters: partiesOf(kind, waiters, now),
    wait: use.wait.durations,
    hold: use.hold.durations,
  });
}

function partiesOf(kind: LockKind, parties: Set<UseParty>, now: number): readonly LockParty[] {
  const told = [...parties].map(({ label, owner, since }) =>
    Object.freeze({ kind, label, owner: owner?.name, ageMs: Math.max(0, now - since) }),
  );
  return Object.freeze(told);
}
