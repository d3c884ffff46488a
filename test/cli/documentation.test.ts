/** Every example in docs/CLI.md runs and prints what stands there, but for times, ids, seals and what the machine is like. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commands } from '#src/cli/commands.js';
import { codeBlocksOf } from '../support/code-blocks.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, wordsOf } from './support.js';

const page = readFileSync(fileURLToPath(new URL('../../docs/CLI.md', import.meta.url)), 'utf8');
const HOME = '/home/anna';

interface Example {
  readonly line: string;
  readonly expected: string;
}

/** The commands of a block, each with what is printed below it. */
function examplesOf(code: string): Example[] {
  return code
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return { line: part.slice(0, end), expected: part.slice(end + 1) };
    });
}

/** Without what differs from run to run. */
function steady(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\b(?!0{64})[0-9a-f]{64}\b/g, '<seal>')
    .replace(/\b\d+(\.\d+)? (ms|s|bytes|KiB|MiB|GiB|TiB)\b/g, '<amount>');
}

/** Of what the doctor says, the names of the facts. */
function factsOf(text: string): string[] {
  return text.split('\n').flatMap((line) => /^([a-z ]+?) {2}/.exec(line)?.[1] ?? []);
}

/** Example files of the page, by name. */
function filesOf(): [name: string, code: string][] {
  return [...page.matchAll(/<!-- file: (\S+) -->\n\n```js\n([\s\S]*?)```/g)].map(
    ([, name = '', code = '']) => [name, code],
  );
}

test('every example of docs/CLI.md runs and prints what stands there', async () => {
  const cwd = join(temporaryDirectory(), 'anna');
  mkdirSync(cwd);
  for (const [name, code] of filesOf()) writeFileSync(join(cwd, name), code);
  const blocks = codeBlocksOf(page).filter(({ info }) => info === 'console');
  let last = 0;
  let ran = 0;
  for (const { line, expected } of blocks.flatMap(({ code }) => examplesOf(code))) {
    if (line === 'echo $?') {
      expect(`${last}\n`, line).toBe(expected);
      continue;
    }
    const [program, ...argv] = wordsOf(line);
    expect(program).toBe('recollect');
    const { code, stdout, stderr } = await cli({ cwd }, ...argv);
    last = code;
    ran += 1;
    const printed = `${stdout}${stderr}`.replaceAll(cwd, HOME);
    if (argv[0] === 'doctor') expect(factsOf(printed)).toEqual(factsOf(expected));
    else expect(steady(printed), line).toBe(steady(expected));
  }
  expect(ran).toBeGreaterThan(30);
});

describe('docs/CLI.md', () => {
  test.each(commands.map(({ name }) => name))('tells of %s', (name) => {
    expect(page.includes(`$ recollect ${name} `)).toBe(true);
  });
});

test('the examples of the help are command lines that are understood', async () => {
  for (const { name, examples } of commands) {
    const cwd = temporaryDirectory();
    expect(examples.length, name).toBeGreaterThan(0);
    const help = await cli({ cwd }, name, '--help');
    expect(help.code).toBe(0);
    for (const example of examples) {
      expect(help.stdout).toContain(`$ ${example}`);
      const [program, ...argv] = wordsOf(example);
      expect(program).toBe('recollect');
      // There is no such store, or file: but every option and argument was taken.
      const { code, stderr } = await cli({ cwd }, ...argv);
      expect({ example, code, stderr }).toMatchObject({ code: name === 'init' ? 0 : 4 });
    }
  }
});
