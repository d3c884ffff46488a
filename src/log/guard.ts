/**
 * A condition on what others committed: transactions over any key of a projection stand on it. Which events stand in the way is for the caller
 * to say; when it is asked, and about which commits, is the log's part.
 */
import type { RecordedEvent } from './types.js';

export interface CommitGuard {
  /** Commits behind this position are asked about, up to the place that the commit itself takes. */
  readonly after: number;
  /** Whether the event stands in the way. Pure, and asked while the lock is held: it must not wait, and should not take long. */
  blocks(event: RecordedEvent): boolean;
}

/** How far a guard was asked along the durable log, and what it found there. Durable commits never change, so that it is asked about each once. */
export interface GuardProgress {
  /** Looks on as far as that takes no read; true when it came to the end of the durable log. */
  lookNow(): boolean;
  readonly found: readonly RecordedEvent[];
}

/** A commit was refused by its guard. Never leaves the library: whoever set the guard says what it means. */
export class CommitBlocked extends Error {
  readonly events: readonly RecordedEvent[];

  constructor(events: readonly RecordedEvent[]) {
    super('what the commit rests on was changed');
    this.events = events;
  }
}
