/** `recollect undo` */
import { loadConfig } from '../config.js';
import { confirmed } from '../confirm.js';
import type { Context } from '../context.js';
import { eventLine } from '../event-line.js';
import { FINE } from '../exit-codes.js';
import { actorOf, given } from '../input.js';
import { positionOf } from '../times.js';

interface UndoOptions {
  readonly actor?: string;
  readonly reason?: string;
  readonly idempotencyKey?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export async function undo(
  context: Context,
  [directory = '', text = '']: readonly string[],
  options: UndoOptions,
): Promise<number> {
  const position = positionOf(text);
  const { openMemory } = await import('../../memory/memory.js');
  const memory = await openMemory(context.path(directory), {
    ...(await loadConfig(context, directory)),
    ...context.access,
    create: false,
    compaction: false,
    readOnly: options.dryRun === true,
  });
  try {
    const { reason, idempotencyKey, dryRun } = options;
    const written = given({ actor: actorOf(context, options.actor), reason, idempotencyKey });
    const { out } = context;
    // What cannot be undone is not asked for.
    await memory.undo(position, { ...written, dryRun: true });
    if (!context.json) {
      const range = { from: position, to: position };
      for await (const event of memory.engine.readAll(range)) {
        await out.line(eventLine(context, event));
      }
      await out.flush();
    }
    if (!dryRun && !(await confirmed(context, `Undo position ${position}?`, options.yes))) {
      context.note('recollect: nothing was done');
      return FINE;
    }
    context.signal.throwIfAborted();
    const undone = await memory.undo(position, { ...written, ...(dryRun ? { dryRun } : {}) });
    if (context.json) await out.json({ ...undone, dryRun: dryRun === true });
    else {
      const what = undone.ids.map((id) => context.paint.name(id)).join(', ');
      if (!undone.changed) await out.line('nothing was left to undo');
      else if (dryRun) await out.line(`would undo it in ${what}`);
      else await out.line(`position ${undone.position} undoes it in ${what}`);
    }
    return FINE;
  } finally {
    await memory.close();
  }
}
