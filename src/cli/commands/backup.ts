/** `recollect backup` */
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { given } from '../input.js';
import { reading } from '../opening.js';
import { shownBytes } from '../times.js';

interface BackupOptions {
  readonly since?: string;
}

export async function backup(
  context: Context,
  [directory = '', target = '']: readonly string[],
  { since }: BackupOptions,
): Promise<number> {
  return await reading(context, directory, {}, async (store) => {
    const report = await store.backup(context.path(target), {
      ...given({ since: since === undefined ? undefined : context.path(since) }),
      ...context.course,
    });
    context.progress.stop();
    const { out, paint } = context;
    if (context.json) await out.json(report);
    else {
      const { head, files, bytes, sharedBytes } = report;
      const shared = sharedBytes > 0 ? `, ${shownBytes(sharedBytes)} of them shared` : '';
      await out.line(
        `${paint.name(report.directory)} holds position ${head.position} (${context.time(head.time)}): ${files} files, ${shownBytes(bytes)}${shared}`,
      );
      await out.line(`seal ${head.seal}`);
    }
    return FINE;
  });
}
