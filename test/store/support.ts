/** Small words that the parts of the contract share: the calls under one shape, and projections to read. */
import { describe } from 'vitest';
import {
  type Appended,
  type AppendOptions,
  type CommitOptions,
  type Committed,
  defineEvents,
  defineProjection,
  type EntriesOptions,
  type Entry,
  type Events,
  event,
  type IndexDefinition,
  type NewEvent,
  type NewEventOf,
  type Projection,
  type RecordedEvent,
  type RecordedEventOf,
  removed,
  type StoreCommitPart,
  type StoreReadAllOptions,
  type StoreReadStreamOptions,
  type StoreView,
} from '#src/index.js';
import type { AnyStore } from './suite.js';

export { expectFailure, expectInvalidArgument, failureOf, places } from '../contract/support.js';

/** The reading calls of a store and of a store as of a moment. */
export interface ReadingCalls<E extends Events> {
  get<State>(projection: Projection<State>, key: string): Promise<State | undefined>;
  entries<State>(
    projection: Projection<State>,
    options?: EntriesOptions,
  ): Promise<readonly Entry<State>[]>;
  version(stream: string): Promise<number>;
  readAll(options?: StoreReadAllOptions): Promise<readonly RecordedEventOf<E>[]>;
}

/** The calls that have a synchronous twin, under one shape. */
export interface Calls<E extends Events = Events> extends ReadingCalls<E> {
  append(
    stream: string,
    events: NewEventOf<E> | readonly NewEventOf<E>[],
    options?: AppendOptions,
  ): Promise<Appended>;
  commit(parts: readonly StoreCommitPart<E>[], options?: CommitOptions): Promise<Committed>;
  readStream(
    stream: string,
    options?: StoreReadStreamOptions,
  ): Promise<readonly RecordedEventOf<E>[]>;
  index<Index>(definition: IndexDefinition<Index>): Promise<Index>;
  refresh(): Promise<void>;
}

export interface Way {
  <E extends Events>(store: AnyStore<E>): Calls<E>;
  at<E extends Events>(view: StoreView<E>): ReadingCalls<E> & { position(): Promise<number> };
}

type AnyView<E extends Events> = Pick<
  StoreView<E>,
  | 'get'
  | 'getSync'
  | 'entries'
  | 'entriesSync'
  | 'version'
  | 'versionSync'
  | 'readAll'
  | 'readAllSync'
>;

function readingAsync<E extends Events>(view: AnyView<E>): ReadingCalls<E> {
  return {
    get: (projection, key) => view.get(projection, key),
    entries: (projection, options) => view.entries(projection, options).toArray(),
    version: (stream) => view.version(stream),
    readAll: (options) => view.readAll(options).toArray(),
  };
}

function readingSync<E extends Events>(view: AnyView<E>): ReadingCalls<E> {
  return {
    get: async (projection, key) => view.getSync(projection, key),
    entries: async (projection, options) => view.entriesSync(projection, options).toArray(),
    version: async (stream) => view.versionSync(stream),
    readAll: async (options) => view.readAllSync(options).toArray(),
  };
}

const asynchronously: Way = Object.assign(
  <E extends Events>(store: AnyStore<E>): Calls<E> => ({
    ...readingAsync<E>(store),
    append: (stream, events, options) => store.append(stream, events, options),
    commit: (parts, options) => store.commit(parts, options),
    readStream: (stream, options) => store.readStream(stream, options).toArray(),
    index: (definition) => store.index(definition),
    refresh: () => store.refresh(),
  }),
  {
    at: <E extends Events>(view: StoreView<E>) => ({
      ...readingAsync<E>(view),
      position: () => view.position(),
    }),
  },
);

const synchronously: Way = Object.assign(
  <E extends Events>(store: AnyStore<E>): Calls<E> => ({
    ...readingSync<E>(store),
    append: async (stream, events, options) => store.appendSync(stream, events, options),
    commit: async (parts, options) => store.commitSync(parts, options),
    readStream: async (stream, options) => store.readStreamSync(stream, options).toArray(),
    index: async (definition) => store.indexSync(definition),
    refresh: async () => store.refreshSync(),
  }),
  {
    at: <E extends Events>(view: StoreView<E>) => ({
      ...readingSync<E>(view),
      position: async () => view.positionSync(),
    }),
  },
);

/** Registers the tests once for each way of calling. */
export function bothWays(name: string, tests: (way: Way) => void): void {
  describe(`${name}, asynchronously`, () => tests(asynchronously));
  describe(`${name}, synchronously`, () => tests(synchronously));
}

export const events = defineEvents({
  'counter.added': event<{ by: number }>(),
  'counter.dropped': event<null>(),
  'note.tagged': event<{ text: string; tags: readonly string[] }>(),
});

export type TestEvents = typeof events;

/** One number for each stream. */
export const counter = defineProjection({
  name: 'counter',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    'counter.added': (draft, { data }) => {
      draft.n += data.by;
    },
    'counter.dropped': () => removed,
  },
});

/** Several keys an event, or none: the texts of each tag. */
export const byTag = defineProjection({
  name: 'by-tag',
  version: 1,
  events,
  initial: (tag): { tag: string; texts: string[] } => ({ tag, texts: [] }),
  key: ({ data }) => (data as { tags?: readonly string[] }).tags,
  on: {
    'note.tagged': (draft, { data }) => {
      draft.texts.push(data.text);
    },
  },
});

export const added = (by = 1): NewEventOf<TestEvents> => ({ type: 'counter.added', data: { by } });

export const dropped: NewEventOf<TestEvents> = { type: 'counter.dropped', data: null };

export const tagged = (text: string, ...tags: string[]): NewEventOf<TestEvents> => ({
  type: 'note.tagged',
  data: { text, tags },
});

export const options = { events, projections: [counter, byTag] };

/** An event of any type, for stores that declare none. */
export function plain(type: string, data: unknown, more: Partial<NewEvent> = {}): NewEvent {
  return { type, data, ...more };
}

/** What an event says, without where it stands. */
export function saying({ type, schemaVersion, data }: RecordedEvent): unknown {
  return { type, schemaVersion, data };
}
