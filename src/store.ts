/**
 * The store: puts log, projections, transactions and time travel together. Every public call here checks its arguments and state; what it does is
 * written once, for callers that wait and callers that do not.
 */
import type { BlameEntry } from './audit/blame.js';
import type { KeyDifference } from './audit/differences.js';
import type { HistoryEntry } from './audit/history.js';
import type { Moment } from './audit/moment.js';
import { type BackupOptions, type BackupReport, backupStoreOn } from './compaction/backup.js';
import type { CompactionReport, CompactOptions } from './compaction/compaction.js';
import type { SnapshotReport } from './compaction/snapshot-source.js';
import { StoreClosedError } from './errors.js';
import type { Environment } from './log/environment.js';
import type { EventWork } from './log/event-sequence.js';
import type { Log } from './log/log.js';
import { openLogAt, openLogAtSync, openLogOn, openLogOnSync } from './log/open-log.js';
import type {
  Appended,
  AppendOptions,
  AsyncSequence,
  CommitOptions,
  CommitPart,
  Committed,
  Head,
  NewEvent,
  RecordedEvent,
  Recovery,
  SyncSequence,
} from './log/types.js';
import type { VerifyOptions, VerifyReport } from './log/verify.js';
import type { Projection } from './projections/define.js';
import type { IndexDefinition } from './projections/define-index.js';
import type { Events, NewEventOf, RecordedEventOf } from './projections/events.js';
import { NEEDS_IO } from './projections/key-reader.js';
import type { AsyncEntries, EntriesOptions, Entry, SyncEntries } from './projections/types.js';
import { Audit, type BlameOptions, type DiffKeys, type HistoryOptions } from './store/audit.js';
import { findBases } from './store/bases.js';
import { type CommandOptions, type CommandResult, runCommand } from './store/command.js';
import { Compacting } from './store/compacting.js';
import {
  interpreted,
  readingAll,
  readingStream,
  type StoreReadAllOptions,
  type StoreReadStreamOptions,
} from './store/event-reading.js';
import { Incoming } from './store/incoming.js';
import { type StoreOptions, type StoreSettings, storeSettings } from './store/options.js';
import { checkEntries, checkKey, Reads } from './store/reads.js';
import { courseOf, type SnapshotOptions, Snapshots } from './store/snapshots.js';
import { type StoreStats, statisticsOf } from './store/statistics.js';
import type { Subscription } from './store/subscription.js';
import type { SubscribeOptions } from './store/subscription-options.js';
import { Subscriptions } from './store/subscriptions.js';
import { transactionSource } from './store/transaction-source.js';
import { StoreView } from './store/view.js';
import { whenReady } from './store/when-ready.js';
import { type Transaction, type TransactionOptions, Transactions } from './transaction.js';

/** Options of a store that lives in memory only. */
export type MemoryStoreOptions<E extends Events = Events> = StoreOptions<E> & {
  readonly memory: true;
};

/** Events for one stream inside a commit of a store with declared events. */
export interface StoreCommitPart<E extends Events> extends CommitPart {
  readonly events: NewEventOf<E> | readonly NewEventOf<E>[];
}

/** An open store. Calls with a `Sync` twin do the same synchronously. An idle open store keeps no process alive, and it prints nothing. */
export class Store<E extends Events = Events> {
  readonly #log: Log;
  readonly #reads: Reads;
  readonly #audit: Audit;
  readonly #incoming: Incoming;
  readonly #transactions: Transactions;
  readonly #compacting: Compacting;
  readonly #snapshots: Snapshots;
  readonly #subscriptions: Subscriptions;
  #closing: Promise<void> | undefined;

  /** @internal Made by `openStore`. */
  constructor(log: Log, settings: StoreSettings, reads: Reads) {
    this.#log = log;
    const { internals } = log;
    this.#reads = reads;
    this.#snapshots = new Snapshots(reads, () => this.#compacting.isHolding);
    this.#audit = new Audit(reads);
    this.#incoming = new Incoming(settings, internals.eventBytes);
    const source = transactionSource(this.#reads, this.#incoming, internals.environment);
    this.#transactions = new Transactions(source);
    const { actor, typed } = settings;
    const interpret = typed ? interpreted(reads) : undefined;
    this.#subscriptions = new Subscriptions(internals, actor, interpret);
    this.#compacting = new Compacting({
      log: internals,
      settings: settings.compaction,
      projections: [...settings.projections, ...settings.indexes],
      append: (stream, event) => internals.commitOwn([{ stream, events: event }]),
      relieved: () => this.#snapshots.relieved(),
      snapshotAll: (dryRun, course) => this.#snapshots.cover(dryRun, course),
    });
  }

  /** The store's id, a UUID. */
  get id(): string {
    return this.#log.id;
  }

  /** The last durable commit this process knows of. */
  get head(): Head {
    return this.#log.head;
  }

  /** What opening found. */
  get recovery(): Recovery {
    return this.#log.recovery;
  }

  /**
   * Appends events to one stream: all or nothing, durable when the promise resolves.
   *
   * @param stream - 1 to 200 bytes without control characters; a '/' splits category and id
   * @param events - one event or a list; data must be plain JSON, and what its schema takes
   * @throws InvalidEventError, LimitExceededError, VersionConflictError, IdempotencyKeyReusedError, LockTimeoutError, QueueFullError,
   * StoreFullError, StoreAccessError, StoreReadOnlyError, StoreClosedError, StorePoisonedError: nothing was written.
   * @throws OutcomeUnknownError: writing began, and it could not be established whether it succeeded.
   */
  append(
    stream: string,
    events: NewEventOf<E> | readonly NewEventOf<E>[],
    options?: AppendOptions,
  ): Promise<Appended> {
    let checked: NewEvent | readonly NewEvent[] | Promise<NewEvent | readonly NewEvent[]>;
    try {
      checked = this.#incoming.events(events as NewEvent | readonly NewEvent[]);
    } catch (error) {
      return Promise.reject(error);
    }
    if (!(checked instanceof Promise)) return this.#log.append(stream, checked, options);
    const own = ownCopy(options);
    return checked.then((list) => this.#log.append(stream, list, own));
  }

  /** {@link Store.append}, at once. @throws TypeError (`ASYNC_SCHEMA`) when a schema answers with a promise */
  appendSync(
    stream: string,
    events: NewEventOf<E> | readonly NewEventOf<E>[],
    options?: AppendOptions,
  ): Appended {
    const checked = this.#incoming.eventsSync(events as NewEvent | readonly NewEvent[]);
    return this.#log.appendSync(stream, checked, options);
  }

  /** Appends to several streams: all or nothing. Errors as {@link Store.append}. */
  async commit(parts: readonly StoreCommitPart<E>[], options?: CommitOptions): Promise<Committed> {
    if (!Array.isArray(parts)) return await this.#log.commit(parts, options);
    const checked = this.#incoming.parts(parts);
    if (!(checked instanceof Promise)) return await this.#log.commit(checked, options);
    const own = ownCopy(options);
    return await this.#log.commit(await checked, own);
  }

  /** {@link Store.commit}, at once. */
  commitSync(parts: readonly StoreCommitPart<E>[], options?: CommitOptions): Committed {
    if (!Array.isArray(parts)) return this.#log.commitSync(parts, options);
    return this.#log.commitSync(this.#incoming.partsSync(parts), options);
  }

  /** Events by position. Commits of other processes are seen within `freshnessMs`. */
  readAll(options: StoreReadAllOptions = {}): AsyncSequence<RecordedEventOf<E>> {
    this.#checkOpen();
    return this.#asyncEvents(readingAll(this.#reads, options));
  }

  /** {@link Store.readAll}, at once. */
  readAllSync(options: StoreReadAllOptions = {}): SyncSequence<RecordedEventOf<E>> {
    this.#checkOpen();
    return this.#syncEvents(readingAll(this.#reads, options));
  }

  /** Events of one stream by version. */
  readStream(
    stream: string,
    options: StoreReadStreamOptions = {},
  ): AsyncSequence<RecordedEventOf<E>> {
    this.#checkOpen();
    return this.#asyncEvents(readingStream(this.#reads, stream, options));
  }

  /** {@link Store.readStream}, at once. */
  readStreamSync(
    stream: string,
    options: StoreReadStreamOptions = {},
  ): SyncSequence<RecordedEventOf<E>> {
    this.#checkOpen();
    return this.#syncEvents(readingStream(this.#reads, stream, options));
  }

  /**
   * History, then what is appended, in the order of the log, without gaps or repeats, also what other processes append. Nothing is read before it is asked for.
   * With a `name` it keeps a durable checkpoint: who reads under that name next, in whatever process, goes on where the last one was, at least once.
   * See docs/SUBSCRIPTIONS.md.
   * @throws TypeError, LimitExceededError, StoreReadOnlyError for a name in a store that was opened for reading only, StoreClosedError; everything else is told by `next()`
   */
  subscribe(options: SubscribeOptions = {}): Subscription<E> {
    this.#checkOpen();
    return this.#subscriptions.subscribe<E>(options);
  }

  #asyncEvents(begin: () => EventWork): AsyncSequence<RecordedEventOf<E>> {
    return this.#reads.log.asyncSequence(begin) as AsyncSequence<RecordedEvent> as AsyncSequence<
      RecordedEventOf<E>
    >;
  }

  #syncEvents(begin: () => EventWork): SyncSequence<RecordedEventOf<E>> {
    return this.#reads.log.syncSequence(begin) as SyncSequence<RecordedEvent> as SyncSequence<
      RecordedEventOf<E>
    >;
  }

  /**
   * The key's state, deeply frozen; undefined when it is absent. Sees this process's own acknowledged writes at once, those of others within
   * `freshnessMs`. Waits while the projection is being built.
   * @throws ProjectionNotRegisteredError, ProjectionFailedError, StoreDamagedError, StoreClosedError
   */
  async get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    const runtime = this.#reads.projection(projection as Projection);
    checkKey(key);
    const known = this.#reads.getNow(runtime, key);
    if (known !== NEEDS_IO) return known as State | undefined;
    return (await this.#reads.getSoon(runtime, key)) as State | undefined;
  }

  /** {@link Store.get}, at once. @throws ProjectionNotReadyError while the projection is being built */
  getSync<State>(projection: Projection<State>, key: string): State | undefined {
    const runtime = this.#reads.projection(projection as Projection);
    checkKey(key);
    const known = this.#reads.getNow(runtime, key);
    if (known !== NEEDS_IO) return known as State | undefined;
    this.#reads.engine.requireReady(runtime);
    return this.#reads.log.runSync(this.#reads.get(runtime, key)) as State | undefined;
  }

  /** Keys and their states, sorted by key in UTF-16 code units. One iteration sees the store at one position. */
  entries<State>(projection: Projection<State>, options: EntriesOptions = {}): AsyncEntries<State> {
    const runtime = this.#reads.projection(projection as Projection);
    checkEntries(options);
    const sequence = this.#reads.log.asyncSequence(() => this.#reads.entries(runtime, options));
    return whenReady(sequence as AsyncSequence<Entry<State>>, () =>
      this.#reads.whenListable(runtime, options),
    );
  }

  /** {@link Store.entries}, at once. @throws ProjectionNotReadyError */
  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions = {},
  ): SyncEntries<State> {
    const runtime = this.#reads.projection(projection as Projection);
    checkEntries(options);
    this.#reads.engine.requireReady(runtime);
    const sequence = this.#reads.log.syncSequence(() => this.#reads.entries(runtime, options));
    return sequence as SyncEntries<State>;
  }

  /** The stream's version, 0 when it is absent. */
  version(stream: string): Promise<number> {
    return this.#reads.version(stream);
  }

  /** {@link Store.version}, at once. */
  versionSync(stream: string): number {
    return this.#log.versionSync(stream);
  }

  /** The position of the last commit with an idempotency key, as long as it is remembered (`idempotencyWindow`); undefined otherwise. */
  positionOf(idempotencyKey: string): Promise<number | undefined> {
    return this.#log.positionOf(idempotencyKey);
  }

  /** {@link Store.positionOf}, at once. */
  positionOfSync(idempotencyKey: string): number | undefined {
    return this.#log.positionOfSync(idempotencyKey);
  }

  /**
   * The index, brought up to where the log is. It is the live one: read it, do not change it. Waits while it is loaded, or built.
   * @throws ProjectionNotRegisteredError, ProjectionFailedError, IndexFailedError when what was saved cannot be loaded and none can be made
   */
  async index<Index>(definition: IndexDefinition<Index>): Promise<Index> {
    const runtime = this.#reads.index(definition as IndexDefinition);
    await this.#reads.engine.whenReady(runtime);
    return (await this.#reads.log.run(this.#reads.indexValue(runtime))) as Index;
  }

  /** {@link Store.index}, at once: loads what was saved. @throws ProjectionNotReadyError while it is being built */
  indexSync<Index>(definition: IndexDefinition<Index>): Index {
    const runtime = this.#reads.index(definition as IndexDefinition);
    this.#reads.requireIndexReady(runtime);
    return this.#reads.log.runSync(this.#reads.indexValue(runtime)) as Index;
  }

  /**
   * The store as of a moment. What it is as of is fixed by this call: what is appended later is not seen.
   * @throws PositionAheadError, TypeError
   */
  at(moment: Moment): StoreView<E> {
    this.#checkOpen();
    return new StoreView<E>(this.#reads, moment);
  }

  /**
   * The key's events, oldest first, each with what it changed. Costs those events and the state before the first of them; read in portions, so that
   * memory stays small. A key that stopped gives what came before, then fails.
   * @throws ProjectionFailedError, PositionAheadError, ProjectionNotRegisteredError, StoreDamagedError, StoreClosedError, TypeError
   */
  history<State>(
    projection: Projection<State>,
    key: string,
    options: HistoryOptions = {},
  ): AsyncSequence<HistoryEntry<RecordedEventOf<E>>> {
    this.#checkOpen();
    const history = this.#audit.history(projection as Projection, key, options);
    return history as AsyncSequence<HistoryEntry> as AsyncSequence<
      HistoryEntry<RecordedEventOf<E>>
    >;
  }

  /** {@link Store.history}, at once. @throws ProjectionNotReadyError */
  historySync<State>(
    projection: Projection<State>,
    key: string,
    options: HistoryOptions = {},
  ): SyncSequence<HistoryEntry<RecordedEventOf<E>>> {
    this.#checkOpen();
    const history = this.#audit.historySync(projection as Projection, key, options);
    return history as SyncSequence<HistoryEntry> as SyncSequence<HistoryEntry<RecordedEventOf<E>>>;
  }

  /**
   * Every value in the key's state, sorted by path, with the event that set it last; empty when the key is absent. Costs the key's events up to
   * the moment. Errors as {@link Store.history}.
   */
  async blame<State>(
    projection: Projection<State>,
    key: string,
    options: BlameOptions = {},
  ): Promise<readonly BlameEntry<RecordedEventOf<E>>[]> {
    this.#checkOpen();
    const entries = await this.#audit.blame(projection as Projection, key, options);
    return entries as readonly BlameEntry[] as readonly BlameEntry<RecordedEventOf<E>>[];
  }

  /** {@link Store.blame}, at once. @throws ProjectionNotReadyError */
  blameSync<State>(
    projection: Projection<State>,
    key: string,
    options: BlameOptions = {},
  ): readonly BlameEntry<RecordedEventOf<E>>[] {
    this.#checkOpen();
    const entries = this.#audit.blameSync(projection as Projection, key, options);
    return entries as readonly BlameEntry[] as readonly BlameEntry<RecordedEventOf<E>>[];
  }

  /**
   * How the states of keys differ between two moments, which this call fixes: those that do, sorted by key. `from` may be the later one. Costs the
   * keys that had an event between the two.
   * @param keys - a key, or `{ prefix }` for all that begin with it; `{ prefix: '' }` for all
   * @throws as {@link Store.history}; at a key that stopped, behind the differences before it
   */
  diff<State>(
    projection: Projection<State>,
    keys: DiffKeys,
    from: Moment,
    to: Moment,
  ): AsyncSequence<KeyDifference<State>> {
    this.#checkOpen();
    const differences = this.#audit.diff(projection as Projection, keys, from, to);
    return differences as AsyncSequence<KeyDifference<State>>;
  }

  /** {@link Store.diff}, at once. @throws ProjectionNotReadyError */
  diffSync<State>(
    projection: Projection<State>,
    keys: DiffKeys,
    from: Moment,
    to: Moment,
  ): SyncSequence<KeyDifference<State>> {
    this.#checkOpen();
    const differences = this.#audit.diffSync(projection as Projection, keys, from, to);
    return differences as SyncSequence<KeyDifference<State>>;
  }

  /**
   * Runs a function whose reads see one position plus its own writes, and commits what it appended: all of it, or nothing when it throws. On a conflict
   * with others it runs again. No lock is held while it runs.
   * @throws TransactionConflictError, TransactionRolledBackError, TransactionTimeoutError, what the function throws, and what appending throws
   */
  async transaction<T>(
    work: (transaction: Transaction<E>) => Promise<T> | T,
    options?: TransactionOptions,
  ): Promise<T> {
    this.#checkOpen();
    return await this.#transactions.run(work, options);
  }

  /**
   * Reads a key's state, lets `decide` say which events follow from it, and appends them: on a conflict with others it decides anew. Errors as
   * {@link Store.transaction}.
   */
  async command<State>(
    projection: Projection<State>,
    key: string,
    decide: (
      state: State | undefined,
    ) =>
      | NewEventOf<E>
      | readonly NewEventOf<E>[]
      | Promise<NewEventOf<E> | readonly NewEventOf<E>[]>,
    options: CommandOptions = {},
  ): Promise<CommandResult<State>> {
    this.#checkOpen();
    return await runCommand(this.#transactions, projection, key, decide, options);
  }

  /**
   * Looks for other processes' commits now, and brings every projection and index up to them. One that needs events which retention dropped is left
   * as it is: its readers are told.
   */
  async refresh(): Promise<void> {
    this.#checkOpen();
    const { log, engine } = this.#reads;
    await log.run(log.look());
    await this.#reads.built();
    await log.run(engine.catchUp());
  }

  /** {@link Store.refresh}, at once: builds whatever is not built, however long that takes. */
  refreshSync(): void {
    this.#checkOpen();
    const { log, engine } = this.#reads;
    log.runSync(log.look());
    log.runSync(engine.build());
  }

  /** Resolves when everything appended so far is settled. */
  async flush(): Promise<void> {
    await this.#log.flush();
  }

  flushSync(): void {
    this.#log.flushSync();
  }

  /**
   * Moves closed segments that snapshots cover to the archive, compressed, where everything still reads them, and drops what the `retention` option lets go.
   * Others go on reading and writing; one process compacts at a time.
   * @throws LockTimeoutError while another process compacts, StoreReadOnlyError (not for a dry run), StoreDamagedError, StoreFullError, StoreAccessError,
   * StoreClosedError when the store is closed meanwhile: what was moved stays moved, and the next one goes on.
   */
  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    this.#checkOpen();
    return await this.#compacting.compact(options);
  }

  /**
   * Makes a snapshot of the log, of every projection and of every index, all as of the same position, so that the next opening takes them and routes only what
   * stands behind. Ends the segment that is being written. Reads and appends go on meanwhile; this is done in short slices.
   * @throws StoreReadOnlyError, StoreFullError, StoreAccessError: nothing is changed but what was in place before the failure; LockTimeoutError while another
   * process makes one; StoreDamagedError, StorePoisonedError, StoreClosedError
   */
  async snapshot(options: SnapshotOptions = {}): Promise<SnapshotReport> {
    this.#checkOpen();
    return await this.#snapshots.make(courseOf(options));
  }

  /** {@link Store.snapshot}, at once. */
  snapshotSync(): SnapshotReport {
    this.#checkOpen();
    return this.#snapshots.makeSync();
  }

  /** Walks the whole log and checks all that can be checked. */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    return await this.#log.verify(options);
  }

  verifySync(options?: VerifyOptions): VerifyReport {
    return this.#log.verifySync(options);
  }

  /**
   * Makes a backup of the store as it is now at `directory`, where nothing may stand yet, while this and other processes go on writing. It is verified
   * before it gets its name, opens with `readOnly: true`, and is what `restoreStore` takes.
   * @throws StoreDamagedError, StoreNotFoundError when `since` is no backup, LockTimeoutError, StoreFullError, StoreAccessError, StoreClosedError, TypeError
   * (`TARGET_EXISTS`; `OTHER_HISTORY` when `since` is a backup of something else), the signal's reason
   */
  async backup(directory: string, options: BackupOptions = {}): Promise<BackupReport> {
    this.#checkOpen();
    await this.#log.flush();
    const { environment, directory: source } = this.#log.internals;
    return await backupStoreOn(environment, source, directory, options, this.#log.access);
  }

  stats(): StoreStats {
    return statisticsOf(this.#log.stats(), this.#reads, {
      transactions: this.#transactions.stats,
      compaction: this.#compacting.stats,
      subscriptions: this.#subscriptions.stats,
    });
  }

  /** Writes what waits, then closes all files. Calling it again does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // At the same time: whoever waits for the log is told at once.
    const compacting = this.#compacting.close();
    // Before the log: it still writes what they save.
    const subscriptions = this.#subscriptions.close();
    try {
      await this.#log.close();
      await compacting;
      await subscriptions;
    } finally {
      this.#reads.close();
      await this.#snapshots.close();
    }
  }

  closeSync(): void {
    try {
      this.#compacting.closeSync();
      this.#subscriptions.closeSync();
    } finally {
      try {
        this.#log.closeSync();
      } finally {
        this.#reads.close();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.dispose](): void {
    this.closeSync();
  }

  #checkOpen(): void {
    if (this.#log.isClosed) throw new StoreClosedError();
  }
}

/** What the caller does with its options while a schema is waited for changes nothing. What are no options is left for the log to refuse. */
function ownCopy<Options>(options: Options): Options {
  return typeof options === 'object' && options !== null ? { ...options } : options;
}

/** The store over a log that was opened for it; the log is closed again when that fails. */
async function storeOver<E extends Events>(log: Log, settings: StoreSettings): Promise<Store<E>> {
  try {
    const { internals } = log;
    const bases = await internals.run(findBases(internals, settings));
    return new Store<E>(log, settings, new Reads(internals, settings, bases));
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** {@link storeOver}, with everything built that cannot be loaded. */
function storeOverSync<E extends Events>(log: Log, settings: StoreSettings): Store<E> {
  let reads: Reads | undefined;
  try {
    const { internals } = log;
    const bases = internals.runSync(findBases(internals, settings));
    reads = new Reads(internals, settings, bases);
    reads.openSync();
    return new Store<E>(log, settings, reads);
  } catch (error) {
    reads?.close();
    log.closeSync();
    throw error;
  }
}

/** @internal {@link openStore} on a disk, a clock and randomness of the caller's. */
export async function openStoreOn<E extends Events = Events>(
  environment: Environment,
  directory: string,
  options: StoreOptions<E> = {},
): Promise<Store<E>> {
  const settings = storeSettings(options);
  return await storeOver<E>(await openLogOn(environment, directory, options), settings);
}

/** @internal {@link openStoreOn}, at once. */
export function openStoreOnSync<E extends Events = Events>(
  environment: Environment,
  directory: string,
  options: StoreOptions<E> = {},
): Store<E> {
  const settings = storeSettings(options);
  return storeOverSync<E>(openLogOnSync(environment, directory, options), settings);
}

/**
 * Opens the store in a directory, making it when there is none, or, with `{ memory: true }`, one with nothing on disk. Projections that the history was not
 * folded for yet are built in the background, and so are indexes loaded that were saved: asynchronous reads wait for them.
 *
 * @throws StoreDamagedError, StoreNotFoundError, FormatTooNewError, UnsupportedFileSystemError, StoreAccessError, LockTimeoutError, TypeError
 */
export function openStore<E extends Events = Events>(
  directory: string,
  options?: StoreOptions<E>,
): Promise<Store<E>>;
export function openStore<E extends Events = Events>(
  options: MemoryStoreOptions<E>,
): Promise<Store<E>>;
export async function openStore<E extends Events>(
  place: string | MemoryStoreOptions<E>,
  options: StoreOptions<E> = {},
): Promise<Store<E>> {
  const settings = storeSettings(typeof place === 'object' ? place : options);
  const log = await openLogAt(place, options);
  return await storeOver<E>(log, settings);
}

/** {@link openStore}, at once. Builds what is not built before it returns, so that synchronous reads need not wait; an index that was saved is loaded when it is read. */
export function openStoreSync<E extends Events = Events>(
  directory: string,
  options?: StoreOptions<E>,
): Store<E>;
export function openStoreSync<E extends Events = Events>(options: MemoryStoreOptions<E>): Store<E>;
export function openStoreSync<E extends Events>(
  place: string | MemoryStoreOptions<E>,
  options: StoreOptions<E> = {},
): Store<E> {
  const settings = storeSettings(typeof place === 'object' ? place : options);
  const log = openLogAtSync(place, options);
  return storeOverSync<E>(log, settings);
}

// A model of src/memory/ uses what users of the store use, and this is where it finds it.
export type { BlameEntry } from './audit/blame.js';
export { diff } from './audit/diff.js';
export type { KeyDifference } from './audit/differences.js';
export type { HistoryEntry } from './audit/history.js';
export { applyPatch, type JsonPatch } from './audit/json-patch.js';
export { checkedMoment, type Moment } from './audit/moment.js';
export type {
  CompactionReport,
  CompactOptions,
  DroppedSegment,
  MovedSegment,
  RefusedSegment,
} from './compaction/compaction.js';
export type { CompactionOptions, RetentionOptions, RetentionRule } from './compaction/options.js';
export type { Covered } from './compaction/retention.js';
export type { SnapshotPart, SnapshotReport } from './compaction/snapshot-source.js';
export { jsonText } from './log/json.js';
export { Turns } from './log/turns.js';
export type {
  Appended,
  AsyncSequence,
  Committed,
  ExpectedVersion,
  NewEvent,
  RecordedEvent,
  StreamCheck,
  SyncSequence,
} from './log/types.js';
export {
  defineProjection,
  isProjection,
  type Projection,
  type Removed,
  removed,
  type StateOf,
} from './projections/define.js';
export {
  defineIndex,
  type IndexDefinition,
  type IndexSink,
  type IndexSource,
} from './projections/define-index.js';
export {
  defineEvents,
  type Events,
  type EventToken,
  event,
  type NewEventOf,
} from './projections/events.js';
export { ABSENT, fold } from './projections/fold.js';
export type { EntriesOptions, Entry } from './projections/types.js';
export type { BlameOptions, DiffKeys, HistoryOptions } from './store/audit.js';
export type { CommandOptions, CommandResult } from './store/command.js';
export type { CompactionStats } from './store/compacting.js';
export { jsonValue } from './store/json-value.js';
export { STORE_OPTIONS, type StoreOptions } from './store/options.js';
export type { SnapshotOptions } from './store/snapshots.js';
export type { ProjectionStats, StoreLocks, StoreStats } from './store/statistics.js';
export type { StoreView } from './store/view.js';
export type { Transaction, TransactionOptions } from './transaction.js';
