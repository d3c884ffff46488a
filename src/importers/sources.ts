/** Opens a source: whatever it is, it can be read from its beginning as often as is wanted. */
import { createHash } from 'node:crypto';
import { mkdtemp, open, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { untilAborted } from '../compaction/import.js';
import { ImportFailedError, invalidArgument } from '../errors.js';
import { chatItems, sessionOf } from './chat.js';
import { type FoundFile, factsOf, filesOf } from './folder.js';
import { openGit } from './git.js';
import type { ImportItem, ItemSource, Notes } from './item.js';
import { markdownItems } from './markdown.js';
import { mcpItems } from './mcp.js';
import type { ImportItemSource, ImportSettings } from './options.js';
import { pathOf, recognised } from './recognise.js';
import { unreadable } from './text-lines.js';

/** @throws ImportFailedError, TypeError, the signal's reason */
export async function openSource(
  source: ImportItemSource,
  settings: ImportSettings,
): Promise<ItemSource> {
  settings.signal?.throwIfAborted();
  if (isIterable(source)) return await spooled(source, settings);
  const path = pathOf(source);
  const label = await realpath(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  return await sourceAt(label, settings.name ?? label, label, settings);
}

function isIterable(source: unknown): source is AsyncIterable<Uint8Array | string> {
  const { [Symbol.asyncIterator]: iterate } = (source ?? {}) as Partial<AsyncIterable<unknown>>;
  return typeof iterate === 'function';
}

async function sourceAt(
  path: string,
  name: string,
  label: string,
  settings: ImportSettings,
): Promise<ItemSource> {
  const format = settings.format ?? (await recognised(path, label));
  if (format === 'git') return { ...(await openGit(path, settings.signal)), label: name };
  const facts = await stat(path);
  const common = {
    format,
    label: name,
    totalBytes: facts.isDirectory() ? undefined : facts.size,
    close: async () => {},
  };
  if (format === 'mcp') return { ...common, items: (notes) => mcpItems(path, label, notes) };
  if (format === 'chat') {
    const options = { into: settings.into, session: sessionOf(name) };
    return { ...common, items: (notes) => chatItems(path, label, notes, options) };
  }
  const file: FoundFile = { path, name: basename(label), ...factsOf(facts) };
  const files = facts.isDirectory() ? (notes: Notes) => filesOf(path, notes) : () => only(file);
  return { ...common, items: (notes) => folderItems(files(notes), label, notes) };
}

async function* only<T>(value: T): AsyncGenerator<T, void> {
  yield value;
}

async function* folderItems(
  files: AsyncIterable<FoundFile>,
  label: string,
  { signal }: Notes,
): AsyncGenerator<ImportItem, void> {
  let bytesBefore = 0;
  let some = false;
  for await (const file of files) {
    some = true;
    yield* markdownItems(file, { signal, bytesBefore, label: file.path });
    bytesBefore += file.bytes;
  }
  if (!some) throw new ImportFailedError(label, 'there is no Markdown file in it');
}

const STREAM = 'the source';

/** What comes piece by piece is put into a file first: it can only be read once, and all of it is checked before anything is written. */
async function spooled(
  source: AsyncIterable<Uint8Array | string>,
  settings: ImportSettings,
): Promise<ItemSource> {
  if (settings.format === 'git') {
    throw invalidArgument('a git history is imported from the path of its repository');
  }
  const folder = await mkdtemp(join(tmpdir(), 'recollect-import-'));
  const close = async () => await rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'source');
    const sha256 = await put(source, path, settings.signal);
    const name = settings.name ?? `sha256:${sha256}`;
    const opened = await sourceAt(path, name, settings.name ?? STREAM, settings);
    return { ...opened, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function put(
  source: AsyncIterable<Uint8Array | string>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  try {
    const pieces = new Pieces();
    const add = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await file.writeFile(bytes);
    };
    for await (const piece of untilAborted(source, signal)) await add(pieces.take(piece));
    await add(pieces.end());
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** Bytes of text that comes in pieces: a cut may go through a character of two halves. */
class Pieces {
  #half = '';

  take(piece: unknown): Uint8Array {
    if (typeof piece === 'string') {
      const text = this.#half + piece;
      const last = text.charCodeAt(text.length - 1);
      const isCut = last >= 0xd800 && last <= 0xdbff;
      this.#half = isCut ? text.slice(-1) : '';
      return textBytes(isCut ? text.slice(0, -1) : text);
    }
    if (piece instanceof Uint8Array) {
      if (piece.length === 0) return piece;
      return this.#half === '' ? piece : this.end();
    }
    throw invalidArgument(
      'the source must give bytes or text; a stream in object mode gives neither',
    );
  }

  /** @throws TypeError for a first half that no second one follows */
  end(): Uint8Array {
    return textBytes(this.#half);
  }
}

function textBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text);
  throw invalidArgument('the source must give whole text; it gave half of a surrogate pair');
}
