/**
 * A condition on what others committed: transactions over any key of a projection stand on it. Which events stand in the way is for the caller
 * to say; when it is asked, and about which commits, is the log's part.
 */
import { type FeedCommit, type FeedSource, LogFeed } from './feed.js';
import type { Io } from './io.js';
import type { RecordedEvent } from './types.js';

export interface CommitGuard {
  /** Commits behind this position are asked about, up to the place that the commit itself takes. */
  readonly after: number;
  /**
   * The only streams whose events may stand in the way, if that can be said: as long as none of them moved, nothing is looked at, however much
   * others committed.
   */
  readonly streams?: ReadonlySet<string> | undefined;
  /** Event types that may stand in the way; the data of others is not looked at. */
  readonly types: ReadonlySet<string>;
  /** Whether the event stands in the way. Pure, and asked while the lock is held: it must not wait, and should not take long. */
  blocks(event: RecordedEvent): boolean;
}

/** So many events that stand in the way are told of. */
const FOUND_MAX = 16;

/** How far a guard was asked along the durable log, and what it found there. Durable commits never change: it is asked about each once. */
export class GuardProgress {
  readonly found: RecordedEvent[] = [];
  readonly #guard: CommitGuard;
  readonly #source: FeedSource;
  #feed: LogFeed | undefined;

  constructor(guard: CommitGuard, source: FeedSource) {
    this.#guard = guard;
    this.#source = source;
  }

  /** Asks on as far as that takes no read; true when it came to the end of the durable log. */
  askNow(): boolean {
    return this.#isDecided || this.#way.advanceNow(this.#ask);
  }

  *ask(): Io<void> {
    if (!this.#isDecided) yield* this.#way.advance(this.#ask);
  }

  get #isDecided(): boolean {
    return this.found.length > 0 || this.#isStill;
  }

  /** Certainly none of the streams moved. Known without a look at what others committed while that stands in the segment being written. */
  get #isStill(): boolean {
    const { after, streams } = this.#guard;
    const { tail } = this.#source.segments;
    if (!streams || after < tail.first - 1) return false;
    for (const stream of streams) if (tail.lastPosition(stream) > after) return false;
    return true;
  }

  /** Made when it is needed: mostly it is not. */
  get #way(): LogFeed {
    this.#feed ??= new LogFeed(this.#source, this.#guard.after);
    return this.#feed;
  }

  readonly #ask = (commit: FeedCommit): void => {
    if (this.found.length >= FOUND_MAX) return;
    const { types } = this.#guard;
    for (let index = 0; index < commit.count; index += 1) {
      if (!types.has(commit.type(index))) continue;
      const event = commit.events()[index] as RecordedEvent;
      if (this.#guard.blocks(event)) this.found.push(event);
    }
  };
}

/** A commit was refused by its guard. Never leaves the library: whoever set the guard says what it means. */
export class CommitBlocked extends Error {
  readonly events: readonly RecordedEvent[];

  constructor(events: readonly RecordedEvent[]) {
    super('what the commit rests on was changed');
    this.events = events;
  }
}
