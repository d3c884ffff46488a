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
  readonly stream: string;
  /** A promise while its schema makes it wait. */
  event: NewEvent | Promise<NewEvent>;
}

/** A version that the caller demanded of a stream, behind so many events of the transaction's own. */
interface Demand {
  readonly stream: string;
  readonly expected: number | 'absent' | 'exists';
  readonly own: number;
  /** Events in the buffer before it. */
  readonly place: number;
}

export class WriteBuffer {
  #list: Buffered[] = [];
  #demands: Demand[] = [];
  /** Those that can be gone back to, oldest first. */
  readonly #savepoints: Savepoint[] = [];
  /** Counts the changes. */
  revision = 0;

  get size(): number {
    return this.#list.length;
  }

  add(
    stream: string,
    events: readonly (NewEvent | Promise<NewEvent>)[],
    expectedVersion: ExpectedVersion,
  ): void {
    if (expectedVersion !== 'any') {
      const expected = expectedVersion === 0 ? 'absent' : expectedVersion;
      const own = this.count(stream);
      this.#demands.push({ stream, expected, own, place: this.#list.length });
    }
    for (const event of events) {
      const buffered: Buffered = { stream, event };
      this.#list.push(buffered);
      if (!(event instanceof Promise)) continue;
      event.then(
        (value) => {
          buffered.event = value;
        },
        // Told to whoever needs the event; the commit does.
        () => {},
      );
    }
    this.revision += 1;
  }

  /** Events for the stream. */
  count(stream: string): number {
    let count = 0;
    for (const buffered of this.#list) if (buffered.stream === stream) count += 1;
    return count;
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
    const { events } = savepoint;
    this.#list.length = events;
    this.#demands = this.#demands.filter(({ place }) => place < events);
    this.revision += 1;
  }

  /** Waits until every event is checked, also those that are added meanwhile; not for those that are taken back. */
  async settle(): Promise<void> {
    for (;;) {
      const next = this.#list.find(({ event }) => event instanceof Promise);
      if (!next) return;
      try {
        await next.event;
      } catch (error) {
        if (this.#list.includes(next)) throw error;
      }
    }
  }

  /** One part per stream, in the order in which streams were first named. To be called when all is settled. */
  parts(): (CommitPart & { events: NewEvent[] })[] {
    const parts = new Map<string, { stream: string; events: NewEvent[] }>();
    for (const { stream, event } of this.#list) {
      const part = parts.get(stream);
      if (part) part.events.push(event as NewEvent);
      else parts.set(stream, { stream, events: [event as NewEvent] });
    }
    return [...parts.values()];
  }

  /** What the caller demanded of the stream: something that the log can decide alone, or `several`. */
  demandOf(stream: string): ExpectedVersion | 'several' {
    const demands = this.#demands.filter((demand) => demand.stream === stream);
    const [first] = demands;
    if (!first) return 'any';
    return demands.length > 1 || first.own > 0 ? 'several' : first.expected;
  }

  /** Which demands do not hold when that is the stream's version without the own events. */
  unmet(stream: string, version: number): VersionFailure[] {
    const unmet: VersionFailure[] = [];
    for (const { stream: of, expected, own } of this.#demands) {
      const actual = version + own;
      if (of !== stream || isMet(expected, actual)) continue;
      unmet.push({ stream, expected, actual });
    }
    return unmet;
  }

  /**
   * The events as they would be recorded behind `position`, when versions count on from these. What only the commit can give is as of now: position,
   * time, and versions of streams that others append to meanwhile.
   */
  provisional(
    position: number,
    time: string,
    versions: ReadonlyMap<string, number>,
    context: CommitContext,
  ): RecordedEvent[] {
    const { actor, reason, correlationId, causationId, idempotencyKey } = context;
    const events: RecordedEvent[] = [];
    for (const part of this.parts()) {
      let version = versions.get(part.stream) ?? 0;
      for (const event of part.events) {
        version += 1;
        const index = events.length;
        events.push({
          id: `${position + 1}.${index}`,
          position: position + 1,
          index,
          last: index === this.#list.length - 1,
          time,
          stream: part.stream,
          version,
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
      }
    }
    return events.map((event) => Object.freeze(event));
  }
}

function isMet(expected: number | 'absent' | 'exists', actual: number): boolean {
  if (expected === 'absent') return actual === 0;
  if (expected === 'exists') return actual > 0;
  return actual === expected;
}
