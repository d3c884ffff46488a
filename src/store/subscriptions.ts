/** The subscriptions of one open store. */
import { StoreClosedError } from '../errors.js';
import type { LogInternals } from '../log/internals.js';
import type { RecordedEvent } from '../log/types.js';
import type { Events } from '../projections/events.js';
import { type OpenSubscription, Subscription, type SubscriptionStats } from './subscription.js';
import { type SubscribeOptions, subscriptionSettings } from './subscription-options.js';

export class Subscriptions {
  readonly #log: LogInternals;
  readonly #label: string;
  readonly #interpret: ((event: RecordedEvent) => RecordedEvent) | undefined;
  /** Those that have begun and not ended. */
  readonly #open = new Set<OpenSubscription>();
  #closed = false;

  /** @param interpret - undefined when no event is to be made newer */
  constructor(
    log: LogInternals,
    actor: string | undefined,
    interpret: ((event: RecordedEvent) => RecordedEvent) | undefined,
  ) {
    this.#log = log;
    this.#label = actor ?? '';
    this.#interpret = interpret;
  }

  subscribe<E extends Events>(options: SubscribeOptions): Subscription<E> {
    const source = {
      log: this.#log,
      label: this.#label,
      interpret: this.#interpret,
      began: (subscription: OpenSubscription) => {
        if (this.#closed) throw new StoreClosedError();
        this.#open.add(subscription);
      },
      ended: (subscription: OpenSubscription) => {
        this.#open.delete(subscription);
      },
    };
    return new Subscription<E>(source, subscriptionSettings(this.#log, options));
  }

  get stats(): readonly SubscriptionStats[] {
    return [...this.#open].map(({ stats }) => stats);
  }

  /** Ends all of them. What they save was handed over when this returns, and may still be on its way. */
  close(): Promise<unknown> {
    this.#closed = true;
    return Promise.all([...this.#open].map((subscription) => subscription.close()));
  }

  closeSync(): void {
    this.#closed = true;
    for (const subscription of [...this.#open]) subscription.closeSync();
  }
}
