/** Opening a store for the work of its keepers: snapshots and compaction, which cover all projections that read it. */
import { MODEL_NAMES, modelNamed } from '../memory/definitions.js';
import type { Store, StoreOptions } from '../store.js';
import { type Config, loadConfig } from './config.js';
import type { Context } from './context.js';
import { withStore } from './opening.js';

/**
 * Does work with a store that is open for writing, with the projections of the config file and, if it is a memory, those of the models. Ctrl-C closes it,
 * which ends the work where nothing is half done.
 */
export async function writing<T>(
  context: Context,
  directory: string,
  work: (store: Store, config: Config) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  const config = await loadConfig(context, directory);
  const store = await openForWriting(context, directory, config);
  const close = (): void => void store.close().catch(() => {});
  signal.addEventListener('abort', close, { once: true });
  try {
    return await withStore(context, store, () => work(store, config), 'writing');
  } finally {
    signal.removeEventListener('abort', close);
  }
}

async function openForWriting(context: Context, directory: string, config: Config): Promise<Store> {
  const path = context.path(directory);
  const options: StoreOptions = { ...context.access, create: false, compaction: false };
  if (await isMemory(context, path, config)) {
    const { openMemory } = await import('../memory/memory.js');
    return (await openMemory(path, { ...config, ...options })).engine;
  }
  const { openStore } = await import('../store.js');
  const { language: _, ...own } = config;
  return await openStore(path, { ...own, ...options });
}

/** Whether a model of the memory has written to it: else its projections would be registered with a store that knows nothing of them. */
async function isMemory(context: Context, path: string, config: Config): Promise<boolean> {
  const { openStore } = await import('../store.js');
  const store = await openStore(path, { ...context.access, readOnly: true });
  try {
    for (const name of MODEL_NAMES) {
      if (config.projections?.some((own) => own.name === name)) return false;
      const model = await modelNamed(name);
      const types = model?.events.types ?? [];
      const first = { streams: [`${name}/*`], types, limit: 1, raw: true };
      if ((await store.readAll(first).toArray()).length > 0) return true;
    }
    return false;
  } finally {
    await store.close();
  }
}
