import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.js';

const script = fileURLToPath(new URL('../scripts/count-tests.mjs', import.meta.url));

function count(file: string): { code: number | null; lines: string[] } {
  const { status, stdout } = spawnSync(process.execPath, [script, file], { encoding: 'utf8' });
  return { code: status, lines: stdout.trimEnd().split('\n') };
}

/** Counts the results of one file with tests that ended like this. */
function countTests(...statuses: ('passed' | 'failed' | 'skipped')[]): ReturnType<typeof count> {
  const number = (status: string) => statuses.filter((each) => each === status).length;
  const file = join(temporaryDirectory(), 'results.json');
  const results = {
    numPassedTests: number('passed'),
    numFailedTests: number('failed'),
    numPendingTests: number('skipped'),
    numTodoTests: 0,
    testResults: [
      {
        name: 'some.test.ts',
        status: number('failed') > 0 || statuses.length === 0 ? 'failed' : 'passed',
        assertionResults: statuses.map((status) => ({ status })),
      },
    ],
  };
  writeFileSync(file, JSON.stringify(results));
  return count(file);
}

describe('the count of tests', () => {
  test('passes when all passed', () => {
    expect(countTests('passed', 'passed')).toEqual({ code: 0, lines: ['2 passed, 0 failed'] });
  });

  test('fails when one failed', () => {
    expect(countTests('passed', 'failed')).toEqual({ code: 1, lines: ['1 passed, 1 failed'] });
  });

  test('fails when one was skipped, and says so', () => {
    expect(countTests('passed', 'skipped')).toEqual({
      code: 1,
      lines: ['1 tests were skipped, and none may be.', '1 passed, 0 failed'],
    });
  });

  test('counts a file that could not be loaded as a failure', () => {
    expect(countTests()).toEqual({ code: 1, lines: ['0 passed, 1 failed'] });
  });

  test('fails when there are no results', () => {
    const { code, lines } = count(join(temporaryDirectory(), 'absent.json'));

    expect(lines.at(-1)).toBe('0 passed, 0 failed');
    expect(code).toBe(1);
  });
});
