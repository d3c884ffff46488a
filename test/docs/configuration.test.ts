/** docs/CONFIGURATION.md tells of every option there is, and of no other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { checkOptions } from '#src/log/log-options.js';
import { modelDefinitions } from '#src/memory/models.js';
import { memorySettings } from '#src/memory/options.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const files = ['src/log/log-options.ts', 'src/store/options.ts', 'src/memory/options.ts'];

const program = ts.createProgram(
  files.map((file) => join(root, file)),
  { strict: true, noEmit: true, module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023 },
);

/** The members that an interface declares itself. */
function membersOf(file: string, name: string): string[] {
  const found: string[] = [];
  program.getSourceFile(join(root, file))?.forEachChild((node) => {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== name) return;
    for (const member of node.members) found.push((member.name as ts.Identifier).text);
  });
  return found.sort();
}

interface Row {
  readonly option: string;
  readonly standard: string;
}

/** The rows of the table under a heading. */
function rowsOf(heading: string): Row[] {
  const page = readFileSync(join(root, 'docs/CONFIGURATION.md'), 'utf8');
  const [, ...sections] = page.split(/^## /m);
  const section = sections.find((each) => each.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [option = '', standard = '', when = ''] = line
        .split('|')
        .slice(1)
        .map((cell) => cell.trim());
      expect(when.length, line).toBeGreaterThan(4);
      return { option: option.replaceAll('`', ''), standard };
    });
}

/** `16 MiB` and `10 000` as numbers, `'sync'` and `true` as they are. */
function meaningOf(text: string): unknown {
  const [, digits, unit] = /^([\d ]+)(MiB)?/.exec(text.trim()) ?? [];
  if (digits !== undefined) return Number(digits.replaceAll(' ', '')) * (unit ? 2 ** 20 : 1);
  const code = text.replaceAll('`', '').replaceAll("'", '');
  return code === 'true' || code === 'false' ? code === 'true' : code;
}

describe('docs/CONFIGURATION.md', () => {
  test.each([
    ['Log', 'src/log/log-options.ts', 'LogOptions'],
    ['Store', 'src/store/options.ts', 'StoreOptions'],
    ['Memory', 'src/memory/options.ts', 'MemoryOptions'],
  ])('tells of every option of a %s once', (heading, file, name) => {
    const members = membersOf(file, name);
    expect(members.length).toBeGreaterThan(2);
    expect(
      rowsOf(heading)
        .map(({ option }) => option)
        .sort(),
    ).toEqual(members);
  });

  test('tells the defaults that a log has', () => {
    const settings: Readonly<Record<string, unknown>> = { ...checkOptions({}) };
    const told = rowsOf('Log').filter(({ option }) => option in settings && option !== 'actor');
    expect(told.length).toBeGreaterThan(10);
    for (const { option, standard } of told) {
      expect([option, meaningOf(standard)]).toEqual([option, settings[option]]);
    }
  });

  test('tells the defaults that a memory has', () => {
    const settings: Readonly<Record<string, unknown>> = { ...memorySettings({}, modelDefinitions) };
    for (const { option, standard } of rowsOf('Memory')) {
      expect([option, meaningOf(standard)]).toEqual([option, settings[option]]);
    }
  });
});
