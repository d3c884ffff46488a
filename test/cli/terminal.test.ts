/** What people see on a terminal, and what programs get on a pipe. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ProgressBar, progressText } from '#src/cli/progress.js';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, Kept, builtProgram as main } from './support.js';

async function world(): Promise<string> {
  const cwd = temporaryDirectory();
  const store = await openStore(join(cwd, 'memory'));
  const data = { text: 'long '.repeat(100) };
  await store.append('notes/a', [
    { type: 'note', data },
    { type: 'note', data },
  ]);
  await store.close();
  return cwd;
}

const ESCAPE = '\u001b[';

describe('colours', () => {
  test('are for terminals whose user did not say no', async () => {
    const cwd = await world();
    const log = async (columns?: number, env: Record<string, string> = {}) =>
      (await cli({ cwd, env, ...(columns === undefined ? {} : { columns }) }, 'log', 'memory'))
        .stdout;
    expect(await log(100)).toContain(ESCAPE);
    expect(await log(100, { NO_COLOR: '' })).toContain(ESCAPE);
    expect(await log(100, { NO_COLOR: '1' })).not.toContain(ESCAPE);
    expect(await log(100, { TERM: 'dumb' })).not.toContain(ESCAPE);
    expect(await log()).not.toContain(ESCAPE);
  });

  test('go with errors, too', async () => {
    const cwd = await world();
    expect((await cli({ cwd, columns: 80 }, 'log', 'none')).stderr).toContain(ESCAPE);
    expect((await cli({ cwd }, 'log', 'none')).stderr).not.toContain(ESCAPE);
  });
});

test('lines fit on a terminal, and are whole on a pipe', async () => {
  const cwd = await world();
  const shown = await cli({ cwd, columns: 120, env: { NO_COLOR: '1' } }, 'log', 'memory');
  for (const line of shown.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  const piped = await cli({ cwd }, 'log', 'memory');
  for (const line of piped.stdout.trim().split('\n')) expect(line.length).toBeGreaterThan(500);
});

test('JSON is indented on a terminal and one line on a pipe; both read back the same', async () => {
  const cwd = await world();
  const shown = await cli({ cwd, columns: 80 }, 'verify', 'memory', '--json');
  const piped = await cli({ cwd }, 'verify', 'memory', '--json');
  expect(shown.stdout.split('\n').length).toBeGreaterThan(5);
  expect(piped.stdout.split('\n')).toHaveLength(2);
  expect(JSON.parse(shown.stdout)).toEqual(JSON.parse(piped.stdout));
});

describe('the bar', () => {
  test('appears after a second with rate and time left, and goes without a trace', () => {
    let now = 0;
    const stream = new Kept(80);
    const bar = new ProgressBar(stream, () => now);
    const report = (done: number) =>
      bar.report({ phase: 'copy', done, total: 100 * 2 ** 20, unit: 'bytes' });
    for (; now < 1000; now += 100) report(now * 1024);
    expect(stream.text).toBe('');
    now = 2000;
    report(50 * 2 ** 20);
    expect(stream.text).toBe(
      `\r${ESCAPE}Kcopy  [############------------]  50%  25.0 MiB/s  2.0 s left`,
    );
    bar.stop();
    expect(stream.text.endsWith(`left\r${ESCAPE}K`)).toBe(true);
  });

  test('is drawn at most ten times a second', () => {
    let now = 5000;
    const stream = new Kept(80);
    const bar = new ProgressBar(stream, () => now);
    for (; now < 8000; now += 1)
      bar.report({ phase: 'read', done: now, total: 8000, unit: 'commits' });
    expect(stream.text.split('\r').length).toBeLessThanOrEqual(22);
    expect(stream.text.split('\r').length).toBeGreaterThan(15);
  });

  test('keeps on saying how much is left while one step takes long', async () => {
    let now = 0;
    const stream = new Kept(80);
    const bar = new ProgressBar(stream, () => now);
    bar.report({ phase: 'archive', done: 0, total: 4096, unit: 'bytes' });
    now = 1500;
    bar.report({ phase: 'archive', done: 1024, total: 4096, unit: 'bytes' });
    const drawn = stream.text.length;
    now = 3000;
    bar.watch(() => ({ phase: 'writing', done: 0 }));
    while (stream.text.length === drawn) await new Promise((resolve) => setTimeout(resolve, 5));
    bar.stop();
    expect(stream.text.slice(drawn)).toContain('archive  [######--');
    expect(stream.text.slice(drawn)).toContain('9.0 s left');
    expect(progressText({ phase: 'snapshot', done: 2, total: 8, unit: 'parts' }, 4000, 80)).toBe(
      'snapshot  [######------------------]  25%  0.5 parts/s  12 s left',
    );
  });

  test('is never drawn on a pipe', () => {
    let now = 0;
    const stream = new Kept();
    const bar = new ProgressBar(stream, () => now);
    for (; now < 9000; now += 500) bar.report({ phase: 'read', done: now, unit: 'bytes' });
    bar.stop();
    expect(stream.text).toBe('');
  });

  test('fits, and says what it can where the end is not known', () => {
    const reached = { phase: 'read', done: 3000, unit: 'commits' } as const;
    expect(progressText(reached, 1500, 80)).toBe('read  3000 commits  2000 commits/s  1.5 s');
    expect(progressText({ ...reached, total: 6000 }, 1500, 20)).toHaveLength(19);
    expect(progressText({ ...reached, total: 0 }, 0, 80)).not.toMatch(/NaN|Infinity/);
  });
});

describe('replay --step on a terminal', () => {
  test('waits for Enter, and ends at q', async () => {
    const cwd = temporaryDirectory();
    const store = await openStore(join(cwd, 'memory'));
    for (const city of ['Bern', 'Chur', 'Thun']) {
      const data = { value: { city }, section: 'semantic' };
      await store.append('records/a', { type: 'record.stored', data });
    }
    await store.close();
    const surroundings = { cwd, columns: 200, env: { NO_COLOR: '1' } };
    const all = await cli({ ...surroundings, answers: '\n\n\n' }, 'replay', 'memory', '--step');
    expect(all.code).toBe(0);
    expect(all.stderr.match(/\[Enter\]/g)).toHaveLength(3);
    const two = await cli({ ...surroundings, answers: '\nq\n' }, 'replay', 'memory', '--step');
    expect(two.code).toBe(0);
    expect(two.stdout).toContain('Chur');
    expect(two.stdout).not.toContain('Thun');
  });
});

/** A way to run a command on a pseudo-terminal of this machine; the command is a shell's. */
function pseudoTerminal(): ((command: string) => [file: string, parameters: string[]]) | undefined {
  const has = (program: string, ...parameters: string[]) =>
    spawnSync(program, parameters, { stdio: 'ignore' }).status === 0;
  if (process.platform === 'linux' && has('script', '--version')) {
    return (command) => ['script', ['-qec', command, '/dev/null']];
  }
  if (process.platform !== 'win32' && has('python3', '-c', 'import pty')) {
    const program =
      'import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))';
    return (command) => ['python3', ['-c', program, command]];
  }
  return undefined;
}

describe('the program on a pseudo-terminal', () => {
  test('is in colour, and NO_COLOR turns it off', async () => {
    const cwd = await world();
    const terminal = pseudoTerminal();
    const shown = async (setting: string): Promise<string> => {
      if (!terminal) {
        // A machine without one: the same code, told that it writes to one.
        const env = setting === '' ? {} : { NO_COLOR: '1' };
        return (await cli({ cwd, columns: 80, env }, 'log', 'memory')).stdout;
      }
      const [file, parameters] = terminal(`${setting} '${process.execPath}' '${main}' log memory`);
      const env = { ...process.env, TERM: 'xterm', NO_COLOR: '' };
      return execFileSync(file, parameters, { cwd, encoding: 'utf8', env });
    };
    const coloured = await shown('');
    expect(coloured).toContain(`${ESCAPE}33m1.1`);
    expect(await shown('NO_COLOR=1')).not.toContain(ESCAPE);
  });

  test('asks before it replaces a file', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, 'events'), 'precious');
    const terminal = pseudoTerminal();
    const asked = 'Replace ';
    if (!terminal) {
      const { stderr } = await cli(
        { cwd, columns: 80, answers: 'n\n' },
        'export',
        'memory',
        'events',
      );
      expect(stderr).toContain(asked);
      return;
    }
    const [file, parameters] = terminal(`'${process.execPath}' '${main}' export memory events`);
    const { stdout } = spawnSync(file, parameters, { cwd, encoding: 'utf8', input: 'n\n' });
    expect(stdout).toContain(asked);
    expect(stdout).toContain('nothing was done');
  });
});
