/** Commands that only read: what they answer is what the library says. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openMemory, openStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, jsonLines } from './support.js';

/** A memory with five commits of two actors. */
async function memoryIn(cwd: string): Promise<void> {
  const memory = await openMemory(join(cwd, 'memory'), { actor: 'planner' });
  await memory.records.store(
    'alice',
    { city: 'Bern', cats: ['Tom', 'Kit'] },
    {},
    { reason: 'met her' },
  );
  await memory.records.store('bob', { city: 'Basel' });
  await memory.records.update(
    'alice',
    (draft) => {
      (draft as { city: string }).city = 'Chur';
    },
    { actor: 'critic', reason: 'she moved' },
  );
  await memory.users.remember('anna', 'likes tea');
  await memory.records.delete('bob', { actor: 'critic' });
  await memory.close();
}

async function world(): Promise<string> {
  const cwd = temporaryDirectory();
  await memoryIn(cwd);
  return cwd;
}

const idsOf = (text: string): unknown[] => jsonLines(text).map(({ id }) => id);

describe('log', () => {
  test('prints newest first, and filters by actor, stream, type, position and time', async () => {
    const cwd = await world();
    const log = async (...argv: string[]) =>
      idsOf((await cli({ cwd }, 'log', 'memory', '--json', ...argv)).stdout);
    expect(await log()).toEqual(['5.0', '4.0', '3.0', '2.0', '1.0']);
    expect(await log('--reverse', '--limit', '2')).toEqual(['1.0', '2.0']);
    expect(await log('--actor', 'critic')).toEqual(['5.0', '3.0']);
    expect(await log('--actor', 'critic', '--actor', 'planner', '--limit', '1')).toEqual(['5.0']);
    expect(await log('--stream', 'records/alice')).toEqual(['3.0', '1.0']);
    expect(await log('--stream', 'users/*', '--stream', 'records/bob')).toEqual([
      '5.0',
      '4.0',
      '2.0',
    ]);
    expect(await log('--type', 'record.st*')).toEqual(['2.0', '1.0']);
    expect(await log('--from', '2', '--to', '3')).toEqual(['3.0', '2.0']);
    expect(await log('--from', '3', '--to', '2')).toEqual([]);
    expect(await log('--limit', '0')).toEqual([]);
    expect(await log('--to', '1970-01-02')).toEqual([]);
    expect(await log('--from', '2999-01-01')).toEqual([]);
  });

  test('takes a time as everything from its millisecond on, or up to it', async () => {
    const cwd = await world();
    const { stdout } = await cli({ cwd }, 'log', 'memory', '--json');
    const events = jsonLines(stdout) as { id: string; time: string }[];
    for (const { time } of events) {
      const from = await cli({ cwd }, 'log', 'memory', '--json', '--from', time);
      expect(idsOf(from.stdout)).toEqual(
        events.filter((event) => event.time >= time).map(({ id }) => id),
      );
      const to = await cli({ cwd }, 'log', 'memory', '--json', '--to', time);
      expect(idsOf(to.stdout)).toEqual(
        events.filter((event) => event.time <= time).map(({ id }) => id),
      );
    }
  });

  test('follows what others append: the last ones first, none left out, none twice', async () => {
    const cwd = await world();
    const ending = new AbortController();
    let seen = '';
    const store = await openStore(join(cwd, 'memory'));
    let written = 0;
    const following = cli(
      {
        cwd,
        signal: ending.signal,
        columns: 200,
        env: { NO_COLOR: '1' },
        watch: (text) => {
          seen += text;
          if (seen.includes('note-9')) ending.abort();
        },
      },
      'log',
      'memory',
      '--follow',
      '--limit',
      '2',
    );
    for (; written < 10; written += 1) {
      await store.append('notes/a', { type: 'note.taken', data: `note-${written}` });
    }
    const { code, stdout } = await following;
    await store.close();
    expect(code).toBe(130);
    const ids = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('  ')[0]);
    // What stood there when it began are the last two, whichever they were.
    const first = Number(ids[0]?.split('.')[0]);
    expect(first).toBeGreaterThanOrEqual(4);
    expect(ids).toEqual(Array.from({ length: 16 - first }, (_, index) => `${first + index}.0`));
  });

  test('follows with a filter, from a moment on', async () => {
    const cwd = await world();
    const ending = new AbortController();
    const watch = (text: string): void => {
      if (text.includes('"5.0"')) ending.abort();
    };
    const { code, stdout } = await cli(
      { cwd, signal: ending.signal, watch },
      ...['log', 'memory', '--follow', '--from', '2', '--stream', 'records/*', '--json'],
    );
    expect(code).toBe(130);
    expect(idsOf(stdout)).toEqual(['2.0', '3.0', '5.0']);
  });
});

describe('get, list, history, blame and diff', () => {
  test('say what the memory says', async () => {
    const cwd = await world();
    const memory = await openMemory(join(cwd, 'memory'), { readOnly: true });
    const json = async (...argv: string[]) => {
      const { stdout } = await cli({ cwd }, ...argv, '--json');
      return jsonLines(stdout) as unknown[];
    };
    const [now] = (await json('get', 'memory', 'records/alice')) as [{ value: unknown }];
    expect(now.value).toEqual((await memory.records.get('alice'))?.value);
    const [then] = (await json('get', 'memory', 'records/alice', '--at', '2')) as [
      { value: unknown },
    ];
    expect(then.value).toEqual((await memory.at(2).records.get('alice'))?.value);
    const told = await json('history', 'memory', 'records/alice');
    expect(told).toEqual(
      JSON.parse(JSON.stringify(await memory.history('records/alice').toArray())),
    );
    const blamed = await json('blame', 'memory', 'records/alice');
    expect(blamed).toEqual(JSON.parse(JSON.stringify(await memory.blame('records/alice'))));
    const differs = await json('diff', 'memory', 'records/', '--from', '2', '--to', '5');
    const expected = await memory.diff({ prefix: 'records/' }, 2, 5).toArray();
    expect(differs).toEqual(
      JSON.parse(JSON.stringify(expected.map((each) => ({ projection: 'records', ...each })))),
    );
    await memory.close();
  });

  test('list goes on behind a key, and across models', async () => {
    const cwd = await world();
    const keys = async (...argv: string[]) =>
      (await cli({ cwd }, 'list', 'memory', '--keys', ...argv)).stdout.trim().split('\n');
    expect(await keys()).toEqual(['records/alice', 'users/anna']);
    expect(await keys('--at', '2')).toEqual(['records/alice', 'records/bob']);
    expect(await keys('records/', '--at', '2', '--after', 'records/alice')).toEqual([
      'records/bob',
    ]);
    expect(await keys('--at', '2', '--limit', '1')).toEqual(['records/alice']);
    expect(await keys('--projection', 'users')).toEqual(['users/anna']);
  });

  test('history shows who, when, why, and the change; also from the middle on, and newest first', async () => {
    const cwd = await world();
    const all = await cli({ cwd }, 'history', 'memory', 'records/alice');
    expect(all.stdout).toMatch(
      /^1\.0 {2}\S+Z {2}planner {2}record\.stored {2}records\/alice@1 {2}\(met her\)$/m,
    );
    expect(all.stdout).toContain('    ~ /value/city: "Bern" → "Chur"\n');
    const later = await cli({ cwd }, 'history', 'memory', 'records/alice', '--from', '2');
    expect(later.stdout).toContain('    ~ /value/city: "Bern" → "Chur"\n');
    expect(later.stdout).not.toContain('1.0  ');
    const newest = await cli({ cwd }, 'history', 'memory', 'records/alice', '--reverse');
    expect(newest.stdout.indexOf('3.0  ')).toBeLessThan(newest.stdout.indexOf('1.0  '));
    const gone = await cli({ cwd }, 'history', 'memory', 'records/bob');
    expect(gone.stdout).toContain('    - /value: {"city":"Basel"}\n');
    const none = await cli({ cwd }, 'history', 'memory', 'records/nobody');
    expect(none.code).toBe(4);
  });

  test('diff of what did not change prints nothing', async () => {
    const cwd = await world();
    const same = await cli({ cwd }, 'diff', 'memory', '--all', '--from', '5');
    expect(same).toEqual({ code: 0, stdout: '', stderr: '' });
    const back = await cli({ cwd }, 'diff', 'memory', 'records/alice', '--from', '3', '--to', '1');
    expect(back).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('"Chur" → "Bern"') as string,
    });
  });
});

describe('stats and recall', () => {
  test('count and find', async () => {
    const cwd = await world();
    const { stdout } = await cli({ cwd }, 'stats', 'memory', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      head: { position: 5 },
      models: { records: { items: 1 }, users: { items: 1 } },
    });
    const hits = await cli({ cwd }, 'recall', 'memory', 'who likes tea', '--json');
    expect(jsonLines(hits.stdout)[0]).toMatchObject({ model: 'users', text: 'likes tea' });
    const others = await cli({ cwd }, 'recall', 'memory', 'tea', '--by', 'nobody');
    expect(others).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('replay', () => {
  test('compares key by key, and tells of a store that says something else', async () => {
    const cwd = await world();
    const { code, stdout } = await cli({ cwd }, 'replay', 'memory', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, position: 5 });
    const { writeFileSync } = await import('node:fs');
    writeFileSync(
      join(cwd, 'impure.mjs'),
      `import { defineProjection } from 'recollect';
       let calls = 0;
       export default defineProjection({ name: 'impure', version: 1, initial: () => ({ n: 0 }),
         on: { 'record.stored': (draft) => { calls += 1; draft.n = calls; } } });`,
    );
    const impure = await cli({ cwd }, 'replay', 'memory', '--projection', 'impure.mjs');
    expect(impure.code).toBe(1);
    expect(impure.stdout).toContain('impure: records/alice');
    expect(impure.stdout).toContain('the store says something else');
  });

  test('steps through the events with what each changed, from one moment to another', async () => {
    const cwd = await world();
    const { stdout, code } = await cli(
      { cwd },
      ...['replay', 'memory', '--step', '--from', '2', '--to', '3', '--json'],
    );
    expect(code).toBe(0);
    const steps = jsonLines(stdout) as { event: { id: string }; key: string; patches: unknown[] }[];
    expect(steps.map(({ event, key }) => [event.id, key])).toEqual([
      ['2.0', 'records/bob'],
      ['3.0', 'records/alice'],
    ]);
  });

  test('plays the events in their order, at a pace', async () => {
    const cwd = await world();
    const { stdout } = await cli({ cwd }, 'replay', 'memory', '--speed', '1000', '--json');
    expect(idsOf(stdout)).toEqual(['1.0', '2.0', '3.0', '4.0', '5.0']);
    const zero = await cli({ cwd }, 'replay', 'memory', '--speed', '0');
    expect(zero.code).toBe(2);
  });
});

/** Everything in a directory: names, content, and when each was changed. */
function contentOf(directory: string): unknown[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { mtimeMs, ctimeMs, ino, size } = statSync(path);
      const bytes = entry.isFile() ? readFileSync(path, 'base64') : '';
      return { path, mtimeMs, ctimeMs, ino, size, bytes };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

test('what only reads changes nothing in the store, and leaves nothing beside it', async () => {
  const cwd = await world();
  const before = contentOf(cwd);
  for (const argv of [
    ['log', 'memory'],
    ['get', 'memory', 'records/alice'],
    ['list', 'memory'],
    ['stats', 'memory'],
    ['recall', 'memory', 'tea'],
    ['history', 'memory', 'records/alice'],
    ['blame', 'memory', 'records/alice'],
    ['diff', 'memory', '--all', '--from', '1'],
    ['verify', 'memory', '--deep'],
    ['replay', 'memory'],
    ['undo', 'memory', '3', '--dry-run'],
    ['export', 'memory'],
    ['doctor', 'memory'],
  ]) {
    const { code } = await cli({ cwd }, ...argv);
    expect({ argv, code }).toEqual({ argv, code: argv[0] === 'diff' ? 1 : 0 });
    expect(contentOf(cwd), argv.join(' ')).toEqual(before);
  }
  expect(existsSync(join(cwd, 'memory'))).toBe(true);
});
