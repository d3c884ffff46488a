/** What reads of projections take and give. */
import { optionNames } from '../errors.js';

export interface EntriesOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined;
  /** Only keys behind this one: the last key of the page before. */
  readonly after?: string | undefined;
  /** Entries at most. Default: all. */
  readonly limit?: number | undefined;
}

export const ENTRIES_OPTIONS: ReadonlySet<string> = optionNames<EntriesOptions>({
  prefix: true,
  after: true,
  limit: true,
});

/** A key and its state. */
export type Entry<State = unknown> = readonly [key: string, state: State];

/** An asynchronous sequence of entries that can also be taken as a whole, frozen. */
export interface AsyncEntries<State> extends AsyncIterable<Entry<State>> {
  toArray(): Promise<readonly Entry<State>[]>;
}

/** A synchronous sequence of entries that can also be taken as a whole, frozen. */
export interface SyncEntries<State> extends Iterable<Entry<State>> {
  toArray(): readonly Entry<State>[];
}
