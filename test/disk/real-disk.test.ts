import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bootId, idOfThisProcess } from '#src/locks/boot-id.js';
import { RealDisk } from '#src/log/real-disk.js';
import { named, systemError } from '#src/log/system-error.js';
import { watchFile } from '#src/log/watch-file.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { codeOf, diskContract } from './disk-contract.js';

const onWindows = process.platform === 'win32';
const options = {
  modes: !onWindows,
  writableLocks: process.platform === 'linux',
  ...(onWindows
    ? {}
    : { makeLink: (_: unknown, path: string, target: string) => symlinkSync(target, path) }),
};

diskContract(
  'real disk',
  () => {
    const disk = new RealDisk();
    return { disk, calls: disk, root: temporaryDirectory() };
  },
  options,
);

diskContract(
  'real disk on the thread pool',
  () => {
    const disk = new RealDisk();
    return { disk, calls: disk.promises, root: temporaryDirectory() };
  },
  options,
);

diskContract(
  'real disk without range locks',
  () => {
    const disk = new RealDisk({ rangeLocks: false });
    return { disk, calls: disk, root: temporaryDirectory() };
  },
  options,
);

const firstByte = { offset: 0, length: 1 };

describe('real disk', () => {
  test('a lock of another process holds until that process is killed', async () => {
    const path = join(temporaryDirectory(), 'lock');
    const disk = new RealDisk();
    const file = disk.open(path, 'create');
    const script = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url));
    const holder = spawn(process.execPath, [script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      holder.kill('SIGKILL');
    });
    const [said] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('locked\n');
    expect(disk.tryLock(file, firstByte, 'exclusive')).toBe(false);
    expect(disk.tryLock(file, firstByte, 'shared')).toBe(false);
    const gone = once(holder, 'exit');
    holder.kill('SIGKILL');
    await gone;
    expect(disk.tryLock(file, firstByte, 'exclusive')).toBe(true);
    disk.close(file);
  });

  test('a lock of this thread keeps another thread out', async () => {
    const path = join(temporaryDirectory(), 'lock');
    const disk = new RealDisk();
    const file = disk.open(path, 'create');
    expect(disk.tryLock(file, firstByte, 'exclusive')).toBe(true);
    const script = fileURLToPath(new URL('../support/lock-holder.mjs', import.meta.url));
    const other = new Worker(script, { argv: [path], stdout: true });
    onTestFinished(() => other.terminate().then(() => {}));
    const [said] = (await once(other.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('refused\n');
    disk.close(file);
  });

  if (!onWindows) {
    test('gives files and directories their modes under any umask', async () => {
      const disk = new RealDisk();
      const root = temporaryDirectory();
      const before = process.umask(0o777);
      try {
        for (const [name, calls] of [
          ['sync', disk],
          ['async', disk.promises],
        ] as const) {
          await calls.makeDirectory(join(root, name));
          const file = await calls.open(join(root, name, 'file'), 'create');
          await calls.close(file);
          expect((await calls.facts(join(root, name)))?.mode).toBe(0o700);
          expect((await calls.facts(join(root, name, 'file')))?.mode).toBe(0o600);
        }
      } finally {
        process.umask(before);
      }
    });

    test('opens no pipe and does not wait for one', async () => {
      const disk = new RealDisk();
      const path = join(temporaryDirectory(), 'pipe');
      execFileSync('mkfifo', [path]);
      expect(disk.facts(path)?.kind).toBe('other');
      expect(await codeOf(() => disk.open(path, 'read'))).toBe('EINVAL');
      expect(await codeOf(() => disk.open(path, 'write'))).toBe('EINVAL');
      expect(await codeOf(() => disk.promises.open(path, 'read'))).toBe('EINVAL');
    });

    test('syncs a directory that is reached through a link', () => {
      const disk = new RealDisk();
      const root = temporaryDirectory();
      disk.makeDirectory(join(root, 'directory'));
      symlinkSync(join(root, 'directory'), join(root, 'link'));
      disk.syncDirectory(join(root, 'link'));
      expect(disk.list(join(root, 'link'))).toEqual([]);
    });
  }

  test('calls back now and then where the system cannot tell of changes', async () => {
    const path = join(temporaryDirectory(), 'later');
    let stop = (): void => {};
    const told = new Promise<void>((resolve) => {
      stop = watchFile(path, resolve);
    });
    await told;
    stop();
  });

  test('says what to do when there is no binary for file locks', () => {
    const program = `
      const Module = require('node:module');
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === 'fs-native-extensions') throw new Error('no binary');
        return load(name, ...rest);
      };
      import('#src/log/real-disk.js').then(({ RealDisk }) => {
        const disk = new RealDisk();
        console.log('imported');
        try {
          disk.tryLock(0, { offset: 0, length: 1 }, 'shared');
        } catch (error) {
          console.log(error.code, error.message);
        }
      });`;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const printed = execFileSync(process.execPath, ['-e', program], { cwd, encoding: 'utf8' });
    const [first, second] = printed.split('\n');
    expect(first).toBe('imported');
    expect(second).toMatch(/^STORE_ACCESS .*fs-native-extensions.*no binary.*Alpine/);
  });
});

describe('boot id', () => {
  const script = fileURLToPath(new URL('../support/process-id-printer.mjs', import.meta.url));

  if (process.platform === 'linux') {
    test('is what the kernel says', () => {
      expect(bootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
    });
  }

  test('where the system tells none, is one for all threads of a process', async () => {
    const id = idOfThisProcess();
    expect(idOfThisProcess()).toBe(id);
    const thread = new Worker(script, { stdout: true });
    const [printed] = (await once(thread.stdout, 'data')) as [Buffer];
    expect(printed.toString()).toBe(id);
    const other = execFileSync(process.execPath, [script], { encoding: 'utf8' });
    expect(other).toMatch(/^[0-9a-f-]{36}$/);
    expect(other).not.toBe(id);
  });
});

describe('system errors', () => {
  test('look like those of Node', () => {
    const error = systemError('ENOENT', 'open', '/none');
    expect(error.message).toBe("ENOENT: no such file or directory, open '/none'");
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open', path: '/none' });
    expect(error.errno).toBeLessThan(0);
  });

  if (process.platform === 'linux') {
    test('have their name where Node knows none: a full quota', () => {
      const error = Object.assign(new Error('Unknown system error -122: …, write'), {
        errno: -122,
        code: 'Unknown system error -122',
        syscall: 'write',
      });
      expect(named(error)).toBe(error);
      expect(error.code).toBe('EDQUOT');
      expect(error.message).toBe('EDQUOT: …, write');
    });
  }

  test('are left alone when they have one, or are none', () => {
    const known = systemError('EIO', 'write');
    expect(named(known)).toBe(known);
    expect(known.code).toBe('EIO');
    expect(named('text')).toBe('text');
    const unknown = Object.assign(new Error('x'), {
      errno: -99999,
      code: 'Unknown system error -99999',
    });
    expect(named(unknown)).toBe(unknown);
    expect(unknown.code).toBe('Unknown system error -99999');
  });
});
