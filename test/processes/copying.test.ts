/** Snapshots, compactions and copies of every kind in processes of their own that are killed, while others, killed too, go on writing to the store. */
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportStore, openLog, openStore, verifyStore } from '#src/index.js';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed, timeoutMs, times } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { tendStore } from '../support/tending.js';
import type { TendingTask } from '../support/tending-process.mjs';

const FILLING = 6000;

describe('while three processes write', () => {
  test('whatever is killed leaves nothing or all, and the store loses nothing', {
    timeout: timeoutMs,
  }, async () => {
    const laps = times(1);
    const { problems, ...result } = await tendStore({
      root: temporaryDirectory(),
      random: new SeededRandom(10 + seed),
      laps,
      droppingFrom: laps >> 1,
      killsMax: 1,
      pauseMs: 40,
    });
    expect(problems).toEqual([]);
    expect(result.acknowledged).toBeGreaterThan(100);
    expect(result.done).toBeGreaterThan(8 * laps);
    const killed = Object.values(result.killed).reduce((sum, count) => sum + count, 0);
    expect(killed).toBeGreaterThan(0);
    expect(result.writersKilled).toBeGreaterThan(0);
    expect(result.answered).toBeGreaterThan(10);
    expect(result.dropped).toBeGreaterThan(0);
  });
});

describe('an import', () => {
  test('that is killed goes on, and ends as if it had not been', {
    timeout: timeoutMs,
  }, async () => {
    const root = temporaryDirectory();
    const directory = join(root, 'store');
    const log = await openLog(directory, { segmentBytes: 256 * 1024 });
    const text = 'x'.repeat(300);
    await Promise.all(
      Array.from({ length: FILLING }, (_, number) =>
        log.append(`filling/${number % 50}`, { type: 'filled', data: { number, text } }),
      ),
    );
    await log.close();
    const source = join(root, 'events.ndjson');
    await exportStore(directory, createWriteStream(source), { format: 'ndjson' });
    const target = join(root, 'imported');
    const task: TendingTask = { kind: 'import', source, target };
    const beside = join(root, 'imported.import.tmp');
    const killed = new Program('./tending-process.mjs', { task });
    await killed.line('begun');
    // Once it has written down how far it came it can be gone on with.
    while (!existsSync(join(beside, 'import.json'))) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    killed.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(target)).toBe(false);
    const again = new Program('./tending-process.mjs', { task });
    const { output, errors } = await again.ended;
    expect(errors).toBe('');
    expect(output).toContain('"resumed":true');
    expect(existsSync(beside)).toBe(false);
    expect(await verifyStore(target, { deep: true })).toMatchObject({ ok: true, commits: FILLING });
    const [before, after] = await Promise.all(
      [directory, target].map(async (each) => {
        const store = await openStore(each, { readOnly: true });
        const events = await store.readAll().toArray();
        await store.close();
        return events;
      }),
    );
    expect(after).toEqual(before);
  });
});
