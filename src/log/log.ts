/** The log as programs use it. Everything below checks nothing twice; every public call here checks its arguments and state. */
import {
  checkOptionNames,
  optionNames,
  StoreClosedError,
  StoreDamagedError,
  StoreReadOnlyError,
} from '../errors.js';
import { Appending } from './appending.js';
import { Changes } from './changes.js';
import { commitAt, commitNow, commitsAt } from './commits-at.js';
import { compactionLockTimeout, tryCompactionLock } from './compaction-lock.js';
import type { Environment } from './environment.js';
import { asyncSequence, syncSequence } from './event-sequence.js';
import { forgetAtExit, tellAtExit } from './exit.js';
import { LogFeed } from './feed.js';
import { checkedFrom, type FollowSource, followFrom } from './follow.js';
import { Freshness } from './freshness.js';
import type { LogInternals } from './internals.js';
import { closeQuietly, type Io, newPace, runAsync, runSync } from './io.js';
import type { LogSettings } from './log-options.js';
import { writeLogSnapshot } from './log-snapshot-write.js';
import { type LogStats, logStats } from './log-stats.js';
import { verifyFound } from './maintenance.js';
import { checkName } from './names.js';
import { checkSignal } from './on-abort.js';
import type { Found } from './open-settings.js';
import { pathsOf } from './paths.js';
import { PendingIndexes } from './pending-indexes.js';
import {
  checkedStream,
  type ReadSource,
  readAll,
  readingAll,
  readingStream,
  readStream,
  versionAt,
} from './reader.js';
import type { LogState } from './state.js';
import { asStoreError } from './store-error.js';
import { WriterThread } from './thread.js';
import { positionAt } from './time-search.js';
import { TurnLocks } from './turn-locks.js';
import type {
  Appended,
  AppendOptions,
  AsyncEvents,
  CommitOptions,
  CommitPart,
  Committed,
  FollowOptions,
  Head,
  NewEvent,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  Recovery,
  SyncEvents,
} from './types.js';
import { VERIFY_OPTIONS, type VerifyOptions, type VerifyReport } from './verify.js';
import { lockTimeout } from './write-lock.js';
import { Writer } from './writer.js';

const FOLLOW_OPTIONS = optionNames<FollowOptions>({
  from: true,
  types: true,
  streams: true,
  signal: true,
});

/** An open log. Calls marked with a twin do the same synchronously. An idle open log keeps no process alive. */
export class Log {
  readonly #environment: Environment;
  readonly #settings: LogSettings;
  readonly #found: Found;
  readonly #state: LogState;
  readonly #writer: Writer | undefined;
  readonly #appending: Appending;
  readonly #indexes: PendingIndexes;
  readonly #changes: Changes;
  readonly #freshness: Freshness;
  readonly #recovery: Recovery;
  readonly #directory: string;
  readonly #snapshotsAtOpening: readonly string[];
  #closed = false;
  #closing: Promise<void> | undefined;
  readonly #turnLocks: TurnLocks | undefined;
  #internals: LogInternals | undefined;

  /** @internal Made by `openLog`. */
  constructor(
    environment: Environment,
    settings: LogSettings,
    directory: string,
    found: Found,
    state: LogState,
    recovery: Recovery,
    snapshotsAtOpening: readonly string[] = [],
  ) {
    this.#snapshotsAtOpening = snapshotsAtOpening;
    this.#environment = environment;
    this.#settings = settings;
    this.#directory = directory;
    this.#found = found;
    this.#state = state;
    this.#recovery = Object.freeze(recovery);
    this.#appending = new Appending(environment, settings, () => this.#checkWritable());
    this.#indexes = new PendingIndexes(environment.disk, state.segments);
    const paths = pathsOf(directory);
    this.#changes = new Changes(environment.disk, paths.lock);
    this.#freshness = new Freshness(environment, state, {
      paths,
      lockFile: found.lockFile,
      lockInode: found.lockInode,
      freshnessMs: settings.freshnessMs,
      // What stands behind the damage cannot be reached, and what stands before it can be read.
      isStill: recovery.state === 'damaged',
      isClosed: () => this.#closed,
    });
    if (found.section) {
      this.#writer = new Writer(
        environment,
        {
          paths,
          lockFile: found.lockFile,
          lockTimeoutMs: settings.lockTimeoutMs,
          queueBytes: settings.queueBytes,
          idempotencyWindow: found.store.idempotencyWindow,
          ...(settings.writerThread && environment.disk.sharedBetweenThreads
            ? { startThread: (onDeath: (error: Error) => void) => this.#startThread(onDeath) }
            : {}),
        },
        state,
        found.section,
      );
      this.#turnLocks = new TurnLocks(environment.disk, found.lockFile, environment.monotonic);
      tellAtExit(this);
    }
    state.onAdvance(() => this.#changes.wake());
    if (found.section) state.onRotate(() => this.#indexes.write());
  }

  /** The store's id, a UUID. */
  get id(): string {
    return this.#found.store.id;
  }

  /** The last durable commit this process knows of. */
  get head(): Head {
    return this.#state.head;
  }

  /** What opening found. */
  get recovery(): Recovery {
    return this.#recovery;
  }

  /**
   * Appends events to one stream: all or nothing, durable when the promise resolves.
   *
   * @param stream - 1 to 200 bytes without control characters
   * @param events - one event or a list; each event's data must be plain JSON
   * @throws InvalidEventError, LimitExceededError, VersionConflictError, IdempotencyKeyReusedError, LockTimeoutError, QueueFullError,
   * StoreFullError, StoreAccessError, StoreReadOnlyError, StoreClosedError, StorePoisonedError: nothing was written.
   * @throws OutcomeUnknownError: writing began, and it could not be established whether it succeeded.
   */
  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<Appended> {
    return this.#appending.append(stream, events, options);
  }

  /** {@link Log.append}, at once. Waits for the lock on the calling thread. */
  appendSync(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options?: AppendOptions,
  ): Appended {
    return this.#appending.appendSync(stream, events, options);
  }

  /** Appends to several streams: all or nothing. Errors as {@link Log.append}. */
  commit(parts: readonly CommitPart[], options: CommitOptions = {}): Promise<Committed> {
    return this.#appending.commit(parts, options);
  }

  /** {@link Log.commit}, at once. */
  commitSync(parts: readonly CommitPart[], options: CommitOptions = {}): Committed {
    return this.#appending.commitSync(parts, options);
  }

  /** Events by position. Commits of other processes are seen within `freshnessMs`. @throws StoreDamagedError */
  readAll(options: ReadAllOptions = {}): AsyncEvents {
    this.#checkOpen();
    return readAll.async(this.#source(), options);
  }

  readAllSync(options: ReadAllOptions = {}): SyncEvents {
    this.#checkOpen();
    return readAll.sync(this.#source(), options);
  }

  /** Events of one stream by version. */
  readStream(stream: string, options: ReadStreamOptions = {}): AsyncEvents {
    this.#checkOpen();
    return readStream.async(this.#source(), stream, options);
  }

  readStreamSync(stream: string, options: ReadStreamOptions = {}): SyncEvents {
    this.#checkOpen();
    return readStream.sync(this.#source(), stream, options);
  }

  /** The stream's version, 0 when it is absent. */
  async version(stream: string): Promise<number> {
    this.#checkOpen();
    checkedStream(stream);
    return await this.#run(this.#version(stream));
  }

  versionSync(stream: string): number {
    this.#checkOpen();
    checkedStream(stream);
    return this.#runSync(this.#version(stream));
  }

  *#version(stream: string): Io<number> {
    yield* this.#freshness.freshen();
    return yield* this.#state.segments.version(stream);
  }

  /** @internal What opening the same directory again takes. */
  get access(): Pick<LogSettings, 'lockTimeoutMs' | 'allowSharedDirectory' | 'allowFileSystem'> {
    const { lockTimeoutMs, allowSharedDirectory, allowFileSystem } = this.#settings;
    return { lockTimeoutMs, allowSharedDirectory, allowFileSystem };
  }

  /**
   * The position of the last commit with an idempotency key; undefined when none of the last `idempotencyWindow` commits with one has it. What it says
   * is for readers: whether an append repeats another one is decided when it is written.
   */
  async positionOf(idempotencyKey: string): Promise<number | undefined> {
    this.#checkOpen();
    checkName(idempotencyKey, 'idempotencyKey');
    return await this.#run(this.#positionOf(idempotencyKey));
  }

  /** {@link Log.positionOf}, at once. */
  positionOfSync(idempotencyKey: string): number | undefined {
    this.#checkOpen();
    checkName(idempotencyKey, 'idempotencyKey');
    return this.#runSync(this.#positionOf(idempotencyKey));
  }

  *#positionOf(idempotencyKey: string): Io<number | undefined> {
    yield* this.#freshness.freshen();
    const found = yield* this.#state.segments.findKey(idempotencyKey);
    return found?.position;
  }

  /** @internal For the floors above. */
  get internals(): LogInternals {
    this.#internals ??= this.#makeInternals();
    return this.#internals;
  }

  #makeInternals(): LogInternals {
    const state = this.#state;
    const source = this.#source();
    const freshness = this.#freshness;
    return {
      disk: this.#environment.disk,
      environment: this.#environment,
      directory: this.#directory,
      eventBytes: this.#settings.eventBytes,
      paths: pathsOf(this.#directory),
      storeId: this.#found.store.id,
      writable: this.#writer !== undefined,
      snapshotsAtOpening: this.#snapshotsAtOpening,
      turnLocks: this.#turnLocks,
      segments: state.segments,
      lockTimeoutMs: this.#settings.lockTimeoutMs,
      get position() {
        return state.place.position;
      },
      get tailFirst() {
        return state.segments.tail.first;
      },
      get time() {
        return state.time;
      },
      feed: (after, recentBytesMax) => {
        this.#checkOpen();
        state.keepRecent(recentBytesMax);
        return new LogFeed(state, after);
      },
      commitAt: (segment, offset) => commitAt(state, segment, offset),
      commitNow: (segment, offset) => commitNow(state, segment, offset),
      commitsAt: (segment, offsets) => commitsAt(state, segment, offsets),
      positionAt: (time, bound) => positionAt(state, time, bound),
      commit: (parts, options, guard) => this.#appending.commit(parts, options, { guard }),
      commitOwn: (parts, options = {}) => this.#appending.commit(parts, options, { own: true }),
      commitOwnSync: (parts, options = {}) =>
        this.#appending.commitSync(parts, options, { own: true }),
      endSegment: () => this.#endSegment(),
      endSegmentSync: () => this.#endSegmentSync(),
      snapshotLog: () => this.#snapshotLog(),
      tryCompactionLock: () => {
        try {
          return tryCompactionLock(this.#environment.disk, this.#directory);
        } catch (error) {
          throw this.#told(error);
        }
      },
      compactionTimeout: () => {
        const { lock } = pathsOf(this.#directory);
        const { lockTimeoutMs } = this.#settings;
        return compactionLockTimeout(lock, lockTimeoutMs);
      },
      get isFresh() {
        return freshness.isFresh;
      },
      looksFresh: () => freshness.looksFresh(),
      freshen: () => freshness.freshen(),
      look: () => freshness.look(),
      isProven: () => freshness.isProven(),
      version: (stream) => state.segments.version(stream),
      versionAt: (stream, position) => versionAt(source, stream, position),
      readingAll: (options) => readingAll(source, options),
      readingStream: (stream, options) => readingStream(source, stream, options),
      asyncSequence: (begin) => asyncSequence(source, begin),
      syncSequence: (begin) => syncSequence(source, begin),
      run: async (work, workMsMax) => {
        this.#checkOpen();
        return await this.#run(work, workMsMax);
      },
      runSync: (work) => {
        this.#checkOpen();
        return this.#runSync(work);
      },
      onAdvance: (listener) => state.onAdvance(listener),
      changed: (signal) => this.#changes.next(signal),
      end: () => freshness.end(),
      damage: damageOf(this.#directory, this.#recovery),
    };
  }

  async #endSegment(): Promise<void> {
    const writer = this.#checkWritable();
    const deadline = this.#environment.monotonic() + this.#settings.lockTimeoutMs;
    for (;;) {
      let ended: Awaited<ReturnType<Writer['endSegment']>>;
      try {
        ended = await writer.endSegment(deadline);
      } catch (error) {
        throw this.#told(error);
      }
      if (typeof ended === 'object') {
        await this.#run(this.#state.readOn(ended));
        // Else the names of that segment would have to be sorted once more, all at once.
        await this.#indexes.settled();
        return;
      }
      if (this.#environment.monotonic() >= deadline) throw this.#lockTimeout();
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.#checkOpen();
    }
  }

  #endSegmentSync(): void {
    const writer = this.#checkWritable();
    const ended = writer.endSegmentSync(
      this.#environment.monotonic() + this.#settings.lockTimeoutMs,
    );
    if (typeof ended !== 'object') throw this.#lockTimeout();
    this.#runSync(this.#state.readOn(ended));
  }

  #lockTimeout(): Error {
    const { lock } = pathsOf(this.#directory);
    const { lockTimeoutMs } = this.#settings;
    return lockTimeout(this.#environment, this.#found.lockFile, lock, lockTimeoutMs);
  }

  *#snapshotLog(): Io<{ readonly position: number; readonly bytes: number } | undefined> {
    const { id, idempotencyWindow } = this.#found.store;
    const { segments } = this.#state;
    const paths = pathsOf(this.#directory);
    const { randomBytes } = this.#environment;
    const source = { paths, storeId: id, segments, idempotencyWindow, randomBytes };
    const written = yield* writeLogSnapshot(source);
    return written && { position: written.snapshot.position, bytes: written.bytes };
  }

  /**
   * History, then live, in log order, without gaps or repeats, also of what other processes append. Ends when the signal is aborted or
   * the log is closed. Pull-based: what is not asked for is not read. `'end'` is where the log ends when this is called.
   *
   * @throws PositionAheadError from the first `next()` for a beginning beyond the head
   */
  follow(options: FollowOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    this.#checkOpen();
    checkOptionNames(options, FOLLOW_OPTIONS, 'follow');
    checkSignal(options.signal);
    const filter = { types: options.types, streams: options.streams };
    readAll.async(this.#source(), filter);
    const from = checkedFrom(options.from);
    const begin =
      from === 'end' ? { position: this.#runSync(this.#freshness.end()) + 1, index: 0 } : from;
    return followFrom(this.#followed(), begin, filter, options.signal);
  }

  /** Looks for commits of other processes now, whatever `freshnessMs` says. */
  async refresh(): Promise<Head> {
    this.#checkOpen();
    await this.#run(this.#freshness.look());
    return this.head;
  }

  refreshSync(): Head {
    this.#checkOpen();
    this.#runSync(this.#freshness.look());
    return this.head;
  }

  /** Resolves when all that was appended before is durable or refused. */
  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#writer?.drain();
  }

  /** {@link Log.flush}, at once. */
  flushSync(): void {
    this.#checkOpen();
    this.#writer?.drainSync();
  }

  /** Walks the whole log and checks everything. Damage is told by the report, not thrown. */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#checkOpen();
    checkOptionNames(options, VERIFY_OPTIONS, 'verify');
    return await this.#run(this.#verify(options));
  }

  verifySync(options: VerifyOptions = {}): VerifyReport {
    this.#checkOpen();
    checkOptionNames(options, VERIFY_OPTIONS, 'verify');
    return this.#runSync(this.#verify(options));
  }

  *#verify(options: VerifyOptions): Io<VerifyReport> {
    yield* this.#freshness.look();
    const found = { ...this.#found, place: this.#state.place, recovery: this.#recovery };
    const { disk } = this.#environment;
    const { recovery, ...report } = yield* verifyFound(
      disk,
      pathsOf(this.#directory),
      found,
      options,
    );
    return Object.freeze(report);
  }

  stats(): LogStats {
    return logStats(this.#state, this.#writer);
  }

  /** Writes what waits, then closes all files. Calling it again does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#writer?.close();
      await this.#indexes.settled();
    } finally {
      this.#release();
    }
  }

  closeSync(): void {
    if (this.#closed) return;
    try {
      this.#writer?.closeSync();
    } finally {
      this.#release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.dispose](): void {
    this.closeSync();
  }

  /** @internal The process ends: one attempt to move the anchor, without waiting for anybody. */
  onExit(): void {
    this.#writer?.anchorNow(0);
  }

  #release(): void {
    if (this.#closed) return;
    this.#closed = true;
    forgetAtExit(this);
    this.#changes.close();
    const { disk } = this.#environment;
    this.#found.section?.close();
    runSync(disk, this.#state.segments.close());
    this.#turnLocks?.end();
    closeQuietly(disk, this.#found.lockFile);
  }

  /** True once it was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#isClosing;
  }

  get #isClosing(): boolean {
    return this.#closed || this.#closing !== undefined;
  }

  #checkOpen(): void {
    if (this.#isClosing) throw new StoreClosedError();
  }

  #checkWritable(): Writer {
    this.#checkOpen();
    if (!this.#writer) throw new StoreReadOnlyError(this.#directory);
    return this.#writer;
  }

  #followed(): FollowSource {
    const isClosing = () => this.#isClosing;
    return {
      reading: this.#source(),
      changes: this.#changes,
      get isClosing() {
        return isClosing();
      },
      refresh: async () => (await this.refresh()).position,
    };
  }

  #source(): ReadSource {
    return {
      disk: this.#environment.disk,
      segments: this.#state.segments,
      place: () => this.#state.place,
      freshen: () => this.#freshness.freshen(),
      told: (error: unknown) => this.#told(error),
    };
  }

  async #run<T>(work: Io<T>, workMsMax?: number): Promise<T> {
    try {
      return await runAsync(
        this.#environment.disk,
        work,
        workMsMax === undefined ? undefined : newPace(workMsMax),
      );
    } catch (error) {
      throw this.#told(error);
    }
  }

  #runSync<T>(work: Io<T>): T {
    try {
      return runSync(this.#environment.disk, work);
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** What a reader is told; one whose files were closed under it sees only that. */
  #told(error: unknown): unknown {
    return this.#closed ? new StoreClosedError() : asStoreError(error, this.#directory);
  }

  #startThread(onDeath: (error: Error) => void): WriterThread {
    const { store, lockFile, lockInode } = this.#found;
    return new WriterThread(
      {
        lockFile,
        lockInode,
        directory: this.#directory,
        store,
        segmentBytes: this.#settings.segmentBytes,
        label: this.#settings.actor ?? '',
        writer: this.#environment.writer,
      },
      onDeath,
    );
  }
}

/** The error for what a log that is read up to damage ends at. */
function damageOf(directory: string, recovery: Recovery): StoreDamagedError | undefined {
  if (recovery.state !== 'damaged') return undefined;
  const { file = directory, offset = 0, position = 0, problem = 'it is damaged' } = recovery;
  return new StoreDamagedError({ directory, file, offset, position: position + 1, problem });
}
