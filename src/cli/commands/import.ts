/** `recollect import`: events into a new store, or what stands elsewhere into a memory. */
import type {
  ExportFormat,
  Memory,
  MemoryImportFormat,
  MemoryImportProgress,
} from '../../index.js';
import type { Context } from '../context.js';
import { plain } from '../escape.js';
import { FINE, WrongUse } from '../exit-codes.js';
import { actorOf, given } from '../input.js';
import type { Reached } from '../progress.js';

const EVENT_FORMATS = ['ndjson', 'cloudevents'] as const;

interface ImportOptions {
  readonly format?: ExportFormat | MemoryImportFormat | 'auto';
  readonly clampTimes?: boolean;
  readonly actor?: string;
  readonly reason?: string;
  readonly into?: 'episodes' | 'conversations';
  readonly restart?: boolean;
}

function isOfEvents(format: string): format is ExportFormat {
  return EVENT_FORMATS.some((each) => each === format);
}

export async function importInto(
  context: Context,
  [file = '', directory = '']: readonly string[],
  options: ImportOptions,
): Promise<number> {
  const { format = 'ndjson' } = options;
  const { stdin } = context.io;
  if (file === '-' && stdin.isTTY) {
    throw new WrongUse('there is nothing on standard input: name a file, or use a pipe');
  }
  if (isOfEvents(format)) {
    refuse(options, ['actor', 'reason', 'into', 'restart'], 'mcp, chat, markdown and git');
    return await importEvents(context, file, directory, format, options.clampTimes ?? false);
  }
  refuse(options, ['clampTimes'], 'ndjson and cloudevents');
  if (file === '-' && format === 'auto') {
    throw new WrongUse('--format auto looks at a path; say what comes on standard input');
  }
  const wanted = format === 'auto' ? undefined : format;
  return await importMemories(context, file, directory, wanted, options);
}

function refuse(options: ImportOptions, names: readonly (keyof ImportOptions)[], others: string) {
  for (const name of names) {
    if (options[name] === undefined || options[name] === false) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new WrongUse(`--${flag} goes with the formats ${others}`);
  }
}

async function importEvents(
  context: Context,
  file: string,
  directory: string,
  format: ExportFormat,
  clampTimes: boolean,
): Promise<number> {
  const { importStore } = await import('../../compaction/import.js');
  const source = file === '-' ? context.io.stdin : context.path(file);
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
    await out.line(`${paint.name(report.directory)} is a store, ${id}`);
    await out.line(`${commits} commits, ${events} events${goingOn(resumed)}`);
  }
  return FINE;
}

async function importMemories(
  context: Context,
  file: string,
  directory: string,
  format: MemoryImportFormat | undefined,
  { actor, reason, into, restart }: ImportOptions,
): Promise<number> {
  const { importWith } = await import('../../importers/import-memory.js');
  const { openMemory } = await import('../../memory/memory.js');
  let memory: Memory | undefined;
  const open = async () => (memory = await openMemory(context.path(directory), context.access));
  try {
    const report = await importWith(file === '-' ? context.io.stdin : context.path(file), open, {
      ...given({ format, into, restart, reason, actor: actorOf(context, actor) }),
      onProgress: (progress) => context.progress.report(reached(progress)),
      signal: context.signal,
    });
    context.progress.stop();
    const { out, paint } = context;
    if (context.json) await out.json(report);
    else {
      const { items, imported, commits, resumed, skipped } = report;
      await out.line(
        `${imported} of ${items} items of ${report.format} in ${commits} commits${goingOn(resumed)}: ${paint.name(report.source)}`,
      );
      for (const { where, reason: why } of skipped) {
        await out.line(`left out: ${plain(where)}: ${plain(why)}`);
      }
    }
    return FINE;
  } finally {
    await memory?.close();
  }
}

function goingOn(resumed: boolean): string {
  return resumed ? ', going on with an earlier import' : '';
}

function reached({ phase, bytes, totalBytes, items, totalItems }: MemoryImportProgress): Reached {
  return totalItems === undefined
    ? { phase, done: bytes, total: totalBytes, unit: 'bytes' }
    : { phase, done: items, total: totalItems };
}
