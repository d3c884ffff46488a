/** What a shell does to a program: pruned stores, closed pipes, keys at the wrong moment, input that is none. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { guarded } from '#src/cli/escape.js';
import { openMemory, openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, jsonLines, builtProgram as main } from './support.js';

async function storeIn(cwd: string, events = 6, segmentBytes?: number): Promise<void> {
  const store = await openStore(join(cwd, 'memory'), { segmentBytes, compaction: false });
  for (let number = 1; number <= events; number += 1) {
    const data = { number, text: 'x'.repeat(100) };
    await store.append('notes/a', { type: 'note.taken', data }, { actor: 'planner' });
  }
  await store.close();
}

/** A store whose beginning is gone, and the first position that it has. */
async function pruned(): Promise<{ readonly cwd: string; readonly first: number }> {
  const cwd = temporaryDirectory();
  await storeIn(cwd, 60, 4096);
  writeFileSync(join(cwd, 'retention.mjs'), 'export const retention = { days: 0 };\n');
  const compact = ['compact', 'memory', '--config', 'retention.mjs', '--yes', '--json'];
  const { stdout } = await cli({ cwd }, ...compact);
  const { dropped } = JSON.parse(stdout) as { dropped: { last: number }[] };
  const first = (dropped.at(-1)?.last ?? 0) + 1;
  expect(first).toBeGreaterThan(1);
  return { cwd, first };
}

describe('log of a store that retention has pruned', () => {
  test('begins where it begins now', async () => {
    const { cwd, first } = await pruned();
    const all = await cli({ cwd }, 'log', 'memory', '--json');
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(jsonLines(all.stdout).at(-1)).toMatchObject({ position: first });
    const oldest = await cli({ cwd }, 'log', 'memory', '--reverse', '--limit', '1', '--json');
    expect(oldest.code).toBe(0);
    expect(jsonLines(oldest.stdout)).toMatchObject([{ position: first }]);
    const none = await cli({ cwd }, 'log', 'memory', '--stream', 'nothing*');
    expect(none).toEqual({ code: 0, stdout: '', stderr: '' });
    const played = await cli({ cwd }, 'replay', 'memory', '--speed', '1000000', '--json');
    expect(jsonLines(played.stdout)[0]).toMatchObject({ position: first });
  });

  test('is followed', async () => {
    const { cwd } = await pruned();
    const follow = ['log', 'memory', '--follow', '--stream', 'zz/*'];
    const followed = await cli({ cwd, signal: AbortSignal.timeout(200) }, ...follow);
    expect(followed.code).toBe(130);
    expect(followed.stderr).not.toContain('retention');
  });

  test('says what is gone when that was asked for', async () => {
    const { cwd } = await pruned();
    const asked = await cli({ cwd }, 'log', 'memory', '--from', '1');
    expect(asked).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('retention') as string,
    });
  });
});

describe('log --follow', () => {
  test('prints nothing before the position it begins at', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    const controller = new AbortController();
    const watch = (text: string): void => {
      if (text.includes('9')) controller.abort();
    };
    const follow = ['log', 'memory', '--follow', '--from', '9', '--json'];
    const followed = cli({ cwd, signal: controller.signal, watch }, ...follow);
    await storeIn(cwd, 4);
    const { code, stdout } = await followed;
    expect(code).toBe(130);
    expect(jsonLines(stdout)[0]).toMatchObject({ position: 9 });
  });

  test('ends at damage', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    const [segment = ''] = readdirSync(join(cwd, 'memory/log'));
    const file = join(cwd, 'memory/log', segment);
    const bytes = readFileSync(file);
    bytes[bytes.length - 10] = (bytes[bytes.length - 10] as number) ^ 1;
    writeFileSync(file, bytes);
    const { code, stdout, stderr } = await cli({ cwd }, 'log', 'memory', '--follow', '--json');
    expect(code).toBe(1);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ position: 5 });
    expect(stderr).toContain('damaged');
  });
});

describe('append from standard input', () => {
  test.each([
    ['no object', 'null\n', /line 1 is no event/],
    ['a list', '{"type":"a","data":1}\n[]\n', /line 2 is no event/],
  ])('refuses %s', async (_, stdin, says) => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    const ended = await cli({ cwd, stdin }, 'append', 'memory', 's');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(says) as string });
  });

  test('refuses bytes that are no UTF-8 and writes none of them', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    const stdin = new PassThrough();
    stdin.end(
      Buffer.concat([Buffer.from('{"type":"a","data":"'), Buffer.of(0xff), Buffer.from('"}')]),
    );
    const ended = await cli({ cwd, stdin }, 'append', 'memory', 's');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('UTF-8') as string });
    expect(jsonLines((await cli({ cwd }, 'log', 'memory', '--json')).stdout)).toHaveLength(1);
  });

  test('does not keep Ctrl-C waiting for what nobody sends', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    const signal = AbortSignal.timeout(50);
    const ended = await cli({ cwd, stdin: new PassThrough(), signal }, 'append', 'memory', 's');
    expect(ended.code).toBe(130);
  });
});

describe('errors as JSON', () => {
  test.each([
    ['an unknown option', ['log', 'memory', '--folow'], 'WRONG_USE', 2],
    ['a missing argument', ['get', 'memory'], 'WRONG_USE', 2],
    ['an unknown command', ['lgo', 'memory'], 'WRONG_USE', 2],
    ['nothing under a key', ['get', 'memory', 'records/nobody'], 'NOT_FOUND', 4],
    ['a moment that is none', ['log', 'memory', '--to', '9e9'], 'INVALID_ARGUMENT', 2],
  ])('%s', async (_, argv, code, exitCode) => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    const ended = await cli({ cwd }, ...argv, '--json');
    expect(ended.code).toBe(exitCode);
    const told = JSON.parse(ended.stderr) as { error: { message: string } };
    expect(told).toMatchObject({ error: { code, exitCode } });
    expect(told.error.message).not.toBe('');
  });
});

test('history --reverse gives in portions what history gives', async () => {
  const cwd = temporaryDirectory();
  const memory = await openMemory(join(cwd, 'memory'));
  const writing = Array.from({ length: 600 }, (_, n) => memory.records.store('alice', { n }));
  await Promise.all(writing);
  await memory.close();
  const history = async (...more: string[]) =>
    jsonLines((await cli({ cwd }, 'history', 'memory', 'records/alice', '--json', ...more)).stdout);
  const all = await history();
  expect(all).toHaveLength(600);
  expect(await history('--reverse')).toEqual([...all].reverse());
  const some = await history('--reverse', '--from', '20', '--to', '550', '--limit', '300');
  expect(some).toEqual(all.slice(250, 550).reverse());
});

describe('what was meant', () => {
  test('diff of a key that is nowhere', async () => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(join(cwd, 'memory'));
    await memory.records.store('alice', 1);
    await memory.records.store('bob', 1);
    await memory.close();
    const diff = (key: string, from: string) => cli({ cwd }, 'diff', 'memory', key, '--from', from);
    expect(await diff('records/typo', '0')).toMatchObject({ code: 4 });
    expect(await diff('records/alice', '0')).toMatchObject({ code: 1 });
    expect(await diff('records/alice', '1')).toMatchObject({ code: 0, stdout: '' });
  });

  test('projections that are no list', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    writeFileSync(join(cwd, 'own.mjs'), 'export const projections = 7;\n');
    const ended = await cli({ cwd }, 'list', 'memory', '--config', 'own.mjs');
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('a list') as string });
  });

  test('a projection as the default export', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 3);
    const definition =
      "{ name: 'counts', version: 1, key: () => 'all', initial: () => ({ n: 0 }), on: { 'note.taken': (draft) => void (draft.n += 1) } }";
    const text = `import { defineProjection } from 'recollect';\nexport default { projections: [defineProjection(${definition})] };\n`;
    writeFileSync(join(cwd, 'own.mjs'), text);
    const ended = await cli({ cwd }, 'replay', 'memory', '--projection', 'own.mjs', '--json');
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ projections: [{ name: 'counts', keys: 1 }] });
  });
});

describe('who only plans leaves no trace in a store', () => {
  const registered = (cwd: string): string[] => {
    const directory = join(cwd, 'memory/registry');
    if (!existsSync(directory)) return [];
    return readdirSync(directory).map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      return (JSON.parse(text) as { projection: string }).projection;
    });
  };

  test('compact --dry-run, and a no to what compact asks', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 60, 4096);
    const own =
      "import { defineProjection } from 'recollect';\nexport const retention = { days: 0 };\nexport const projections = [defineProjection({ name: 'counts', version: 1, key: () => 'all', initial: () => ({ n: 0 }), on: { 'note.taken': (draft) => void (draft.n += 1) } })];\n";
    writeFileSync(join(cwd, 'own.mjs'), own);
    const compact = ['compact', 'memory', '--config', 'own.mjs'];
    const dry = await cli({ cwd }, ...compact, '--dry-run', '--json');
    expect(dry.code).toBe(0);
    const plan = JSON.parse(dry.stdout) as { moved: unknown[]; dropped: unknown[] };
    expect(plan.moved.length).toBeGreaterThan(1);
    const no = await cli({ cwd, columns: 200, answers: 'n\n' }, ...compact);
    expect(no).toMatchObject({ code: 0, stderr: expect.stringContaining('for good') as string });
    expect(registered(cwd)).toEqual([]);
    expect((await cli({ cwd }, ...compact, '--yes')).code).toBe(0);
    expect(registered(cwd)).toEqual(['counts']);
  });

  test('undo of what cannot be undone, and a no', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    expect((await cli({ cwd }, 'undo', 'memory', '2', '--yes')).code).toBeGreaterThan(1);
    await cli({ cwd, columns: 80, answers: 'n\n' }, 'undo', 'memory', '2');
    expect(registered(cwd)).toEqual([]);
  });

  test('and keepers use the language that the programs of a memory use', async () => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(join(cwd, 'memory'), { language: 'german' });
    await memory.records.store('alice', 1);
    await memory.records.store('alice', 2);
    // It waits until all are registered.
    await memory.engine.compact();
    await memory.close();
    const known = registered(cwd).sort();
    expect(known).toContain('recall-german');
    for (const argv of [
      ['undo', 'memory', '2', '--yes'],
      ['snapshot', 'memory'],
      ['compact', 'memory'],
    ]) {
      expect(await cli({ cwd }, ...argv)).toMatchObject({ code: 0 });
    }
    expect(registered(cwd).sort()).toEqual(known);
  });
});

describe('Ctrl-C while a store is being opened', () => {
  test.each([['snapshot'], ['compact'], ['undo', '1', '--yes']])('%s', async (name, ...more) => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(join(cwd, 'memory'));
    await memory.records.store('alice', 1);
    await memory.close();
    const controller = new AbortController();
    // A config file is loaded while the command is under way: it is a key pressed then.
    Object.assign(globalThis, { pressCtrlC: () => controller.abort(new Error('interrupted')) });
    writeFileSync(join(cwd, 'own.mjs'), "pressCtrlC();\nexport const language = 'english';\n");
    const argv = [name, 'memory', ...more, '--config', 'own.mjs'];
    expect(await cli({ cwd, signal: controller.signal }, ...argv)).toMatchObject({ code: 130 });
    expect(existsSync(join(cwd, 'memory/snapshots'))).toBe(false);
    const { stdout } = await cli({ cwd }, 'log', 'memory', '--json');
    expect(jsonLines(stdout)).toHaveLength(1);
  });
});

describe('export to a file', () => {
  test('says which file had no room', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 400);
    // The shell's limit stands for a full disk; its unit is 1024 bytes.
    const script = `trap '' XFSZ; ulimit -f 16; exec "$0" "$@"`;
    const argv = [process.execPath, main, 'export', 'memory', 'events.ndjson'];
    const ended = spawnSync('bash', ['-c', script, ...argv], { cwd, encoding: 'utf8' });
    expect(ended.status).toBe(5);
    expect(ended.stderr).toContain(join(cwd, 'events.ndjson'));
    expect(readdirSync(cwd)).toEqual(['memory']);
  });

  test('to a place that takes none says so under its name, also when it is only tried', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    writeFileSync(join(cwd, 'file'), 'x');
    for (const [file, code] of [
      ['missing/events', 4],
      ['file/events', 5],
    ] as const) {
      for (const more of [[], ['--dry-run']]) {
        const ended = await cli({ cwd }, 'export', 'memory', file, ...more);
        expect(ended).toMatchObject({ code, stdout: '' });
        expect(ended.stderr).toContain(`'${join(cwd, file)}'`);
        expect(ended.stderr).not.toContain('.tmp');
      }
    }
    expect(readdirSync(cwd).sort()).toEqual(['file', 'memory']);
  });

  test('to a directory that may not be written to says so, also when it is only tried', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    // Root may do everything: it becomes somebody else.
    const uid = process.getuid?.() === 0 ? 65_534 : undefined;
    if (uid !== undefined) {
      for (const name of ['', ...readdirSync(join(cwd, 'memory'), { recursive: true })]) {
        chownSync(join(cwd, 'memory', String(name)), uid, uid);
      }
    }
    chmodSync(cwd, 0o555);
    for (const more of [[], ['--dry-run']]) {
      const argv = [main, 'export', 'memory', 'events', ...more];
      const ended = spawnSync(process.execPath, argv, { cwd, encoding: 'utf8', uid });
      expect(ended).toMatchObject({ status: 5, stdout: '' });
      expect(ended.stderr).toMatch(/EACCES: .*events'/);
      expect(ended.stderr).not.toContain('.tmp');
    }
    chmodSync(cwd, 0o755);
    expect(readdirSync(cwd)).toEqual(['memory']);
  });

  test('keeps out of the store by whatever name, and asks before it replaces a link', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 1);
    symlinkSync('memory', join(cwd, 'other'));
    expect(await cli({ cwd }, 'export', 'memory', 'other/events')).toMatchObject({ code: 2 });
    expect(await cli({ cwd }, 'export', 'other', 'memory/events')).toMatchObject({ code: 2 });
    symlinkSync('nowhere', join(cwd, 'link'));
    const asked = await cli({ cwd }, 'export', 'memory', 'link');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
    expect(await cli({ cwd }, 'export', 'memory', 'link', '--yes')).toMatchObject({ code: 0 });
    expect(lstatSync(join(cwd, 'link')).isFile()).toBe(true);
  });
});

test('a closed standard error changes no exit code', async () => {
  const cwd = temporaryDirectory();
  await storeIn(cwd, 1);
  for (const [argv, code] of [
    [['get', 'memory', 'records/nobody'], 4],
    [['log', 'memory', '--folow'], 2],
  ] as const) {
    const child = spawn(process.execPath, [main, ...argv], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.destroy();
    child.stdout.resume();
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(code);
  }
});

test('Ctrl-C during doctor leaves nothing beside the store', async () => {
  const cwd = temporaryDirectory();
  await storeIn(cwd, 1);
  const seen = new Set<string>();
  let isLooking = true;
  // Whatever has a name between two turns of the loop would stay if the process ended there.
  const look = (): void => {
    if (!isLooking) return;
    for (const name of readdirSync(cwd)) seen.add(name);
    setImmediate(look);
  };
  look();
  const { code, stdout } = await cli({ cwd }, 'doctor', 'memory', '--json');
  isLooking = false;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ locks: 'work', sync: { tries: 16 } });
  expect([...seen]).toEqual(['memory']);
});

test('a line stays one line, whatever is in it', () => {
  expect(guarded('bad\n\u0007forged', true)).toBe('bad\\n\\u0007forged');
});
