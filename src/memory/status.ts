/** How a memory is doing. */
import { ProjectionFailedError } from '../errors.js';
import type { Store, StoreStats } from '../store.js';
import type { LastError, Meter, OperationStats } from './meter.js';
import type { ModelDefinition } from './model.js';

/** What one model holds. */
export interface ModelStatus {
  /** What reading calls can return now. */
  readonly items: number;
  /** Stored, and not returned any more because it has expired. */
  readonly expired: number;
  /** Of the states of both, as JSON text. */
  readonly bytes: number;
}

export interface MemoryStatus {
  /** False when the writer was stopped by a failure of the disk, when the store is damaged, or when a key cannot be read. */
  readonly healthy: boolean;
  readonly mode: 'normal' | 'read-only' | 'poisoned';
  /** The last durable commit that this process knows of. */
  readonly head: Store['head'];
  /** Time of that commit, ISO 8601. */
  readonly lastDurableAt: string | undefined;
  /** What waits to be written. */
  readonly queue: StoreStats['queue'];
  /** By the model's name. */
  readonly models: Readonly<Record<string, ModelStatus>>;
  /** By name, such as `records.store`; since this memory was opened. */
  readonly operations: Readonly<Record<string, OperationStats>>;
  readonly cache: StoreStats['cache'];
  readonly transactions: StoreStats['transactions'];
  /** The lock between processes, since this memory was opened. */
  readonly locks: {
    /** Calls that waited for it longer than `lockTimeoutMs`. */
    readonly timeouts: number;
    /** Groups that others came before. */
    readonly moved: number;
  };
  readonly disk: {
    /** Files of the log. */
    readonly segments: number;
    /** Groups and commits that this process has written since the memory was opened. */
    readonly groups: number;
    readonly commits: number;
    readonly writeErrors: number;
  };
  /** The last 20 operations that threw, oldest first. */
  readonly lastErrors: readonly LastError[];
}

/** What a model holds as of a position: when each item expires, in ms since 1970. */
interface Census {
  readonly position: number;
  readonly expiries: number[];
  bytes: number;
  failed: boolean;
}

export class StatusReader {
  readonly #store: Store;
  readonly #definitions: readonly ModelDefinition[];
  readonly #clock: () => number;
  readonly #meter: Meter;
  /** By model. As good as new while nothing was appended. */
  readonly #known = new Map<string, Census>();

  constructor(
    store: Store,
    definitions: readonly ModelDefinition[],
    clock: () => number,
    meter: Meter,
  ) {
    this.#store = store;
    this.#definitions = definitions;
    this.#clock = clock;
    this.#meter = meter;
  }

  async read(): Promise<MemoryStatus> {
    for (const definition of this.#definitions) {
      const census = this.#begin(definition);
      if (!census) continue;
      const { name, projection } = definition;
      try {
        const entries = this.#store.entries(projection, { prefix: `${name}/` });
        for await (const [, state] of entries) count(definition, census, state);
      } catch (error) {
        ended(census, error);
      }
      this.#known.set(name, census);
    }
    return this.#status();
  }

  readSync(): MemoryStatus {
    for (const definition of this.#definitions) {
      const census = this.#begin(definition);
      if (!census) continue;
      const { name, projection } = definition;
      try {
        const entries = this.#store.entriesSync(projection, { prefix: `${name}/` });
        for (const [, state] of entries) count(definition, census, state);
      } catch (error) {
        ended(census, error);
      }
      this.#known.set(name, census);
    }
    return this.#status();
  }

  /** Nothing when what is known is still true. */
  #begin({ name }: ModelDefinition): Census | undefined {
    const { position } = this.#store.head;
    if (this.#known.get(name)?.position === position) return undefined;
    return { position, expiries: [], bytes: 0, failed: false };
  }

  #status(): MemoryStatus {
    const now = this.#clock();
    const models: Record<string, ModelStatus> = {};
    let failed = false;
    for (const [name, census] of this.#known) {
      const expired = census.expiries.filter((expiry) => expiry <= now).length;
      const items = census.expiries.length - expired;
      models[name] = { items, expired, bytes: census.bytes };
      failed ||= census.failed;
    }
    const { mode, head, queue, cache, transactions, ...stats } = this.#store.stats();
    const { segments, groups, commits, writeErrors, lockTimeouts, moved } = stats;
    const damaged = this.#store.recovery.state === 'damaged';
    return {
      healthy: mode !== 'poisoned' && !damaged && !failed,
      mode,
      head,
      lastDurableAt: head.time,
      queue,
      models,
      operations: this.#meter.operations,
      cache,
      transactions,
      locks: { timeouts: lockTimeouts, moved },
      disk: { segments, groups, commits, writeErrors },
      lastErrors: this.#meter.lastErrors,
    };
  }
}

function count({ expiries }: ModelDefinition, census: Census, state: unknown): void {
  census.bytes += Buffer.byteLength(JSON.stringify(state));
  const items = expiries?.(state) ?? [undefined];
  for (const expiry of items) {
    census.expiries.push(expiry === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiry));
  }
}

/** A key that cannot be read ends the count of its model; how the rest is doing is told all the same. */
function ended(census: Census, error: unknown): void {
  if (!(error instanceof ProjectionFailedError)) throw error;
  census.failed = true;
}
