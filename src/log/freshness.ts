/** How a reader learns what other processes appended: the mark tells how far the log is durable, in one small read. */
import { StoreClosedError, StoreDamagedError, StoreMovedError } from '../errors.js';
import type { Environment } from './environment.js';
import { ask, type Io, runSync } from './io.js';
import { type Mark, markHolds, type ReadMark, rereadMark } from './mark.js';
import type { Paths } from './paths.js';
import type { LogState } from './state.js';

export interface FreshnessOptions {
  readonly paths: Paths;
  readonly lockFile: number;
  readonly lockInode: number;
  readonly freshnessMs: number;
  /** True for a log that is read up to damage and stays as it is. */
  readonly isStill: boolean;
  readonly isClosed: () => boolean;
}

/** How often a reader makes sure that the directory is still the one it opened, ms. */
const MOVED_CHECK_MS = 100;

export class Freshness {
  readonly #environment: Environment;
  readonly #state: LogState;
  readonly #options: FreshnessOptions;
  /** Never looks of its own accord. */
  readonly #isPassive: boolean;
  /** The last mark that held: mostly it is the same at the next look. */
  #seen: ReadMark | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #movedCheckedAt = Number.NEGATIVE_INFINITY;

  constructor(environment: Environment, state: LogState, options: FreshnessOptions) {
    this.#environment = environment;
    this.#state = state;
    this.#options = options;
    this.#isPassive = options.freshnessMs === Number.POSITIVE_INFINITY || options.isStill;
  }

  /** True when `freshen` would not look. */
  get isFresh(): boolean {
    if (this.#isPassive) return true;
    const { freshnessMs } = this.#options;
    return freshnessMs > 0 && this.#environment.monotonic() - this.#lookedAt < freshnessMs;
  }

  /**
   * The look of callers that must not wait, as far as it takes one small read of a page that is in memory: true when nobody else has committed
   * anything. Whatever else it may be, `freshen` finds out and tells.
   */
  looksFresh(): boolean {
    if (this.isFresh) return true;
    const begun = this.#environment.monotonic();
    if (begun - this.#movedCheckedAt >= MOVED_CHECK_MS || this.#options.isClosed()) return false;
    const { position, segment } = this.#state.place;
    try {
      const mark = runSync(this.#environment.disk, this.#mark());
      if (mark?.position !== position || mark.segment > segment) return false;
    } catch {
      return false;
    }
    this.#lookedAt = Math.max(this.#lookedAt, begun);
    return true;
  }

  /** Looks for other processes' commits, if the last look is longer ago than `freshnessMs`. */
  *freshen(): Io<void> {
    if (this.isFresh) return;
    const begun = this.#environment.monotonic();
    yield* this.look();
    // Only now: who reads while this waits for the disk knows as little as before, and so does everybody when it failed.
    this.#lookedAt = Math.max(this.#lookedAt, begun);
  }

  /**
   * Looks for other processes' commits now.
   * @throws StoreMovedError, StoreClosedError, StoreDamagedError
   */
  *look(): Io<void> {
    if (this.#options.isStill) return;
    const known = this.#state.place;
    yield* this.#checkMoved();
    // The number of a closed file may soon be another file's.
    if (this.#options.isClosed()) throw new StoreClosedError();
    const mark = yield* this.#mark();
    if (this.#options.isClosed()) throw new StoreClosedError();
    if (!mark) return;
    if (mark.position < known.position) {
      const { paths } = this.#options;
      throw new StoreDamagedError({
        directory: paths.directory,
        file: paths.segment(mark.segment),
        offset: mark.offset,
        position: mark.position,
        problem: `the log ends at position ${mark.position}, but ${known.position} was read from it`,
      });
    }
    if (mark.position > known.position || mark.segment > known.segment) {
      yield* this.#state.readOn(mark);
    }
  }

  /** The position where the log ends at this very moment: a later look could find what is appended after this call. */
  *end(): Io<number> {
    const { position } = this.#state.place;
    const mark = yield* this.#mark();
    return mark ? Math.max(position, mark.position) : position;
  }

  /** Whether the log ends where the mark says: behind it stands no group that its writer is about to make durable, or died over. */
  *isProven(): Io<boolean> {
    const mark = yield* this.#mark();
    if (!mark) return false;
    const facts = yield* ask('facts', this.#options.paths.segment(mark.segment));
    return facts?.size === mark.offset;
  }

  *#mark(): Io<Mark | undefined> {
    const seen = this.#seen;
    const read = yield* rereadMark(this.#options.lockFile, seen);
    if (!read) return undefined;
    if (read !== seen) {
      if (!markHolds(read.mark, this.#environment.disk, this.#options.lockInode)) return undefined;
      this.#seen = read;
    }
    return read.mark;
  }

  *#checkMoved(): Io<void> {
    const now = this.#environment.monotonic();
    if (now - this.#movedCheckedAt < MOVED_CHECK_MS) return;
    const { paths, lockInode } = this.#options;
    const facts = yield* ask('facts', paths.lock);
    if (facts?.inode !== lockInode) throw new StoreMovedError(paths.directory);
    this.#movedCheckedAt = now;
  }
}
