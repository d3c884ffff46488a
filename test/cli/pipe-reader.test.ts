/** A log that is followed ends when nobody reads it any more, and not before. */
import { spawn } from 'node:child_process';
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
});
