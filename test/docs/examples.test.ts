/**
 * The examples of the documentation are programs, and each of them runs and passes the type checker.
 *
 * A block of JavaScript or TypeScript that begins with an import begins a program; one that does not goes on with the program before it. Each
 * program runs in a new, empty directory (the one in docs/FORMAT.md: in the store of the example), must end by itself with exit
 * code 0, and must not complain.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { codeBlocksOf } from '../support/code-blocks.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { writeExample } from '../support/worked-example.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Program {
  readonly name: string;
  readonly language: 'js' | 'ts';
  readonly code: string;
}

/** The programs of a page, by the line of their first block. */
function programsOf(path: string): Program[] {
  const programs: Program[] = [];
  const page = readFileSync(join(root, path), 'utf8');
  for (const { info, code, line } of codeBlocksOf(page)) {
    const [language] = info.split(' ');
    if (language !== 'js' && language !== 'ts') continue;
    const last = programs.at(-1);
    if (last && !/^import\s/.test(code)) {
      programs[programs.length - 1] = { ...last, code: `${last.code}\n${code}` };
    } else programs.push({ name: `${path}:${line}`, language, code });
  }
  return programs;
}

/** A directory in which `import … from 'recollect'` finds this project as it was built. */
function workshop(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(root, join(directory, 'node_modules/recollect'), 'dir');
  return directory;
}

function start(program: Program, files?: ReadonlyMap<string, Buffer>) {
  const directory = workshop();
  for (const [path, bytes] of files ?? []) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  const { outputText } = ts.transpileModule(program.code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  writeFileSync(join(directory, 'example.mjs'), outputText);
  return spawnSync(process.execPath, ['example.mjs'], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 60_000,
  });
}

/** What a strict type checker says about the programs. */
function typeErrorsOf(programs: readonly Program[]): string[] {
  const directory = workshop();
  const names = programs.map((program, index) => {
    const file = join(directory, `example-${index}.m${program.language}`);
    writeFileSync(file, program.code);
    return file;
  });
  const checked = ts.createProgram(names, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    strict: true,
    allowJs: true,
    checkJs: true,
    noEmit: true,
  });
  return ts.getPreEmitDiagnostics(checked).map(({ file, start, messageText }) => {
    const index = names.indexOf(file?.fileName ?? '');
    const line =
      file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    return `${programs[index]?.name ?? file?.fileName}, line ${line} of the program: ${text}`;
  });
}

const pages = [
  'README.md',
  'docs/ERRORS.md',
  'docs/PROJECTIONS.md',
  'docs/TESTING.md',
  'docs/COMING-FROM.md',
  'docs/MEMORY.md',
  'docs/BACKUP.md',
  'docs/RECALL.md',
  'docs/SUBSCRIPTIONS.md',
  'docs/LOCKS.md',
  'docs/IMPORTING.md',
].filter((path) => existsSync(join(root, path)));

describe.each(pages)('%s', (path) => {
  const programs = programsOf(path);

  test('has an example', () => {
    expect(programs.length).toBeGreaterThan(0);
  });

  test.each(programs)('has an example that runs: $name', (program) => {
    const { status, signal, stderr } = start(program);
    expect({ stderr, signal, status }).toEqual({ stderr: '', signal: null, status: 0 });
  });
});

test('the examples of all pages pass a strict type checker', () => {
  expect(typeErrorsOf(pages.flatMap(programsOf))).toEqual([]);
});

describe('docs/FORMAT.md', () => {
  const programs = programsOf('docs/FORMAT.md');

  test('has a program that checks the store of the worked example, and finds what is wrong', async () => {
    expect(programs).toHaveLength(1);
    const [program] = programs as [Program];
    const files = await writeExample();
    expect(start(program, files)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^3 commits, sealed by 71ccfed4/) as string,
    });
    const path = 'log/00000000000000000001.ndjson';
    const changed = (files.get(path) ?? Buffer.alloc(0)).toString('utf8').replace('Anna', 'Anne');
    const damaged = new Map(files).set(path, Buffer.from(changed));
    expect(start(program, damaged)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('AssertionError') as string,
    });
  });

  test('has a program that goes on behind what retention dropped', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const options = { segmentBytes: 4096, compaction: false, retention: { bytes: 1 } } as const;
    const store = await openStore(directory, options);
    for (let number = 0; number < 40; number += 1) {
      await store.append('notes', { type: 'noted', data: 'x'.repeat(400) });
      if (number === 30) expect((await store.compact()).dropped.length).toBeGreaterThan(0);
    }
    const { position, seal } = store.head;
    await store.close();
    const files = new Map<string, Buffer>();
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(relative(directory, path), readFileSync(path));
    }
    const [program] = programs as [Program];
    expect(start(program, files)).toMatchObject({
      status: 0,
      stdout: `${position} commits, sealed by ${seal}\n`,
    });
  });
});
