import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ask, type Io, runSync } from '#src/log/io.js';
import { measured } from '#src/projections/background.js';
import { FakeLog } from './fakes.js';

describe('measured work', () => {
  function* work(log: FakeLog, clock: { now: number }): Io<string> {
    clock.now += 1;
    const size = yield* ask('size', 0);
    clock.now += 1;
    try {
      yield* ask('size', 1);
    } catch (error) {
      clock.now += 1;
      return `${size} ${(error as Error).message} ${log.position}`;
    }
    return 'no error';
  }

  test('passes on answers and errors of the disk, and counts no time of the disk', () => {
    const clock = { now: 0 };
    const took: number[] = [];
    const disk = {
      size(file: number) {
        clock.now += 100;
        if (file === 1) throw new Error('EIO');
        return 7;
      },
    };
    const timed = measured(
      work(new FakeLog(), clock),
      () => clock.now,
      (milliseconds) => took.push(milliseconds),
    );
    expect(runSync(disk as never, timed)).toBe('7 EIO 0');
    expect(took).toEqual([3]);
  });
});

/** Runs in a process of its own: how it ends is what is asked. */
function runProgram(rest: string) {
  const program = `
    import { Background } from '#src/projections/background.js';
    let slices = 0;
    let waiting = false;
    let done = () => {};
    const background = new Background(
      async () => { slices += 1; if (slices === 50) done(); return slices < 50; },
      () => waiting,
    );
    process.on('exit', () => console.log(slices >= 50 ? 'all' : 'some'));
    ${rest}`;
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program],
    { cwd, encoding: 'utf8', timeout: 30_000 },
  );
  return { status, told: stdout.trim(), stderr };
}

describe('work in the background', () => {
  test('keeps no process alive', () => {
    expect(runProgram('background.wake();')).toEqual({ status: 0, told: 'some', stderr: '' });
  });

  test('goes on while somebody waits for it', () => {
    const program = 'background.wake(); waiting = true; background.wake();';
    expect(runProgram(program)).toEqual({ status: 0, told: 'all', stderr: '' });
  });

  test('goes on in a process that only waits for a socket', () => {
    const program = `
      const { createServer } = await import('node:net');
      const server = createServer().listen(0, '127.0.0.1');
      done = () => server.close();
      background.wake();`;
    expect(runProgram(program)).toEqual({ status: 0, told: 'all', stderr: '' });
  });

  test('ends when it is closed', () => {
    const program = 'waiting = true; background.wake(); background.close(); background.wake();';
    expect(runProgram(program)).toEqual({ status: 0, told: 'some', stderr: '' });
  });
});
