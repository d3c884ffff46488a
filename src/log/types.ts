/** What goes into the log and what comes out of it. Names are those of the public interface. */

/** An event as a caller hands it in. `data` and `metadata` must be plain JSON values. */
export interface NewEvent {
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
  /** Version of the shape of `data`, a positive integer. Default 1. */
  readonly schemaVersion?: number | undefined;
}

/** What a caller demands of a stream: its exact version, that it is absent (0), that it exists, or nothing. */
export type ExpectedVersion = number | 'any' | 'absent' | 'exists';

/** Events for one stream inside a commit. */
export interface CommitPart {
  readonly stream: string;
  readonly events: NewEvent | readonly NewEvent[];
  /** Default `'any'`. */
  readonly expectedVersion?: ExpectedVersion | undefined;
}

/** A condition on a stream that the commit does not write. */
export interface StreamCheck {
  readonly stream: string;
  readonly expectedVersion: ExpectedVersion;
}

/** Who, why and from what; all optional, all stored with the commit. */
export interface CommitContext {
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface CommitOptions extends CommitContext {
  readonly checks?: readonly StreamCheck[] | undefined;
  /** Aborted before its group starts: nothing is written and the promise rejects with the signal's reason. Afterwards it is ignored. */
  readonly signal?: AbortSignal | undefined;
}

export interface AppendOptions extends CommitContext {
  readonly expectedVersion?: ExpectedVersion | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Durable, at that position. */
export interface Committed {
  readonly position: number;
  /** ISO 8601, UTC. Never goes back along the log. */
  readonly time: string;
  /** The last version of each stream written, by stream name. */
  readonly versions: Readonly<Record<string, number>>;
  /** An earlier commit with the same idempotency key and content answered; nothing new was written. */
  readonly repeated: boolean;
}

export interface Appended {
  readonly position: number;
  readonly time: string;
  /** Version of the first event appended. */
  readonly firstVersion: number;
  /** Version of the last event appended. */
  readonly version: number;
  readonly repeated: boolean;
}

/** An event as it stands in the log. Deeply frozen. */
export interface RecordedEvent {
  /** `${position}.${index}` */
  readonly id: string;
  readonly position: number;
  /** Place inside its commit, from 0. */
  readonly index: number;
  /** True on the last event of its commit. */
  readonly last: boolean;
  readonly time: string;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: unknown;
  readonly metadata?: unknown;
  readonly actor?: string;
  readonly reason?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly idempotencyKey?: string;
}

/** The last durable commit. Position 0 and the chain's first seal when the log is empty. */
export interface Head {
  readonly position: number;
  /** Time of that commit; `undefined` when the log is empty. */
  readonly time: string | undefined;
  /** Fixes all history up to here: publish it, and `verify` can prove later that nothing before it changed. */
  readonly seal: string;
}

/** What opening found. */
export interface Recovery {
  readonly state: 'clean' | 'repaired' | 'torn' | 'damaged';
  readonly file?: string;
  readonly offset?: number;
  /** Bytes cut off, or lying behind the damage. */
  readonly bytes?: number;
  /** The last position that stands. */
  readonly position?: number;
  /** What was found, in words. */
  readonly problem?: string;
  /** Where the bytes cut off were copied to, when that succeeded. */
  readonly broken?: string;
}

export interface ReadAllOptions {
  /** First position, inclusive. Default 1. */
  readonly from?: number | undefined;
  /** Last position, inclusive. Default: the head when reading begins. */
  readonly to?: number | undefined;
  /** Turns the order round; `from <= to` always. Default `'forward'`. */
  readonly direction?: 'forward' | 'backward' | undefined;
  /** Events at most. */
  readonly limit?: number | undefined;
  /** Exact names, or prefixes when they end in `*`. */
  readonly types?: readonly string[] | undefined;
  /** Exact names, or prefixes when they end in `*`. */
  readonly streams?: readonly string[] | undefined;
}

export interface ReadStreamOptions {
  /** First version, inclusive. Default 1. */
  readonly from?: number | undefined;
  /** Last version, inclusive. Default: the stream's version when reading begins. */
  readonly to?: number | undefined;
  readonly direction?: 'forward' | 'backward' | undefined;
  readonly limit?: number | undefined;
}

export interface FollowOptions {
  /** Where to begin. Default `'start'`; a position is inclusive; `{ after }` names the last event already seen. */
  readonly from?: 'start' | 'end' | number | { readonly after: string } | undefined;
  readonly types?: readonly string[] | undefined;
  readonly streams?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An asynchronous sequence that can also be taken as a whole, frozen. Each iteration begins to read anew. */
export interface AsyncSequence<T> extends AsyncIterable<T> {
  toArray(): Promise<readonly T[]>;
}

/** A synchronous sequence that can also be taken as a whole, frozen. Each iteration begins to read anew. */
export interface SyncSequence<T> extends Iterable<T> {
  toArray(): readonly T[];
}

export type AsyncEvents = AsyncSequence<RecordedEvent>;

export type SyncEvents = SyncSequence<RecordedEvent>;
