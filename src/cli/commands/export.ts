/** `recollect export` */
import type { ExportFormat, ExportReport } from '../../index.js';
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
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export async function exportEvents(
  context: Context,
  [directory = '', file = '-']: readonly string[],
  { format = 'ndjson', source, dryRun = false, yes }: ExportOptions,
): Promise<number> {
  const { exportStore } = await import('../../compaction/export.js');
  const path = context.path(directory);
  const options = {
    ...context.access,
    format,
    ...given({ source }),
    ...context.course,
  };
  const sink = file === '-' ? undefined : new FileSink(context.path(file));
  if (sink?.isWithin(path)) throw new WrongUse('the file must lie outside of the store');
  if (dryRun) {
    await sink?.requireWritable();
    const report = await exportStore(path, nowhere, options);
    return await print(context, sink, report, true);
  }
  if (!sink) {
    await exportStore(path, standardSink(context.out), options);
    return FINE;
  }
  if (sink.isThere && !(await confirmed(context, `Replace ${sink.path}?`, yes))) {
    context.note('recollect: nothing was done');
    return FINE;
  }
  const report = await sink.whole((stream) => exportStore(path, stream, options));
  return await print(context, sink, report, false);
}

/** Takes everything and keeps nothing. */
async function nowhere(lines: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of lines);
}

async function print(
  context: Context,
  sink: FileSink | undefined,
  report: ExportReport,
  dryRun: boolean,
): Promise<number> {
  context.progress.stop();
  const { out, paint } = context;
  const replaces = dryRun && sink?.isThere === true;
  if (context.json) {
    const place = given({ file: sink?.path, ...(dryRun ? { replaces } : {}) });
    await out.json({ ...place, ...report, dryRun });
    return FINE;
  }
  const { commits, events, bytes } = report;
  const what = `${commits} commits, ${events} events (${shownBytes(bytes)})`;
  const name = paint.name(sink?.path ?? 'standard output');
  if (!dryRun) await out.line(`${name} holds ${what}`);
  else if (replaces) await out.line(paint.removed(`would replace ${sink.path} with ${what}`));
  else await out.line(`would write ${what} to ${name}`);
  return FINE;
}
