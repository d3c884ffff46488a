/** What a model reads from when it is asked for the past. */
import { StoreReadOnlyError } from '../errors.js';
import type { EntriesOptions, Entry, IndexDefinition, Projection, StoreView } from '../store.js';
import type { Access } from './access.js';
import type { MemoryIndex } from './recall-index.js';

/** The store as of a moment: reading only. */
export class ViewAccess implements Access {
  readonly #view: StoreView;
  readonly #time: () => Promise<string>;
  readonly #timeSync: () => string;
  readonly #recall: IndexDefinition<MemoryIndex>;
  /** Made when it is first asked for: what was cannot change any more. */
  #index: MemoryIndex | undefined;

  /** The times are those of the moment, by which expiry is judged. */
  constructor(
    view: StoreView,
    time: () => Promise<string>,
    timeSync: () => string,
    recall: IndexDefinition<MemoryIndex>,
  ) {
    this.#view = view;
    this.#time = time;
    this.#timeSync = timeSync;
    this.#recall = recall;
  }

  now(): Promise<string> {
    return this.#time();
  }

  nowSync(): string {
    return this.#timeSync();
  }

  get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    return this.#view.get(projection, key);
  }

  getSync<State>(projection: Projection<State>, key: string): State | undefined {
    return this.#view.getSync(projection, key);
  }

  entries<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): AsyncIterable<Entry<State>> {
    return this.#view.entries(projection, options);
  }

  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): Iterable<Entry<State>> {
    return this.#view.entriesSync(projection, options);
  }

  /** Reads all that the models wrote up to the moment. */
  async recall(): Promise<MemoryIndex> {
    if (this.#index) return this.#index;
    const index = this.#recall.create();
    const { types } = this.#recall;
    for await (const event of this.#view.readAll({ types })) this.#recall.apply(index, [event]);
    this.#index ??= index;
    return this.#index;
  }

  recallSync(): MemoryIndex {
    if (this.#index) return this.#index;
    const index = this.#recall.create();
    const { types } = this.#recall;
    for (const event of this.#view.readAllSync({ types })) this.#recall.apply(index, [event]);
    this.#index = index;
    return index;
  }

  async run(): Promise<never> {
    throw isPast();
  }

  runSync(): never {
    throw isPast();
  }

  async runAll(): Promise<never> {
    throw isPast();
  }

  runAllSync(): never {
    throw isPast();
  }

  async runPlan(): Promise<never> {
    throw isPast();
  }

  runPlanSync(): never {
    throw isPast();
  }
}

function isPast(): StoreReadOnlyError {
  return new StoreReadOnlyError(
    'The memory as of an earlier moment',
    'Write to the memory that it was taken of.',
  );
}
