/**
 * What belongs to a store, in one place: whatever copies a store copies this and nothing else.
 *
 * `index/` is derived from the log and left out. Temporary files (`*.tmp`), and bytes that a repair cut off (`*.broken`), are nobody's.
 */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { ANCHOR_FILE, LOCK_FILE, LOG_DIRECTORY, STORE_FILE, segmentOfName } from '../log/format.js';
import { ask, type Io } from '../log/io.js';

export { ANCHOR_FILE, LOCK_FILE, LOG_DIRECTORY, STORE_FILE };
/** Directories whose files never change once they have their name, and may lie in directories of their own. */
export const FINISHED_DIRECTORIES: readonly string[] = ['archive', 'snapshots'];

const PARTS_MAX = 8;
const NAME_CHARACTERS_MAX = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
const PART = /^[^./\\:\u0000-\u001f][^/\\:\u0000-\u001f]*$/;

/** Whether the name, with `/` between its parts, can be one of a file that belongs to a store: names from outside become paths only then. */
export function isStoreFile(name: string): boolean {
  if (name === STORE_FILE || name === LOCK_FILE || name === ANCHOR_FILE) return true;
  const parts = name.split('/');
  const [directory, ...rest] = parts;
  if (directory === undefined || rest.length === 0 || parts.length > PARTS_MAX) return false;
  if (directory === LOG_DIRECTORY) {
    return rest.length === 1 && segmentOfName(rest[0] as string) !== undefined;
  }
  if (!FINISHED_DIRECTORIES.includes(directory) || isNobodys(name)) return false;
  return rest.every((part) => part.length <= NAME_CHARACTERS_MAX && PART.test(part));
}

function isNobodys(name: string): boolean {
  return name.endsWith('.tmp') || name.endsWith('.broken');
}

/** Where a file of that name lies. */
export function pathOfFile(directory: string, name: string): string {
  return join(directory, ...name.split('/'));
}

/** Names of the files in `archive/` and `snapshots/`, sorted. */
export function* listFinishedFiles(directory: string): Io<string[]> {
  const names: string[] = [];
  for (const folder of FINISHED_DIRECTORIES) yield* listInto(names, directory, folder);
  return names.sort();
}

function* listInto(names: string[], directory: string, folder: string): Io<void> {
  let entries: string[];
  try {
    entries = yield* ask('list', pathOfFile(directory, folder));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  for (const entry of entries) {
    const name = `${folder}/${entry}`;
    const facts = yield* ask('facts', pathOfFile(directory, name));
    if (facts?.kind === 'directory') yield* listInto(names, directory, name);
    else if (facts && isStoreFile(name)) names.push(name);
  }
}
