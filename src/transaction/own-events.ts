/**
 * What a transaction has appended itself, as folds see it. What one key needs costs with the events of its stream: a transaction that writes to
 * thousands of streams and reads between its writes must not look through all of them for each.
 */
import type { CommitContext, RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { Provision, WriteBuffer } from './buffer.js';
import type { TransactionSource } from './source.js';

/** Good while nothing is appended or taken back. */
interface Seen {
  readonly revision: number;
  readonly provision: Provision;
  readonly byStream: Map<string, readonly RecordedEvent[]>;
}

export class OwnEvents {
  readonly #source: TransactionSource;
  readonly #buffer: WriteBuffer;
  readonly #context: CommitContext;
  #seen: Seen | undefined;
  /** What they are numbered from: the versions of their streams at a position. */
  readonly #numbering = { position: -1, versions: new Map<string, number>() };

  constructor(source: TransactionSource, buffer: WriteBuffer, context: CommitContext) {
    this.#source = source;
    this.#buffer = buffer;
    this.#context = context;
  }

  /** Those that change the key, as if they were recorded behind the position. */
  async of(
    projection: Projection,
    key: string,
    position: number,
  ): Promise<readonly RecordedEvent[]> {
    if (!projection.keyIsStream) return (await this.byKey(projection, position)).get(key) ?? [];
    if (this.#buffer.count(key) === 0) return [];
    const events = await this.#of([key], position);
    return events.filter(({ type }) => projection.handlerOf(type) !== undefined);
  }

  /** All of them that change a key, by key. */
  async byKey(
    projection: Projection,
    position: number,
  ): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    const byKey = new Map<string, RecordedEvent[]>();
    for (const event of await this.#of(undefined, position)) {
      for (const key of new Set(keysOf(projection, event))) {
        const events = byKey.get(key);
        if (events) events.push(event);
        else byKey.set(key, [event]);
      }
    }
    return byKey;
  }

  /** Of those streams, or of all. */
  async #of(some: readonly string[] | undefined, position: number): Promise<RecordedEvent[]> {
    const buffer = this.#buffer;
    for (;;) {
      if (buffer.size === 0) return [];
      const { revision } = buffer;
      const streams = some ?? buffer.streams;
      await buffer.settle();
      const versions = await this.#versions(streams, position);
      // The function may have appended more while this waited.
      if (buffer.revision !== revision) continue;
      const { byStream, provision } = this.#seenAt(position, revision);
      return streams.flatMap((stream) => {
        const known = byStream.get(stream);
        if (known) return known;
        const recorded = buffer.provisional(stream, versions.get(stream) ?? 0, provision);
        const events = recorded.map((event) => this.#source.interpret(event));
        byStream.set(stream, events);
        return events;
      });
    }
  }

  #seenAt(position: number, revision: number): Seen {
    const seen = this.#seen;
    if (seen?.revision === revision && seen.provision.position === position) return seen;
    const { actor = this.#source.actor } = this.#context;
    const context = { ...this.#context, actor };
    const provision = { position, time: this.#source.time(), context };
    this.#seen = { revision, provision, byStream: new Map() };
    return this.#seen;
  }

  /** Not through the reads: what only numbers the own events is no condition. */
  async #versions(
    streams: readonly string[],
    position: number,
  ): Promise<ReadonlyMap<string, number>> {
    const numbering = this.#numbering;
    if (numbering.position !== position) {
      numbering.position = position;
      numbering.versions = new Map();
    }
    const { versions } = numbering;
    for (const stream of streams) {
      if (!versions.has(stream)) {
        versions.set(stream, await this.#source.version(stream, position));
      }
    }
    return versions;
  }
}

/** The keys that the event changes. */
function keysOf(projection: Projection, event: RecordedEvent): readonly string[] {
  if (projection.handlerOf(event.type) === undefined) return [];
  return projection.keyIsStream ? [event.stream] : projection.keysOf(event);
}
