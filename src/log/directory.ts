/** Paths from outside as the file system has them. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument } from '../errors.js';

/**
 * The absolute path of a directory, which need not be there. Links above it are followed, so that a link to a store's directory
 * works, while nothing inside of a store is ever reached through a link.
 * @throws TypeError
 */
export function realDirectory(directory: unknown, what = 'the directory'): string {
  if (typeof directory !== 'string' || directory === '') {
    const hint = directory instanceof URL ? '; fileURLToPath of node:url makes one of a URL' : '';
    throw invalidArgument(`${what} must be a path, a text that is not empty${hint}`);
  }
  if (directory.includes('\0')) throw invalidArgument(`${what} must not hold a zero byte`);
  return realPath(resolve(directory));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
