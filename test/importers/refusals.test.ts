import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  ImportFailedError,
  importMemory,
  type MemoryImportOptions,
  recogniseImport,
} from '#src/index.js';
import { fileWith } from '../support/imported.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const entity = '{"type":"entity","name":"a","entityType":"b","observations":[]}';

/** Where the import of a source failed, having made nothing. */
async function failure(source: string, options?: MemoryImportOptions) {
  const target = join(temporaryDirectory(), 'memory');
  const error = await importMemory(source, target, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(existsSync(target)).toBe(false);
  if (!(error instanceof ImportFailedError)) throw error ?? new Error('nothing was refused');
  return error;
}

describe('is refused before anything is written, with line and column', () => {
  test.each<[string, string | Buffer, number, number, RegExp]>([
    ['an empty file', '', 1, 1, /nothing in it/],
    ['a file of blank lines', '\n \n\n', 1, 1, /nothing in it/],
    ['a line that is cut off', `${entity}\n${entity.slice(0, 30)}`, 2, 29, /closed/],
    ['a key that stands twice', entity.replace('"b"', '"b","name":"c"'), 1, 46, /twice/],
    ['a member that is missing', entity.replace('"name"', '"nam"'), 1, 1, /name must be a text/],
    ['a member of another kind', entity.replace('[]', '[1]'), 1, 46, /observations must be/],
    [
      'a member whose name is a value as well',
      '{"role":"at","content":"b","at":1e300}',
      1,
      28,
      /at must/,
    ],
    [
      'a member whose name stands deeper as well',
      '{"role":"a","content":[{"at":1,"text":"b"}],"at":1e300}',
      1,
      45,
      /at must/,
    ],
    ['another type', `${entity}\n${entity.replace('entity', 'thing')}`, 2, 2, /"relation"/],
    ['half a surrogate pair', entity.replace('"a"', '"\\ud800"'), 1, 1, /surrogate/],
    ['a list', `${entity}\n[1]`, 2, 1, /one JSON object/],
    ['bytes that are no UTF-8', Buffer.from([...Buffer.from('A: é'), 0xff]), 1, 5, /UTF-8/],
    ['NUL', 'Anna: hi\nBert: \u0000', 2, 7, /NUL/],
    ['UTF-16', Buffer.from('\ufeffAnna: hi', 'utf16le'), 1, 1, /UTF-16/],
    ['a compressed file', gzipSync(entity), 1, 1, /compressed/],
    ['a JSON list', `[${entity}]`, 1, 1, /line of its own/],
    ['other JSON lines', '{"a":1}', 1, 1, /not known/],
    ['other text', 'Once upon a time\n', 1, 1, /not known/],
    ['too long a line', `${entity}\nAnna: ${'x'.repeat(1024 * 1024)}`, 2, 1, /a line of more/],
    ['no role', '{"role":"a","content":"b"}\n{"content":"b"}', 2, 1, /role must/],
    ['no content', '{"role":"a","content":"b"}\n{"role":"a","content":1}', 2, 13, /content must/],
    ['a time that is none', '{"role":"a","content":"b","at":"noon"}', 1, 27, /time such as/],
    ['a time beyond all', '{"role":"a","content":"b","at":1e300}', 1, 27, /time such as/],
    ['text before all names', '# Monday\n\nhello\nAnna: hi', 3, 1, /Name: /],
    ['too long a message', `Anna: a\n${'x'.repeat(700_000)}`, 1, 1, /divide it/],
    ['too large an item', `Anna: ${'x'.repeat(700_000)}`, 1, 1, /divide it/],
  ])('%s', async (_, content, line, column, problem) => {
    const error = await failure(fileWith(content));
    expect({ message: error.message, line: error.line, column: error.column }).toEqual({
      message: expect.stringMatching(problem) as string,
      line,
      column,
    });
  });

  test.each<[string, string, number, RegExp]>([
    ['too long a paragraph', `# A\n\n${`${'x'.repeat(1000)}\n`.repeat(600)}`, 3, /a block of more/],
    ['bytes that are no text', '# A\n\n\u0000', 3, /NUL/],
  ])('Markdown with %s', async (_, content, line, problem) => {
    const error = await failure(fileWith(content, 'page.md'));
    expect(error.message).toMatch(problem);
    expect(error.line).toBe(line);
  });
});

describe('is refused with what stands in its way', () => {
  test('what is not there', async () => {
    expect((await failure(join(temporaryDirectory(), 'nothing'))).message).toContain('ENOENT');
  });

  test('a folder without Markdown', async () => {
    const folder = temporaryDirectory();
    symlinkSync(folder, join(folder, 'again'));
    expect((await failure(folder)).message).toContain('no Markdown file');
  });

  test('a folder that is said to be a chat', async () => {
    const { message } = await failure(temporaryDirectory(), { format: 'chat' });
    expect(message).toContain('no regular file');
  });

  test('a folder that is said to be a repository', async () => {
    const { message } = await failure(temporaryDirectory(), { format: 'git' });
    expect(message).toMatch(/git rev-parse failed: not a git repository/);
  });

  test('a file that may not be read, by whoever is bound by that', async () => {
    const folder = temporaryDirectory();
    mkdirSync(join(folder, 'below'));
    writeFileSync(join(folder, 'below/secret.md'), '# Secret');
    chmodSync(join(folder, 'below/secret.md'), 0);
    const isBound = process.getuid?.() !== 0;
    const target = join(temporaryDirectory(), 'memory');
    const outcome = await importMemory(folder, target).then(
      ({ items }) => String(items),
      (error: unknown) => (error instanceof ImportFailedError ? error.message : String(error)),
    );
    expect(outcome).toMatch(isBound ? /secret\.md.*EACCES/ : /^1$/);
  });

  test('an option that is none', async () => {
    const file = fileWith(entity);
    for (const options of [
      { format: 'pdf' },
      { part: { number: 3, of: 2 } },
      { itemsPerCommit: 0 },
      { into: 'graph' },
      { restart: 1 },
      { onProgress: 1 },
      { actr: 'me' },
      { name: '' },
    ]) {
      const call = importMemory(file, 'memory:', options as unknown as MemoryImportOptions);
      await expect(call, JSON.stringify(options)).rejects.toThrow(TypeError);
    }
    await expect(importMemory(17 as unknown as string, 'memory:')).rejects.toThrow(TypeError);
    await expect(importMemory(file, 17 as unknown as string)).rejects.toThrow(TypeError);
  });
});

test('a format is recognised by looking', async () => {
  const folder = temporaryDirectory();
  expect(await recogniseImport(folder)).toBe('markdown');
  mkdirSync(join(folder, '.git'));
  expect(await recogniseImport(folder)).toBe('git');
  expect(await recogniseImport(fileWith('x', 'page.MD'))).toBe('markdown');
  expect(await recogniseImport(fileWith(`\n${entity}`))).toBe('mcp');
  expect(await recogniseImport(fileWith('{"role":"user","content":"x"}'))).toBe('chat');
  expect(await recogniseImport(fileWith('=== A day ===\nAnna: hi'))).toBe('chat');
});
