/** Models on stores of both kinds, with a clock that stands still until it is told otherwise. */
import { onTestFinished } from 'vitest';
import { StoreAccess } from '#src/memory/access.js';
import { Meter } from '#src/memory/meter.js';
import type { ModelSettings } from '#src/memory/model.js';
import { Models, modelDefinitions } from '#src/memory/models.js';
import { memoryIndexOf } from '#src/memory/recall-index.js';
import { TransactionAccess } from '#src/memory/transaction-access.js';
import { ViewAccess } from '#src/memory/view-access.js';
import {
  defineEvents,
  type Events,
  openStore,
  type Store,
  type StoreOptions,
  type StoreView,
} from '#src/store.js';
import { ManualClock } from '../support/clock.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const settings: ModelSettings = { workingTtlMs: 12 * 3_600_000, language: 'english' };

const events: Events = defineEvents(
  Object.assign({}, ...modelDefinitions.map((definition) => definition.events.map)),
);
const projections = modelDefinitions.map(({ projection }) => projection);
const recall = memoryIndexOf(modelDefinitions, settings.language);

export type Kind = 'file store' | 'memory store';
export const kinds: readonly Kind[] = ['file store', 'memory store'];

/** A store with its models, as a program holds them. */
export class Memory {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly directory: string | undefined;
  readonly #meter: Meter;
  readonly #models: Models;

  constructor(store: Store, clock: ManualClock, directory: string | undefined, actor?: string) {
    this.store = store;
    this.clock = clock;
    this.directory = directory;
    this.#meter = new Meter(1000, clock.now);
    const access = new StoreAccess(store, clock.now, { actor }, recall);
    this.#models = new Models(access, settings, this.#meter);
  }

  get records(): Models['records'] {
    return this.#models.records;
  }

  get conversations(): Models['conversations'] {
    return this.#models.conversations;
  }

  get meter(): Meter {
    return this.#meter;
  }

  projection(name: string): (typeof projections)[number] {
    const found = projections.find((projection) => projection.name === name);
    if (!found) throw new Error(`there is no projection ${name}`);
    return found;
  }

  as(actor: string): Memory {
    return new Memory(this.store, this.clock, this.directory, actor);
  }

  /** The models as of a moment. */
  at(moment: Parameters<Store['at']>[0], time: string): Models {
    const view = this.store.at(moment) as StoreView;
    const access = new ViewAccess(
      view,
      async () => time,
      () => time,
      recall,
    );
    return new Models(access, settings, this.#meter);
  }

  /** Runs a function with the models of a transaction. */
  transaction<T>(work: (models: Models) => Promise<T>): Promise<T> {
    return this.store.transaction((transaction) => {
      const { language } = settings;
      const access = new TransactionAccess(transaction, this.clock.now, modelDefinitions, language);
      return work(new Models(access, settings, this.#meter));
    });
  }

  /** The same, opened anew. */
  async reopened(options: StoreOptions = {}): Promise<Memory> {
    if (this.directory === undefined) throw new Error('a memory store cannot be opened again');
    await this.store.close();
    return await opened(this.directory, this.clock, options);
  }

  /** How many events there are. */
  async count(): Promise<number> {
    return (await this.store.readAll().toArray()).length;
  }
}

async function opened(
  directory: string | undefined,
  clock: ManualClock,
  options: StoreOptions,
): Promise<Memory> {
  const all = { events, projections, indexes: [recall], clock: clock.now, ...options };
  const store =
    directory === undefined
      ? await openStore({ memory: true, ...all })
      : await openStore(directory, all);
  onTestFinished(() => store.close());
  return new Memory(store as Store, clock, directory);
}

/** An empty memory for the running test. */
export async function openMemoryOf(kind: Kind, options: StoreOptions = {}): Promise<Memory> {
  const directory = kind === 'file store' ? temporaryDirectory() : undefined;
  return await opened(directory, new ManualClock(), options);
}
