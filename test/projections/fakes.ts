/** What the runtime of projections stands on, small enough to be seen through: a log in an array, and a plain left fold. */
import type { Disk } from '#src/log/disk.js';
import { ask, type DiskRequest, type Io, runSync } from '#src/log/io.js';
import type { RecordedEvent } from '#src/log/types.js';
import type {
  Consume,
  EventInterpreter,
  FailureFacts,
  Feed,
  FeedCommit,
  Folding,
  LogSource,
  ReadErrors,
  RuntimeDefinition,
} from '#src/projections/ports.js';
import { ProjectionRuntime } from '#src/projections/projection.js';
import { StateCache } from '#src/projections/states.js';
import { StoredEvents } from '#src/projections/stored-events.js';

export interface PlainEvent {
  readonly stream: string;
  readonly type: string;
  readonly data?: unknown;
  readonly schemaVersion?: number;
}

/** Its one call stands for all I/O. */
function countingDisk(): { disk: Disk; calls: () => number } {
  let calls = 0;
  const size = () => {
    calls += 1;
    return 0;
  };
  const promises = { size: async () => size() };
  return { disk: { size, promises } as unknown as Disk, calls: () => calls };
}

export class FakeLog implements LogSource {
  readonly disk: Disk;
  readonly calls: () => number;
  readonly #commits: RecordedEvent[][] = [];
  readonly #segmentCommits: number;
  readonly #versions = new Map<string, number>();
  position = 0;
  /** Commits from here on are at hand without I/O. */
  atHandFrom = 1;
  /** Commits that one call of the disk brings. */
  pieceCommits = 10;
  /** Thrown once for a commit while it is read. */
  damagedAt = 0;
  /** Thrown once when the events of that commit are asked for. */
  unreadableAt = 0;

  constructor(segmentCommits = 7) {
    this.#segmentCommits = segmentCommits;
    const { disk, calls } = countingDisk();
    this.disk = disk;
    this.calls = calls;
  }

  get tailFirst(): number {
    return this.#segmentOf(Math.max(1, this.position));
  }

  append(...events: readonly PlainEvent[]): RecordedEvent[] {
    const position = this.position + 1;
    const recorded = events.map(({ stream, type, data = null, schemaVersion = 1 }, index) => {
      const version = (this.#versions.get(stream) ?? 0) + 1;
      this.#versions.set(stream, version);
      const last = index === events.length - 1;
      const id = `${position}.${index}`;
      const time = new Date(position * 1000).toISOString();
      return { id, position, index, last, time, stream, version, type, schemaVersion, data };
    });
    this.#commits.push(recorded);
    this.position = position;
    return recorded;
  }

  /** All events up to a position. */
  events(to: number = this.position): RecordedEvent[] {
    return this.#commits.slice(0, to).flat();
  }

  commit(position: number): FeedCommit {
    const events = this.#commits[position - 1] as RecordedEvent[];
    const [first] = events as [RecordedEvent];
    const segment = this.#segmentOf(position);
    return {
      position,
      time: first.time,
      count: events.length,
      segment,
      offset: (position - segment) * 100,
      stream: (index) => (events[index] as RecordedEvent).stream,
      version: (index) => (events[index] as RecordedEvent).version,
      type: (index) => (events[index] as RecordedEvent).type,
      events: () => {
        if (position !== this.unreadableAt) return events;
        this.unreadableAt = 0;
        throw new Error('damaged');
      },
    };
  }

  feed(after: number): Feed {
    return new FakeFeed(this, after);
  }

  *commitAt(segment: number, offset: number): Io<readonly RecordedEvent[]> {
    const position = segment + offset / 100;
    if (position < this.atHandFrom) yield* ask('size', 0);
    return this.#commits[position - 1] as RecordedEvent[];
  }

  *commitsAt(
    segment: number,
    offsets: readonly number[],
  ): Io<readonly (readonly RecordedEvent[])[]> {
    if (offsets.some((offset, at) => at > 0 && offset <= (offsets[at - 1] as number))) {
      throw new RangeError('offsets must ascend');
    }
    yield* ask('size', 0);
    const commits: (readonly RecordedEvent[])[] = [];
    for (const offset of offsets) commits.push(yield* this.commitAt(segment, offset));
    return commits;
  }

  #segmentOf(position: number): number {
    return position - ((position - 1) % this.#segmentCommits);
  }
}

class FakeFeed implements Feed {
  readonly #log: FakeLog;
  #isPaused = false;
  position: number;

  constructor(log: FakeLog, after: number) {
    this.#log = log;
    this.position = after;
  }

  *advance(consume: Consume, to: number = this.#log.position): Io<void> {
    const log = this.#log;
    this.#isPaused = false;
    while (this.position < to && !this.#isPaused) {
      const from = this.position;
      const atHand = from + 1 >= log.atHandFrom;
      if (!atHand) yield* ask('size', 0);
      if (from + 1 === log.damagedAt) {
        log.damagedAt = 0;
        throw new Error('damaged');
      }
      // Meanwhile another one may have taken this way.
      if (this.position !== from) continue;
      this.#handOut(consume, atHand ? to : Math.min(to, from + log.pieceCommits));
    }
  }

  advanceNow(consume: Consume, to: number = this.#log.position): boolean {
    if (this.position >= to) return true;
    if (this.position + 1 < this.#log.atHandFrom) return false;
    this.#isPaused = false;
    this.#handOut(consume, to);
    return true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  #handOut(consume: Consume, to: number): void {
    while (this.position < to && !this.#isPaused) {
      consume(this.#log.commit(this.position + 1));
      this.position += 1;
    }
  }
}

/** A handler that threw, as folding tells of it. */
class Thrown extends Error {
  readonly event: RecordedEvent;
  override readonly cause: unknown;
  constructor(event: RecordedEvent, cause: unknown) {
    super('a handler threw');
    this.event = event;
    this.cause = cause;
  }
}

/** No state. A handler that gives it removes the key. */
export const ABSENT: unique symbol = Symbol('absent');

type Handler = (state: unknown, event: RecordedEvent) => unknown;

export const plainFold: Folding = {
  absent: ABSENT,
  open(definition, key, before) {
    let state = before;
    return {
      take(event) {
        state = plainFold.fold(definition, key, state, [event]);
        return true;
      },
      end: () => state,
    };
  },
  fold(definition, key, before, events) {
    let state = before;
    for (const event of events) {
      try {
        const from = state === ABSENT ? definition.initialOf(key) : state;
        state = (definition.handlerOf(event.type) as Handler)(from, event);
      } catch (cause) {
        throw new Thrown(event, cause);
      }
    }
    return state;
  },
  failureOf(error) {
    return error instanceof Thrown ? error : undefined;
  },
  bytesOf(value) {
    return JSON.stringify(value)?.length ?? 0;
  },
};

/** Stands for the errors of src/errors.ts. */
export class ReadFailure extends Error implements FailureFacts {
  readonly projection: string;
  readonly key?: string;
  readonly position: number;
  readonly event: string;
  override readonly cause: unknown;
  constructor(facts: FailureFacts) {
    super(`failed at ${facts.event}`);
    this.cause = facts.cause;
    this.projection = facts.projection;
    if (facts.key !== undefined) this.key = facts.key;
    this.position = facts.position;
    this.event = facts.event;
  }
}

export class NotReady extends Error {
  readonly projection: string;
  readonly progress: number;
  constructor(projection: string, progress: number) {
    super('not ready');
    this.projection = projection;
    this.progress = progress;
  }
}

export const errors: ReadErrors = {
  failed: (facts) => new ReadFailure(facts),
  notReady: (projection, progress) => new NotReady(projection, progress),
};

/** Knows versions 1 and 2 of each event, and turns the first into the second. */
export const interpreter: EventInterpreter = {
  interpret(event) {
    if (event.schemaVersion === 1) return event;
    if (event.schemaVersion === 2) return { ...event, data: { upcast: event.data } };
    throw new Error(`version ${event.schemaVersion} is not known`);
  },
};

export interface PlainDefinition {
  readonly name?: string;
  readonly keysOf?: (event: RecordedEvent) => readonly string[];
  readonly on: Readonly<Record<string, Handler>>;
  readonly initial?: unknown;
}

export function definitionOf({
  name = 'counts',
  keysOf,
  on,
  initial = 0,
}: PlainDefinition): RuntimeDefinition {
  return {
    name,
    version: 1,
    types: Object.keys(on).sort(),
    keyIsStream: keysOf === undefined,
    fingerprint: '',
    initialOf: () => initial,
    keysOf: keysOf ?? ((event) => [event.stream]),
    handlerOf: (type) => on[type],
  };
}

/** Counts events; `dropped` removes, `broken` throws. */
export const counting: PlainDefinition['on'] = {
  added: (state) => (state as number) + 1,
  dropped: () => ABSENT,
  broken: () => {
    throw new Error('cannot be folded');
  },
};

export interface World {
  readonly log: FakeLog;
  readonly cache: StateCache;
  readonly events: StoredEvents;
  /** A runtime on that log. */
  projection(definition: PlainDefinition): ProjectionRuntime;
}

export function world(
  log: FakeLog = new FakeLog(),
  cacheBytes = 1_000_000,
  decodedBytes = 1_000_000,
): World {
  const cache = new StateCache(cacheBytes);
  const events = new StoredEvents(log, plainFold.bytesOf, decodedBytes);
  return {
    log,
    cache,
    events,
    projection(definition) {
      return new ProjectionRuntime({
        definition: definitionOf(definition),
        interpreter,
        folding: plainFold,
        errors,
        states: cache.view(),
        events,
      });
    },
  };
}

/** Routes all that the log holds. */
export function routeAll(log: FakeLog, ...runtimes: readonly ProjectionRuntime[]): void {
  for (const runtime of runtimes) {
    while (runtime.position < log.position) runtime.route(log.commit(runtime.position + 1));
  }
}

export function run<T>(log: FakeLog, work: Io<T>): T {
  return runSync(log.disk, work);
}

/** All that a listing gives, and what it threw in the end. */
export function listed<T>(
  log: FakeLog,
  work: Generator<DiskRequest | readonly T[], void, unknown>,
): { items: T[]; error?: unknown } {
  const items: T[] = [];
  try {
    let step = work.next();
    while (!step.done) {
      if (Array.isArray(step.value)) {
        items.push(...(step.value as readonly T[]));
        step = work.next();
      } else if ((step.value as DiskRequest).method === 'rest') step = work.next();
      else step = work.next(log.disk.size(0));
    }
  } catch (error) {
    return { items, error };
  }
  return { items };
}
