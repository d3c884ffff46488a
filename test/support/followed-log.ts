/** Everything that a store ever held, read on as it grows: what copies of it, and its own answers about the past, are compared with. */
import { openStore, type RecordedEvent, type Store } from '#src/index.js';
import { digestOf } from './event-order.mjs';
import { counts } from './tending-process.mjs';

export interface Count {
  readonly events: number;
  readonly sum: number;
}

export class FollowedLog {
  readonly events: RecordedEvent[] = [];
  /** One that is open all the while, so that what it serves must hold whatever becomes of the files. */
  readonly #store: Store;
  /** By position: the index of its first event. */
  readonly #firsts: number[] = [0];
  #reading: Promise<void> = Promise.resolve();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async of(directory: string): Promise<FollowedLog> {
    const options = { readOnly: true, projections: [counts], lockTimeoutMs: 120_000 };
    return new FollowedLog(await openStore(directory, options));
  }

  get position(): number {
    return this.events.at(-1)?.position ?? 0;
  }

  /** Reads what was committed since. */
  async readOn(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      for await (const event of this.#store.readAll({ from: this.position + 1 })) {
        if (event.index === 0) this.#firsts[event.position] = this.events.length;
        this.events.push(event);
      }
    });
    await this.#reading;
  }

  async close(): Promise<void> {
    await this.#reading;
    await this.#store.close();
  }

  /** The index behind the last event up to a position. */
  end(position: number): number {
    return this.#firsts[position + 1] ?? this.events.length;
  }

  /** The first event that differs; positions from `from` to `to`, no more and no fewer. */
  async difference(
    found: AsyncIterable<RecordedEvent> | Iterable<RecordedEvent>,
    from: number,
    to: number,
  ): Promise<string[]> {
    let index = this.#firsts[from] ?? this.events.length;
    for await (const event of found) {
      const expected = this.events[index];
      if (index >= this.end(to) || expected === undefined) {
        return [`event ${event.id} where nothing must follow`];
      }
      if (digestOf(event) !== digestOf(expected)) {
        return [`event ${event.id} is not what stood at ${expected.id}`];
      }
      index += 1;
    }
    const missing = this.end(to) - index;
    return missing > 0 ? [`the last ${missing} events up to ${to} are missing`] : [];
  }

  /** What the projection must say of a stream as of a position. */
  countOf(stream: string, position: number): Count | undefined {
    let [events, sum] = [0, 0];
    for (const event of this.events.slice(0, this.end(position))) {
      if (event.stream !== stream) continue;
      events += 1;
      sum += (event.data as { number: number }).number;
    }
    return events === 0 ? undefined : { events, sum };
  }

  /** The last commit before a moment. */
  positionBefore(time: string): number {
    return this.events.findLast((event) => event.time <= time)?.position ?? 0;
  }
}
