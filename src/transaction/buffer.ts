/** What a transaction is going to append, in the order in which the one commit will hold it. */
import { invalidArgument } from '../errors.js';
import type { CommitPart, ExpectedVersion, NewEvent, RecordedEvent } from '../log/types.js';

/** A place to go back to. Good for the attempt that made it. */
export interface Savepoint {
  /** Events appended before it. */
  readonly events: number;
}

interface Buffered {
  readonly stream: string;
  /** A promise while its schema makes it wait. */
  event: NewEvent | Promise<NewEvent>;
  readonly expectedVersion: ExpectedVersion | undefined;
}

export class WriteBuffer {
  #list: Buffered[] = [];
  readonly #savepoints = new WeakSet<Savepoint>();

  get size(): number {
    return this.#list.length;
  }

  add(
    stream: string,
    event: NewEvent | Promise<NewEvent>,
    expectedVersion: ExpectedVersion | undefined,
  ): void {
    const buffered: Buffered = { stream, event, expectedVersion };
    this.#list.push(buffered);
    if (!(event instanceof Promise)) return;
    event.then(
      (value) => {
        buffered.event = value;
      },
      // Told to whoever needs the event; the commit does.
      () => {},
    );
  }

  savepoint(): Savepoint {
    const savepoint = Object.freeze({ events: this.#list.length });
    this.#savepoints.add(savepoint);
    return savepoint;
  }

  rollbackTo(savepoint: Savepoint): void {
    if (!this.#savepoints.has(savepoint)) {
      throw invalidArgument('rollbackTo takes a savepoint of this attempt of this transaction');
    }
    if (savepoint.events > this.#list.length) {
      throw invalidArgument('the savepoint lies behind one that was rolled back to before');
    }
    this.#list.length = savepoint.events;
  }

  /** Waits until every event is checked. */
  async settle(): Promise<void> {
    for (const { event } of [...this.#list]) await event;
  }

  /** One part per stream, in the order in which streams were first named. */
  parts(): (CommitPart & { events: NewEvent[] })[] {
    const parts = new Map<
      string,
      { stream: string; events: NewEvent[]; expectedVersion: ExpectedVersion | undefined }
    >();
    for (const { stream, event, expectedVersion } of this.#list) {
      const part = parts.get(stream);
      if (part) part.events.push(event as NewEvent);
      else parts.set(stream, { stream, events: [event as NewEvent], expectedVersion });
    }
    return [...parts.values()];
  }

  /**
   * The events as they would be recorded behind `position`; versions are known for streams whose version is, and count from 1 for others.
   */
  provisional(
    position: number,
    time: string,
    versions: ReadonlyMap<string, number>,
  ): RecordedEvent[] {
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
        });
      }
    }
    return events.map((event) => Object.freeze(event));
  }
}
