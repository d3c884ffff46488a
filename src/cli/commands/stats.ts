/** `recollect stats` */
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
  const { openMemory } = await import('../../memory/memory.js');
  const memory = await openMemory(context.path(directory), {
    ...(await loadConfig(context, directory)),
    ...context.access,
    readOnly: true,
  });
  return await withStore(context, memory.engine, async ({ id, recovery }) => {
    const { models } = await memory.status();
    const { head, segments, projections } = memory.engine.stats();
    const { out, paint } = context;
    if (context.json) {
      await out.json({ id, head, segments, recovery, models, projections });
      return FINE;
    }
    await out.line(`${paint.name(id)}  position ${head.position}  ${segments} segments`);
    await out.line(`last commit ${context.time(head.time)}, seal ${head.seal}`);
    if (recovery.state !== 'clean') await out.line(paint.warning(`recovery: ${recovery.state}`));
    const rows = [['model', 'items', 'expired', 'size'].map((title) => paint.faint(title))];
    for (const [name, { items, expired, bytes }] of Object.entries(models)) {
      rows.push([paint.name(name), String(items), String(expired), shownBytes(bytes)]);
    }
    for (const line of tableLines(rows)) await out.line(line);
    return FINE;
  });
}
