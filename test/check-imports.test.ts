import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.js';

const root = fileURLToPath(new URL('..', import.meta.url));

function fixture(name: string): string {
  return join(root, 'test/fixtures/imports', name);
}

function checkImports(directory: string): { code: number | null; output: string } {
  const script = join(root, 'scripts/check-imports.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, directory], {
    encoding: 'utf8',
  });
  return { code: status, output: stdout + stderr };
}

describe('the import check', () => {
  test('finds nothing to object to in the project itself, having seen all of it', () => {
    const { code, output } = checkImports(root);

    expect(output).toMatch(/^([1-9]\d*) modules seen of \1, 0 forbidden imports\n$/);
    expect(code).toBe(0);
  });

  test('lets imports go down', () => {
    expect(checkImports(fixture('clean'))).toEqual({
      code: 0,
      output: '2 modules seen of 2, 0 forbidden imports\n',
    });
  });

  test('refuses an import that goes up, even of a type alone', () => {
    const { code, output } = checkImports(fixture('upward'));

    expect(output).toContain('upward from floor 2: src/log/reader.ts -> src/store.ts\n');
    expect(output).toContain('2 modules seen of 2, 1 forbidden imports\n');
    expect(code).toBe(1);
  });

  test('refuses modules that import each other', () => {
    const { code, output } = checkImports(fixture('circular'));

    expect(output).toContain(
      'circular: src/log/reader.ts -> src/log/writer.ts -> src/log/reader.ts\n',
    );
    expect(code).toBe(1);
  });

  test('refuses rooms of one floor that import each other', () => {
    const { code, output } = checkImports(fixture('circular-rooms'));

    expect(output).toContain('circular between rooms: src/audit/ reaches itself');
    expect(output).toContain('circular between rooms: src/compaction/ reaches itself');
    expect(code).toBe(1);
  });

  test('refuses a model that goes behind the Store', () => {
    const { code, output } = checkImports(fixture('back-door'));

    expect(output).toContain('src/memory/records.ts -> src/log/reader.ts\n');
    expect(code).toBe(1);
  });

  test('refuses a module that belongs to no floor', () => {
    const directory = temporaryDirectory();
    cpSync(fixture('clean'), directory, { recursive: true });
    writeFileSync(join(directory, 'src/util.ts'), 'export const nothing = 0;\n');

    const { code, output } = checkImports(directory);

    expect(output).toContain('no floor');
    expect(output).toContain('src/util.ts');
    expect(code).toBe(1);
  });

  test('refuses to pass when it sees no module', () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'src'));

    expect(checkImports(directory).code).not.toBe(0);
  });
});
