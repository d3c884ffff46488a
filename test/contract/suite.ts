/**
 * What every log keeps, wherever it lives: one suite, run over each place by the tests beside it.
 *
 * A new place runs it with a factory of its own:
 *
 * ```ts
 * suite('the log on a ship', { canReopen: true, canShare: false, make: () => new ShipForALog() });
 * ```
 */

import { describe, onTestFinished } from 'vitest';
import type { Log, LogOptions } from '#src/index.js';
import { ManualClock } from '../support/clock.js';
import { times } from '../support/runs.js';
import { appending } from './appending.js';
import { conditions } from './conditions.js';
import { following } from './following.js';
import { idempotency } from './idempotency.js';
import { lifeCycle } from './life-cycle.js';
import { limits } from './limits.js';
import { order } from './order.js';
import { reading } from './reading.js';
import { refusals } from './refusals.js';
import { sharing } from './sharing.js';

/** A log by its public members alone, so that any other class that means the same can stand in. */
export type AnyLog = Omit<Log, 'onExit'>;

/** A fresh place where one log can live. */
export interface PlaceForALog {
  /** Opens the log of this place, making it when there is none. */
  open(options: LogOptions): Promise<AnyLog>;
  openSync(options: LogOptions): AnyLog;
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
  make(): PlaceForALog;
}

/** A place with a clock that stands still; whatever a test opened is closed when it ends. */
export interface PlaceUnderTest {
  readonly clock: ManualClock;
  open(options?: LogOptions): Promise<AnyLog>;
  openSync(options?: LogOptions): AnyLog;
}

export type MakePlace = () => PlaceUnderTest;

function makerOf(factory: Factory): MakePlace {
  return () => {
    const place = factory.make();
    const clock = new ManualClock();
    const opened: AnyLog[] = [];
    onTestFinished(async () => {
      for (const log of opened) await log.close();
      await place.cleanup?.();
    });
    const kept = (log: AnyLog): AnyLog => {
      opened.push(log);
      return log;
    };
    return {
      clock,
      open: async (options) => kept(await place.open({ clock: clock.now, ...options })),
      openSync: (options) => kept(place.openSync({ clock: clock.now, ...options })),
    };
  };
}

export function suite(name: string, factory: Factory): void {
  const make = makerOf(factory);
  describe(name, () => {
    appending(make);
    conditions(make);
    idempotency(make, factory);
    if (!factory.readsAsAnother || times(1) > 1) {
      refusals(make);
      reading(make, factory);
    }
    limits(make);
    order(make);
    following(make);
    lifeCycle(make, factory);
    if (factory.canShare) sharing(make);
  });
}
