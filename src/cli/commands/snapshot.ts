/** `recollect snapshot` */
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { tableLines } from '../table.js';
import { shownBytes } from '../times.js';
import { keeping, lookAt } from '../writing.js';

export async function snapshot(
  context: Context,
  [directory = '']: readonly string[],
): Promise<number> {
  const kept = await lookAt(context, directory);
  return await keeping(context, kept, { readOnly: false }, async (store) => {
    const report = await store.snapshot({ onProgress: context.progress.report });
    context.progress.stop();
    const { out, paint } = context;
    if (context.json) {
      await out.json(report);
      return FINE;
    }
    await out.line(`snapshots as of position ${report.position}`);
    const rows = report.parts.map(({ name, keys, bytes, skipped }) => [
      paint.name(name),
      `${keys} keys`,
      skipped === undefined ? shownBytes(bytes) : paint.warning(`left out: ${skipped}`),
    ]);
    for (const line of tableLines(rows)) await out.line(line);
    return FINE;
  });
}
