/** `recollect export` */
import type { ExportFormat } from '../../index.js';
import { confirmed } from '../confirm.js';
import type { Context } from '../context.js';
import { FINE, WrongUse } from '../exit-codes.js';
import { FileSink } from '../file-sink.js';
import { given } from '../input.js';
import { standardSink } from '../standard-sink.js';
import { shownBytes } from '../times.js';

interface ExportOptions {
  readonly format?: ExportFormat;
  readonly source?: string;
  readonly yes?: boolean;
}

export async function exportEvents(
  context: Context,
  [directory = '', file = '-']: readonly string[],
  { format = 'ndjson', source, yes }: ExportOptions,
): Promise<number> {
  const { exportStore } = await import('../../compaction/export.js');
  const path = context.path(directory);
  const options = {
    ...context.access,
    format,
    ...given({ source }),
    ...context.course,
  };
  if (file === '-') {
    await exportStore(path, standardSink(context.out), options);
    return FINE;
  }
  const sink = new FileSink(context.path(file));
  if (sink.isWithin(path)) throw new WrongUse('the file must lie outside of the store');
  if (sink.isThere && !(await confirmed(context, `Replace ${sink.path}?`, yes))) {
    context.note('recollect: nothing was done');
    return FINE;
  }
  const report = await sink.whole((stream) => exportStore(path, stream, options));
  context.progress.stop();
  const { out, paint } = context;
  if (context.json) await out.json({ file: sink.path, ...report });
  else {
    const { commits, events, bytes } = report;
    await out.line(
      `${paint.name(sink.path)} holds ${commits} commits, ${events} events (${shownBytes(bytes)})`,
    );
  }
  return FINE;
}
