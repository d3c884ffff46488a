/** Opening a store with what a command needs of it, and no more: what is not read need not be built. */
import { MODEL_NAMES, modelNamed } from '../memory/definitions.js';
import type { Events, Projection, Store, StoreOptions } from '../store.js';
import { type Config, loadConfig } from './config.js';
import type { Context } from './context.js';
import { plain } from './escape.js';
import { WrongUse } from './exit-codes.js';

/** Projections, and what it takes to fold their events. */
export interface Chosen {
  readonly projections: readonly Projection[];
  readonly options: Pick<StoreOptions, 'events' | 'upcasters'>;
}

export interface Choice {
  /** `<model>/<key>`, or what it begins with. */
  readonly key?: string | undefined;
  /** Of a projection, whatever the key is. */
  readonly projection?: string | undefined;
}

/** The category of a stream: what stands before its first `/`. */
export function categoryOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? key : key.slice(0, slash);
}

/**
 * The projection that holds a key: one of the config file's that is named like the key's category, a model of the memory, or the only one of the config
 * file.
 * @throws WrongUse
 */
export async function chooseFor(
  context: Context,
  directory: string,
  { key, projection: named }: Choice,
): Promise<{ readonly projection: Projection; readonly options: Chosen['options'] }> {
  const config = await loadConfig(context, directory);
  const wanted = named ?? categoryOf(key ?? '');
  const own = config.projections?.find(({ name }) => name === wanted);
  if (own) return { projection: own, options: foldingOf(config) };
  const model = await modelNamed(wanted);
  if (model) return { projection: model.projection, options: { events: model.events } };
  const [only, ...more] = config.projections ?? [];
  if (only && more.length === 0 && named === undefined) {
    return { projection: only, options: foldingOf(config) };
  }
  const names = [...(config.projections ?? []).map(({ name }) => plain(name)), ...MODEL_NAMES];
  const what =
    named === undefined
      ? `'${plain(key ?? '')}' begins with the name of no projection`
      : `there is no projection '${plain(named)}'`;
  throw new WrongUse(
    `${what}; there are ${names.join(', ')}. Your own come with --config file.js, and --projection names one of them.`,
  );
}

/** All projections: those of the config file, and the models' that it does not replace. */
async function chooseAll(context: Context, directory: string): Promise<Chosen> {
  const config = await loadConfig(context, directory);
  const projections: Projection[] = [...(config.projections ?? [])];
  const maps: Events['map'][] = [];
  for (const name of MODEL_NAMES) {
    if (projections.some((own) => own.name === name)) continue;
    const model = await modelNamed(name);
    if (!model) continue;
    projections.push(model.projection);
    maps.push(model.events.map);
  }
  const { defineEvents } = await import('../store.js');
  const events = defineEvents(Object.assign({}, ...maps, config.events?.map) as Events['map']);
  return { projections, options: { events, ...upcastersOf(config) } };
}

/** The projection that is asked for; all of them when none is. */
export async function chooseAmong(
  context: Context,
  directory: string,
  choice: Choice,
): Promise<Chosen> {
  if (choice.key === undefined && choice.projection === undefined) {
    return await chooseAll(context, directory);
  }
  const { projection, options } = await chooseFor(context, directory, choice);
  return { projections: [projection], options };
}

function foldingOf(config: Config): Chosen['options'] {
  return { ...(config.events ? { events: config.events } : {}), ...upcastersOf(config) };
}

function upcastersOf({ upcasters }: Config): Pick<StoreOptions, 'upcasters'> {
  return upcasters ? { upcasters } : {};
}

/** Does work with a store that is open only for reading, and closes it. */
export async function reading<T>(
  context: Context,
  directory: string,
  options: StoreOptions,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { openStore } = await import('../store.js');
  const store = await openStore(context.path(directory), {
    ...options,
    ...context.access,
    readOnly: true,
  });
  return await withStore(context, store, work);
}

/**
 * Does work with an open store, tells of damage and of how far its projections are, and closes it.
 * @param named - what is done once they are there, when it does not tell how far it is
 */
export async function withStore<T>(
  context: Context,
  store: Store,
  work: (store: Store) => Promise<T>,
  named?: string,
): Promise<T> {
  try {
    tellOfDamage(context, store);
    context.progress.watch(() => {
      const building = store.stats().projections.filter(({ progress }) => progress < 1);
      if (building.length === 0) return named === undefined ? undefined : { phase: named, done: 0 };
      const total = building.length * store.head.position;
      const done = building.reduce((sum, { position }) => sum + position, 0);
      return { phase: 'reading the log', done, total, unit: 'commits' };
    });
    return await work(store);
  } finally {
    context.progress.stop();
    await store.close();
  }
}

/** Of a damaged store everything before the damage can be read; who reads it must know. */
export function tellOfDamage(
  context: Context,
  { recovery }: { readonly recovery: Store['recovery'] },
): void {
  if (recovery.state !== 'damaged') return;
  context.isDamaged = true;
  const { file = '', offset = 0, position = 0, problem = '' } = recovery;
  context.note(
    `recollect: the store is damaged in ${plain(file)} at byte ${offset}: ${plain(problem)}. Only what stands before, up to position ${position}, is read.`,
  );
}
