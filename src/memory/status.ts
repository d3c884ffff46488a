/** How a memory is doing. */
import type { Store, StoreStats } from '../store.js';
import { Census, type ModelStatus } from './census.js';
import type { LastError, Meter, OperationStats } from './meter.js';
import type { ModelDefinition } from './model-definition.js';

export type { ModelStatus } from './census.js';

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
  /** The lock between processes, since this memory was opened, and the locks of `getLockManager()`. */
  readonly locks: StoreStats['locks'];
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

export class StatusReader {
  readonly #store: Store;
  readonly #census: Census;
  readonly #clock: () => number;
  readonly #meter: Meter;

  constructor(
    store: Store,
    definitions: readonly ModelDefinition[],
    clock: () => number,
    meter: Meter,
  ) {
    this.#store = store;
    this.#census = new Census(store, definitions);
    this.#clock = clock;
    this.#meter = meter;
  }

  async read(): Promise<MemoryStatus> {
    await this.#census.update();
    return this.#status();
  }

  readSync(): MemoryStatus {
    this.#census.updateSync();
    return this.#status();
  }

  #status(): MemoryStatus {
    const { mode, head, queue, cache, transactions, locks, ...stats } = this.#store.stats();
    const { segments, groups, commits, writeErrors } = stats;
    const damaged = this.#store.recovery.state === 'damaged';
    return {
      healthy: mode !== 'poisoned' && !damaged && !this.#census.failed,
      mode,
      head,
      lastDurableAt: head.time,
      queue,
      models: this.#census.models(this.#clock()),
      operations: this.#meter.operations,
      cache,
      transactions,
      locks,
      disk: { segments, groups, commits, writeErrors },
      lastErrors: this.#meter.lastErrors,
    };
  }
}
