/**
 * What every store keeps, wherever it lives, beyond what its log keeps: one suite, run over each place by the tests beside it.
 *
 * A new place runs it with a factory of its own:
 *
 * ```ts
 * suite('the store on a ship', { canReopen: true, canShare: false, make: () => new ShipForAStore() });
 * ```
 */

import { describe, onTestFinished } from 'vitest';
import type { Events, Store, StoreOptions } from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { times } from '../support/runs.js';
import { appending } from './appending.js';
import { building } from './building.js';
import { failing } from './failing.js';
import { freshness } from './freshness.js';
import { indexing } from './indexing.js';
import { keys } from './keys.js';
import { lifeCycle } from './life-cycle.js';
import { listing } from './listing.js';
import { past } from './past.js';
import { schemas } from './schemas.js';
import { states } from './states.js';
import { subscribing } from './subscribing.js';
import { subscriptionNames } from './subscription-names.js';
import { upcasting } from './upcasting.js';

/** A store by its public members alone, so that any other class that means the same can stand in. */
export type AnyStore<E extends Events = Events> = Pick<Store<E>, keyof Store<E>>;

/** A fresh place where one store can live. */
export interface PlaceForAStore {
  /** Opens the store of this place, making it when there is none. */
  open<E extends Events>(options: StoreOptions<E>): Promise<AnyStore<E>>;
  openSync<E extends Events>(options: StoreOptions<E>): AnyStore<E>;
  /** Removes what is left, once everything that was opened is closed. */
  cleanup?(): void | Promise<void>;
}

export interface Factory {
  /** Whether what was written is there again when the place is opened again. */
  readonly canReopen: boolean;
  /** Whether the place can be opened while it is open. */
  readonly canShare: boolean;
  /** Differs from another place in how it writes alone: what only reads is left to that one, but for wide runs. */
  readonly readsAsAnother?: boolean;
  make(): PlaceForAStore;
}

/** A place with a clock that stands still; whatever a test opened is closed when it ends. */
export interface PlaceUnderTest {
  readonly clock: ManualClock;
  open<E extends Events = Events>(options?: StoreOptions<E>): Promise<AnyStore<E>>;
  openSync<E extends Events = Events>(options?: StoreOptions<E>): AnyStore<E>;
}

export type MakePlace = () => PlaceUnderTest;

function makerOf(factory: Factory): MakePlace {
  return () => {
    const place = factory.make();
    const clock = new ManualClock();
    const opened: Pick<Store, 'close'>[] = [];
    onTestFinished(async () => {
      for (const store of opened) await store.close();
      await place.cleanup?.();
    });
    return {
      clock,
      async open<E extends Events>(options?: StoreOptions<E>) {
        const store = await place.open<E>({ clock: clock.now, ...options });
        opened.push(store);
        return store;
      },
      openSync<E extends Events>(options?: StoreOptions<E>) {
        const store = place.openSync<E>({ clock: clock.now, ...options });
        opened.push(store);
        return store;
      },
    };
  };
}

export function suite(name: string, factory: Factory): void {
  const make = makerOf(factory);
  describe(name, () => {
    appending(make);
    if (!factory.readsAsAnother || times(1) > 1) {
      schemas(make);
      upcasting(make, factory);
      keys(make, factory);
      listing(make);
      failing(make, factory);
      past(make);
    }
    states(make);
    indexing(make);
    subscribing(make, factory);
    subscriptionNames(make, factory);
    lifeCycle(make, factory);
    if (factory.canReopen) building(make);
    if (factory.canShare) freshness(make);
  });
}
