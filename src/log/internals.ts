import type { LogFeed } from './feed.js';
import type { Io } from './io.js';
import type { RecordedEvent } from './types.js';

/**
 * What an open log gives to the floors above and to nobody else. Pieces of work with file I/O in them (`Io`) are run by `run` and `runSync`, so
 * that one implementation serves asynchronous and synchronous callers.
 */
export interface LogInternals {
  /** Position of the last durable commit this process knows of. */
  readonly position: number;
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
  /** The same for many: offsets ascend, and the answer has one list for each of them. */
  commitsAt(segment: number, offsets: readonly number[]): Io<readonly (readonly RecordedEvent[])[]>;
  /** The last position up to `bound` whose time (ISO 8601, 24 characters) is that or earlier; 0 when there is none. */
  positionAt(time: string, bound: number): Io<number>;
  /** True when `freshen` would not look: asking costs less than running it. */
  readonly isFresh: boolean;
  /** Looks for other processes' commits as `freshnessMs` says. */
  freshen(): Io<void>;
  /** Looks for them now. */
  look(): Io<void>;
  /** The stream's version as this process knows it, 0 when it is absent. */
  version(stream: string): Io<number>;
  /** Does the work off this thread where the disk allows it. Errors are those that callers know. @throws StoreClosedError */
  run<T>(work: Io<T>): Promise<T>;
  /** Does the work here and now. */
  runSync<T>(work: Io<T>): T;
  /**
   * Calls the listener whenever the head moved, before the commits that moved it are acknowledged. It must do little and must not throw.
   * Gives the call that ends this.
   */
  onAdvance(listener: () => void): () => void;
}
