/**
 * One registered index of one open store: state that is not one small value per key. Events are applied in groups, each event once; reading
 * applies what waits. It has one state only, the newest, so a failure stops all of it.
 *
 * Invariants:
 * - while it is saved nothing is applied; whoever reads it when something waits ends that saving, which then is no saving at all;
 * - what was saved is loaded once, before anything is routed to it.
 */
import { StoreClosedError } from '../errors.js';
import { type Io, rest } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import type {
  EventInterpreter,
  FeedCommit,
  Folding,
  ReadErrors,
  Runtime,
  RuntimeIndexDefinition,
} from './ports.js';
import type { KeyFailure } from './states.js';

/** A reader applies what waits in groups of so many events, or so many bytes of payload. */
const GROUP_EVENTS_MAX = 1024;
const GROUP_BYTES_MAX: number = 4 * 1024 * 1024;
/** So many groups wait at most, behind a commit of very many events. */
const WAITING_GROUPS_MAX = 8;
/** Whoever lets others have their turn in between applies so much at once. */
const PORTION_EVENTS_MAX = 64;
const PORTION_BYTES_MAX: number = 128 * 1024;

export interface IndexParts<Index, Sink, Source> {
  readonly definition: RuntimeIndexDefinition<Index, Sink, Source>;
  readonly interpreter: EventInterpreter;
  readonly bytesOf: Folding['bytesOf'];
  readonly errors: ReadErrors;
}

/** Where a saved index stands, and what it was saved to. */
export interface SavedIndex<Source> {
  readonly position: number;
  readonly source: Source;
}

/** An index that is loaded later. */
export interface LaterIndex<Index> {
  /** As of which it was saved last. */
  readonly position: number;
  /**
   * What can be loaded, or an empty one at position 0. It may be called again.
   * @param anew - looks first what others have saved
   */
  load(anew: boolean): Io<LoadedIndex<Index>>;
}

export interface LoadedIndex<Index> {
  readonly position: number;
  readonly index: Index;
  /** Where others may save it. */
  readonly saved?: LaterIndex<Index> | undefined;
}

export class IndexRuntime<Index = unknown, Sink = unknown, Source = unknown> implements Runtime {
  readonly definition: RuntimeIndexDefinition<Index, Sink, Source>;
  /** The last commit routed; -1 when closed. */
  position: number;
  readonly #parts: IndexParts<Index, Sink, Source>;
  readonly #types: ReadonlySet<string> | undefined;
  #index: Index | undefined;
  #later: LaterIndex<Index> | undefined;
  /** Where it is saved. */
  readonly #saved: LaterIndex<Index> | undefined;
  /** Oldest first, and the bytes of each. */
  #waiting: RecordedEvent[] = [];
  #sizes: number[] = [];
  #waitingBytes = 0;
  #stop: KeyFailure | undefined;
  readonly #savings = new Set<{ isAbandoned: boolean }>();

  /** In portions. @throws whatever `load` throws for a saved one that it cannot read */
  static *begin<Index, Sink, Source>(
    parts: IndexParts<Index, Sink, Source>,
    saved: SavedIndex<Source> | undefined,
  ): Io<IndexRuntime<Index, Sink, Source>> {
    if (!saved) return new IndexRuntime(parts);
    const index = yield* inPortions(parts.definition.loading(saved.source));
    return new IndexRuntime(parts, { position: saved.position, index });
  }

  /** @param given - what was loaded, or is loaded by {@link IndexRuntime.load}; without it the index is empty */
  constructor(
    parts: IndexParts<Index, Sink, Source>,
    given?: LoadedIndex<Index> | LaterIndex<Index>,
  ) {
    const { definition } = parts;
    this.#parts = parts;
    this.definition = definition;
    this.#types = definition.types && new Set(definition.types);
    this.position = given?.position ?? 0;
    if (given && 'load' in given) {
      this.#saved = given;
      this.#later = given;
    } else {
      this.#saved = given?.saved;
      this.#index = given ? given.index : definition.create();
    }
  }

  get isLoaded(): boolean {
    return this.#later === undefined;
  }

  /**
   * Loads what was saved, in portions. The position may be an earlier one afterwards: what cannot be loaded is built again. Others may load it at the same
   * time; the first one counts.
   * @throws what `load` of the later index throws
   */
  *load(): Io<void> {
    const later = this.#later;
    if (!later) return;
    const { position, index } = yield* later.load(false);
    if (this.#later !== later) return;
    this.#later = undefined;
    this.position = position;
    this.#index = index;
  }

  /** What waits is in what another process saved. */
  *jump(): Io<boolean> {
    const from = this.position;
    if (!this.#saved || from < 0 || this.#stop) return false;
    const { position, index } = yield* this.#saved.load(true);
    if (this.position !== from || position <= from) return false;
    this.#abandon();
    this.#dropWaiting();
    this.#later = undefined;
    this.#index = index;
    this.position = position;
    return true;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Of the index, 0 when it cannot tell, and of what waits to be applied. Asked for figures, which must not fail by what one index does. */
  get bytes(): number {
    if (this.position < 0 || !this.isLoaded) return 0;
    return this.#indexBytes() + this.#waitingBytes;
  }

  #indexBytes(): number {
    try {
      return this.definition.bytes(this.#index as Index);
    } catch {
      return 0;
    }
  }

  route(commit: FeedCommit): boolean {
    // One commit of very many events may wait whole, so that whoever lets others have their turn need not apply it in this one.
    while (this.#isMuch(WAITING_GROUPS_MAX) && this.#apply(GROUP_EVENTS_MAX, GROUP_BYTES_MAX));
    for (let index = 0; index < commit.count && !this.#stop; index += 1) {
      if (this.#types && !this.#types.has(commit.type(index))) continue;
      this.#add(commit.events()[index] as RecordedEvent);
    }
    this.position = commit.position;
    // A little with each commit, so that no one of them has to wait for all that the others left.
    return this.#isMuch(1) && this.#apply(PORTION_EVENTS_MAX, PORTION_BYTES_MAX);
  }

  #isMuch(groups: number): boolean {
    const { length } = this.#waiting;
    return length >= groups * GROUP_EVENTS_MAX || this.#waitingBytes >= groups * GROUP_BYTES_MAX;
  }

  /** Applies what waits, in portions; nothing while it is saved. */
  *settle(): Io<void> {
    while (this.#apply(PORTION_EVENTS_MAX, PORTION_BYTES_MAX)) yield* rest();
  }

  /** {@link IndexRuntime.settle} until no more waits than may be left to whoever reads it. */
  *relieve(): Io<void> {
    while (this.#isMuch(1) && this.#apply(PORTION_EVENTS_MAX, PORTION_BYTES_MAX)) yield* rest();
  }

  /** {@link IndexRuntime.value}, in portions. */
  *read(): Io<Index> {
    if (this.#waiting.length > 0) this.#abandon();
    yield* this.settle();
    return this.value();
  }

  /** As of all that is routed. @throws ProjectionFailedError, StoreClosedError */
  value(): Index {
    if (this.position < 0) throw new StoreClosedError();
    // While nothing waits, what is saved is what is read.
    if (this.#waiting.length > 0) this.#abandon();
    while (this.#apply(GROUP_EVENTS_MAX, GROUP_BYTES_MAX));
    if (this.#stop) throw this.#parts.errors.failed({ projection: this.name, ...this.#stop });
    return this.#index as Index;
  }

  /**
   * Saves it as of `position`, in portions. What is routed meanwhile waits. False when somebody read that meanwhile: what the sink took is then no index.
   * @throws ProjectionFailedError, StoreClosedError, and what `save` throws
   */
  *save(sink: Sink): Io<boolean> {
    const portions = this.definition.saving(this.value(), sink);
    const saving = { isAbandoned: false };
    this.#savings.add(saving);
    try {
      while (!saving.isAbandoned) {
        if (portions.next().done) return true;
        yield* rest();
        if (this.position < 0) throw new StoreClosedError();
      }
      return false;
    } finally {
      // It may have thrown, or nobody goes on with it: the index does.
      this.#savings.delete(saving);
      portions.return();
    }
  }

  #abandon(): void {
    for (const saving of this.#savings) saving.isAbandoned = true;
    this.#savings.clear();
  }

  close(): void {
    this.position = -1;
    this.#later = undefined;
    this.#abandon();
    this.#dropWaiting();
    this.#index = undefined;
  }

  #add(stored: RecordedEvent): void {
    try {
      const event = this.#parts.interpreter.interpret(stored);
      const bytes = this.#parts.bytesOf(event.data);
      this.#waiting.push(event);
      this.#sizes.push(bytes);
      this.#waitingBytes += bytes;
    } catch (cause) {
      this.#stopAt(stored, cause);
    }
  }

  /** The oldest that wait, so many at most, but one in any case. False when there was nothing to do. */
  #apply(eventsMax: number, bytesMax: number): boolean {
    const [first] = this.#waiting;
    if (!first || this.#stop || this.#savings.size > 0) return false;
    const group = this.#take(eventsMax, bytesMax);
    try {
      this.definition.apply(this.#index as Index, group);
    } catch (cause) {
      // How much of the group was applied cannot be known.
      this.#stopAt(first, cause);
    }
    return true;
  }

  #take(eventsMax: number, bytesMax: number): RecordedEvent[] {
    let [count, bytes] = [0, 0];
    while (count < Math.min(eventsMax, this.#waiting.length)) {
      const more = this.#sizes[count] as number;
      if (count > 0 && bytes + more > bytesMax) break;
      bytes += more;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    this.#sizes.splice(0, count);
    return this.#waiting.splice(0, count);
  }

  #stopAt({ position, id }: RecordedEvent, cause: unknown): void {
    this.#stop = { position, event: id, cause };
    this.#dropWaiting();
  }

  #dropWaiting(): void {
    this.#waiting = [];
    this.#sizes = [];
    this.#waitingBytes = 0;
  }
}

/** What comes of it, with turns for others in between. */
export function* inPortions<T>(portions: Generator<unknown, T>): Io<T> {
  for (;;) {
    const { done, value } = portions.next();
    if (done) return value;
    yield* rest();
  }
}
