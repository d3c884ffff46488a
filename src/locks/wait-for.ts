/** The wait-for graph, as types: owners hold and wait, locks are held and waited for. */

export type Mode = 'read' | 'write';

/** As callers know it: locks between processes are shared or exclusive. */
export type LockKind = 'read' | 'write' | 'shared' | 'exclusive';

export interface Owning {
  /** The owner around it, which cannot end before it. */
  readonly around: Owning | undefined;
  /** Grows with time: that of the outermost owner, so that the youngest of a circle is who began last. */
  readonly age: number;
  /** As others are told of it. */
  readonly name: string;
  /** What it, and those inside it, wait for now. */
  readonly waits: ReadonlySet<Waiting>;
}

export interface Holding {
  readonly queue: Contended;
  readonly mode: Mode;
  /** Undefined: held by nobody in particular, such as a lease that may be handed on. */
  readonly owner: Owning | undefined;
  readonly label: string | undefined;
}

export interface Waiting {
  readonly queue: Contended;
  readonly mode: Mode;
  readonly label: string | undefined;
  /** Whom the wait keeps from ending, with those around it. Undefined: it takes no part in finding deadlocks. */
  readonly asker: Owning | undefined;
  /** Counts all that ever waited in this thread. */
  readonly number: number;
  /** Ends the wait without the lock. */
  giveUp(reason: unknown): void;
}

export interface Contended {
  /** As others are told of the lock. */
  readonly name: string;
  kindOf(mode: Mode): LockKind;
  /** Those who must release the lock before the waiter can have it. */
  holdersInTheWay(waiter: Waiting): Iterable<Holding>;
  /** Who keeps the waiter out although no holder does: the writer that stands first while others read. */
  waiterInTheWay(waiter: Waiting): Waiting | undefined;
}
