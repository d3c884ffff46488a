/** `recollect stats` */
import type { MemoryStatus } from '../../index.js';
import { MODEL_NAMES } from '../../memory/definitions.js';
import type { Store } from '../../store.js';
import { loadConfig } from '../config.js';
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { withStore } from '../opening.js';
import { tableLines } from '../table.js';
import { shownBytes } from '../times.js';

export async function stats(
  context: Context,
  [directory = '']: readonly string[],
): Promise<number> {
  const { store, modelsOf } = await opened(context, directory);
  return await withStore(context, store, async ({ id, recovery }) => {
    await store.refresh();
    const models = await modelsOf();
    const { head, segments, projections } = store.stats();
    const { out, paint } = context;
    if (context.json) {
      await out.json({ id, head, segments, recovery, models, projections });
      return FINE;
    }
    await out.line(`${paint.name(id)}  position ${head.position}  ${segments} segments`);
    await out.line(`last commit ${context.time(head.time)}, seal ${head.seal}`);
    if (recovery.state !== 'clean') await out.line(paint.warning(`recovery: ${recovery.state}`));
    if (Object.keys(models).length === 0) return FINE;
    const rows = [['model', 'items', 'expired', 'size'].map((title) => paint.faint(title))];
    for (const [name, { items, expired, bytes }] of Object.entries(models)) {
      rows.push([paint.name(name), String(items), String(expired), shownBytes(bytes)]);
    }
    for (const line of tableLines(rows)) await out.line(line);
    return FINE;
  });
}

/** As a memory; where the projections of the config file have the models' names, as a store that is none. */
async function opened(
  context: Context,
  directory: string,
): Promise<{ store: Store; modelsOf: () => Promise<MemoryStatus['models']> }> {
  const path = context.path(directory);
  const config = await loadConfig(context, directory);
  const options = { ...context.access, readOnly: true };
  if (config.projections?.some(({ name }) => MODEL_NAMES.includes(name))) {
    const { openStore } = await import('../../store.js');
    const { language: _, ...own } = config;
    return { store: await openStore(path, { ...own, ...options }), modelsOf: async () => ({}) };
  }
  const { openMemory } = await import('../../memory/memory.js');
  const memory = await openMemory(path, { ...config, ...options });
  return { store: memory.engine, modelsOf: async () => (await memory.status()).models };
}
