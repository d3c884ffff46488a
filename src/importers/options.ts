/** What an import is told, and what it tells. */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import { checkSignal } from '../log/on-abort.js';

/** All there are. */
export const MEMORY_IMPORT_FORMATS = ['mcp', 'chat', 'markdown', 'git'] as const;

/** The file of an MCP memory server, a chat transcript, Markdown, the history of a git repository. */
export type MemoryImportFormat = (typeof MEMORY_IMPORT_FORMATS)[number];

/** The path of a file, a folder or a repository, or what gives bytes or text piece by piece, such as a stream of Node. */
export type ImportItemSource = string | URL | AsyncIterable<Uint8Array | string>;

/** How far an import has come. Of its phases each begins anew at 0. */
export interface MemoryImportProgress {
  /** All of the source is read and checked first, then written. */
  readonly phase: 'check' | 'write';
  readonly items: number;
  /** Known from the check. */
  readonly totalItems: number | undefined;
  /** Of the source, about. */
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  /** In this phase. */
  readonly itemsPerSecond: number;
}

/** A commit of an import that is durable. */
export interface MemoryImportCommit {
  readonly idempotencyKey: string;
  /** That it brought. */
  readonly items: number;
  /** Items of the source, or the part, that the import is done with. */
  readonly done: number;
}

export interface MemoryImportOptions {
  /** Default: recognised by looking. */
  readonly format?: MemoryImportFormat | undefined;
  /** What the source is known by. Default: its path; of a stream its content. */
  readonly name?: string | undefined;
  /** What messages of a chat become. Default `'episodes'`; `'conversations'`: items of the long-term memory of each session. */
  readonly into?: 'episodes' | 'conversations' | undefined;
  /** One of several importers that share the work; `number` is from 1. Default: all of it. */
  readonly part?: { readonly number: number; readonly of: number } | undefined;
  /** Items in one commit at most, from 1 to 1000. Default 256. */
  readonly itemsPerCommit?: number | undefined;
  /** Take a source that has changed from its beginning; what was imported before, word for word, is left out. Default false. */
  readonly restart?: boolean | undefined;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  /** Called at most every 100 ms, and when a phase ends. What it throws ends the import. */
  readonly onProgress?: ((progress: MemoryImportProgress) => void) | undefined;
  /** Called behind each commit; a promise is waited for. What it throws ends the import. */
  readonly onCommit?: ((commit: MemoryImportCommit) => void | Promise<void>) | undefined;
  /** Aborted: the import ends with the signal's reason, behind its last commit. */
  readonly signal?: AbortSignal | undefined;
}

/** Something of the source that was left out on purpose. */
export interface SkippedItem {
  /** The file, and where it helps the line. */
  readonly where: string;
  readonly reason: string;
}

export interface MemoryImportReport {
  readonly format: MemoryImportFormat;
  /** The stream in the log that tells of the import. */
  readonly source: string;
  /** Items of the source, or of the part. */
  readonly items: number;
  /** Those that this call wrote. */
  readonly imported: number;
  readonly commits: number;
  /** Of the source, about. */
  readonly bytes: number;
  /** Whether it went on with an earlier import. */
  readonly resumed: boolean;
  /** The first 100. */
  readonly skipped: readonly SkippedItem[];
}

/** Options with nothing left open. */
export interface ImportSettings {
  readonly format: MemoryImportFormat | undefined;
  readonly name: string | undefined;
  readonly into: 'episodes' | 'conversations';
  readonly part: { readonly number: number; readonly of: number };
  readonly itemsPerCommit: number;
  readonly restart: boolean;
  readonly actor: string | undefined;
  readonly reason: string | undefined;
  readonly onProgress: ((progress: MemoryImportProgress) => void) | undefined;
  readonly onCommit: ((commit: MemoryImportCommit) => void | Promise<void>) | undefined;
  readonly signal: AbortSignal | undefined;
}

const OPTIONS = optionNames<MemoryImportOptions>({
  format: true,
  name: true,
  into: true,
  part: true,
  itemsPerCommit: true,
  restart: true,
  actor: true,
  reason: true,
  onProgress: true,
  onCommit: true,
  signal: true,
});
const ITEMS_PER_COMMIT = 256;
const ITEMS_PER_COMMIT_MAX = 1000;
const PARTS_MAX = 1000;
const TEXT_MAX = 2000;

/** @throws TypeError */
export function importSettings(options: MemoryImportOptions): ImportSettings {
  checkOptionNames(options, OPTIONS, 'importMemory');
  const { format, into = 'episodes', restart = false, signal, onProgress, onCommit } = options;
  const { name, actor, reason, itemsPerCommit = ITEMS_PER_COMMIT } = options;
  if (format !== undefined) checkFormat(format);
  if (into !== 'episodes' && into !== 'conversations') {
    throw invalidArgument("into must be 'episodes' or 'conversations'");
  }
  for (const [member, text] of Object.entries({ name, actor, reason })) {
    if (text === undefined) continue;
    if (typeof text === 'string' && text.trim() !== '' && text.length <= TEXT_MAX) continue;
    throw invalidArgument(`${member} must be a text of 1 to ${TEXT_MAX} characters`);
  }
  if (typeof restart !== 'boolean') throw invalidArgument('restart must be true or false');
  if (!isWithin(itemsPerCommit, ITEMS_PER_COMMIT_MAX)) {
    throw invalidArgument(`itemsPerCommit must be an integer from 1 to ${ITEMS_PER_COMMIT_MAX}`);
  }
  for (const [member, call] of Object.entries({ onProgress, onCommit })) {
    if (call === undefined || typeof call === 'function') continue;
    throw invalidArgument(`${member} must be a function`);
  }
  checkSignal(signal);
  const part = checkedPart(options.part);
  return {
    format,
    name,
    into,
    part,
    itemsPerCommit,
    restart,
    actor,
    reason,
    onProgress,
    onCommit,
    signal,
  };
}

/** @throws TypeError */
export function checkFormat(format: unknown): asserts format is MemoryImportFormat {
  if (MEMORY_IMPORT_FORMATS.includes(format as MemoryImportFormat)) return;
  throw invalidArgument(`format must be one of ${MEMORY_IMPORT_FORMATS.join(', ')}`);
}

function checkedPart(part: unknown = { number: 1, of: 1 }): ImportSettings['part'] {
  const { number, of } = (part ?? {}) as { number?: unknown; of?: unknown };
  if (isWithin(of, PARTS_MAX) && isWithin(number, of)) return { number, of };
  throw invalidArgument(
    `part must be { number, of }: of from 1 to ${PARTS_MAX}, number from 1 to of`,
  );
}

function isWithin(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;
}
