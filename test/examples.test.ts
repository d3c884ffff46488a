/** The examples are programs: each runs, a second time as well, and says what it is meant to say. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { verifyStore } from '#src/index.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.mjs'));

/** What each says. */
const said: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'one-agent.mjs': [
    'found: I moved to Lisbon and sing in a choir there.',
    /^Stored memories, quoted/,
    /^- .*choir.*by "assistant"/,
    'answers: short',
  ],
  'several-agents.mjs': ['tasks: { done: 30 }', 'by: critic, main, reader, writer'],
  'synchronous.mjs': ['branch: main', 'selector: #login', 'found: records/branch'],
  'custom-projection.mjs': ['boxes: bought', 'a pump: too expensive', 'left: 438'],
  'transaction.mjs': ['booked: 2', 'refused: TRANSACTION_ROLLED_BACK', 'left: 0'],
  'time-travel.mjs': [
    "before: { kind: 'green' }",
    "now: { kind: 'black', sugar: true }",
    '/value/kind = black, by intern: overheard in the kitchen',
    '/value/sugar = true, by intern: overheard in the kitchen',
    /replace \/value\/kind.*add \/value\/sugar|add \/value\/sugar.*replace \/value\/kind/,
    "again: { kind: 'green' }",
  ],
  'importing.mjs': ['2 messages, 0 of them new', 'found: To Lisbon, last spring.'],
};

function start(name: string, directory: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, name), directory], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stderr, lines: stdout.trim().split('\n') };
}

test('there is an example of everything that is told of', () => {
  expect(names.sort()).toEqual(Object.keys(said).sort());
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const name of names) expect(page).toContain(`](${name})`);
});

describe.each(names)('%s', (name) => {
  test('runs, and runs again', async () => {
    const directory = join(temporaryDirectory(), 'memory');
    const { lines, ...ended } = start(name, directory);
    expect(ended).toEqual({ status: 0, stderr: '' });
    const expected = said[name] ?? [];
    expect(lines).toHaveLength(expected.length);
    for (const [index, line] of expected.entries()) {
      if (typeof line === 'string') expect(lines[index]).toBe(line);
      else expect(lines[index]).toMatch(line);
    }
    expect(start(name, directory)).toMatchObject({ status: 0, stderr: '' });
    expect((await verifyStore(directory)).ok).toBe(true);
  });
});
