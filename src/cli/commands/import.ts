/** `recollect import` */
import type { ExportFormat } from '../../index.js';
import type { Context } from '../context.js';
import { FINE, WrongUse } from '../exit-codes.js';

interface ImportOptions {
  readonly format?: ExportFormat;
  readonly clampTimes?: boolean;
}

export async function importEvents(
  context: Context,
  [file = '', directory = '']: readonly string[],
  { format = 'ndjson', clampTimes = false }: ImportOptions,
): Promise<number> {
  const { importStore } = await import('../../compaction/import.js');
  const { stdin } = context.io;
  if (file === '-' && stdin.isTTY) {
    throw new WrongUse('there is nothing on standard input: name a file, or use a pipe');
  }
  const source = file === '-' ? stdin : context.path(file);
  const report = await importStore(source, context.path(directory), {
    format,
    clampTimes,
    ...context.course,
  });
  context.progress.stop();
  const { out, paint } = context;
  if (context.json) await out.json(report);
  else {
    const { id, commits, events, resumed } = report;
    const how = resumed ? ', going on with an earlier import' : '';
    await out.line(`${paint.name(report.directory)} is a store, ${id}`);
    await out.line(`${commits} commits, ${events} events${how}`);
  }
  return FINE;
}
