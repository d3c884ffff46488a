/** docs/MEMORY.md tells of every call and every event of every model, and of no other; docs/COMING-FROM.md of calls that there are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import { modelDefinitions } from '#src/memory/models.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8');

/** Cells of the rows of all tables in a text, without their heads. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function sectionOf(name: string): string {
  const sections = page('MEMORY.md').split(/^## /m);
  const heading = `${name.charAt(0).toUpperCase()}${name.slice(1)}\n`;
  return sections.find((section) => section.startsWith(heading)) ?? '';
}

/** Asynchronous calls, and whether they have a synchronous twin. */
function callsOf(model: object): Record<string, boolean> {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(model));
  const calls = names.filter((name) => name !== 'constructor' && !name.endsWith('Sync'));
  return Object.fromEntries(calls.map((name) => [name, names.includes(`${name}Sync`)]));
}

describe('docs/MEMORY.md', () => {
  test.each(modelDefinitions.map(({ name }) => name))('has every call of %s', async (name) => {
    await using memory = await openMemory('memory:');
    const calls = callsOf(memory[name as 'records']);
    expect(Object.keys(calls).length).toBeGreaterThan(2);
    const told = rowsOf(sectionOf(name)).map(([call = '']) => {
      const [, operation = ''] = /^`(\w+)\(/.exec(call) ?? [];
      return [operation, call.endsWith('⇄')] as const;
    });
    expect(told).toHaveLength(new Set(told.map(([operation]) => operation)).size);
    expect(Object.fromEntries(told)).toEqual(calls);
  });

  test('has every event of every model once, and what undoes it', () => {
    const expected = modelDefinitions.flatMap(({ opposites }) =>
      Object.entries(opposites).map(([type, opposite]) => [type, opposite ?? 'nothing']),
    );
    const told = rowsOf(sectionOf('events')).map(([type = '', , undone = '']) => [
      type.replaceAll('`', ''),
      undone.replaceAll('`', '').split(':')[0],
    ]);
    expect(told.sort()).toEqual(expected.sort());
  });
});

test('docs/COMING-FROM.md names calls that there are, with the twins that they have', async () => {
  await using memory = await openMemory('memory:');
  const named = [...page('COMING-FROM.md').matchAll(/`memory\.(\w+)\.(\w+)\(([^`]*)`( ⇄)?( \|)?/g)];
  expect(named.length).toBeGreaterThan(30);
  for (const [text, model = '', operation = '', , twin, cell] of named) {
    const calls = callsOf(memory[model as 'records']);
    expect(calls, text).toHaveProperty(operation);
    if (cell !== undefined) expect([text, twin !== undefined]).toEqual([text, calls[operation]]);
  }
});
