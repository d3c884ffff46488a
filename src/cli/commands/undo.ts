/** `recollect undo` */
import type { Memory } from '../../memory/memory.js';
import { confirmed } from '../confirm.js';
import type { Context } from '../context.js';
import { eventLine } from '../event-line.js';
import { FINE } from '../exit-codes.js';
import { actorOf, given } from '../input.js';
import { positionOf } from '../times.js';
import { type Kept, lookAt } from '../writing.js';

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
  const kept = await lookAt(context, directory);
  const { reason, idempotencyKey, dryRun = false } = options;
  const written = given({ actor: actorOf(context, options.actor), reason, idempotencyKey });
  const plan = await withMemory(context, kept, true, async (memory) => {
    // What cannot be undone is not asked for.
    const planned = await memory.undo(position, { ...written, dryRun: true });
    if (!context.json) await printWhat(context, memory, position);
    return planned;
  });
  if (dryRun) {
    await print(context, plan, true);
    return FINE;
  }
  if (!(await confirmed(context, `Undo position ${position}?`, options.yes))) {
    context.note('recollect: nothing was done');
    return FINE;
  }
  const undone = await withMemory(context, kept, false, (memory) => memory.undo(position, written));
  await print(context, undone, false);
  return FINE;
}

/** Open for reading until somebody has said yes: whoever has a store open for writing holds its retention back. */
async function withMemory<T>(
  context: Context,
  { path, config }: Kept,
  readOnly: boolean,
  work: (memory: Memory) => Promise<T>,
): Promise<T> {
  context.signal.throwIfAborted();
  const { openMemory } = await import('../../memory/memory.js');
  const options = { ...context.access, create: false, compaction: false, readOnly };
  const memory = await openMemory(path, { ...config, ...options });
  try {
    context.signal.throwIfAborted();
    return await work(memory);
  } finally {
    await memory.close();
  }
}

async function printWhat(context: Context, memory: Memory, position: number): Promise<void> {
  for await (const event of memory.engine.readAll({ from: position, to: position })) {
    await context.out.line(eventLine(context, event));
  }
  await context.out.flush();
}

async function print(
  context: Context,
  undone: Awaited<ReturnType<Memory['undo']>>,
  dryRun: boolean,
): Promise<void> {
  const { out, paint } = context;
  if (context.json) {
    await out.json({ ...undone, dryRun });
    return;
  }
  const what = undone.ids.map((id) => paint.name(id)).join(', ');
  if (!undone.changed) await out.line('nothing was left to undo');
  else if (dryRun) await out.line(`would undo it in ${what}`);
  else await out.line(`position ${undone.position} undoes it in ${what}`);
}
