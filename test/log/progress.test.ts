/** Long work on stores that are not open tells how far it is, and ends when it is told to. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  defineProjection,
  openStore,
  type Progress,
  replayStore,
  salvageStore,
  type VerifyProgress,
  verifyStore,
} from '#src/index.js';

const COMMITS = 400;
let cwd = '';
let directory = '';
let logBytes = 0;

beforeAll(async () => {
  cwd = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-test-'));
  directory = join(cwd, 'store');
  const store = await openStore(directory, { segmentBytes: 256 * 1024, compaction: false });
  const text = 'x'.repeat(4000);
  const writing = Array.from({ length: COMMITS }, (_, number) =>
    store.append(`s/${number % 9}`, { type: 'note', data: { number, text } }),
  );
  await Promise.all(writing);
  await store.close();
  const log = join(directory, 'log');
  for (const name of readdirSync(log)) {
    if (name.endsWith('.ndjson')) logBytes += readFileSync(join(log, name)).length;
  }
  return () => rmSync(cwd, { recursive: true, force: true });
});

/** Never goes back within a phase, and comes to its end. */
function expectCourse(told: readonly Progress[], phases: readonly Progress['phase'][]): void {
  expect([...new Set(told.map(({ phase }) => phase))]).toEqual(phases);
  for (const phase of phases) {
    const reached = told.filter((each) => each.phase === phase).map(({ done }) => done);
    expect(reached).toEqual(reached.toSorted((a, b) => a - b));
    const last = told.findLast((each) => each.phase === phase);
    expect(last?.done).toBe(last?.total);
  }
}

describe('salvageStore', () => {
  test('tells how far it has read and written', async () => {
    const told: Progress[] = [];
    const target = join(cwd, 'salvaged');
    await salvageStore(directory, target, { onProgress: (progress) => told.push(progress) });
    expect(told[0]).toMatchObject({ unit: 'bytes', phase: 'read' });
    expect(told.find(({ phase }) => phase === 'read')?.total).toBeGreaterThanOrEqual(logBytes);
    expectCourse(
      told.filter(({ phase }) => phase === 'read'),
      ['read'],
    );
    expect(told.at(-1)?.phase).toBe('write');
    expect((await verifyStore(target)).commits).toBe(COMMITS);
  });

  test('ends when it is aborted, wherever it is, and leaves nothing', async () => {
    const before = readdirSync(cwd).sort();
    const reason = new Error('enough');
    await expect(
      salvageStore(directory, join(cwd, 'none'), { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    for (const phase of ['read', 'write'] as const) {
      const ending = new AbortController();
      const onProgress = (progress: Progress): void => {
        if (progress.phase === phase) ending.abort(reason);
      };
      const { signal } = ending;
      const work = salvageStore(directory, join(cwd, 'none'), { onProgress, signal });
      await expect(work).rejects.toBe(reason);
      expect(readdirSync(cwd).sort()).toEqual(before);
    }
  });

  test('refuses options that there are not', async () => {
    const wrong = { onprogress: () => {} } as never;
    await expect(salvageStore(directory, join(cwd, 'none'), wrong)).rejects.toThrow('onprogress');
  });
});

test('verifyStore knows how much there is to walk', async () => {
  const told: VerifyProgress[] = [];
  const { bytes } = await verifyStore(directory, { onProgress: (progress) => told.push(progress) });
  expect(new Set(told.map(({ totalBytes }) => totalBytes))).toEqual(new Set([logBytes]));
  expect(told.at(-1)?.bytes).toBe(bytes);
  expect(bytes).toBe(logBytes);
});

test('replayStore tells how many commits it has folded', async () => {
  const notes = defineProjection({
    name: 'notes',
    version: 1,
    initial: 0,
    on: { note: (n: number) => n + 1 },
  });
  const told: Progress[] = [];
  const onProgress = (progress: Progress): void => void told.push(progress);
  expect((await replayStore(directory, { projections: [notes], onProgress })).ok).toBe(true);
  expect(told[0]?.unit).toBe('commits');
  expectCourse(told, ['read']);
  expect(told.at(-1)?.total).toBe(COMMITS);
  await expect(replayStore(directory, { onProgress: 1 } as never)).rejects.toThrow(TypeError);
});
