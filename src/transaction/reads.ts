/** What a transaction has read: the condition under which it may commit. */
import type { MovedRead } from '../errors.js';
import type { CommitGuard } from '../log/guard.js';
import type { RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';

interface Reads {
  readonly keys: Set<string>;
  readonly prefixes: Set<string>;
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

  prefix(projection: Projection, prefix: string): void {
    this.#of(projection).prefixes.add(prefix);
  }

  #of(projection: Projection): Reads {
    let reads = this.#projections.get(projection);
    if (!reads) {
      reads = { keys: new Set(), prefixes: new Set() };
      this.#projections.set(projection, reads);
    }
    return reads;
  }

  /** That nothing which was read has been changed behind the position; undefined when nothing was read. */
  guard(after: number): CommitGuard | undefined {
    if (this.#projections.size === 0) return undefined;
    const types = new Set<string>();
    for (const projection of this.#projections.keys()) {
      for (const type of projection.types) types.add(type);
    }
    return { after, types, blocks: (event) => this.moved(event) !== undefined };
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

  #touched(projection: Projection, reads: Reads, event: RecordedEvent): string | undefined {
    const { keys, prefixes } = reads;
    for (const key of this.#keysOf(projection, event)) {
      if (keys.has(key)) return key;
      for (const prefix of prefixes) if (key.startsWith(prefix)) return prefix;
    }
    return undefined;
  }

  #keysOf(projection: Projection, event: RecordedEvent): readonly string[] {
    if (projection.keyIsStream) return [event.stream];
    return projection.keysOf(this.#interpret(event));
  }
}
