/**
 * One registered index of one open store: state that is not one small value per key. Events are applied in groups, each event once; reading
 * applies what waits. It has one state only, the newest, so a failure stops all of it.
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

/** A group is applied when it has so many events, or so many bytes of payload. */
const GROUP_EVENTS_MAX = 1024;
const GROUP_BYTES_MAX: number = 4 * 1024 * 1024;

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

interface Saving {
  readonly portions: Generator<unknown, void>;
  problem?: unknown;
}

export class IndexRuntime<Index = unknown, Sink = unknown, Source = unknown> implements Runtime {
  readonly definition: RuntimeIndexDefinition<Index, Sink, Source>;
  /** The last commit routed; -1 when closed. */
  position: number;
  readonly #parts: IndexParts<Index, Sink, Source>;
  readonly #types: ReadonlySet<string> | undefined;
  #index: Index | undefined;
  #waiting: RecordedEvent[] = [];
  #waitingBytes = 0;
  #stop: KeyFailure | undefined;
  #saving: Saving | undefined;

  /** In portions. @throws whatever `load` throws for a saved one that it cannot read */
  static *begin<Index, Sink, Source>(
    parts: IndexParts<Index, Sink, Source>,
    saved: SavedIndex<Source> | undefined,
  ): Io<IndexRuntime<Index, Sink, Source>> {
    if (!saved) return new IndexRuntime(parts);
    const portions = parts.definition.loading(saved.source);
    for (;;) {
      const { done, value } = portions.next();
      if (done) return new IndexRuntime(parts, saved, value);
      yield* rest();
    }
  }

  /**
   * @param loaded - what was saved, when it is loaded already
   * @throws whatever `load` throws for a saved one that it cannot read
   */
  constructor(parts: IndexParts<Index, Sink, Source>, saved?: SavedIndex<Source>, loaded?: Index) {
    const { definition } = parts;
    this.#parts = parts;
    this.definition = definition;
    this.#types = definition.types && new Set(definition.types);
    this.#index = saved ? (loaded ?? definition.load(saved.source)) : definition.create();
    this.position = saved?.position ?? 0;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Of the index, 0 when it cannot tell, and of what waits to be applied. Asked for figures, which must not fail by what one index does. */
  get bytes(): number {
    if (this.position < 0) return 0;
    return this.#indexBytes() + this.#waitingBytes;
  }

  #indexBytes(): number {
    try {
      return this.definition.bytes(this.#index as Index);
    } catch {
      return 0;
    }
  }

  route(commit: FeedCommit): void {
    for (let index = 0; index < commit.count && !this.#stop; index += 1) {
      if (this.#types && !this.#types.has(commit.type(index))) continue;
      this.#add(commit.events()[index] as RecordedEvent);
    }
    this.position = commit.position;
    if (this.#waiting.length >= GROUP_EVENTS_MAX || this.#waitingBytes >= GROUP_BYTES_MAX) {
      this.#apply();
    }
  }

  /** As of all that is routed. @throws ProjectionFailedError, StoreClosedError */
  value(): Index {
    if (this.position < 0) throw new StoreClosedError();
    // While nothing waits, what is saved is what is read.
    if (this.#waiting.length > 0) this.#endSaving();
    this.#apply();
    if (this.#stop) throw this.#parts.errors.failed({ projection: this.name, ...this.#stop });
    return this.#index as Index;
  }

  /**
   * Saves it as of `position`, in portions. What is routed meanwhile waits; whoever reads that meanwhile ends the saving first.
   * @throws ProjectionFailedError, StoreClosedError, and what `save` throws
   */
  *save(sink: Sink): Io<void> {
    this.#endSaving();
    const saving: Saving = { portions: this.definition.saving(this.value(), sink) };
    this.#saving = saving;
    try {
      while (this.#saving === saving) {
        if (saving.portions.next().done) this.#saving = undefined;
        else yield* rest();
      }
    } finally {
      // It may have thrown, or nobody goes on with it: the index does.
      if (this.#saving === saving) this.#saving = undefined;
    }
    if (this.position < 0) throw new StoreClosedError();
    if ('problem' in saving) throw saving.problem;
  }

  #endSaving(): void {
    const saving = this.#saving;
    this.#saving = undefined;
    try {
      while (saving && !saving.portions.next().done);
    } catch (problem) {
      // For whoever saves.
      if (saving) saving.problem = problem;
    }
  }

  close(): void {
    this.position = -1;
    this.#saving = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#index = undefined;
  }

  #add(stored: RecordedEvent): void {
    try {
      const event = this.#parts.interpreter.interpret(stored);
      this.#waiting.push(event);
      this.#waitingBytes += this.#parts.bytesOf(event.data);
    } catch (cause) {
      this.#stopAt(stored, cause);
    }
  }

  #apply(): void {
    const group = this.#waiting;
    const [first] = group;
    if (!first || this.#stop || this.#saving) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      this.definition.apply(this.#index as Index, group);
    } catch (cause) {
      // How much of the group was applied cannot be known.
      this.#stopAt(first, cause);
    }
  }

  #stopAt({ position, id }: RecordedEvent, cause: unknown): void {
    this.#stop = { position, event: id, cause };
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
