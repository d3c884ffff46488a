/** What others wrote into a store cannot steer the terminal of who reads it. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli } from './support.js';

/** Escape sequences of 7 and 8 bits, a bell, deletes, marks that turn text round, hide it or end the line, and private characters. */
const EVIL =
  '\u001b[45;5m\u001b]0;title\u0007\u009b2J\u009d0;x\u009c\b\r\n\t\u007f\u0085\u202e\u2066\u200b\u2028\ufeff\u{e0041}\ue000';
/** What a name of a stream or an actor may hold of that. */
const EVIL_NAME = 'a\u202eb\u2066c\u200bd\ufeff';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const COLOURS = /\u001b\[[0-9;]{1,8}m/g;
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

async function makeStore(directory: string): Promise<void> {
  const memory = await openMemory(directory, { actor: EVIL_NAME });
  await memory.records.store(EVIL_NAME, { text: EVIL, [EVIL]: [EVIL] }, { tags: [EVIL] });
  await memory.records.update(
    EVIL_NAME,
    (draft) => void Object.assign(draft as object, { text: `${EVIL}!` }),
    {
      reason: EVIL_NAME,
    },
  );
  await memory.episodes.record({ text: `words ${EVIL} of somebody`, speaker: EVIL });
  await memory.close();
}

const key = `records/${EVIL_NAME}`;
const COMMANDS: readonly (readonly string[])[] = [
  ['log', 'memory'],
  ['get', 'memory', key],
  ['get', 'memory', `${key}x`],
  ['list', 'memory'],
  ['stats', 'memory'],
  ['recall', 'memory', 'words of somebody', '--why'],
  ['doctor', 'memory'],
  ['history', 'memory', key],
  ['blame', 'memory', key],
  ['diff', 'memory', '--all', '--from', '1'],
  ['verify', 'memory'],
  ['replay', 'memory'],
  ['replay', 'memory', '--step', '--speed', '1000000'],
  ['replay', 'memory', '--speed', '1000000'],
  ['undo', 'memory', '2', '--dry-run'],
  ['get', 'memory', `nothing${EVIL}`],
  ['get', EVIL, key],
  [`no${EVIL}`, 'memory'],
  ['log', 'memory', `--no${EVIL}`],
  ['verify', 'memory', '--against', EVIL],
  ['log', 'memory', '--from', EVIL],
];

describe('what a store holds is escaped', () => {
  let cwd = '';
  beforeAll(async () => {
    // Of the whole file: a directory of one test is gone when the next one begins.
    const { mkdtempSync, realpathSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    cwd = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-test-'));
    await makeStore(join(cwd, 'memory'));
    return async () => {
      const { rmSync } = await import('node:fs');
      rmSync(cwd, { recursive: true, force: true });
    };
  });

  test.each(COMMANDS.map((argv) => [argv[0], argv] as const))(
    'by %s, on a pipe, as JSON, and on a terminal',
    async (_, argv) => {
      const piped = await cli({ cwd }, ...argv);
      expect(piped.stdout + piped.stderr).not.toBe('');
      expect(piped.stdout + piped.stderr).not.toMatch(UNPRINTABLE);
      const json = await cli({ cwd }, ...argv, '--json');
      expect(json.stdout + json.stderr).not.toMatch(UNPRINTABLE);
      const shown = await cli({ cwd, columns: 100 }, ...argv);
      expect((shown.stdout + shown.stderr).replace(COLOURS, '')).not.toMatch(UNPRINTABLE);
      // A colour that is not ours.
      expect(shown.stdout + shown.stderr).not.toContain('\u001b[45');
      const bare = await cli({ cwd, columns: 100, env: { NO_COLOR: '1' } }, ...argv);
      expect(bare.stdout + bare.stderr).not.toMatch(UNPRINTABLE);
    },
  );

  test('and each of the commands that show it does show it', async () => {
    for (const argv of COMMANDS.slice(0, 15)) {
      const { code, stdout } = await cli({ cwd }, ...argv);
      if (argv[2] !== `${key}x`)
        expect({ argv, code }).toEqual({ argv, code: argv[0] === 'diff' ? 1 : 0 });
      if (
        ['log', 'get', 'list', 'history', 'blame', 'diff'].includes(argv[0] ?? '') &&
        code !== 4
      ) {
        expect(stdout, argv.join(' ')).toContain('\\u202e');
      }
    }
  });

  test('and yet nothing is lost: what --json prints reads back as it is stored', async () => {
    const { stdout } = await cli({ cwd }, 'get', 'memory', key, '--json');
    const state = JSON.parse(stdout) as { value: { text: string }; tags: string[] };
    expect(state.value.text).toBe(`${EVIL}!`);
    expect(state.tags).toEqual([EVIL]);
  });

  test('an export is as it is on a pipe, and made safe on a terminal', async () => {
    const piped = await cli({ cwd }, 'export', 'memory');
    expect(piped.stdout).toMatch(UNPRINTABLE);
    const shown = await cli({ cwd, columns: 80 }, 'export', 'memory');
    expect(shown.stdout).not.toMatch(UNPRINTABLE);
    const values = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
    expect(values(shown.stdout)).toEqual(values(piped.stdout));
  });

  test('an error quotes it escaped, also where a file of another program holds it', async () => {
    const { code, stderr } = await cli(
      {
        cwd,
        stdin: `{"stream":"a","type":"b","data":1,"${JSON.stringify(EVIL).slice(1, -1)}":2}\n`,
      },
      'import',
      '-',
      'imported',
    );
    expect(stderr).not.toMatch(UNPRINTABLE);
    expect([0, 1]).toContain(code);
  });
});

test('a directory whose name holds them', async () => {
  const cwd = temporaryDirectory();
  const made = await cli({ cwd }, 'init', 'mem\u001b[31m\u202eory');
  expect(made.code).toBe(0);
  expect(made.stdout).not.toMatch(UNPRINTABLE);
  const other = await cli({ cwd }, 'log', 'nowhere');
  expect(other).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('did you mean') as string,
  });
  expect(other.stderr).not.toMatch(UNPRINTABLE);
});
