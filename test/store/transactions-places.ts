/** What the tests of transactions share: the places a store can live in, declarations, and stores that are closed when their test ends. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  defineEvents,
  defineProjection,
  type Events,
  event,
  openStore,
  removed,
  type Store,
  type StoreOptions,
} from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

export const counted = defineEvents({
  added: event<{ by: number; tags?: readonly string[] }>(),
  dropped: event<null>(),
});

/** One sum for each stream. */
export const sums = defineProjection({
  name: 'sums',
  version: 1,
  events: counted,
  initial: { n: 0, by: null as string | null },
  on: {
    added: (draft, e) => {
      draft.n += e.data.by;
      draft.by = e.actor ?? null;
    },
    dropped: () => removed,
  },
});

/** One sum for each tag: its keys are not streams, and one event may change several. */
export const tags = defineProjection({
  name: 'tags',
  version: 1,
  events: counted,
  initial: { n: 0 },
  key: (e) => (e.type === 'added' ? e.data.tags : undefined),
  on: {
    added: (draft, e) => {
      draft.n += e.data.by;
    },
  },
});

export const added = (by: number, ...tagged: string[]) => ({
  type: 'added' as const,
  data: tagged.length === 0 ? { by } : { by, tags: tagged },
});

export const dropped = { type: 'dropped' as const, data: null };

export type CountedStore = Store<typeof counted>;

export interface Place {
  readonly name: string;
  open<E extends Events>(options: StoreOptions<E>): Promise<Store<E>>;
}

const inDirectory = (name: string, writerThread: boolean): Place => ({
  name,
  open: (options) => openStore(join(temporaryDirectory(), 'store'), { writerThread, ...options }),
});

export const places: readonly Place[] = [
  inDirectory('a directory, with a writer thread', true),
  inDirectory('a directory, written by the calling thread', false),
  { name: 'memory', open: (options) => openStore({ memory: true, ...options }) },
];

/** Closed when the test ends. */
export async function opened<E extends Events>(
  place: Place,
  options: StoreOptions<E>,
): Promise<Store<E>> {
  const store = await place.open({ clock: new ManualClock().now, ...options });
  onTestFinished(() => store.close());
  return store;
}

export const countedStore = (
  place: Place,
  options: StoreOptions<typeof counted> = {},
): Promise<CountedStore> =>
  opened(place, { events: counted, projections: [sums, tags], ...options });

/** What the promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const value = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  return value;
}

/** A promise and the call that resolves it. */
export function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
