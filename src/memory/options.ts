/** Options of an open memory, checked, with their defaults. */
import { checkOptionNames, invalidArgument, optionNames, quote } from '../errors.js';
import { LANGUAGES } from '../recall/language.js';
import {
  defineEvents,
  type Events,
  type IndexDefinition,
  STORE_OPTIONS,
  type StoreOptions,
} from '../store.js';
import { importEvents } from './import-events.js';
import { checkDurationMs, type ModelSettings } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { type MemoryIndex, memoryIndexOf } from './recall-index.js';

/**
 * What a store is opened with, and what the memory adds. Event types, projections and indexes given here are your own: they are added to those of the
 * models.
 */
export interface MemoryOptions extends StoreOptions {
  /** Language of the texts, as a Snowball stemmer is named; `none` for none. Default `'english'`. */
  readonly language?: string | undefined;
  /** How long working memory lives when a call does not say, ms. Default 12 hours. */
  readonly workingTtlMs?: number | undefined;
  /** An operation that takes longer is published on node:diagnostics_channel, ms. `Infinity` for never. Default 100. */
  readonly slowOperationMs?: number | undefined;
}

export interface MemorySettings extends ModelSettings {
  readonly slowOperationMs: number;
  readonly clock: () => number;
  readonly definitions: readonly ModelDefinition[];
  /** What can be found. */
  readonly recall: IndexDefinition<MemoryIndex>;
  /** What the store is opened with. */
  readonly store: StoreOptions;
}

const MEMORY_OPTIONS: ReadonlySet<string> = new Set([
  ...STORE_OPTIONS,
  ...optionNames<Omit<MemoryOptions, keyof StoreOptions>>({
    language: true,
    workingTtlMs: true,
    slowOperationMs: true,
  }),
]);

const WORKING_TTL_MS = 12 * 60 * 60 * 1000;
const SLOW_OPERATION_MS = 100;

/** @throws TypeError for an option of the wrong kind; those of the store are looked at when it is opened */
export function memorySettings(
  options: MemoryOptions,
  definitions: readonly ModelDefinition[],
): MemorySettings {
  checkOptionNames(options, MEMORY_OPTIONS, 'openMemory');
  const { language, workingTtlMs, slowOperationMs, ...store } = options;
  const known = checkedLanguage(language);
  const recall = memoryIndexOf(definitions, known);
  return {
    language: known,
    definitions,
    recall,
    workingTtlMs: checkedTtlMs(workingTtlMs),
    slowOperationMs: checkedSlowMs(slowOperationMs),
    clock: store.clock ?? Date.now,
    store: {
      ...store,
      events: allEvents(definitions, store.events),
      projections: withModels(definitions, store.projections),
      indexes: withRecall(recall, store.indexes),
    },
  };
}

function checkedLanguage(language: unknown = 'english'): string {
  if (typeof language === 'string' && LANGUAGES.includes(language)) return language;
  const given = typeof language === 'string' ? `, not ${quote(language)}` : '';
  throw invalidArgument(`language must be one of ${LANGUAGES.join(', ')}${given}`);
}

function checkedTtlMs(workingTtlMs: unknown = WORKING_TTL_MS): number {
  checkDurationMs(workingTtlMs, 'workingTtlMs');
  return workingTtlMs;
}

function checkedSlowMs(slowOperationMs: unknown = SLOW_OPERATION_MS): number {
  if (typeof slowOperationMs === 'number' && slowOperationMs >= 0) return slowOperationMs;
  throw invalidArgument('slowOperationMs must be a number of milliseconds from 0');
}

function allEvents(definitions: readonly ModelDefinition[], own: Events | undefined): Events {
  const maps = definitions.map(({ events }) => events.map);
  const ownMap = own?.map ?? {};
  if (own !== undefined && own?.map === undefined) {
    throw invalidArgument('events must be made by defineEvents');
  }
  for (const type of Object.keys(ownMap)) {
    const owner = definitions.find(({ events }) => events.types.includes(type));
    if (!owner) continue;
    throw invalidArgument(
      `the event type ${quote(type)} belongs to memory.${owner.name}: give yours another name`,
    );
  }
  const imports = importEvents.types.find((type) => Object.hasOwn(ownMap, type));
  if (imports !== undefined) {
    throw invalidArgument(
      `the event type ${quote(imports)} belongs to importMemory: give yours another name`,
    );
  }
  return defineEvents(Object.assign({}, ...maps, importEvents.map, ownMap) as typeof ownMap);
}

function withModels(
  definitions: readonly ModelDefinition[],
  own: MemoryOptions['projections'],
): StoreOptions['projections'] {
  if (own !== undefined && !Array.isArray(own)) throw invalidArgument('projections must be a list');
  return [...definitions.map(({ projection }) => projection), ...(own ?? [])];
}

function withRecall(
  recall: IndexDefinition<MemoryIndex>,
  own: MemoryOptions['indexes'],
): StoreOptions['indexes'] {
  if (own !== undefined && !Array.isArray(own)) throw invalidArgument('indexes must be a list');
  return [recall as IndexDefinition, ...(own ?? [])];
}
