/** The Markdown files of a folder, in the order of their names. Links are not followed, so that no folder is entered twice. */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { ImportFailedError } from '../errors.js';
import type { Notes } from './item.js';
import type { MarkdownFile } from './markdown.js';
import { unreadable } from './text-lines.js';

export interface FoundFile extends MarkdownFile {
  readonly bytes: number;
}

export const MARKDOWN_FILE: RegExp = /\.(?:md|markdown)$/i;
const NOT_ENTERED = 'node_modules';
const DEPTH_MAX = 100;

/** @throws ImportFailedError for a folder or file that may not be read */
export async function* filesOf(folder: string, notes: Notes): AsyncGenerator<FoundFile, void> {
  yield* filesBelow(folder, '', 0, notes);
}

async function* filesBelow(
  folder: string,
  prefix: string,
  depth: number,
  notes: Notes,
): AsyncGenerator<FoundFile, void> {
  notes.signal?.throwIfAborted();
  const path = join(folder, prefix);
  if (depth > DEPTH_MAX) throw new ImportFailedError(path, `it lies ${depth} folders deep`);
  for (const entry of await namesIn(path)) {
    const name = `${prefix}${entry}`;
    const stat = await lstat(join(folder, name)).catch((error: unknown) => {
      throw unreadable(join(folder, name), error);
    });
    if (stat.isSymbolicLink()) notes.skip(name, 'a symbolic link');
    else if (stat.isDirectory()) {
      if (entry.startsWith('.') || entry === NOT_ENTERED) notes.skip(`${name}/`, 'not entered');
      else yield* filesBelow(folder, `${name}/`, depth + 1, notes);
    } else if (MARKDOWN_FILE.test(entry)) {
      if (!stat.isFile()) notes.skip(name, 'no regular file');
      else if (entry.startsWith('.')) notes.skip(name, 'its name begins with a dot');
      else yield { path: join(folder, name), name, ...factsOf(stat) };
    }
  }
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(path)) names.push(name);
  } catch (error) {
    throw unreadable(path, error);
  }
  return names.sort();
}

/** What is told of a file. */
export function factsOf({
  size,
  mtime,
}: {
  readonly size: number;
  readonly mtime: Date;
}): Pick<FoundFile, 'bytes' | 'changedAt'> {
  return { bytes: size, changedAt: mtime.toISOString() };
}
