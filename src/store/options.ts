/** Options of an open store, checked. */

import {
  type CompactionOptions,
  type CompactionSettings,
  compactionSettings,
  type RetentionOptions,
} from '../compaction/options.js';
import { checkOptionNames, invalidArgument, optionNames, quote } from '../errors.js';
import { LOG_MEMBERS, type LogOptions } from '../log/log-options.js';
import { isProjection, type Projection } from '../projections/define.js';
import { type IndexDefinition, isIndexDefinition } from '../projections/define-index.js';
import { checkEvents, type Events } from '../projections/events.js';
import { Interpreter } from '../projections/interpret.js';
import { notMadeBy } from '../projections/made.js';
import { EventSchemas } from '../projections/schema.js';
import type { Upcasters } from '../projections/upcast.js';

export interface StoreOptions<E extends Events = Events> extends LogOptions {
  /** The event types of the store; others are refused. Without it any type goes. */
  readonly events?: E | undefined;
  /** The projections that can be read. */
  readonly projections?: readonly Projection[] | undefined;
  /** The indexes that can be read. */
  readonly indexes?: readonly IndexDefinition[] | undefined;
  /** How events of older shapes become what they are now: by type and the version they are of. */
  readonly upcasters?: Upcasters<E> | undefined;
  /** Memory for folded states, bytes. Default 64 MiB. */
  readonly cacheBytes?: number | undefined;
  /** When the store compacts on its own; `false`: only when told to. */
  readonly compaction?: CompactionOptions | boolean | undefined;
  /** What compaction drops for good. Default: nothing. Must be the same in every program that opens the store: each of them may compact. */
  readonly retention?: RetentionOptions | undefined;
  /** Snapshots kept of the log, and of each projection and index, from 1. Default 2. */
  readonly snapshotsKept?: number | undefined;
}

/** Names of all options of a store. @internal */
export const STORE_OPTIONS: ReadonlySet<string> = optionNames<StoreOptions & { memory: true }>({
  ...LOG_MEMBERS,
  events: true,
  projections: true,
  indexes: true,
  upcasters: true,
  cacheBytes: true,
  compaction: true,
  retention: true,
  snapshotsKept: true,
  memory: true,
});

export interface StoreSettings {
  /** Who writes when a call names nobody. */
  readonly actor: string | undefined;
  readonly schemas: EventSchemas;
  readonly interpreter: Interpreter;
  readonly projections: readonly Projection[];
  readonly indexes: readonly IndexDefinition[];
  readonly cacheBytes: number;
  readonly compaction: CompactionSettings;
  readonly snapshotsKept: number;
  /** True when some type is declared or upcast, so that events must be looked at on their way in and out. */
  readonly typed: boolean;
}

const CACHE_BYTES = 64 * 1024 * 1024;

/** @throws TypeError */
export function storeSettings(options: StoreOptions): StoreSettings {
  checkOptionNames(options, STORE_OPTIONS, 'openStore');
  const { events, upcasters, cacheBytes = CACHE_BYTES, snapshotsKept = 2 } = options;
  checkEvents(events, 'events');
  if (typeof cacheBytes !== 'number' || !(cacheBytes >= 0)) {
    throw invalidArgument('cacheBytes must be a number of bytes, from 0');
  }
  if (!Number.isSafeInteger(snapshotsKept) || snapshotsKept < 1) {
    throw invalidArgument('snapshotsKept must be an integer from 1');
  }
  const projections = listOf(options.projections, 'projections', 'defineProjection', isProjection);
  const indexes = listOf(options.indexes, 'indexes', 'defineIndex', isIndexDefinition);
  checkNames([...projections, ...indexes]);
  return {
    actor: options.actor,
    schemas: new EventSchemas(events),
    interpreter: new Interpreter(events, upcasters),
    projections,
    indexes,
    cacheBytes,
    compaction: compactionSettings(options.compaction, options.retention),
    snapshotsKept,
    typed: events !== undefined || upcasters !== undefined,
  };
}

function listOf<T>(
  value: unknown,
  name: string,
  maker: string,
  is: (item: unknown) => item is T,
): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidArgument(`${name} must be a list`);
  for (const [index, item] of value.entries()) {
    if (!is(item)) throw invalidArgument(`${name}[${index}] ${notMadeBy(maker, item)}`);
  }
  return [...value];
}

/** A name says which snapshot belongs to what, so that no two may share one. */
function checkNames(definitions: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of definitions) {
    if (seen.has(name)) {
      throw invalidArgument(`two projections or indexes are named ${quote(name)}`);
    }
    seen.add(name);
  }
}
