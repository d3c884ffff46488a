/** `recollect blame` */
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { chooseFor, reading } from '../opening.js';
import { tableLines } from '../table.js';
import { momentOf } from '../times.js';
import { notFound } from './get.js';

interface BlameOptions {
  readonly to?: string;
  readonly projection?: string;
}

export async function blame(
  context: Context,
  [directory = '', key = '']: readonly string[],
  { to, projection: named }: BlameOptions,
): Promise<number> {
  const { projection, options } = await chooseFor(context, directory, { key, projection: named });
  const opening = { ...options, projections: [projection] };
  return await reading(context, directory, opening, async (store) => {
    const moment = to === undefined ? {} : { to: momentOf(to) };
    const entries = await store.blame(projection, key, moment);
    if (entries.length === 0) throw await notFound(store, projection, key, to);
    const { paint, out } = context;
    if (context.json) {
      for (const entry of entries) await out.ndjson(entry);
      return FINE;
    }
    const rows = entries.map(({ path, value, event }) => [
      paint.name(path || '/'),
      paint.position(event.id),
      paint.faint(context.time(event.time)),
      paint.actor(event.actor ?? '-'),
      paint.type(event.type),
      context.brief(value, 80),
    ]);
    for (const line of tableLines(rows)) await out.line(line);
    return FINE;
  });
}
