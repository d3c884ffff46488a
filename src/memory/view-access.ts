/** What a model reads from when it is asked for the past. */
import { StoreReadOnlyError } from '../errors.js';
import type { EntriesOptions, Entry, Projection, StoreView } from '../store.js';
import type { Access } from './access.js';

/** The store as of a moment: reading only. */
export class ViewAccess implements Access {
  readonly #view: StoreView;
  readonly #time: () => Promise<string>;
  readonly #timeSync: () => string;

  /** The times are those of the moment, by which expiry is judged. */
  constructor(view: StoreView, time: () => Promise<string>, timeSync: () => string) {
    this.#view = view;
    this.#time = time;
    this.#timeSync = timeSync;
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
  return new StoreReadOnlyError('the memory as of an earlier moment');
}
