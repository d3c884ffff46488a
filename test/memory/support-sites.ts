/** Models on a store, without what `openMemory` puts around them. */
import { onTestFinished } from 'vitest';
import { StoreAccess, type WriteOptions } from '#src/memory/access.js';
import { Meter } from '#src/memory/meter.js';
import { Models, modelDefinitions } from '#src/memory/models.js';
import { memoryIndexOf } from '#src/memory/recall-index.js';
import { TransactionAccess } from '#src/memory/transaction-access.js';
import { ViewAccess } from '#src/memory/view-access.js';
import { defineEvents, openStore, type Store, type StoreOptions } from '#src/store.js';
import { ManualClock } from '../support/clock.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const events = defineEvents(
  Object.assign({}, ...modelDefinitions.map((definition) => definition.events.map)) as never,
);
const projections = modelDefinitions.map(({ projection }) => projection);
const settings = { workingTtlMs: 12 * 3_600_000, language: 'none' };
const recall = memoryIndexOf(modelDefinitions, settings.language);

export interface OpenModels extends Models {
  readonly store: Store;
  readonly clock: ManualClock;
  as(actor: string): Models;
  at(moment: number): Models;
  transaction(work: (models: Models) => Promise<void>): Promise<void>;
}

/** A memory in a directory, or with nothing on disk when there is none. */
export async function openModels(
  directory?: string,
  options: StoreOptions = {},
): Promise<OpenModels> {
  const clock = new ManualClock();
  const indexes = [recall];
  const all = { ...options, events, projections, indexes, clock: clock.now } as StoreOptions;
  const store = await (directory === undefined
    ? openStore({ ...all, memory: true })
    : openStore(directory, all));
  onTestFinished(() => store.close());
  const meter = new Meter(Number.POSITIVE_INFINITY, clock.now);
  const on = (context: WriteOptions) =>
    new Models(new StoreAccess(store as Store, clock.now, context, recall), settings, meter);
  const as = (actor: string) => on({ actor });
  const at = (moment: number) => {
    const now = () => new Date(clock.now()).toISOString();
    const access = new ViewAccess(store.at(moment), async () => now(), now, recall);
    return new Models(access, settings, meter);
  };
  const transaction = (work: (models: Models) => Promise<void>) =>
    store.transaction((inside) =>
      work(
        new Models(
          new TransactionAccess(inside, clock.now, modelDefinitions, settings.language),
          settings,
          meter,
        ),
      ),
    );
  return Object.assign(on({}), { store, clock, as, at, transaction });
}

/** The places that a memory can live in. */
export const places: readonly (readonly [string, () => Promise<OpenModels>])[] = [
  ['in a directory', () => openModels(temporaryDirectory())],
  ['in memory', () => openModels()],
  [
    'in a directory, with nothing kept in the cache',
    () => openModels(temporaryDirectory(), { cacheBytes: 0 }),
  ],
];
