/** Commands that make or change something. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog, openMemory, openStore, verifyStore } from '#src/index.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { cli, jsonLines } from './support.js';

async function storeIn(cwd: string, events = 6, segmentBytes?: number): Promise<void> {
  const store = await openStore(join(cwd, 'memory'), { segmentBytes, compaction: false });
  for (let number = 1; number <= events; number += 1) {
    const data = { number, text: 'x'.repeat(100) };
    await store.append('notes/a', { type: 'note.taken', data }, { actor: 'planner' });
  }
  await store.close();
}

async function eventsOf(directory: string): Promise<readonly unknown[]> {
  const log = await openLog(directory, { readOnly: true });
  const events = await log.readAll().toArray();
  await log.close();
  return events;
}

describe('init', () => {
  test('makes a store with its options, once', async () => {
    const cwd = temporaryDirectory();
    const made = await cli({ cwd }, 'init', 'memory', '--durability', 'os', '--json');
    expect(made.code).toBe(0);
    const { id } = JSON.parse(made.stdout) as { id: string };
    const facts = JSON.parse(readFileSync(join(cwd, 'memory/store.json'), 'utf8')) as object;
    expect(facts).toMatchObject({ id, durability: 'os' });
    expect(statSync(join(cwd, 'memory')).mode & 0o777).toBe(0o700);
    expect(await cli({ cwd }, 'init', 'memory')).toMatchObject({ code: 2 });
  });
});

describe('append', () => {
  test('takes one event with who, why and what for', async () => {
    const cwd = temporaryDirectory();
    await cli({ cwd }, 'init', 'memory');
    const options = [
      '--reason',
      'why',
      '--metadata',
      '{"m":1}',
      '--idempotency-key',
      'k',
      '--correlation-id',
      'c',
      '--causation-id',
      'd',
      '--expected-version',
      'absent',
    ];
    const argv = ['append', 'memory', 'notes/a', 'note.taken', '{"n":[1]}', ...options];
    const first = await cli({ cwd, env: { RECOLLECT_ACTOR: 'robot' } }, ...argv, '--json');
    expect(JSON.parse(first.stdout)).toMatchObject({ position: 1, version: 1, repeated: false });
    const again = await cli({ cwd, env: { RECOLLECT_ACTOR: 'robot' } }, ...argv);
    expect(again.stdout).toContain('nothing new was written');
    expect(await eventsOf(join(cwd, 'memory'))).toMatchObject([
      {
        stream: 'notes/a',
        type: 'note.taken',
        data: { n: [1] },
        metadata: { m: 1 },
        actor: 'robot',
        reason: 'why',
        idempotencyKey: 'k',
        correlationId: 'c',
        causationId: 'd',
      },
    ]);
  });

  test('takes many from standard input, as one commit', async () => {
    const cwd = temporaryDirectory();
    await cli({ cwd }, 'init', 'memory');
    const stdin = '{"type":"a","data":1}\n\n{"type":"b","data":{"x":"ü"},"metadata":{"y":1}}';
    expect(await cli({ cwd, stdin }, 'append', 'memory', 's')).toMatchObject({ code: 0 });
    expect(await eventsOf(join(cwd, 'memory'))).toMatchObject([
      { id: '1.0', type: 'a', actor: 'anna' },
      { id: '1.1', type: 'b', data: { x: 'ü' }, metadata: { y: 1 } },
    ]);
    const broken = await cli(
      { cwd, stdin: '{"type":"a","data":1}\n{"type"' },
      'append',
      'memory',
      's',
    );
    expect(broken).toMatchObject({ code: 2, stderr: expect.stringContaining('line 2') as string });
    expect(await eventsOf(join(cwd, 'memory'))).toHaveLength(2);
  });
});

describe('undo', () => {
  test('asks, undoes, and says who did it', async () => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(join(cwd, 'memory'), { actor: 'planner' });
    await memory.records.store('alice', { city: 'Bern' });
    await memory.records.store('alice', { city: 'Chur' });
    await memory.close();
    const undo = ['undo', 'memory', '2', '--reason', 'wrong'];
    expect(await cli({ cwd }, ...undo)).toMatchObject({ code: 2 });
    const dry = await cli({ cwd }, ...undo, '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).toMatchObject({
      changed: true,
      dryRun: true,
      ids: ['records/alice'],
    });
    const no = await cli({ cwd, columns: 80, answers: 'n\n' }, ...undo);
    expect(no).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing was done') as string,
    });
    expect(await eventsOf(join(cwd, 'memory'))).toHaveLength(2);
    const yes = await cli({ cwd, columns: 80, answers: 'y\n' }, ...undo);
    expect(yes.code).toBe(0);
    expect((await eventsOf(join(cwd, 'memory'))).at(-1)).toMatchObject({
      actor: 'anna',
      reason: 'wrong',
      causationId: '2',
    });
    const { stdout } = await cli({ cwd }, 'get', 'memory', 'records/alice', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ value: { city: 'Bern' } });
    expect(await cli({ cwd }, ...undo, '--yes')).toMatchObject({ code: 3 });
  });
});

const RETENTION = `export const retention = { days: 0 };\n`;

describe('compact', () => {
  test('moves segments to the archive, and takes nothing away without a rule', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 60, 4096);
    const before = await eventsOf(join(cwd, 'memory'));
    const dry = await cli({ cwd }, 'compact', 'memory', '--dry-run', '--json');
    const plan = JSON.parse(dry.stdout) as { moved: unknown[] };
    expect(plan.moved.length).toBeGreaterThan(1);
    expect(existsSync(join(cwd, 'memory/archive'))).toBe(false);
    const { code, stdout } = await cli({ cwd }, 'compact', 'memory');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^moved to the archive: positions 1 to /m);
    expect(await eventsOf(join(cwd, 'memory'))).toEqual(before);
  });

  test('asks before a rule takes events away', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 60, 4096);
    writeFileSync(join(cwd, 'retention.mjs'), RETENTION);
    const compact = ['compact', 'memory', '--config', 'retention.mjs'];
    const dry = await cli({ cwd }, ...compact, '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true });
    const refused = await cli({ cwd }, ...compact);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string });
    const no = await cli({ cwd, columns: 200, answers: '\n' }, ...compact);
    expect(no).toMatchObject({ code: 0, stderr: expect.stringContaining('for good') as string });
    expect(await eventsOf(join(cwd, 'memory'))).toHaveLength(60);
    const yes = await cli({ cwd }, ...compact, '--yes', '--json');
    const { dropped } = JSON.parse(yes.stdout) as { dropped: unknown[] };
    expect(dropped.length).toBeGreaterThan(1);
    expect(await cli({ cwd }, 'replay', 'memory')).toMatchObject({ code: 3 });
  });
});

describe('snapshot', () => {
  test('covers the models of a memory, and registers none with a store that is not one', async () => {
    const cwd = temporaryDirectory();
    const memory = await openMemory(join(cwd, 'memory'));
    await memory.records.store('alice', 1);
    await memory.close();
    const { stdout } = await cli({ cwd }, 'snapshot', 'memory', '--json');
    const { parts } = JSON.parse(stdout) as { parts: { name: string }[] };
    expect(parts.map(({ name }) => name)).toContain('records');
    const other = temporaryDirectory();
    await storeIn(other);
    const plain = await cli({ cwd: other }, 'snapshot', 'memory', '--json');
    expect(JSON.parse(plain.stdout)).toMatchObject({ position: 6, parts: [] });
    expect(existsSync(join(other, 'memory/registry'))).toBe(false);
  });
});

describe('backup, restore and salvage', () => {
  test('a backup shares with an earlier one, and a restore takes a position or a time', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd, 60, 4096);
    await cli({ cwd }, 'compact', 'memory');
    expect((await cli({ cwd }, 'backup', 'memory', 'monday')).code).toBe(0);
    const since = await cli({ cwd }, 'backup', 'memory', 'tuesday', '--since', 'monday', '--json');
    expect((JSON.parse(since.stdout) as { sharedBytes: number }).sharedBytes).toBeGreaterThan(0);
    expect((await cli({ cwd }, 'restore', 'tuesday', 'whole')).code).toBe(0);
    const events = await eventsOf(join(cwd, 'memory'));
    expect((await eventsOf(join(cwd, 'whole'))).slice(0, 60)).toEqual(events);
    const { time } = events[9] as { time: string };
    const ofTime = events.filter((event) => (event as { time: string }).time <= time).length;
    for (const [target, to, count] of [
      ['to-position', '10', 10],
      ['to-time', time, ofTime],
    ] as const) {
      expect((await cli({ cwd }, 'restore', 'memory', target, '--to', to)).code).toBe(0);
      expect((await eventsOf(join(cwd, target))).slice(0, -1)).toEqual(events.slice(0, count));
    }
  });

  test('a damaged store is told of by all, refused by writers, and salvaged', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    const [segment = ''] = readdirSync(join(cwd, 'memory/log'));
    const file = join(cwd, 'memory/log', segment);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"number":4', '"number":7'));
    const verified = await cli({ cwd }, 'verify', 'memory');
    expect(verified).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^not sound\n[\s\S]*^damage: .*position 4/m) as string,
    });
    expect(await cli({ cwd }, 'append', 'memory', 'a', 'b')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('recollect salvage') as string,
    });
    const log = await cli({ cwd }, 'log', 'memory');
    expect(log.code).toBe(1);
    const doctor = await cli({ cwd }, 'doctor', 'memory');
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining('damaged') as string });
    expect(await cli({ cwd }, 'backup', 'memory', 'b')).toMatchObject({ code: 1 });
    expect(await cli({ cwd }, 'restore', 'memory', 'r')).toMatchObject({ code: 1 });
    const salvaged = await cli({ cwd }, 'salvage', 'memory', 'saved');
    expect(salvaged).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^lost: /m) as string,
    });
    expect((await verifyStore(join(cwd, 'saved'))).ok).toBe(true);
    expect(await eventsOf(join(cwd, 'saved'))).toHaveLength(5);
    expect(readdirSync(cwd).sort()).toEqual(['memory', 'saved']);
  });
});

test('what the doctor says of a store of a later version ends in one full stop', async () => {
  const cwd = temporaryDirectory();
  await storeIn(cwd, 1);
  const file = join(cwd, 'memory/store.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"format":1', '"format":99'));
  const { code, stdout } = await cli({ cwd }, 'doctor', 'memory');
  expect(code).toBe(1);
  expect(stdout).toMatch(/has format 99.*nothing was changed\. \w/);
});

function reportOf({ stdout }: { readonly stdout: string }): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('export and import', () => {
  test.each(['ndjson', 'cloudevents'])('take a store to %s and back', async (format) => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    const flags = ['--format', format, '--json'];
    const source = format === 'cloudevents' ? ['--source', 'urn:same'] : [];
    const exported = await cli({ cwd }, 'export', 'memory', 'events', ...flags, ...source);
    expect(JSON.parse(exported.stdout)).toMatchObject({ events: 6 });
    expect(statSync(join(cwd, 'events')).mode & 0o777).toBe(0o600);
    const file = readFileSync(join(cwd, 'events'), 'utf8');
    const piped = await cli({ cwd }, 'export', 'memory', ...flags, ...source);
    expect(piped.stdout).toBe(file);
    expect((await cli({ cwd }, 'import', 'events', 'one', ...flags)).code).toBe(0);
    expect((await cli({ cwd, stdin: file }, 'import', '-', 'two', ...flags)).code).toBe(0);
    expect((await cli({ cwd }, 'export', 'one', ...flags, ...source)).stdout).toBe(file);
    expect((await cli({ cwd }, 'export', 'two', ...flags, ...source)).stdout).toBe(file);
  });

  test('take what stands elsewhere into a memory, once', async () => {
    const cwd = temporaryDirectory();
    const lines = [
      { type: 'entity', name: 'Anna', entityType: 'person', observations: ['plays the violin'] },
      { type: 'entity', name: 'Bern', entityType: 'town', observations: [] },
      { type: 'relation', from: 'Anna', to: 'Bern', relationType: 'lives in' },
    ];
    writeFileSync(join(cwd, 'memory.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
    const argv = ['import', 'memory.jsonl', 'memory', '--actor', 'anna', '--json'];
    const first = await cli({ cwd }, ...argv, '--format', 'mcp');
    expect(JSON.parse(first.stdout)).toMatchObject({ format: 'mcp', resumed: false, imported: 3 });
    const again = await cli({ cwd }, ...argv, '--format', 'auto');
    expect(JSON.parse(again.stdout)).toMatchObject({ format: 'mcp', imported: 0 });
    const memory = await openMemory(join(cwd, 'memory'), { readOnly: true });
    expect(await memory.graph.readGraph()).toMatchObject({
      entities: [{ name: 'Anna' }, { name: 'Bern' }],
      relations: [{ from: 'Anna', to: 'Bern' }],
    });
    await memory.close();
    const chat = 'Anna: where is the ferry?\nBo: at the harbour\n';
    const piped = await cli({ cwd, stdin: chat }, 'import', '-', 'memory', '--format', 'chat');
    expect(piped).toMatchObject({ code: 0, stdout: expect.stringContaining('2 of 2 items') });

    writeFileSync(join(cwd, 'broken.jsonl'), '{"type":"entity","name":"Bo"');
    const broken = await cli({ cwd }, 'import', 'broken.jsonl', 'other', '--format', 'mcp');
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('line 1') });
    expect(existsSync(join(cwd, 'other'))).toBe(false);
    for (const wrong of [
      ['--format', 'mcp', '--clamp-times'],
      ['--format', 'ndjson', '--restart'],
      ['--format', 'jsonl'],
    ]) {
      expect(await cli({ cwd }, 'import', 'memory.jsonl', 'wrong', ...wrong)).toMatchObject({
        code: 2,
      });
    }
    expect(existsSync(join(cwd, 'wrong'))).toBe(false);
  });

  test('an export that is tried writes nothing, and reports what it would write', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    const argv = ['export', 'memory', 'events', '--json'] as const;
    const fresh = reportOf(await cli({ cwd }, ...argv, '--dry-run'));
    expect(fresh).toMatchObject({ dryRun: true, replaces: false });
    expect(existsSync(join(cwd, 'events'))).toBe(false);
    const { dryRun, ...made } = reportOf(await cli({ cwd }, ...argv));
    expect(dryRun).toBe(false);
    expect(fresh).toEqual({ ...made, dryRun: true, replaces: false });
    const bytes = readFileSync(join(cwd, 'events'));
    expect(made).toMatchObject({ bytes: bytes.length });
    const again = await cli({ cwd }, 'export', 'memory', 'events', '--dry-run');
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toMatch(/^would replace .*events with \d+ commits/);
    const piped = await cli({ cwd }, 'export', 'memory', '--dry-run');
    expect(piped.stdout).toMatch(/^would write \d+ commits, .* to standard output\n$/);
    expect(readFileSync(join(cwd, 'events'))).toEqual(bytes);
    expect(readdirSync(cwd).sort()).toEqual(['events', 'memory']);
  });

  test('an export asks before it replaces a file, and leaves it as it was when it fails', async () => {
    const cwd = temporaryDirectory();
    await storeIn(cwd);
    writeFileSync(join(cwd, 'events'), 'precious');
    expect(await cli({ cwd }, 'export', 'memory', 'events')).toMatchObject({ code: 2 });
    expect(
      await cli({ cwd, columns: 80, answers: 'no\n' }, 'export', 'memory', 'events'),
    ).toMatchObject({ code: 0 });
    expect(await cli({ cwd }, 'export', 'nothing', 'events', '--yes')).toMatchObject({ code: 4 });
    expect(readFileSync(join(cwd, 'events'), 'utf8')).toBe('precious');
    expect(await cli({ cwd }, 'export', 'memory', 'events', '--yes')).toMatchObject({ code: 0 });
    expect(jsonLines(readFileSync(join(cwd, 'events'), 'utf8'))).toHaveLength(6);
    expect(readdirSync(cwd).sort()).toEqual(['events', 'memory']);
  });
});
