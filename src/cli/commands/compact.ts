/** `recollect compact` */
import type { CompactionReport } from '../../store.js';
import { confirmed } from '../confirm.js';
import type { Context } from '../context.js';
import { plain } from '../escape.js';
import { FINE } from '../exit-codes.js';
import { shownBytes } from '../times.js';
import { type Kept, keeping, lookAt } from '../writing.js';

interface CompactOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export async function compact(
  context: Context,
  [directory = '']: readonly string[],
  { dryRun = false, yes }: CompactOptions,
): Promise<number> {
  const kept = await lookAt(context, directory);
  if (kept.config.retention && !dryRun && !(await mayDrop(context, kept, yes))) {
    context.note('recollect: nothing was done');
    return FINE;
  }
  context.signal.throwIfAborted();
  return await keeping(context, kept, { readOnly: dryRun }, async (store) => {
    const report = await store.compact({ dryRun, onProgress: context.progress.report });
    context.progress.stop();
    await print(context, report);
    return FINE;
  });
}

/** What goes is known only when it goes: others append, and the segment that is written now is closed first. */
async function mayDrop(context: Context, kept: Kept, yes: boolean | undefined): Promise<boolean> {
  // Nobody is asked: then nothing need be known.
  if (yes) return true;
  const { dropped } = await keeping(context, kept, { readOnly: true }, async (store) => {
    return await store.compact({ dryRun: true, onProgress: context.progress.report });
  });
  const last = dropped.at(-1);
  const what = last
    ? `events for good, as it stands those up to position ${last.last}`
    : 'events for good, if any have become due';
  return await confirmed(context, `The retention rule takes away ${what}. Go on?`, yes);
}

async function print(context: Context, report: CompactionReport): Promise<void> {
  const { out, paint } = context;
  if (context.json) {
    await out.json(report);
    return;
  }
  const { dryRun, position, moved, dropped, refused, bytesBefore, bytesAfter } = report;
  const would = dryRun ? 'would be ' : '';
  await out.line(`as of position ${position}`);
  for (const { first, last, bytes } of moved) {
    await out.line(
      `${would}moved to the archive: positions ${first} to ${last}, ${shownBytes(bytes)}`,
    );
  }
  for (const { first, last, bytes } of dropped) {
    await out.line(
      paint.removed(`${would}dropped: positions ${first} to ${last}, ${shownBytes(bytes)}`),
    );
  }
  for (const { first, last, reason, projection } of refused) {
    const whose = projection === undefined ? '' : ` (${plain(projection)})`;
    await out.line(paint.warning(`kept: positions ${first} to ${last}: ${reason}${whose}`));
  }
  await out.line(`${shownBytes(bytesBefore)} before, ${shownBytes(bytesAfter)} after`);
}
