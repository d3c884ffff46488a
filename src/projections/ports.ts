/** What the runtime of projections and indexes needs from its neighbours: the log below it, definitions, upcasting and folding beside it. */
import type { Disk } from '../log/disk.js';
import type { Io } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';

/** One commit on its way from the log. Valid only during the call that hands it out, except for what it returned. */
export interface FeedCommit {
  readonly position: number;
  readonly time: string;
  /** Events in it. */
  readonly count: number;
  /** First position (name) of its segment, and where its line begins there. */
  readonly segment: number;
  readonly offset: number;
  stream(index: number): string;
  version(index: number): number;
  type(index: number): string;
  /** Parsed once, deeply frozen, as stored: before upcasting. */
  events(): readonly RecordedEvent[];
}

export type Consume = (commit: FeedCommit) => void;

/** Commits in order, never one twice, never with a gap, whoever drives it. */
export interface Feed {
  /** Of the last commit handed out. */
  readonly position: number;
  /** Hands out all commits up to `to`, by default up to the durable head that this process knows. */
  advance(consume: Consume, to?: number): Io<void>;
  /** The same without I/O. True when all of them were at hand. */
  advanceNow(consume: Consume, to?: number): boolean;
  /** From inside `consume`: ends the advance behind this commit, as if it had been the last. */
  pause(): void;
}

/** The log as the engine sees it. */
export interface LogSource {
  readonly disk: Disk;
  /** The durable head that this process knows. */
  readonly position: number;
  /** First position of the segment that is being written. */
  readonly tailFirst: number;
  /** A feed whose first commit is the one behind `after`. */
  feed(after: number): Feed;
  /** The events of one commit, as stored; from memory when at hand. */
  commitAt(segment: number, offset: number): Io<readonly RecordedEvent[]>;
  /** The same when it is in memory, else `undefined`. */
  commitNow?(segment: number, offset: number): readonly RecordedEvent[] | undefined;
  /** The same for several commits of one segment, ascending, with fewer reads. */
  commitsAt?(
    segment: number,
    offsets: readonly number[],
  ): Io<readonly (readonly RecordedEvent[])[]>;
}

/** A projection as its definition was checked. */
export interface RuntimeDefinition {
  readonly name: string;
  readonly version: number;
  /** Types it handles, sorted. */
  readonly types: readonly string[];
  /** The key of an event is its stream: routing needs no payload. */
  readonly keyIsStream: boolean;
  readonly fingerprint: string;
  initialOf(key: string): unknown;
  keysOf(event: RecordedEvent): readonly string[];
  handlerOf(type: string): unknown;
}

/** An index as its definition was checked. Where it is saved to and loaded from is between it and the caller. */
export interface RuntimeIndexDefinition<Index = unknown, Sink = unknown, Source = unknown> {
  readonly name: string;
  readonly version: number;
  /** Types it wants; all of them without it. */
  readonly types?: readonly string[] | undefined;
  create(): Index;
  apply(index: Index, group: readonly RecordedEvent[]): void;
  load(source: Source): Index;
  /** In portions, with a turn for others behind each. */
  saving(index: Index, sink: Sink): Generator<unknown, void>;
  loading(source: Source): Generator<unknown, Index>;
  bytes(index: Index): number;
}

/** Upcasting: events of the newest shape. @throws UnknownSchemaVersionError and whatever an upcaster throws */
export interface EventInterpreter {
  interpret(event: RecordedEvent): RecordedEvent;
}

/** A handler that threw. */
export interface HandlerFailure {
  readonly event: RecordedEvent;
  readonly cause: unknown;
}

/** A fold that is given its events one by one, oldest first. */
export interface OpenFold {
  /** False when it cannot go on this way: all of its events must be folded together. @throws what stops the key */
  take(event: RecordedEvent): boolean;
  /** The state behind the events taken, deeply frozen. Once, at the end. @throws what stops the key */
  end(): unknown;
}

export interface Folding {
  /** No state: never written, or removed. */
  readonly absent: symbol;
  open(definition: RuntimeDefinition, key: string, before: unknown): OpenFold;
  fold(
    definition: RuntimeDefinition,
    key: string,
    before: unknown,
    events: readonly RecordedEvent[],
  ): unknown;
  /** What a handler threw while folding, if that is what the error says. */
  failureOf(error: unknown): HandlerFailure | undefined;
  /** About how much memory a value takes. */
  bytesOf(value: unknown): number;
}

export interface FailureFacts {
  readonly projection: string;
  /** Absent when the projection is stopped as a whole. */
  readonly key?: string;
  readonly position: number;
  /** Id of the event. */
  readonly event: string;
  readonly cause: unknown;
}

/** The errors that readers are told. */
export interface ReadErrors {
  /** ProjectionFailedError */
  failed(facts: FailureFacts): Error;
  /** ProjectionNotReadyError; progress from 0 to 1. */
  notReady(projection: string, progress: number): Error;
}

/** Where an event stands. */
export interface EventPlace {
  readonly position: number;
  readonly segment: number;
  /** Where the line of its commit begins. */
  readonly offset: number;
  /** Its place in the commit, from 0. */
  readonly index: number;
}

/** Where the events of each key stand. In memory for all of the log now; parts for closed segments may come from files later. */
export interface PlaceIndex {
  has(key: string): boolean;
  /** Events of the key at positions `from` to `to`, ascending; costs what it gives. */
  places(key: string, from?: number, to?: number): Iterable<EventPlace>;
  /** Position of the key's last event at or before `to`, 0 when there is none. */
  last(key: string, to?: number): number;
}

/** What the engine drives: a projection or an index of an open store. */
export interface Runtime {
  readonly name: string;
  /** The last commit routed to it. */
  readonly position: number;
  /** Of a projection: events whose places it keeps in memory. */
  readonly noted?: number;
  /** False when what was saved of it must be loaded before anything can be routed. Left out: true. */
  readonly isLoaded?: boolean;
  /** Loads it, in portions; its position may be an earlier one then. */
  load?(): Io<void>;
  /**
   * Goes on from the newest snapshot up to `head`, because what it needs next was dropped. False when there is none behind what it has routed: it is as
   * it was.
   */
  jump?(head: number): Io<boolean>;
  /** Takes the next commit. True when it worked on what waits, too. Never throws for what user code does. */
  route(commit: FeedCommit): boolean;
  /** Works on what was routed and waits, in portions. */
  settle?(): Io<void>;
  /** The same until little waits. */
  relieve?(): Io<void>;
  /** Lets go of all it holds. */
  close(): void;
}
