import type { StoreDamagedError } from '../errors.js';
import type { Disk } from './disk.js';
import type { Environment } from './environment.js';
import type { EventWork, SequenceWork } from './event-sequence.js';
import type { LogFeed } from './feed.js';
import type { CommitGuard } from './guard.js';
import type { Io } from './io.js';
import type { Paths } from './paths.js';
import type { Segments } from './segments.js';
import type { TurnLocks } from './turn-locks.js';
import type {
  AsyncSequence,
  CommitOptions,
  CommitPart,
  Committed,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SyncSequence,
} from './types.js';

/**
 * What an open log gives to the floors above and to nobody else. Pieces of work with file I/O in them (`Io`) are run by `run` and `runSync`, so
 * that one implementation serves asynchronous and synchronous callers.
 */
export interface LogInternals {
  readonly disk: Disk;
  readonly environment: Environment;
  /** Where the store lies on that disk. */
  readonly directory: string;
  /** Largest event that is taken, bytes. */
  readonly eventBytes: number;
  readonly paths: Paths;
  readonly storeId: string;
  /** False for a log that was opened for reading only. */
  readonly writable: boolean;
  /** Names of the files in `snapshots/` before the end of the log was proven. */
  readonly snapshotsAtOpening: readonly string[];
  /** What can be asked of the log's segments. */
  readonly segments: Segments;
  /** Position of the last durable commit this process knows of. */
  readonly position: number;
  /** First position of the segment that is being written. */
  readonly tailFirst: number;
  /** Time of that commit, `''` when there is none. */
  readonly time: string;
  /**
   * The commits behind position `after`, in order. From the first call on the bytes of the last groups are kept in memory,
   * 8 MiB of them unless that call says otherwise.
   * @throws StoreClosedError
   */
  feed(after: number, recentBytesMax?: number): LogFeed;
  /** The events of the commit whose line begins at that offset of that segment. @throws StoreDamagedError */
  commitAt(segment: number, offset: number): Io<readonly RecordedEvent[]>;
  /** The same when it is one of the last, which are in memory; else `undefined`. @throws StoreDamagedError */
  commitNow(segment: number, offset: number): readonly RecordedEvent[] | undefined;
  /** The same for many: offsets ascend, and the answer has one list for each of them. */
  commitsAt(segment: number, offsets: readonly number[]): Io<readonly (readonly RecordedEvent[])[]>;
  /** The last position up to `bound` whose time (ISO 8601, 24 characters) is that or earlier; 0 when there is none. */
  positionAt(time: string, bound: number): Io<number>;
  /** `Log.commit` with a condition on what others committed. @throws CommitBlocked when it does not hold, and what `Log.commit` throws */
  commit(
    parts: readonly CommitPart[],
    options: CommitOptions,
    guard: CommitGuard | undefined,
  ): Promise<Committed>;
  /** `Log.commit` that may also write streams of the store's own, whose names begin with '$'. */
  commitOwn(parts: readonly CommitPart[], options?: CommitOptions): Promise<Committed>;
  /** The same, at once. */
  commitOwnSync(parts: readonly CommitPart[], options?: CommitOptions): Committed;
  /**
   * Ends the segment that is being written, unless it holds no commit. Everything known of the log when this resolves, and everything that was handed over
   * before, stands in closed segments or behind them.
   * @throws StoreReadOnlyError, LockTimeoutError, StoreFullError, StoreAccessError, StorePoisonedError, StoreClosedError
   */
  endSegment(): Promise<void>;
  endSegmentSync(): void;
  /** Makes a log snapshot of all closed segments, in short slices; `undefined` when there is none to make it of. */
  snapshotLog(): Io<{ readonly position: number; readonly bytes: number } | undefined>;
  /** The right to write snapshots and to compact, one holder over all processes. Gives the call that gives it back; `undefined` when another has it. */
  tryCompactionLock(): (() => void) | undefined;
  /** The error for a right to compact that did not come in time. */
  compactionTimeout(): Error;
  /** Turns among the transactions of all processes; `undefined` for a log that was opened for reading only. */
  readonly turnLocks: TurnLocks | undefined;
  /** Waits for others that long, ms. */
  readonly lockTimeoutMs: number;
  /** True when `freshen` would not look: asking costs less than running it. */
  readonly isFresh: boolean;
  /** Whether nobody else has committed anything, as far as `freshnessMs` asks to know. One small read at most; when it says false, ask `freshen`. */
  looksFresh(): boolean;
  /** Looks for other processes' commits as `freshnessMs` says. */
  freshen(): Io<void>;
  /** Looks for them now. */
  look(): Io<void>;
  /**
   * Whether all that anybody wrote before this call is found by a look after it. False while somebody writes, and where a writer died over a group: the next
   * one may find that it stands, or cut it off.
   */
  isProven(): Io<boolean>;
  /** The stream's version as this process knows it, 0 when it is absent. */
  version(stream: string): Io<number>;
  /** The stream's version as of a position that this process knows. Costs what was appended to the stream since. */
  versionAt(stream: string, position: number): Io<number>;
  /** Events by position; the arguments are checked at once. @throws TypeError */
  readingAll(options: ReadAllOptions): () => EventWork;
  /** Events of one stream by version. @throws TypeError */
  readingStream(stream: string, options: ReadStreamOptions): () => EventWork;
  /** What callers are given to read as a sequence. */
  asyncSequence<T>(begin: () => SequenceWork<T>): AsyncSequence<T>;
  syncSequence<T>(begin: () => SequenceWork<T>): SyncSequence<T>;
  /**
   * Does the work off this thread where the disk allows it, and lets others have their turn after so long, ms, where the work rests.
   * Errors are those that callers know. @throws StoreClosedError
   */
  run<T>(work: Io<T>, workMsMax?: number): Promise<T>;
  /** Does the work here and now. */
  runSync<T>(work: Io<T>): T;
  /**
   * Calls the listener whenever the head moved, before the commits that moved it are acknowledged. It must do little and must not throw.
   * Gives the call that ends this.
   */
  onAdvance(listener: () => void): () => void;
  /**
   * Resolves at the next sign that the log may have grown, here or in another process, or when the signal is aborted. The sign may be in vain, and comes at
   * the latest after a quarter of a second; while somebody waits for it, the process lives.
   */
  changed(signal: AbortSignal): Promise<void>;
  /** The position where the log ends at this very moment: a later look could find what is appended after this call. */
  end(): Io<number>;
  /** What this log stands still at, when it was opened for reading up to damage. */
  readonly damage: StoreDamagedError | undefined;
}
