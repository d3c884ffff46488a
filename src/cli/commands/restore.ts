/** `recollect restore` */
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { given } from '../input.js';
import { momentOf } from '../times.js';

interface RestoreOptions {
  readonly to?: string;
}

export async function restore(
  context: Context,
  [source = '', target = '']: readonly string[],
  { to }: RestoreOptions,
): Promise<number> {
  const { restoreStore } = await import('../../compaction/restore.js');
  const report = await restoreStore(context.path(source), context.path(target), {
    ...context.access,
    ...given({ to: to === undefined ? undefined : momentOf(to) }),
    ...context.course,
  });
  context.progress.stop();
  const { out, paint } = context;
  if (context.json) await out.json(report);
  else {
    const { directory, id, head } = report;
    await out.line(`${paint.name(directory)} is a store, ${id}`);
    await out.line(`position ${head.position} (${context.time(head.time)})  seal ${head.seal}`);
  }
  return FINE;
}
