/** The built program as a process of its own: pipes that close, Ctrl-C in the middle, and others at work meanwhile. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openLog, openStore, verifyStore } from '#src/index.js';
import { WRITE_LOCK } from '#src/log/format.js';
import { RealDisk } from '#src/log/real-disk.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, builtProgram as main, root } from './support.js';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};

function recollect(cwd: string, ...argv: string[]) {
  return spawnSync(process.execPath, [main, ...argv], { cwd, encoding: 'utf8' });
}

/** A store of many segments: so many commits of 100 KB each. */
async function storeIn(cwd: string, commits: number): Promise<void> {
  const store = await openStore(join(cwd, 'memory'), { segmentBytes: 2 ** 20, compaction: false });
  const text = 'abcdefghij'.repeat(10_000);
  const writing: Promise<unknown>[] = [];
  for (let number = 1; number <= commits; number += 1) {
    writing.push(store.append('notes/a', { type: 'note', data: { number, text } }));
  }
  await Promise.all(writing);
  await store.close();
}

test('the built program is what package.json names, and begins as a program does', () => {
  expect(readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
  expect(recollect(root, '--version')).toMatchObject({
    status: 0,
    stdout: `${version}\n`,
    stderr: '',
  });
  const help = recollect(root, 'help', 'restore');
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toContain('$ recollect restore');
});

test('an error goes to standard error, and its code to the shell', () => {
  const cwd = temporaryDirectory();
  const ended = recollect(cwd, 'get', 'nowhere', 'records/a');
  expect(ended).toMatchObject({ status: 4, stdout: '' });
  expect(ended.stderr).toMatch(/^recollect: no memory at /);
});

describe('log', () => {
  test('reads no more than it prints, and ends quietly when its reader has enough', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 60);
    // Whoever read the whole log would find this.
    const segments = readdirSync(join(cwd, 'memory/log')).sort();
    expect(segments.length).toBeGreaterThan(2);
    const first = join(cwd, 'memory/log', segments[0] as string);
    const bytes = readFileSync(first);
    writeFileSync(first, bytes.fill('#', 500, bytes.length - 500));
    const limited = recollect(cwd, 'log', 'memory', '--limit', '3', '--json');
    expect(limited).toMatchObject({ status: 0, stderr: '' });
    const command = `'${process.execPath}' '${main}' log memory; echo "ended with $?" >&2`;
    const piped = spawnSync('sh', ['-c', `{ ${command}; } | head -n 2 | cut -c 1-6`], {
      cwd,
      encoding: 'utf8',
    });
    expect(piped).toMatchObject({
      status: 0,
      stdout: '60.0  \n59.0  \n',
      stderr: 'ended with 0\n',
    });
    expect((await cli({ cwd }, 'log', 'memory')).code).toBe(1);
  });

  test.runIf(process.platform === 'linux')(
    'that is followed ends when its reader has gone, though nothing more comes',
    async () => {
      const cwd = temporaryDirectory();
      await storeIn(cwd, 5);
      const follow = `'${process.execPath}' '${main}' log memory --follow`;
      const follower = `{ ${follow}; echo "ended with $?" >&2; } | head -n 3 | cut -c 1-5`;
      // In the middle, somebody who hands on what it reads, and never ends by itself.
      for (const command of [follower, `${follow} | cat | head -n 1 | cut -c 1-5`]) {
        const ended = spawnSync('sh', ['-c', command], { cwd, encoding: 'utf8', timeout: 30_000 });
        expect(ended.error).toBeUndefined();
        expect(ended.stdout).toMatch(/^1\.0 {2}\n/);
        expect(['', 'ended with 0\n']).toContain(ended.stderr);
      }
    },
  );

  test('an export ends quietly as well', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 20);
    const command = `'${process.execPath}' '${main}' export memory; echo "ended with $?" >&2`;
    const piped = spawnSync('sh', ['-c', `{ ${command}; } | head -c 10`], {
      cwd,
      encoding: 'utf8',
    });
    expect(piped).toMatchObject({ stdout: '{"id":"1.0', stderr: 'ended with 0\n' });
  });
});

test('what only reads needs no lock, and what writes says who has it', async () => {
  const cwd = temporaryDirectory();
  const store = await openStore(join(cwd, 'memory'));
  await store.append('notes/a', { type: 'note', data: 1 });
  const disk = new RealDisk();
  const file = disk.open(join(cwd, 'memory/lock'), 'write');
  expect(disk.tryLock(file, WRITE_LOCK, 'exclusive')).toBe(true);
  try {
    for (const argv of [
      ['log', 'memory'],
      ['list', 'memory', '--projection', 'records'],
      ['verify', 'memory'],
      ['export', 'memory'],
    ]) {
      expect(await cli({ cwd }, ...argv)).toMatchObject({ code: 0, stderr: '' });
    }
    const doctor = await cli({ cwd }, 'doctor', 'memory', '--json');
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      ok: true,
      lock: { held: true, holder: { pid: process.pid, isRunning: true } },
    });
    const refused = recollect(cwd, 'append', 'memory', 'notes/a', 'note', '--lock-timeout', '100');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain(`pid ${process.pid}`);
  } finally {
    disk.close(file);
    await store.close();
  }
});

test('reads while others write', async () => {
  const cwd = temporaryDirectory();
  const store = await openStore(join(cwd, 'memory'), { segmentBytes: 4096, compaction: false });
  let writing = true;
  let written = 0;
  const writer = (async () => {
    while (writing) {
      written += 1;
      const data = { value: { written }, section: 'semantic' };
      await store.append(`records/${written % 7}`, { type: 'record.stored', data });
    }
  })();
  const start = (...argv: string[]) =>
    new Promise<number | null>((resolve) => {
      const child = spawn(process.execPath, [main, ...argv], { cwd, stdio: 'ignore' });
      child.on('exit', (code) => resolve(code));
    });
  const codes = [];
  for (const argv of [
    ['log', 'memory'],
    ['verify', 'memory', '--deep'],
    ['replay', 'memory'],
    ['backup', 'memory', 'backup'],
  ]) {
    codes.push([argv[0], await start(...argv)]);
  }
  writing = false;
  await writer;
  await store.close();
  expect(codes).toEqual(['log', 'verify', 'replay', 'backup'].map((name) => [name, 0]));
  expect(written).toBeGreaterThan(6);
});

/** Sends Ctrl-C as soon as something that was not there stands beside, or in the place. */
async function interruptedWhen(
  isBegun: () => boolean,
  child: ChildProcess,
): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
  });
  while (child.exitCode === null && !isBegun()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  child.kill('SIGINT');
  return await ended;
}

describe('Ctrl-C in the middle', () => {
  const ATTEMPTS = 5;
  const COMMITS = 160;
  let source = '';

  beforeAll(async () => {
    source = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-test-'));
    await storeIn(source, COMMITS);
    expect((await cli({ cwd: source }, 'export', 'memory', 'events')).code).toBe(0);
    return () => rmSync(source, { recursive: true, force: true });
  });

  test.each([
    ['backup', ['backup', 'memory', 'target']],
    ['restore', ['restore', 'memory', 'target']],
    ['restore to a moment', ['restore', 'memory', 'target', '--to', '150']],
    ['salvage', ['salvage', 'memory', 'target']],
    ['import', ['import', 'events', 'target']],
    ['export', ['export', 'memory', 'target']],
  ])('of %s leaves nothing half done', async (_, [command = '', from = '', ...more]) => {
    const cwd = temporaryDirectory();
    const argv = [command, join(source, from), ...more];
    const codes: (number | null)[] = [];
    // One that was too fast has made all of it.
    while (codes.at(-1) !== 130 && codes.length < ATTEMPTS) {
      const child = spawn(process.execPath, [main, ...argv], { cwd, stdio: 'ignore' });
      const code = await interruptedWhen(() => readdirSync(cwd).length > 0, child);
      codes.push(code);
      expect([0, 130]).toContain(code);
      expect(readdirSync(cwd)).toEqual(code === 0 ? ['target'] : []);
      rmSync(join(cwd, 'target'), { recursive: true, force: true });
    }
    expect(codes.at(-1)).toBe(130);
    expect(await cli({ cwd }, ...argv)).toMatchObject({ code: 0 });
  });

  test('of compact leaves what was moved, and a store that is whole', async () => {
    const cwd = temporaryDirectory();
    cpSync(join(source, 'memory'), join(cwd, 'memory'), { recursive: true });
    const archive = join(cwd, 'memory/archive');
    const child = spawn(process.execPath, [main, 'compact', 'memory'], { cwd, stdio: 'ignore' });
    const isBegun = () => existsSync(archive) && readdirSync(archive).length > 1;
    expect(await interruptedWhen(isBegun, child)).toBe(130);
    expect((await verifyStore(join(cwd, 'memory'), { deep: true })).ok).toBe(true);
    const log = await openLog(join(cwd, 'memory'), { readOnly: true });
    expect(await log.readAll().toArray()).toHaveLength(COMMITS);
    await log.close();
    const plain = readdirSync(join(cwd, 'memory/log')).length;
    expect(plain).toBeGreaterThan(1);
    expect(await cli({ cwd }, 'compact', 'memory')).toMatchObject({ code: 0 });
    expect(readdirSync(join(cwd, 'memory/log')).length).toBeLessThan(plain);
    expect(readdirSync(archive).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('of a log that is followed ends it, once it has shown what another process appended', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    const child = spawn(process.execPath, [main, 'log', 'memory', '--follow'], { cwd });
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      seen += piece;
    });
    const store = await openStore(join(cwd, 'memory'));
    const ended = interruptedWhen(() => seen.includes('{"late":true}'), child);
    while (!seen.includes('1.0  ')) await new Promise((resolve) => setTimeout(resolve, 5));
    await store.append('notes/b', { type: 'note', data: { late: true } });
    expect(await ended).toBe(130);
    await store.close();
  });
});
