/** What a transaction has read: the condition under which it may commit. */
import type { MovedRead } from '../errors.js';
import type { CommitGuard } from '../log/guard.js';
import type { RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';

/** Keys that were listed: those with the prefix, behind `after`. */
interface Range {
  readonly prefix: string;
  readonly after: string | undefined;
}

interface Reads {
  readonly keys: Set<string>;
  readonly ranges: Map<string, Range>;
}

export class ReadSet {
  readonly #projections = new Map<Projection, Reads>();
  readonly #interpret: (event: RecordedEvent) => RecordedEvent;

  constructor(interpret: (event: RecordedEvent) => RecordedEvent) {
    this.#interpret = interpret;
  }

  key(projection: Projection, key: string): void {
    this.#of(projection).keys.add(key);
  }

  range(projection: Projection, prefix: string, after: string | undefined): void {
    this.#of(projection).ranges.set(JSON.stringify([prefix, after]), { prefix, after });
  }

  #of(projection: Projection): Reads {
    let reads = this.#projections.get(projection);
    if (!reads) {
      reads = { keys: new Set(), ranges: new Map() };
      this.#projections.set(projection, reads);
    }
    return reads;
  }

  /** That nothing which was read has been changed behind the position; undefined when nothing was read. */
  guard(after: number): CommitGuard | undefined {
    if (this.#projections.size === 0) return undefined;
    const types = new Set<string>();
    const streams = new Set<string>();
    let areStreams = true;
    for (const [projection, { keys, ranges }] of this.#projections) {
      for (const type of projection.types) types.add(type);
      for (const key of keys) streams.add(key);
      if (!projection.keyIsStream || ranges.size > 0) areStreams = false;
    }
    const blocks = (event: RecordedEvent) => this.moved(event) !== undefined;
    return { after, streams: areStreams ? streams : undefined, types, blocks };
  }

  /** Names of what was read, as {@link MovedRead} has them. */
  *names(): Generator<readonly [projection: string, key: string]> {
    for (const [{ name }, { keys, ranges }] of this.#projections) {
      for (const key of keys) yield [name, key];
      for (const { prefix } of ranges.values()) yield [name, prefix];
    }
  }

  /** What of that which was read the event changes. */
  moved(event: RecordedEvent): MovedRead | undefined {
    for (const [projection, reads] of this.#projections) {
      if (!projection.handlerOf(event.type)) continue;
      const key = this.#touched(projection, reads, event);
      if (key === undefined) continue;
      const { position, actor, stream } = event;
      return { position, actor, stream, projection: projection.name, key };
    }
    return undefined;
  }

  #touched(
    projection: Projection,
    { keys, ranges }: Reads,
    event: RecordedEvent,
  ): string | undefined {
    for (const key of this.#keysOf(projection, event)) {
      if (key === undefined) return '';
      if (keys.has(key)) return key;
      for (const { prefix, after } of ranges.values()) {
        if (key.startsWith(prefix) && (after === undefined || key > after)) return prefix;
      }
    }
    return undefined;
  }

  /** An undefined key stands for any: when it cannot be said which keys an event changes, the projection stops, and reading it again tells why. */
  #keysOf(projection: Projection, event: RecordedEvent): readonly (string | undefined)[] {
    if (projection.keyIsStream) return [event.stream];
    try {
      return projection.keysOf(this.#interpret(event));
    } catch {
      return [undefined];
    }
  }
}
