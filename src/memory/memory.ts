/**
 * The memory of an agent: the models on one store, and what goes across them. Every public call here checks its arguments; what a model does stands in its
 * own file.
 */
import { invalidArgument, quote } from '../errors.js';
import type {
  AsyncSequence,
  BlameEntry,
  BlameOptions,
  HistoryEntry,
  HistoryOptions,
  KeyDifference,
  Moment,
  Store,
  TransactionOptions,
} from '../store.js';
import { StoreAccess, type WriteOptions, withoutUndefined } from './access.js';
import { MemoryView } from './memory-view.js';
import { Meter } from './meter.js';
import { checkText } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { Models, modelDefinitions } from './models.js';
import { type MemoryOptions, type MemorySettings, memorySettings } from './options.js';
import { openPlace, openPlaceSync } from './places.js';
import { type MemoryStatus, StatusReader } from './status.js';
import { latest } from './store-time.js';
import { TransactionMemory } from './transaction-memory.js';
import { Undoing, type Undone, type UndoOptions } from './undo.js';

/** What all memories made of one by `as` share. */
interface Shared {
  readonly store: Store;
  readonly settings: MemorySettings;
  /** By which expiry is judged. */
  readonly clock: () => number;
  readonly meter: Meter;
  readonly status: StatusReader;
}

/** An open memory. Calls with a `Sync` twin do the same synchronously. An idle open memory keeps no process alive, and it prints nothing. */
export class Memory extends Models {
  readonly #shared: Shared;
  readonly #context: WriteOptions;

  /** @internal Made by `openMemory`. */
  constructor(shared: Shared, context: WriteOptions) {
    const { store, settings, meter } = shared;
    const access = new StoreAccess(store, settings.clock, context, settings.recall);
    super(access, settings, meter);
    this.#shared = shared;
    this.#context = context;
  }

  /** The store below: your own events, projections and indexes. */
  get engine(): Store {
    return this.#shared.store;
  }

  /**
   * The same memory, with another actor, and a reason, for whatever says nothing else. It shares everything with this one: closing either closes both.
   * @throws TypeError
   */
  as(actor: string, options: { readonly reason?: string | undefined } = {}): Memory {
    checkText(actor, 'the actor');
    const { reason } = options;
    if (reason !== undefined) checkText(reason, 'the reason');
    return new Memory(this.#shared, { actor, reason });
  }

  /**
   * The memory as of a moment, fixed by this call: the same models, reading calls only. What had expired then is not returned.
   * @throws PositionAheadError, TypeError
   */
  at(moment: Moment): MemoryView {
    const { store, settings, meter } = this.#shared;
    return new MemoryView(store.at(moment), settings, meter);
  }

  /**
   * Runs a function whose calls on the models are one commit: all of it, or nothing when the function throws. On a conflict with others it runs again.
   * @throws TransactionConflictError, TransactionRolledBackError, TransactionTimeoutError, what the function throws, and what appending throws
   */
  async transaction<T>(
    work: (memory: TransactionMemory) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    const { store, settings, meter, clock } = this.#shared;
    return await meter.run('memory.transaction', async () => {
      if (typeof work !== 'function') throw invalidArgument('a transaction takes a function');
      return await store.transaction(
        (transaction) => work(new TransactionMemory(transaction, clock, settings, meter)),
        { ...this.#contextOf(), ...withoutUndefined(options as WriteOptions) },
      );
    });
  }

  /** What each event did to one thing, such as `records/alice`, as RFC 6902 patches. @throws TypeError when no model has that name */
  history(id: string, options?: HistoryOptions): AsyncSequence<HistoryEntry> {
    return this.engine.history(modelOf(id).projection, id, options);
  }

  /** Which event each part of it comes from. */
  async blame(id: string, options?: BlameOptions): Promise<readonly BlameEntry[]> {
    return await this.engine.blame(modelOf(id).projection, id, options);
  }

  /** How one thing, or all whose names begin with a prefix such as `records/`, differ between two moments. */
  diff(
    what: string | { readonly prefix: string },
    from: Moment,
    to: Moment,
  ): AsyncSequence<KeyDifference> {
    const name: unknown = typeof what === 'string' ? what : what?.prefix;
    return this.engine.diff(modelOf(name).projection, what, from, to);
  }

  /**
   * Appends the opposite of every event of a commit, as one commit. What later events changed stays; where they changed the same, nothing is undone.
   * Undoing what undid something does it again.
   * @throws UndoConflictError, UndoRefusedError, PositionAheadError, and what appending throws
   */
  async undo(position: number, options: UndoOptions = {}): Promise<Undone> {
    const { store, meter } = this.#shared;
    return await meter.run('memory.undo', async () => {
      const undoing = new Undoing(store, modelDefinitions, position);
      const { dryRun = false, ...written } = options;
      if (typeof dryRun !== 'boolean') throw invalidArgument('dryRun must be true or false');
      return await undoing.run({ ...this.#contextOf(), ...withoutUndefined(written) }, dryRun);
    });
  }

  /** How the memory is doing. The first call reads every key, in slices; later ones what was appended since. */
  async status(): Promise<MemoryStatus> {
    return await this.#shared.status.read();
  }

  /** {@link Memory.status}, at once. */
  statusSync(): MemoryStatus {
    return this.#shared.status.readSync();
  }

  /** Resolves when everything written so far is settled. */
  async flush(): Promise<void> {
    await this.engine.flush();
  }

  flushSync(): void {
    this.engine.flushSync();
  }

  /** Writes what waits, then closes the store. Calling it again does nothing. */
  async close(): Promise<void> {
    await this.engine.close();
  }

  closeSync(): void {
    this.engine.closeSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.dispose](): void {
    this.closeSync();
  }

  #contextOf(): WriteOptions {
    return withoutUndefined(this.#context);
  }
}

/** @throws TypeError */
function modelOf(id: unknown): ModelDefinition {
  const slash = typeof id === 'string' ? id.indexOf('/') : -1;
  const category = slash < 0 ? undefined : (id as string).slice(0, slash);
  const model = modelDefinitions.find(({ name }) => name === category);
  if (model) return model;
  const names = modelDefinitions.map(({ name }) => `${name}/`).join(', ');
  const given = typeof id === 'string' ? `, not ${quote(id)}` : '';
  throw invalidArgument(
    `the name of what is asked for begins with one of ${names}${given}. For projections of your own use memory.engine.`,
  );
}

/**
 * Opens the memory in a directory, making it when there is none, or another place.
 *
 * @param location - a directory, `file:/directory`, `memory:` for one with nothing on disk, or `name:rest` for a place of `registerProvider`
 * @throws what `openStore` throws; TypeError for an option or a location that is wrong
 */
export async function openMemory(
  location: string | URL,
  options: MemoryOptions = {},
): Promise<Memory> {
  const settings = memorySettings(options, modelDefinitions);
  return memoryOn(await openPlace(location, settings.store), settings);
}

/** {@link openMemory}, at once. */
export function openMemorySync(location: string | URL, options: MemoryOptions = {}): Memory {
  const settings = memorySettings(options, modelDefinitions);
  return memoryOn(openPlaceSync(location, settings.store), settings);
}

function memoryOn(store: Store, settings: MemorySettings): Memory {
  const meter = new Meter(settings.slowOperationMs, settings.clock);
  const clock = () => Date.parse(latest(settings.clock(), store.head.time));
  const status = new StatusReader(store, modelDefinitions, clock, meter);
  return new Memory({ store, settings, clock, meter, status }, {});
}
