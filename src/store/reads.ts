/** Reading from the projections and indexes of one open store: what `Store`, its views of the past, and transactions share. */

import type { SnapshotSource } from '../compaction/snapshot-source.js';
import {
  checkOptionNames,
  invalidArgument,
  ProjectionFailedError,
  ProjectionNotReadyError,
  ProjectionNotRegisteredError,
} from '../errors.js';
import type { SequenceWork } from '../log/event-sequence.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import { kindOf } from '../log/json.js';
import { checkedStream } from '../log/reader.js';
import type { RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { IndexDefinition } from '../projections/define-index.js';
import { Engine, isLeftToReaders } from '../projections/engine.js';
import { ABSENT, type Foldable, FoldFailure, fold, OpenFold } from '../projections/fold.js';
import { type IndexParts, IndexRuntime, type SavedIndex } from '../projections/index-runtime.js';
import { FiledPlaces, type FiledPlacesParts, StreamPlaces } from '../projections/key-places.js';
import { NEEDS_IO } from '../projections/key-reader.js';
import { Past } from '../projections/past.js';
import type {
  FeedCommit,
  Folding,
  ReadErrors,
  Runtime,
  RuntimeDefinition,
} from '../projections/ports.js';
import { type ProjectionHistory, ProjectionRuntime } from '../projections/projection.js';
import type { Shelf } from '../projections/shelf.js';
import { bytesOf } from '../projections/size.js';
import { StateCache } from '../projections/states.js';
import { StoredEvents } from '../projections/stored-events.js';
import { ENTRIES_OPTIONS, type EntriesOptions, type Entry } from '../projections/types.js';
import type { Bases, IndexBase, ProjectionBase } from './bases.js';
import type { StoreSettings } from './options.js';
import { emptyIndex, savedIndex } from './saved-index.js';
import { SharedLook } from './shared-look.js';

/** How much of what routing decoded is kept for folding, bytes. */
const DECODED_BYTES = 8 * 1024 * 1024;

const folding: Folding = {
  absent: ABSENT,
  open: (definition, key, before) =>
    new OpenFold(definition as RuntimeDefinition & Foldable, key, before),
  fold: (definition, key, before, events) =>
    fold(definition as RuntimeDefinition & Foldable, key, before, events),
  failureOf: (error) =>
    error instanceof FoldFailure ? { event: error.event, cause: error.cause } : undefined,
  bytesOf,
};

const errors: ReadErrors = {
  failed: (facts) => new ProjectionFailedError(facts),
  notReady: (projection, progress) => new ProjectionNotReadyError(projection, progress),
};

/** So long catching up for those who ask for a state may keep the event loop in one go, ms. */
const CATCH_UP_MS = 5;

/** What readers are given for a state. */
function given(state: unknown): unknown {
  return state === ABSENT ? undefined : state;
}

export class Reads {
  readonly log: LogInternals;
  readonly engine: Engine;
  readonly settings: StoreSettings;
  readonly look: SharedLook;
  readonly #projections = new Map<Projection, ProjectionRuntime>();
  readonly #indexes = new Map<IndexDefinition, IndexRuntime>();
  readonly #cache: StateCache;
  readonly #shelves = new Map<IndexRuntime, Shelf>();
  readonly #stopListening: () => void;
  /** Catching up that takes I/O, under way for asynchronous readers. */
  readonly #catchingUp = new Map<ProjectionRuntime, Promise<void>>();
  /** It was opened synchronously: whatever is read is built. */
  #isBuilt = false;
  /** Whoever is read is mostly read again. */
  #last: Projection | undefined;
  #lastRuntime: ProjectionRuntime | undefined;

  /** @param bases - the snapshots to begin with; without them all is folded from the log's beginning */
  constructor(log: LogInternals, settings: StoreSettings, bases?: Bases) {
    const { interpreter, projections, indexes, cacheBytes } = settings;
    this.log = log;
    this.settings = settings;
    this.look = new SharedLook(log);
    this.#cache = new StateCache(cacheBytes);
    this.engine = new Engine(log, errors);
    const events = new StoredEvents(log, bytesOf, DECODED_BYTES);
    for (const definition of projections) {
      const states = this.#cache.view();
      const parts = { definition, interpreter, folding, errors, states, events };
      const base = bases?.projections.get(definition.name);
      const runtime: ProjectionRuntime = new ProjectionRuntime({
        ...parts,
        history: base && historyOf(log, definition, base, () => runtime),
      });
      this.#projections.set(definition, runtime);
      this.engine.add(runtime);
    }
    for (const definition of indexes) {
      const base = bases?.indexes.get(definition.name);
      const parts = { definition, interpreter, bytesOf, errors };
      const runtime = indexRuntime(log, parts as IndexParts<unknown, unknown, unknown>, base);
      if (base) this.#shelves.set(runtime, base.shelf);
      this.#indexes.set(definition, runtime);
      this.engine.add(runtime);
    }
    this.#stopListening = log.onAdvance(() => this.engine.onAdvance());
  }

  /** @throws ProjectionNotRegisteredError */
  projection(definition: Projection): ProjectionRuntime {
    const last = this.#lastRuntime;
    if (last && definition === this.#last) return last;
    const runtime = this.#projections.get(definition);
    if (!runtime) throw this.#notRegistered(definition);
    this.#last = definition;
    this.#lastRuntime = runtime;
    return runtime;
  }

  /** @throws ProjectionNotRegisteredError */
  index(definition: IndexDefinition): IndexRuntime {
    const runtime = this.#indexes.get(definition);
    if (!runtime) throw this.#notRegistered(definition);
    return runtime;
  }

  #notRegistered(definition: unknown): Error {
    const name: unknown = (definition as { name?: unknown } | null | undefined)?.name;
    if (typeof name !== 'string') {
      return invalidArgument(
        `pass what defineProjection or defineIndex gave, not ${typeof definition === 'string' ? 'its name' : kindOf(definition)}`,
      );
    }
    const known = [...this.#projections.keys(), ...this.#indexes.keys()];
    return new ProjectionNotRegisteredError(
      name,
      known.map((each) => each.name),
    );
  }

  /** The state that is known without I/O and certainly current, or `NEEDS_IO`. */
  getNow(runtime: ProjectionRuntime, key: string): unknown {
    if (!this.log.isFresh) return NEEDS_IO;
    const state = this.engine.getNow(runtime, key);
    return state === ABSENT ? undefined : state;
  }

  /** Brings all that is ready to where the log is, for a reader of that runtime. */
  *freshen(runtime: Runtime): Io<void> {
    yield* this.log.freshen();
    yield* this.engine.catchUp(runtime);
  }

  *get(runtime: ProjectionRuntime, key: string): Io<unknown> {
    yield* this.freshen(runtime);
    return given(yield* runtime.state(key));
  }

  /** The same for callers that can wait: one look serves all who ask at that time. */
  async getSoon(runtime: ProjectionRuntime, key: string): Promise<unknown> {
    const ready = this.engine.whenReady(runtime);
    if (ready) await ready;
    const look = this.look.freshen();
    if (look) await look;
    // What is appended from now on need not be seen: who writes all the time would be chased.
    const { position } = this.log;
    const under = runtime.position < position && this.#catchingUp.get(runtime);
    if (under) await under;
    const known = this.engine.getSoon(runtime, key);
    if (known !== NEEDS_IO) return given(known);
    if (runtime.position < position) await this.#catchUpTogether(runtime);
    return await this.log.run(this.#getKnown(runtime, key, position));
  }

  /**
   * One reading of what stands behind serves all who ask meanwhile: a hundred readers that each read a piece of the tail took a hundred times its memory.
   * Whoever finds afterwards that this was not enough, or failed, goes on alone.
   */
  #catchUpTogether(runtime: ProjectionRuntime): Promise<void> {
    const under = this.#catchingUp.get(runtime);
    if (under) return under;
    // Not in turns with all other work: those who write would take most of them.
    const begun = this.log.run(this.engine.catchUp(runtime), CATCH_UP_MS).then(
      () => void this.#catchingUp.delete(runtime),
      () => void this.#catchingUp.delete(runtime),
    );
    this.#catchingUp.set(runtime, begun);
    return begun;
  }

  /** The stream's version. One look serves all who ask at that time, and mostly no file is read for it. */
  async version(stream: string): Promise<number> {
    this.engine.checkOpen();
    checkedStream(stream);
    const look = this.look.freshen();
    if (look) await look;
    this.engine.checkOpen();
    const { segments } = this.log;
    return segments.versionNow(stream) ?? (await this.log.run(segments.version(stream)));
  }

  /** As of a position that the log has reached, or a later one. */
  *#getKnown(runtime: ProjectionRuntime, key: string, position: number): Io<unknown> {
    if (runtime.position < position) yield* this.engine.catchUp(runtime);
    return given(yield* runtime.state(key));
  }

  /** As of a position that the log has reached, if the key was not changed behind it and its state is at hand; else `NEEDS_IO`. */
  getNowAt(runtime: ProjectionRuntime, key: string, position: number): unknown {
    if (this.log.position !== position) {
      // What is behind the position must not be told, and neither that it cannot be folded.
      if (!this.engine.catchUpNow(runtime) || runtime.stopped) return NEEDS_IO;
      if (runtime.mayBeTouched(key, position, this.log.position)) return NEEDS_IO;
    }
    const known = this.engine.getNow(runtime, key);
    return known === NEEDS_IO ? NEEDS_IO : given(known);
  }

  /** As of a position that the log has reached. */
  *getAt(runtime: ProjectionRuntime, key: string, position: number): Io<unknown> {
    if (runtime.position < position) yield* this.engine.catchUp(runtime);
    return given(yield* runtime.stateAt(key, position));
  }

  /** `position` is asked for when reading begins. */
  *entries(
    runtime: ProjectionRuntime,
    options: EntriesOptions,
    position?: () => Io<number>,
  ): SequenceWork<Entry> {
    let at: number | undefined;
    if (position) at = yield* position();
    const ahead = !position && isWhole(options);
    if (ahead) runtime.beginAhead();
    try {
      if (at === undefined) yield* this.freshen(runtime);
      else if (runtime.position < at) yield* this.engine.catchUp(runtime);
    } finally {
      if (ahead) runtime.endAhead();
    }
    if (ahead) yield* runtime.foldAlong(() => this.log.feed(0));
    yield* runtime.entries(options, at);
  }

  /** When the projection can be listed; undefined when it can be already. */
  whenListable(runtime: ProjectionRuntime, options: EntriesOptions): Promise<void> | undefined {
    const ready = this.engine.whenReady(runtime);
    if (!ready || !isWhole(options)) return ready;
    runtime.beginAhead();
    return ready.finally(() => runtime.endAhead());
  }

  *indexValue(runtime: IndexRuntime): Io<unknown> {
    yield* this.freshen(runtime);
    return yield* runtime.read();
  }

  /**
   * For synchronous readers: loads at once what was saved, and builds what cannot be loaded where the store was opened with all of it built.
   * @throws ProjectionNotReadyError, HistoryPrunedError, IndexFailedError, StoreClosedError
   */
  requireIndexReady(runtime: IndexRuntime): void {
    const { log, engine } = this;
    if (!engine.isReady(runtime)) {
      log.runSync(engine.load(runtime));
      if (this.#isBuilt) this.buildSync();
    }
    engine.requireReady(runtime);
  }

  /**
   * Resolves when everything can be read that can be built: what retention dropped history of is left to its readers.
   * @throws StoreClosedError, StoreDamagedError
   */
  async built(): Promise<void> {
    const runtimes = [...this.#projections.values(), ...this.#indexes.values()];
    const waiting = runtimes.map((runtime) => this.engine.whenReady(runtime));
    for (const result of await Promise.allSettled(waiting)) {
      if (result.status === 'fulfilled' || isLeftToReaders(result.reason)) continue;
      throw result.reason;
    }
  }

  /** Builds what could not be read at once. */
  buildSync(): void {
    this.#buildUnless((runtime) => this.engine.isReady(runtime));
  }

  /** The same for a store that is just opened: an index that was saved is loaded when it is read, or in the background. */
  openSync(): void {
    this.#isBuilt = true;
    this.#buildUnless((runtime) => this.engine.isAlmostReady(runtime));
  }

  #buildUnless(isDone: (runtime: Runtime) => boolean): void {
    const { log, engine } = this;
    const runtimes = [...this.#projections.values(), ...this.#indexes.values()];
    if (!runtimes.every(isDone)) log.runSync(engine.build());
  }

  /** What snapshots are made of. */
  get snapshotSource(): SnapshotSource {
    const { log, engine, settings } = this;
    const { interpreter, snapshotsKept: kept } = settings;
    const indexes = [...this.#shelves].map(([runtime, shelf]) => {
      const { definition } = runtime;
      const again = (saved: SavedIndex<unknown> | undefined) =>
        IndexRuntime.begin({ definition, interpreter, bytesOf, errors }, saved);
      return { runtime, shelf, again };
    });
    const projections = [...this.#projections.values()];
    return { log, engine, projections, indexes, kept, absent: ABSENT };
  }

  get stats(): { readonly states: number; readonly bytes: number } {
    return { states: this.#cache.count, bytes: this.#cache.bytes };
  }

  projections(): Iterable<[Projection, ProjectionRuntime]> {
    return this.#projections;
  }

  indexes(): Iterable<[IndexDefinition, IndexRuntime]> {
    return this.#indexes;
  }

  close(): void {
    this.#stopListening();
    this.engine.close();
  }
}

/** What is known of the projection without routing the log to it. */
function historyOf(
  log: LogInternals,
  definition: Projection,
  { shelf, snapshot }: ProjectionBase,
  runtime: () => ProjectionRuntime,
): ProjectionHistory {
  const { segments } = log;
  const feed = (after: number) => log.feed(after);
  const keysOf = (commit: FeedCommit) => runtime().keysIn(commit);
  const places = definition.keyIsStream
    ? new StreamPlaces(segments)
    : new FiledPlaces({
        place: placeOf(log),
        identity: shelf.identity,
        feed,
        keysOf,
      });
  const belongs = (event: RecordedEvent, key: string) => runtime().belongs(event, key);
  const past = new Past({ shelf, places, segments, log, belongs, feed, keysOf });
  return { past, feed, base: snapshot };
}

function placeOf(log: LogInternals): FiledPlacesParts['place'] {
  const { paths, storeId, segments, snapshotsAtOpening, writable, environment } = log;
  const { randomBytes } = environment;
  return { paths, storeId, segments, snapshotsAtOpening, writable, randomBytes };
}

/** An index that is loaded later, or an empty one when it was never saved. @throws IndexFailedError */
function indexRuntime(
  log: LogInternals,
  parts: IndexParts<unknown, unknown, unknown>,
  base: IndexBase | undefined,
): IndexRuntime {
  const definition = parts.definition as IndexDefinition;
  if (!base) return new IndexRuntime(parts, { position: 0, index: emptyIndex(definition) });
  const { position, shelf } = base;
  const load = (anew: boolean) => savedIndex(log, shelf, definition, anew);
  const saved = { position, load };
  if (position > 0) return new IndexRuntime(parts, saved);
  return new IndexRuntime(parts, { position, index: emptyIndex(definition), saved });
}

/** Most keys will be read. */
function isWhole({
  prefix = '',
  after,
  limit = Number.POSITIVE_INFINITY,
}: EntriesOptions): boolean {
  return prefix === '' && after === undefined && limit === Number.POSITIVE_INFINITY;
}

export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') throw invalidArgument('the key must be a string');
}

/** @throws TypeError */
export function checkEntries(options: EntriesOptions): void {
  checkOptionNames(options, ENTRIES_OPTIONS, 'entries');
  const { prefix, after, limit } = options;
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw invalidArgument('prefix must be a string');
  }
  if (after !== undefined && typeof after !== 'string') {
    throw invalidArgument('after must be a string');
  }
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw invalidArgument('limit must be an integer from 0');
  }
}
