/** What reads of projections take and give. */

export interface EntriesOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined;
  /** Only keys behind this one: the last key of the page before. */
  readonly after?: string | undefined;
  /** Entries at most. Default: all. */
  readonly limit?: number | undefined;
}

/** A key and its state. */
export type Entry<State = unknown> = readonly [key: string, state: State];

/** An asynchronous sequence of entries that can also be taken as a whole. */
export interface AsyncEntries<State> extends AsyncIterable<Entry<State>> {
  toArray(): Promise<Entry<State>[]>;
}

/** A synchronous sequence of entries that can also be taken as a whole. */
export interface SyncEntries<State> extends Iterable<Entry<State>> {
  toArray(): Entry<State>[];
}
