/** What a transaction is going to append, in the order in which the one commit will hold it. */
import { invalidArgument, type VersionFailure } from '../errors.js';
import type {
  CommitContext,
  CommitPart,
  ExpectedVersion,
  NewEvent,
  RecordedEvent,
} from '../log/types.js';

/** A place to go back to. Good for the attempt that made it. */
export interface Savepoint {
  /** Events appended before it. */
  readonly events: number;
}

interface Buffered {
  readonly part: Part;
  /** A promise while its schema makes it wait. */
  event: NewEvent | Promise<NewEvent>;
}

/** A version that the caller demanded of a stream, behind so many events of the transaction's own. */
interface Demand {
  readonly expected: number | 'absent' | 'exists';
  readonly own: number;
}

/** What goes to one stream. */
interface Part {
  readonly stream: string;
  /** Among the parts, from 0. */
  readonly place: number;
  /** Events of the parts before it, as far as {@link WriteBuffer} has counted them. */
  offset: number;
  readonly events: Buffered[];
  readonly demands: Demand[];
}

/** As folds see the events: where they would stand, and who appends them. */
export interface Provision {
  readonly position: number;
  readonly time: string;
  readonly context: CommitContext;
}

/**
 * Invariants: the parts stand in the order in which their streams were first named, none is empty, and what is taken back leaves from the end, so that
 * whatever is asked of one stream costs with its own events and not with those of all.
 */
export class WriteBuffer {
  readonly #list: Buffered[] = [];
  readonly #parts: Part[] = [];
  readonly #byStream = new Map<string, Part>();
  /** Parts from here on must be counted again. */
  #counted = 0;
  /** Those whose schema makes them wait, oldest first. */
  readonly #waiting = new Set<Buffered>();
  /** Those that can be gone back to, oldest first. */
  readonly #savepoints: Savepoint[] = [];
  /** Counts the changes. */
  revision = 0;

  get size(): number {
    return this.#list.length;
  }

  /** In the order in which they were first named. */
  get streams(): readonly string[] {
    return this.#parts.map(({ stream }) => stream);
  }

  /** At least one event. */
  add(
    stream: string,
    events: readonly (NewEvent | Promise<NewEvent>)[],
    expectedVersion: ExpectedVersion,
  ): void {
    const part = this.#byStream.get(stream) ?? this.#begin(stream);
    if (expectedVersion !== 'any') {
      const expected = expectedVersion === 0 ? 'absent' : expectedVersion;
      part.demands.push({ expected, own: part.events.length });
    }
    for (const event of events) {
      const buffered: Buffered = { part, event };
      this.#list.push(buffered);
      part.events.push(buffered);
      if (event instanceof Promise) this.#wait(buffered, event);
    }
    this.#counted = Math.min(this.#counted, part.place + 1);
    this.revision += 1;
  }

  #begin(stream: string): Part {
    const part: Part = { stream, place: this.#parts.length, offset: 0, events: [], demands: [] };
    this.#parts.push(part);
    this.#byStream.set(stream, part);
    return part;
  }

  #wait(buffered: Buffered, event: Promise<NewEvent>): void {
    this.#waiting.add(buffered);
    event.then(
      (value) => {
        buffered.event = value;
        this.#waiting.delete(buffered);
      },
      // Told to whoever needs the event; the commit does.
      () => {},
    );
  }

  /** Events for the stream. */
  count(stream: string): number {
    return this.#byStream.get(stream)?.events.length ?? 0;
  }

  savepoint(): Savepoint {
    const savepoint = Object.freeze({ events: this.#list.length });
    this.#savepoints.push(savepoint);
    return savepoint;
  }

  rollbackTo(savepoint: Savepoint): void {
    const index = this.#savepoints.lastIndexOf(savepoint);
    if (index < 0) {
      throw invalidArgument(
        'rollbackTo takes a savepoint of this attempt of this transaction, and none that lies behind one that was rolled back to since',
      );
    }
    // Those behind it stand for a state that there is no way back to.
    this.#savepoints.length = index + 1;
    while (this.#list.length > savepoint.events) this.#takeBack(this.#list.pop() as Buffered);
    this.revision += 1;
  }

  #takeBack(buffered: Buffered): void {
    const { part } = buffered;
    this.#waiting.delete(buffered);
    part.events.pop();
    while (part.demands.at(-1)?.own === part.events.length) part.demands.pop();
    if (part.events.length === 0) {
      this.#parts.pop();
      this.#byStream.delete(part.stream);
    }
    this.#counted = Math.min(this.#counted, part.place);
  }

  /** Waits until every event is checked, also those that are added meanwhile; not for those that are taken back. */
  async settle(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (!next) return;
      try {
        await next.event;
      } catch (error) {
        if (this.#waiting.has(next)) throw error;
      }
    }
  }

  /** One part per stream, in the order in which streams were first named. To be called when all is settled. */
  parts(): (CommitPart & { events: NewEvent[] })[] {
    return this.#parts.map(({ stream, events }) => ({
      stream,
      events: events.map(({ event }) => event as NewEvent),
    }));
  }

  /** What the caller demanded of the stream: something that the log can decide alone, or `several`. */
  demandOf(stream: string): ExpectedVersion | 'several' {
    const demands = this.#byStream.get(stream)?.demands ?? [];
    const [first] = demands;
    if (!first) return 'any';
    return demands.length > 1 || first.own > 0 ? 'several' : first.expected;
  }

  /** Which demands do not hold when that is the stream's version without the own events. */
  unmet(stream: string, version: number): VersionFailure[] {
    const unmet: VersionFailure[] = [];
    for (const { expected, own } of this.#byStream.get(stream)?.demands ?? []) {
      const actual = version + own;
      if (!isMet(expected, actual)) unmet.push({ stream, expected, actual });
    }
    return unmet;
  }

  /**
   * The stream's events as they would be recorded behind the position, when versions count on from this one. What only the commit can give is as of now:
   * position, time, and versions of streams that others append to meanwhile. To be called when all is settled.
   */
  provisional(stream: string, version: number, provision: Provision): RecordedEvent[] {
    const part = this.#byStream.get(stream);
    if (!part) return [];
    const { actor, reason, correlationId, causationId, idempotencyKey } = provision.context;
    const position = provision.position + 1;
    const offset = this.#offsetOf(part);
    return part.events.map((buffered, own) => {
      const event = buffered.event as NewEvent;
      const index = offset + own;
      return Object.freeze({
        id: `${position}.${index}`,
        position,
        index,
        last: index === this.#list.length - 1,
        time: provision.time,
        stream,
        version: version + own + 1,
        type: event.type,
        schemaVersion: event.schemaVersion ?? 1,
        data: event.data,
        ...(event.metadata === undefined ? {} : { metadata: event.metadata }),
        ...(actor === undefined ? {} : { actor }),
        ...(reason === undefined ? {} : { reason }),
        ...(correlationId === undefined ? {} : { correlationId }),
        ...(causationId === undefined ? {} : { causationId }),
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      });
    });
  }

  #offsetOf(part: Part): number {
    for (; this.#counted <= part.place; this.#counted += 1) {
      const before = this.#parts[this.#counted - 1];
      const counting = this.#parts[this.#counted] as Part;
      counting.offset = before ? before.offset + before.events.length : 0;
    }
    return part.offset;
  }
}

function isMet(expected: number | 'absent' | 'exists', actual: number): boolean {
  if (expected === 'absent') return actual === 0;
  if (expected === 'exists') return actual > 0;
  return actual === expected;
}
