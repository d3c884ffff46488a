/** The built program is put together into a few files: it must load no more, and still be one copy with what a user's modules import. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { builtProgram, root } from './support.js';

const dist = join(root, 'dist');

async function world(): Promise<string> {
  const cwd = temporaryDirectory();
  const store = await openStore(join(cwd, 'memory'));
  const data = { value: 'Anna', section: 'semantic' };
  await store.append('records/anna', { type: 'record.stored', data });
  await store.append('notes/a', { type: 'note.taken', data: null });
  await store.close();
  return cwd;
}

function recollect(cwd: string, env: Record<string, string>, ...argv: string[]) {
  return spawnSync(process.execPath, [builtProgram, ...argv], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

/** The files of a package that a command loads, as V8 counts them. */
function filesLoadedBy(cwd: string, ...argv: string[]): string[] {
  const counted = join(cwd, `counted-${argv[0]}`);
  mkdirSync(counted);
  const ended = recollect(cwd, { NODE_V8_COVERAGE: counted }, ...argv);
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  return readdirSync(counted).flatMap((name) => {
    const text = readFileSync(join(counted, name), 'utf8');
    const { result } = JSON.parse(text) as { result: { url: string }[] };
    const urls = result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
    return urls.map((url) => fileURLToPath(url));
  });
}

describe('the built program loads', () => {
  test('one file to say its version', () => {
    const cwd = temporaryDirectory();
    expect(filesLoadedBy(cwd, '--version')).toEqual([builtProgram]);
  });

  test.each([
    ['get', ['get', 'memory', 'records/anna']],
    ['log', ['log', 'memory']],
    ['history', ['history', 'memory', 'records/anna']],
    ['verify', ['verify', 'memory']],
  ])('few files for %s, and neither importers nor stemmers', async (_, argv) => {
    const cwd = await world();
    const files = filesLoadedBy(cwd, ...argv);
    const own = files.filter((file) => file.startsWith(dist));
    expect(new Set(own.map((file) => dirname(file)))).toEqual(new Set([dirname(builtProgram)]));
    expect(own.length).toBeLessThan(40);
    expect(files.filter((file) => /import|stemmers|native/.test(file))).toEqual([]);
  });
});

describe('a module of the user’s is one copy with the program that runs it', () => {
  const projection = (from: string) => `
import { defineEvents, defineProjection, event } from '${from}';
export const events = defineEvents({ 'note.taken': event() });
export const projections = [defineProjection({ name: 'notes', version: 1, events,
  initial: () => ({ taken: 0 }), on: { 'note.taken': (draft) => { draft.taken += 1; } } })];
`;

  test.each([
    ['by name', 'recollect'],
    ['by its path', pathToFileURL(join(dist, 'index.js')).href],
  ])('when it imports the package %s', async (_, from) => {
    const cwd = await world();
    writeFileSync(join(cwd, 'own.mjs'), projection(from));
    const got = recollect(cwd, {}, 'get', 'memory', 'notes/a', '--config', 'own.mjs', '--json');
    expect(got).toMatchObject({ status: 0, stdout: '{"taken":1}\n', stderr: '' });
    const replayed = recollect(cwd, {}, 'replay', 'memory', '--projection', 'own.mjs');
    expect(replayed).toMatchObject({ status: 0, stderr: '' });
    expect(replayed.stdout).toContain('notes v1  1 keys');
    writeFileSync(join(cwd, 'recollect.config.js'), `export * from './own.mjs';\n`);
    const beside = recollect(cwd, {}, 'get', 'memory', 'notes/a', '--json');
    expect(beside).toMatchObject({ stdout: '{"taken":1}\n', stderr: '' });
    const without = recollect(cwd, {}, 'get', 'memory', 'notes/a', '--no-config');
    expect(without).toMatchObject({ status: 2, stdout: '' });
  });

  test('and events are still read from standard input, once', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, 'own.mjs'), projection('recollect'));
    const argv = [builtProgram, 'append', 'memory', 'notes/b', '--config', 'own.mjs'];
    const line = '{"type":"note.taken","data":1}\n';
    const ended = spawnSync(process.execPath, argv, { cwd, encoding: 'utf8', input: line });
    expect(ended).toMatchObject({ status: 0, stdout: 'position 3, notes/b@1\n', stderr: '' });
  });
});

test('a command that can never end does not pass for one that has', async () => {
  const cwd = await world();
  writeFileSync(join(cwd, 'own.mjs'), 'export const events = await new Promise(() => {});\n');
  const argv = ['get', 'memory', 'records/anna', '--config', 'own.mjs'];
  const ended = recollect(cwd, {}, ...argv);
  expect(ended).toMatchObject({ status: 13, stdout: '' });
  expect(ended.stderr).toMatch(/^recollect: the command came to no end: [^\n]*--config[^\n]*\n$/);
  const asJson = recollect(cwd, {}, ...argv, '--json');
  expect(asJson).toMatchObject({ status: 13, stdout: '' });
  expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: 'UNFINISHED', exitCode: 13 } });
  expect(recollect(cwd, {}, '--help').stdout).toMatch(/Exit codes: [^\n]*\b13 came to no end\b/);
});
