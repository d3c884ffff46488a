/** Every exit code, each from a command that asks for it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exitCodeOf, NotFound, PipeClosed, WrongUse } from '#src/cli/exit-codes.js';
import * as errors from '#src/errors.js';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli } from './support.js';

async function world(): Promise<string> {
  const cwd = temporaryDirectory();
  const store = await openStore(join(cwd, 'memory'));
  for (const number of [1, 2, 3]) await store.append('notes/a', { type: 'note', data: number });
  await store.close();
  return cwd;
}

interface Case {
  readonly why: string;
  readonly argv: readonly string[];
  readonly code: number;
  readonly says?: RegExp;
}

const CASES: readonly Case[] = [
  { why: 'the version', argv: ['--version'], code: 0 },
  { why: 'help', argv: ['--help'], code: 0 },
  { why: 'help of a command', argv: ['help', 'log'], code: 0 },
  { why: 'help of help', argv: ['help', 'help'], code: 0 },
  { why: 'a log', argv: ['log', 'memory'], code: 0 },
  {
    why: 'a seal that is not in it',
    argv: ['verify', 'memory', '--against', 'f'.repeat(64)],
    code: 1,
    says: /does not contain the seal/,
  },
  { why: 'no command', argv: [], code: 2, says: /Usage/ },
  { why: 'an unknown command', argv: ['lgo', 'memory'], code: 2, says: /Did you mean log\?/ },
  {
    why: 'help of an unknown command',
    argv: ['help', 'lgo'],
    code: 2,
    says: /unknown command 'lgo'[\s\S]*Did you mean log\?/,
  },
  { why: 'an unknown option', argv: ['log', 'memory', '--folow'], code: 2, says: /--follow/ },
  {
    why: 'a missing argument',
    argv: ['get', 'memory'],
    code: 2,
    says: /missing required argument 'key'/,
  },
  { why: 'one too many', argv: ['verify', 'memory', 'twice'], code: 2 },
  {
    why: 'a moment that is none',
    argv: ['log', 'memory', '--to', 'yesterday'],
    code: 2,
    says: /ISO 8601/,
  },
  {
    why: 'a seal that is none',
    argv: ['verify', 'memory', '--against', 'x'],
    code: 2,
    says: /64 hexadecimal/,
  },
  {
    why: 'a key of no model',
    argv: ['get', 'memory', 'nosuch/key'],
    code: 2,
    says: /records, conversations/,
  },
  {
    why: 'data that is no JSON',
    argv: ['append', 'memory', 'a', 'b', '{'],
    code: 2,
    says: /no JSON/,
  },
  { why: 'a target that is there', argv: ['backup', 'memory', 'memory/b'], code: 2 },
  {
    why: 'a version that does not hold',
    argv: ['append', 'memory', 'notes/a', 'note', '4', '--expected-version', '9'],
    code: 3,
    says: /is at version 3, expected 9/,
  },
  {
    why: 'no store',
    argv: ['log', 'memori'],
    code: 4,
    says: /no memory at .*memori .*; did you mean .*memory\?/,
  },
  { why: 'nothing under a key', argv: ['get', 'memory', 'records/nobody'], code: 4 },
  {
    why: 'a position beyond the end',
    argv: ['restore', 'memory', 'r', '--to', '99'],
    code: 4,
    says: /ends at position 3/,
  },
  { why: 'a file that is not there', argv: ['import', 'nothing.ndjson', 'i'], code: 4 },
  {
    why: 'a file where a directory must be',
    argv: ['backup', 'memory', 'file/backup'],
    code: 5,
    says: /file/,
  },
  {
    why: 'a file where a directory must be, to export',
    argv: ['export', 'memory', 'file/events'],
    code: 5,
  },
  {
    why: 'a place that cannot be written',
    argv: ['init', '/proc/self/memory', '--allow-file-system'],
    code: 5,
  },
];

describe('exit codes', () => {
  test.each(CASES)('$code: $why', async ({ argv, code, says }) => {
    const cwd = await world();
    writeFileSync(join(cwd, 'file'), 'x');
    const ended = await cli({ cwd }, ...argv);
    expect(ended).toMatchObject({ code });
    if (says) expect(ended.stdout + ended.stderr).toMatch(says);
    if (code > 1) expect(ended.stderr).not.toBe('');
  });

  test('1: a damaged store, whatever could be read of it', async () => {
    const cwd = await world();
    const [segment = ''] = readdirSync(join(cwd, 'memory/log'));
    const file = join(cwd, 'memory/log', segment);
    const bytes = readFileSync(file);
    bytes[bytes.length - 10] = (bytes[bytes.length - 10] as number) ^ 1;
    writeFileSync(file, bytes);
    for (const argv of [['log'], ['list'], ['replay'], ['replay', '--step']]) {
      const [command = '', ...more] = argv;
      const { code, stderr } = await cli({ cwd }, command, 'memory', ...more);
      expect({ argv, code }).toEqual({ argv, code: 1 });
      expect(stderr).toContain('damaged');
    }
  });

  test('130: interrupted before it began, and while it read', async () => {
    const cwd = await world();
    const ended = await cli({ cwd, signal: AbortSignal.abort() }, 'backup', 'memory', 'b');
    expect(ended).toMatchObject({
      code: 130,
      stderr: expect.stringContaining('interrupted') as string,
    });
    expect(readdirSync(cwd)).toEqual(['memory']);
    const slow = await cli(
      { cwd, signal: AbortSignal.timeout(50) },
      ...['log', 'memory', '--follow'],
    );
    expect(slow.code).toBe(130);
  });

  test('an error as JSON says the code, the facts and the exit code', async () => {
    const cwd = await world();
    const { stderr } = await cli(
      { cwd },
      'append',
      'memory',
      'notes/a',
      'note',
      '4',
      '--expected-version',
      '9',
      '--json',
    );
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: 'VERSION_CONFLICT',
        failures: [{ stream: 'notes/a', expected: 9, actual: 3 }],
        exitCode: 3,
      },
    });
  });

  test('what else may go wrong has its place', () => {
    const cause = Object.assign(new Error('no'), { code: 'EROFS' });
    expect(exitCodeOf(cause)).toBe(5);
    expect(exitCodeOf(Object.assign(new Error('no'), { code: 'ENOSPC' }))).toBe(5);
    expect(exitCodeOf(new errors.StoreFullError('d', cause))).toBe(5);
    expect(exitCodeOf(new errors.StoreAccessError('d', cause))).toBe(5);
    expect(exitCodeOf(new errors.OutcomeUnknownError(cause))).toBe(5);
    expect(exitCodeOf(new errors.LockTimeoutError({ file: 'f', timeoutMs: 1 }))).toBe(3);
    expect(exitCodeOf(new errors.HistoryPrunedError(7))).toBe(3);
    expect(exitCodeOf(new errors.UnsupportedFileSystemError('d', 'nfs'))).toBe(3);
    expect(exitCodeOf(new errors.ImportFailedError('f', 'no', { cause }))).toBe(5);
    expect(exitCodeOf(new errors.ImportFailedError('f', 'no'))).toBe(1);
    expect(exitCodeOf(new errors.ExportFailedError('f', cause))).toBe(5);
    expect(exitCodeOf(new errors.ExportFailedError(undefined, new PipeClosed()))).toBe(0);
    expect(exitCodeOf(new PipeClosed())).toBe(0);
    expect(exitCodeOf(new WrongUse('no'))).toBe(2);
    expect(exitCodeOf(new NotFound('no'))).toBe(4);
    expect(exitCodeOf(errors.invalidArgument('no'))).toBe(2);
    // A mistake of the program itself is not the user's.
    expect(exitCodeOf(new TypeError('x is not a function'))).toBe(3);
  });
});
