/** A log that is followed ends when nobody reads it any more, and not before. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { builtProgram as main } from './support.js';

const isLinux = process.platform === 'linux';

/** A directory with a memory of one event, which everybody may enter. */
async function world(): Promise<string> {
  const cwd = temporaryDirectory();
  chmodSync(cwd, 0o755);
  const store = await openStore(join(cwd, 'memory'));
  await store.append('notes/a', { type: 'note', data: 'first' });
  await store.close();
  return cwd;
}

describe('a log that is followed', () => {
  test.runIf(isLinux)('ends when a parent that is Node closes its output', async () => {
    const cwd = await world();
    const child = spawn(process.execPath, [main, 'log', 'memory', '--follow'], { cwd });
    const ended = once(child, 'exit');
    let errors = '';
    child.stderr.on('data', (piece: Buffer) => {
      errors += piece.toString();
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await ended).toEqual([0, null]);
    expect(errors).toBe('');
  });

  test.runIf(isLinux)('ends when the reader of a pipe with a name has gone', async () => {
    const cwd = await world();
    const follow = `'${process.execPath}' '${main}' log memory --follow`;
    const script = `mkfifo pipe; head -n 1 pipe & ${follow} >pipe; echo "ended with $?"`;
    const ended = spawnSync('sh', ['-c', script], { cwd, encoding: 'utf8', timeout: 20_000 });
    expect(ended.error).toBeUndefined();
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(ended.stdout).toMatch(/"first".*\nended with 0\n$/);
  });

  // Only root can become somebody else.
  test.runIf(isLinux && process.getuid?.() === 0)(
    'goes on while somebody reads whom it may not look at, when its first reader has gone',
    async () => {
      const cwd = await world();
      const stranger = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
      const recollect = `'${process.execPath}' '${main}'`;
      // The follower and its first reader belong to the stranger, who reads on is root.
      const readers = `{ ${stranger} head -n 1; head -n 1; }`;
      const late = `${recollect} append memory notes/a note '"second"' >append.txt`;
      // Meanwhile it looks for its reader several times. The third is for nobody: it ends the follower.
      const writers = `{ sleep 1; ${stranger} ${recollect} log memory --follow & sleep 4; ${late}; sleep 1; ${late}; wait; }`;
      const script = `chown -R 65534:65534 memory; ${writers} | ${readers}`;
      const ended = spawnSync('sh', ['-c', script], { cwd, encoding: 'utf8', timeout: 40_000 });
      expect(ended.error).toBeUndefined();
      expect(ended.stdout).toMatch(/"first"[\s\S]*\n[\s\S]*"second"/);
    },
  );
});
