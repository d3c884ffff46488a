/** Real processes: compaction that is killed in the middle, again and again, while others write and read. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openStore, verifyStore } from '#src/index.js';
import type { CompactingReport, CompactingTask } from '../support/compacting.mjs';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed, timeoutMs, times } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const WRITERS = ['anna', 'bo', 'cleo'];
const READERS = ['reader 1', 'reader 2'];
const KILLS = times(5);

function start(directory: string, role: CompactingTask['role'], name: string): Program {
  const task: CompactingTask = { directory, role, name };
  return new Program('./compacting.mjs', { task });
}

function reportsOf(output: string): CompactingReport[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as CompactingReport);
}

async function ended(program: Program): Promise<CompactingReport & { kind: 'ended' }> {
  const { output, errors, code } = await program.ended;
  expect({ errors, code }).toEqual({ errors: '', code: 0 });
  const reports = reportsOf(output);
  expect(reports.filter(({ kind }) => kind === 'failed')).toEqual([]);
  return reports.at(-1) as CompactingReport & { kind: 'ended' };
}

function names(directory: string, folder: string, end: string): string[] {
  const path = join(directory, folder);
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(end)) : [];
}

test('a compaction killed at any moment loses nothing, and nobody who reads or writes meanwhile sees an error or a gap', {
  timeout: timeoutMs,
}, async () => {
  const directory = temporaryDirectory();
  const random = new SeededRandom(10 + seed);
  await (await openStore(directory, { segmentBytes: 16_384 })).close();
  const writers = WRITERS.map((name) => start(directory, 'write', name));
  await Promise.all(writers.map((writer) => writer.line('opened')));
  const readers = READERS.map((name) => start(directory, 'read', name));
  let moved = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const compacting = start(directory, 'compact', 'compacting');
    await compacting.line(kill % 2 === 0 ? 'opened' : 'moved');
    await setTimeout(random.below(60));
    compacting.kill('SIGKILL');
    const { output, errors, signal } = await compacting.ended;
    expect({ errors, signal }).toEqual({ errors: '', signal: 'SIGKILL' });
    for (const report of reportsOf(output)) {
      expect(report.kind).not.toBe('failed');
      if (report.kind === 'moved') moved += report.segments;
    }
  }
  expect(moved).toBeGreaterThan(0);
  for (const program of [...writers, ...readers]) program.tell('stop');
  const written = await Promise.all(writers.map(ended));
  const seen = await Promise.all(readers.map(ended));
  expect([...written, ...seen].flatMap(({ problems }) => problems)).toEqual([]);
  for (const { count } of [...written, ...seen]) expect(count).toBeGreaterThan(0);

  const store = await openStore(directory, { segmentBytes: 16_384 });
  await store.compact();
  for (const { name, count } of written) expect(await store.version(`notes/${name}`)).toBe(count);
  await store.close();
  const total = written.reduce((sum, { count }) => sum + count, 0);
  expect(await verifyStore(directory, { deep: true })).toMatchObject({ ok: true, commits: total });

  expect(names(directory, 'archive', '.tmp')).toEqual([]);
  const archived = names(directory, 'archive', '.gz').map((name) => name.slice(0, -3));
  const plain = names(directory, 'log', '.ndjson');
  expect(archived.filter((name) => plain.includes(name))).toEqual([]);
  expect(archived.length).toBeGreaterThan(2);
  const [oldest = ''] = archived;
  const file = join(directory, 'archive', `${oldest}.gz`);
  // To the tools that people have: a plain text of all lines.
  const text = execFileSync('gzip', ['-dc', file], { maxBuffer: 2 ** 28 });
  expect(text.equals(gunzipSync(readFileSync(file)))).toBe(true);
  expect(text.toString('utf8').split('\n').at(-2)).toMatch(/^\{"close":/);
});

test('a store compacts on its own once enough stands in closed segments, and stays out of nobody’s way', async () => {
  const directory = temporaryDirectory();
  const store = await openStore(directory, {
    segmentBytes: 16_384,
    compaction: { tailBytes: 65_536 },
  });
  const data = { text: 'x'.repeat(500) };
  while (store.stats().compaction.runs === 0) {
    await Promise.all(
      Array.from({ length: 50 }, () => store.append('notes/1', { type: 'note.taken', data })),
    );
    expect(store.head.position).toBeLessThan(20_000);
    await setTimeout(5);
  }
  expect(store.stats().compaction.lastReport?.moved.length).toBeGreaterThan(2);
  const events = await store.readStream('notes/1').toArray();
  expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1));
  await store.close();
  expect((await verifyStore(directory)).ok).toBe(true);
});

test('closing a store ends a compaction, which the next one goes on from', async () => {
  const directory = temporaryDirectory();
  const store = await openStore(directory, { segmentBytes: 65_536, compaction: false });
  const data = { text: 'x'.repeat(1000) };
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 60 }, () => store.append('notes/1', { type: 'note.taken', data })),
    );
  }
  const compacting = store.compact().then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
  await setTimeout(30);
  await store.close();
  expect(['done', 'STORE_CLOSED']).toContain(await compacting);
  const next = await openStore(directory);
  await next.compact();
  expect(names(directory, 'archive', '.tmp')).toEqual([]);
  expect((await next.verify()).ok).toBe(true);
  expect((await next.readStream('notes/1').toArray()).length).toBe(1200);
  await next.close();
});
