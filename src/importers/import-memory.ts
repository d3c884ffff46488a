/**
 * Imports into a memory. Invariants:
 * - all of a source is read and checked before anything is written;
 * - what a commit brings, and how far the import is with it, stand in the log both or neither, so that nothing is imported twice or left out wherever it ends;
 * - an import goes on only where the source still begins as it did.
 */
import { createHash, type Hash } from 'node:crypto';
import { ImportFailedError, ImportSourceChangedError, invalidArgument } from '../errors.js';
import type { ImportMark } from '../memory/import-events.js';
import { Memory, openMemory } from '../memory/memory.js';
import { digestOf, type ImportItem, type ItemSource, Notes, partOf } from './item.js';
import { Ledger } from './ledger.js';
import {
  type ImportItemSource,
  type ImportSettings,
  importSettings,
  type MemoryImportOptions,
  type MemoryImportReport,
} from './options.js';
import { Progress } from './progress.js';
import { planOf, type Run } from './runs.js';
import { openSource } from './sources.js';
import { Writer } from './writer.js';

/** Of a commit: well below what a store takes by default, 8 MiB and 10 000 streams. */
const COMMIT_BYTES = 1024 * 1024;
const COMMIT_STREAMS = 2000;

/**
 * Takes a source into the models of a memory: docs/IMPORTING.md says what becomes of what. The same call again goes on where an import that was killed,
 * aborted or refused had come to, and changes nothing where one is done.
 *
 * @param source - the path of a file, a folder or a repository, or what gives bytes or text piece by piece
 * @param target - an open memory, or where one is to be opened, as `openMemory` takes it
 * @throws ImportFailedError with file, line and column: nothing was written; ImportSourceChangedError; TypeError; the signal's reason, and what the calls of
 * the memory throw: then the last whole commit stands
 */
export async function importMemory(
  source: ImportItemSource,
  target: Memory | string | URL,
  options: MemoryImportOptions = {},
): Promise<MemoryImportReport> {
  if (target instanceof Memory) return await importWith(source, () => target, options);
  if (typeof target !== 'string' && !(target instanceof URL)) {
    importSettings(options);
    throw invalidArgument('the target must be an open memory, or where to open one');
  }
  let memory: Memory | undefined;
  try {
    const open = async () => (memory = await openMemory(target));
    return await importWith(source, open, options);
  } finally {
    await memory?.close();
  }
}

/**
 * As importMemory, into a memory that is opened once the source has been found to be whole, so that nothing is made for one that is refused.
 * @internal
 */
export async function importWith(
  source: ImportItemSource,
  target: () => Memory | Promise<Memory>,
  options: MemoryImportOptions,
): Promise<MemoryImportReport> {
  const settings = importSettings(options);
  const opened = await openSource(source, settings);
  try {
    const progress = new Progress(settings, opened.totalBytes);
    const checked = await check(opened, settings, progress);
    return await new Import(await target(), opened, settings, progress, checked).run();
  } finally {
    await opened.close();
  }
}

interface Checked {
  readonly items: number;
  readonly bytes: number;
  readonly digest: string;
}

/** Reads all of the source. @throws ImportFailedError */
async function check(
  source: ItemSource,
  settings: ImportSettings,
  progress: Progress,
): Promise<Checked> {
  const { part, signal } = settings;
  const hash = createHash('sha256');
  let items = 0;
  let bytes = 0;
  let some = false;
  for await (const item of source.items(new Notes(signal))) {
    some = true;
    if (partOf(item.lane, part.of) === part.number) {
      items += 1;
      hash.update(digestOf(item));
    }
    bytes = item.bytes;
    progress.reach(items, bytes);
  }
  if (!some) {
    throw new ImportFailedError(source.label, 'there is nothing in it', { line: 1, column: 1 });
  }
  progress.end();
  return { items, bytes, digest: hash.digest('hex') };
}

/** What waits to be written as one commit. */
class Batch {
  readonly items: ImportItem[] = [];
  keys = '';
  #bytes = 0;
  #streams = 0;

  add(item: ImportItem, digest: string): void {
    const { relations = [], shared = [], sites = [], user } = item.content;
    this.items.push(item);
    this.keys += digest;
    this.#bytes += JSON.stringify(item.content).length;
    this.#streams += 2 + 2 * relations.length + shared.length + sites.length + (user ? 1 : 0);
  }

  isFull(itemsMax: number): boolean {
    const { length } = this.items;
    return length >= itemsMax || this.#bytes >= COMMIT_BYTES || this.#streams >= COMMIT_STREAMS;
  }
}

/** How far a run has come. */
interface Course {
  readonly run: Run;
  readonly hash: Hash;
  items: number;
  imported: number;
  bytes: number;
  batch: Batch;
}

class Import {
  readonly #source: ItemSource;
  readonly #settings: ImportSettings;
  readonly #progress: Progress;
  readonly #checked: Checked;
  readonly #ledger: Ledger;
  readonly #writer: Writer;
  readonly #notes: Notes;
  #items = 0;
  #imported = 0;
  #commits = 0;

  constructor(
    memory: Memory,
    source: ItemSource,
    settings: ImportSettings,
    progress: Progress,
    checked: Checked,
  ) {
    this.#source = source;
    this.#settings = settings;
    this.#progress = progress;
    this.#checked = checked;
    this.#ledger = new Ledger(memory, source, settings);
    this.#writer = new Writer(memory, this.#ledger, settings);
    this.#notes = new Notes(settings.signal);
  }

  async run(): Promise<MemoryImportReport> {
    const reached = await this.#ledger.reached();
    const { restart } = this.#settings;
    const runs = await planOf(this.#source, reached, restart);
    const none = new Map<string, number>();
    const isAnew = restart || (reached !== undefined && isRestart(reached.mark));
    const known = isAnew ? await this.#ledger.known() : none;
    const whole = runs.length === 1 && runs[0]?.span?.from === undefined;
    this.#progress.begin('write', whole ? this.#checked.items : undefined);
    for (const run of runs) {
      // A further stretch of a history holds nothing that came before, but may bring back what a directory held long ago.
      await this.#carryOut(run, run.span?.from === undefined ? known : none);
    }
    this.#progress.end();
    return Object.freeze({
      format: this.#source.format,
      source: this.#ledger.stream,
      items: runs.length === 0 ? (reached?.mark.items ?? 0) : this.#items,
      imported: this.#imported,
      commits: this.#commits,
      bytes: this.#checked.bytes,
      resumed: reached !== undefined && !restart,
      skipped: Object.freeze([...this.#notes.skipped]),
    });
  }

  async #carryOut(run: Run, known: Map<string, number>): Promise<void> {
    const { part, itemsPerCommit } = this.#settings;
    const hash = createHash('sha256');
    const imported = run.after?.mark.imported ?? 0;
    const course: Course = { run, hash, items: 0, imported, bytes: 0, batch: new Batch() };
    for await (const item of this.#again(course)) {
      course.bytes = item.bytes;
      if (partOf(item.lane, part.of) !== part.number) continue;
      const digest = digestOf(item);
      course.items += 1;
      hash.update(digest);
      if (this.#isDone(course)) {
        take(known, digest);
        continue;
      }
      if (take(known, digest)) this.#progress.reach(this.#items + course.items, item.bytes);
      else course.batch.add(item, digest);
      if (course.batch.isFull(itemsPerCommit)) await this.#write(course, false);
    }
    this.#checkEnd(course);
    const { after } = run;
    const hasNews = course.batch.items.length > 0 || course.items > (after?.mark.items ?? 0);
    if (hasNews || !after?.finished) await this.#write(course, true);
    this.#items += course.items;
  }

  /** @throws ImportSourceChangedError for what was right when it was checked, and no more */
  async *#again(course: Course): AsyncGenerator<ImportItem, void> {
    try {
      yield* this.#source.items(this.#notes, course.run.span);
    } catch (error) {
      if (!(error instanceof ImportFailedError)) throw error;
      const where = error.line === undefined ? '' : ` at line ${error.line}`;
      const problem = `it was changed${where} while it was imported`;
      throw new ImportSourceChangedError(this.#source.label, course.items, problem);
    }
  }

  /** Whether the item was imported before. @throws ImportSourceChangedError when those up to here are others now */
  #isDone({ run: { after }, items, hash }: Course): boolean {
    if (!after || items > after.mark.items) return false;
    if (items < after.mark.items || hash.copy().digest('hex') === after.mark.digest) return true;
    throw new ImportSourceChangedError(
      this.#source.label,
      items,
      'what stands before that is not what it was',
    );
  }

  /** @throws ImportSourceChangedError when the source is shorter now, or was changed between check and import */
  #checkEnd({ run: { after, span }, items, hash }: Course): void {
    const before = after?.mark.items ?? 0;
    if (items < before) {
      const problem = `it has only ${items} items now`;
      throw new ImportSourceChangedError(this.#source.label, before, problem);
    }
    if (span?.from !== undefined || span?.to !== this.#source.history?.head) return;
    if (hash.copy().digest('hex') === this.#checked.digest) return;
    const problem = 'it was changed while it was imported';
    throw new ImportSourceChangedError(this.#source.label, items, problem);
  }

  async #write(course: Course, finished: boolean): Promise<void> {
    const { run, batch, items, bytes, hash } = course;
    course.batch = new Batch();
    course.imported += batch.items.length;
    const mark: ImportMark = {
      source: this.#source.label,
      format: this.#source.format,
      run: run.number,
      items,
      imported: course.imported,
      bytes,
      digest: hash.copy().digest('hex'),
      ...(batch.keys === '' ? {} : { keys: batch.keys }),
      ...run.span,
    };
    // Behind a last batch that was full only the end is to be said.
    const place = batch.items.length === 0 ? `${items}-end` : String(items);
    const idempotencyKey = `${this.#ledger.key}/${run.number}/${place}`;
    await this.#writer.write(batch.items, mark, finished, idempotencyKey);
    this.#commits += 1;
    this.#imported += batch.items.length;
    const commit = { idempotencyKey, items: batch.items.length, done: items };
    await this.#settings.onCommit?.(Object.freeze(commit));
    this.#progress.reach(this.#items + items, bytes);
  }
}

/** A run that is not the first and begins where the source does: it leaves out what the runs before it brought, also when it is gone on with. */
function isRestart({ run, from }: ImportMark): boolean {
  return run > 1 && from === undefined;
}

/** Whether it was known once more than it has been met. */
function take(known: Map<string, number>, digest: string): boolean {
  const count = known.get(digest) ?? 0;
  if (count > 0) known.set(digest, count - 1);
  return count > 0;
}
