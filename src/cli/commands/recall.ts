/** `recollect recall` */
import { loadConfig } from '../config.js';
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { given } from '../input.js';
import { withStore } from '../opening.js';

interface RecallOptions {
  readonly limit?: number;
  readonly model?: readonly string[];
  readonly by?: string;
  readonly tag?: readonly string[];
  readonly why?: boolean;
}

export async function recall(
  context: Context,
  [directory = '', ...words]: readonly string[],
  { limit, model, by, tag, why }: RecallOptions,
): Promise<number> {
  const { openMemory } = await import('../../memory/memory.js');
  const memory = await openMemory(context.path(directory), {
    ...(await loadConfig(context, directory)),
    ...context.access,
    readOnly: true,
  });
  return await withStore(context, memory.engine, async () => {
    const filters = given({ actor: by, tags: tag });
    const hits = await memory.recall(words.join(' '), {
      ...given({ limit, models: model }),
      ...(Object.keys(filters).length > 0 ? { filters } : {}),
    });
    const { out, paint } = context;
    for (const hit of hits) {
      if (context.json) {
        await out.ndjson(hit);
        continue;
      }
      const { id, score, actor, time, text, reasons } = hit;
      const head = [paint.position(score.toFixed(2)), paint.name(id)];
      head.push(paint.faint(context.time(time)), paint.actor(actor ?? '-'));
      await out.line(head.join('  '));
      await out.line(`    ${context.brief(text, 4)}`);
      if (!why) continue;
      for (const { part, score: added, terms = [] } of reasons) {
        await out.line(paint.faint(`    ${part} ${added.toFixed(2)} ${terms.join(' ')}`));
      }
    }
    return FINE;
  });
}
