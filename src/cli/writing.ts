/**
 * Opening a store for the work of its keepers: snapshots and compaction, which cover all projections that read it. A store that is open for writing notes
 * down which projections read it, and retention waits for those: what only plans opens it for reading.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLog } from '../log/open-log.js';
import { MODEL_NAMES, modelNamed } from '../memory/definitions.js';
import type { Store, StoreOptions } from '../store.js';
import { type Config, loadConfig } from './config.js';
import type { Context } from './context.js';
import { withStore } from './opening.js';

/** What a keeper must know of a store before it is opened. */
export interface Kept {
  readonly path: string;
  readonly config: Config;
  /** Whether a model of the memory has written to it: else its projections would be registered with a store that knows nothing of them. */
  readonly isMemory: boolean;
}

/** As a program that has the memory open registers it (docs/FORMAT.md, "The registry of projections"). */
const INDEX_OF_RECALL = /^\{"projection":"recall-([a-z]+)"/;

/** Looks at a store, which takes nobody's lock. @throws the signal's reason */
export async function lookAt(context: Context, directory: string): Promise<Kept> {
  const config = await loadConfig(context, directory);
  context.signal.throwIfAborted();
  const path = context.path(directory);
  const log = await openLog(path, { ...context.access, readOnly: true });
  try {
    const languages = languagesOf(path);
    // Without a word about it, that of the programs which use it: another one would be waited for in vain.
    const [language] = languages.size === 1 ? languages : [];
    const isMemory = !replacesModel(config) && (languages.size > 0 || (await hasModels(log)));
    return { path, config: language ? { language, ...config } : config, isMemory };
  } finally {
    await log.close();
  }
}

/** In which the programs of a memory recall; what cannot be read says nothing. */
function languagesOf(path: string): ReadonlySet<string> {
  try {
    const registry = join(path, 'registry');
    const files = readdirSync(registry).filter((name) => name.endsWith('.json'));
    const texts = files.map((name) => readFileSync(join(registry, name), 'utf8'));
    return new Set(texts.flatMap((text) => INDEX_OF_RECALL.exec(text)?.[1] ?? []));
  } catch {
    return new Set();
  }
}

function replacesModel({ projections = [] }: Config): boolean {
  return projections.some(({ name }) => MODEL_NAMES.some((model) => model === name));
}

async function hasModels(log: Awaited<ReturnType<typeof openLog>>): Promise<boolean> {
  const models = await Promise.all(MODEL_NAMES.map(async (name) => await modelNamed(name)));
  const types = models.flatMap((model) => model?.events.types ?? []);
  const streams = MODEL_NAMES.map((name) => `${name}/*`);
  const from = Math.max(1, log.internals.segments.firstKept);
  return (await log.readAll({ from, streams, types, limit: 1 }).toArray()).length > 0;
}

/**
 * Does work with a store that is open with the projections of the config file and, if it is a memory, those of the models. Ctrl-C closes it, which ends the
 * work where nothing is half done.
 * @throws the signal's reason
 */
export async function keeping<T>(
  context: Context,
  kept: Kept,
  { readOnly }: { readonly readOnly: boolean },
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  const store = await openKept(context, kept, readOnly);
  const close = (): void => void store.close().catch(() => {});
  signal.addEventListener('abort', close, { once: true });
  try {
    return await withStore(
      context,
      store,
      async () => {
        // It may have come while the store was being opened.
        signal.throwIfAborted();
        return await work(store);
      },
      readOnly ? 'planning' : 'writing',
    );
  } finally {
    signal.removeEventListener('abort', close);
  }
}

async function openKept(context: Context, kept: Kept, readOnly: boolean): Promise<Store> {
  const { path, config, isMemory } = kept;
  const options: StoreOptions = { ...context.access, create: false, compaction: false, readOnly };
  if (isMemory) {
    const { openMemory } = await import('../memory/memory.js');
    return (await openMemory(path, { ...config, ...options })).engine;
  }
  const { openStore } = await import('../store.js');
  const { language: _, ...own } = config;
  return await openStore(path, { ...own, ...options });
}
