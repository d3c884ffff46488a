/** A store for one test. */
import type { Events } from '../projections/events.js';
import type { StoreOptions } from '../store/options.js';
import { openStore, type Store } from '../store.js';
import { type SettableClock, settableClock } from './clock.js';

/** As `openStore` takes them; the clock is the settable one. */
export interface MemoryStoreSettings<E extends Events = Events>
  extends Omit<StoreOptions<E>, 'clock'> {
  /** Default: one of its own, which stands at 2026-01-01T00:00:00.000Z. */
  readonly clock?: SettableClock | undefined;
}

export interface MemoryStore<E extends Events = Events> extends AsyncDisposable {
  readonly store: Store<E>;
  readonly clock: SettableClock;
}

/**
 * Opens a store with nothing on disk and a clock that stands still until it is moved. Close the store when the test ends, or declare it with
 * `await using`.
 * @throws TypeError
 */
export async function memoryStore<E extends Events = Events>(
  settings: MemoryStoreSettings<E> = {},
): Promise<MemoryStore<E>> {
  const { clock = settableClock(), ...options } = settings;
  const store = await openStore<E>({ ...options, clock: clock.now, memory: true });
  return Object.freeze({ store, clock, [Symbol.asyncDispose]: () => store.close() });
}
