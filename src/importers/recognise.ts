/** What a source is, by looking at it. */
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ImportFailedError, invalidArgument } from '../errors.js';
import { checkChatText } from './chat.js';
import { MARKDOWN_FILE } from './folder.js';
import { formatOfObject } from './mcp.js';
import type { MemoryImportFormat } from './options.js';
import { linesOf, unreadable } from './text-lines.js';

/**
 * What `importMemory` would take a path for.
 * @throws ImportFailedError for what is nothing that can be imported, or cannot be read; TypeError
 */
export async function recogniseImport(path: string | URL): Promise<MemoryImportFormat> {
  const name = pathOf(path);
  return await recognised(name, name);
}

/** @throws TypeError */
export function pathOf(path: string | URL): string {
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path);
  if (typeof path === 'string' && path !== '' && !path.includes('\u0000')) return path;
  throw invalidArgument(
    'the source must be a path, a file: URL, or give bytes when it is iterated',
  );
}

/** @internal */
export async function recognised(path: string, label: string): Promise<MemoryImportFormat> {
  const facts = await stat(path).catch((error: unknown) => {
    throw unreadable(label, error);
  });
  if (facts.isDirectory()) return (await isRepository(path)) ? 'git' : 'markdown';
  if (MARKDOWN_FILE.test(label)) return 'markdown';
  for await (const line of linesOf(path, { label })) {
    const text = line.text.trimStart();
    if (text === '') continue;
    if (text.startsWith('{')) return formatOfObject(line, label);
    if (text.startsWith('[{') || text === '[') {
      const problem = 'a list of JSON; write each of its objects in a line of its own';
      throw new ImportFailedError(label, problem, { line: line.line, column: 1 });
    }
    checkChatText(line, label);
    return 'chat';
  }
  throw new ImportFailedError(label, 'there is nothing in it', { line: 1, column: 1 });
}

async function isRepository(path: string): Promise<boolean> {
  const has = async (...names: string[]) => {
    const found = names.map((name) => access(join(path, name)));
    return (await Promise.allSettled(found)).every(({ status }) => status === 'fulfilled');
  };
  return (await has('.git')) || (await has('HEAD', 'objects', 'refs'));
}
