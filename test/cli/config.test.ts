/** Code of the user's: named, or beside the store, where running it must be safe. */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli } from './support.js';

const NAME = 'recollect.config.js';

/** Says that it ran by what the projection gives. */
const CONFIG = `
import { defineEvents, defineProjection, event } from 'recollect';
export const events = defineEvents({ 'note.taken': event(), 'note.dropped': event() });
export const upcasters = {};
export default { projections: [defineProjection({ name: 'notes', version: 1, events,
  initial: () => ({ taken: 0 }), on: { 'note.taken': (draft) => { draft.taken += 1; } } })] };
`;

async function world(): Promise<string> {
  const cwd = join(temporaryDirectory(), 'project');
  mkdirSync(cwd, { mode: 0o755 });
  const store = await openStore(join(cwd, 'memory'));
  await store.append('notes/a', { type: 'note.taken', data: null });
  await store.close();
  return cwd;
}

const get = (cwd: string, ...more: string[]) =>
  cli({ cwd }, 'get', join(cwd, 'memory'), 'notes/a', '--json', ...more);
const RAN = { code: 0, stdout: '{"taken":1}\n', stderr: '' };

describe('recollect.config.js beside the store', () => {
  test('is run for who stands there or below', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, NAME), CONFIG, { mode: 0o644 });
    expect(await get(cwd)).toEqual(RAN);
    mkdirSync(join(cwd, 'below'));
    const below = await cli({ cwd: join(cwd, 'below') }, 'get', '../memory', 'notes/a', '--json');
    expect(below).toEqual(RAN);
  });

  const reasons: readonly (readonly [string, RegExp, (cwd: string) => string])[] = [
    ['for who stands elsewhere', /you are in another directory/, (cwd) => join(cwd, '..')],
    [
      'for who stands in a directory whose name begins alike',
      /another directory/,
      (cwd) => {
        mkdirSync(`${cwd}-other`);
        return `${cwd}-other`;
      },
    ],
    [
      'when others may write to it',
      /others may have written it/,
      (cwd) => {
        chmodSync(join(cwd, NAME), 0o664);
        return cwd;
      },
    ],
    [
      'when others may write to its directory',
      /others may write to its directory/,
      (cwd) => {
        chmodSync(cwd, 0o777);
        return cwd;
      },
    ],
  ];

  test.each(reasons)('is not run %s', async (_, reason, change) => {
    const cwd = await world();
    writeFileSync(join(cwd, NAME), 'throw new Error("it ran");', { mode: 0o644 });
    const standing = change(cwd);
    const { code, stderr } = await cli({ cwd: standing }, 'get', join(cwd, 'memory'), 'notes/a');
    expect(code).toBe(2);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toContain('it ran');
  });

  test('is not run when it is a link', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, 'other.mjs'), CONFIG);
    symlinkSync(join(cwd, 'other.mjs'), join(cwd, NAME));
    expect((await get(cwd)).stderr).toContain('it is no plain file');
  });

  test('is not run when it belongs to somebody else', async () => {
    const cwd = await world();
    const file = join(cwd, NAME);
    writeFileSync(file, CONFIG, { mode: 0o644 });
    const own = process.getuid?.();
    // Only root can give a file away; for others root's own files are as good as theirs.
    if (own !== 0) {
      expect(await get(cwd)).toEqual(RAN);
      return;
    }
    chownSync(file, 12_345, 12_345);
    expect((await get(cwd)).stderr).toContain('others may have written it');
  });

  test('is not run by commands that need no projection, nor with --no-config', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, NAME), 'throw new Error("it ran");', { mode: 0o644 });
    for (const argv of [
      ['log', 'memory'],
      ['verify', 'memory'],
      ['doctor', 'memory'],
      ['backup', 'memory', 'backup'],
      ['restore', 'backup', 'restored'],
      ['salvage', 'memory', 'salvaged'],
      ['export', 'memory', 'events'],
      ['import', 'events', 'imported'],
      ['stats', 'memory', '--no-config'],
      ['append', 'memory', 'notes/a', 'any', '--no-config'],
    ]) {
      expect(await cli({ cwd }, ...argv)).toMatchObject({ code: 0, stderr: '' });
    }
    const { code, stderr } = await cli({ cwd }, 'stats', 'memory');
    expect(code).toBe(2);
    expect(stderr).toContain('it ran');
  });
});

describe('--config', () => {
  test('is run wherever it stands, with the package that runs it', async () => {
    const cwd = await world();
    const file = join(temporaryDirectory(), 'mine.mjs');
    writeFileSync(file, CONFIG);
    expect(await get(cwd, '--config', file)).toEqual(RAN);
    const unknown = await cli(
      { cwd },
      'append',
      'memory',
      'notes/a',
      'note.tkaen',
      '--config',
      file,
    );
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('note.taken') as string,
    });
    const listed = await cli({ cwd }, 'list', 'memory', '--config', file, '--keys');
    expect(listed.stdout).toBe('notes/a\n');
    const snapshot = await cli({ cwd }, 'snapshot', 'memory', '--config', file, '--json');
    expect(JSON.parse(snapshot.stdout)).toMatchObject({ parts: [{ name: 'notes', keys: 1 }] });
  });

  test('leaves the events of the models as they are', async () => {
    const cwd = await world();
    writeFileSync(join(cwd, 'mine.mjs'), CONFIG);
    const append = (stream: string, type: string, data: string) =>
      cli({ cwd }, 'append', 'memory', stream, type, data, '--config', 'mine.mjs');
    const remembered = await append('users/anna', 'user.remembered', '{"text":"likes tea"}');
    expect(remembered).toMatchObject({ code: 0, stderr: '' });
    expect((await append('users/anna', 'user.rememberd', '{}')).stderr).toContain('not declared');
    const recalled = await cli({ cwd }, 'recall', 'memory', 'tea', '--config', 'mine.mjs');
    expect(recalled.stdout).toContain('likes tea');
  });

  test.each([
    ['is not there', undefined, /mine\.mjs cannot be loaded: there is no such file"/],
    ['does not parse', 'export const = 1;', /cannot be loaded/],
    ['exports what nobody asks for', 'export const projektions = [];', /projektions/],
    [
      'exports what is no projection',
      'export const projections = [{ name: "notes", version: 1 }];',
      /defineProjection/,
    ],
  ])('%s', async (_, code, says) => {
    const cwd = await world();
    if (code !== undefined) writeFileSync(join(cwd, 'mine.mjs'), code);
    const ended = await get(cwd, '--config', 'mine.mjs', '--projection', 'notes');
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
  });
});
