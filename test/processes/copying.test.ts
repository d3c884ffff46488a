/** Backup, restore and import in processes of their own that are killed, while others go on writing to the store. */
import { createWriteStream, existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportStore, openLog, openStore, verifyStore } from '#src/index.js';
import type { CopyingTask } from '../support/copying-process.mjs';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed, timeoutMs, times } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { WritingReport, WritingTask } from '../support/writing-process.mjs';

const FILLING = 6000;
const KILLS = times(1);

/** A store of several megabytes in several segments. */
async function fill(directory: string): Promise<void> {
  const log = await openLog(directory, { segmentBytes: 256 * 1024 });
  const text = 'x'.repeat(300);
  const appends = Array.from({ length: FILLING }, (_, number) =>
    log.append(`filling/${number % 50}`, { type: 'filled', data: { number, text } }),
  );
  await Promise.all(appends);
  await log.close();
}

/** Writers, and what they were told was written. */
class Writers {
  readonly #programs: Program[] = [];
  readonly positions = new Set<number>();

  constructor(directory: string) {
    for (const writer of ['one', 'two', 'three']) {
      const task: WritingTask = {
        directory,
        writer,
        first: 0,
        again: [],
        callers: 2,
        calls: 'async',
        options: { segmentBytes: 64 * 1024, lockTimeoutMs: 60_000 },
      };
      const program = new Program('./writing-process.mjs', { task });
      program.onLine((line) => {
        const report = JSON.parse(line) as WritingReport;
        if (report.kind === 'acknowledged') this.positions.add(report.position);
      });
      this.#programs.push(program);
    }
  }

  async begun(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.line('acknowledged')));
  }

  get last(): number {
    return Math.max(0, ...this.positions);
  }

  async stop(): Promise<void> {
    for (const program of this.#programs) program.tell('stop');
    for (const { ended } of this.#programs)
      expect(await ended).toMatchObject({ code: 0, errors: '' });
  }
}

async function expectWhole(directory: string): Promise<number> {
  const report = await verifyStore(directory);
  expect(report.damage).toBeUndefined();
  expect(report.ok).toBe(true);
  return report.head.position;
}

/** Kills it at random moments, then lets it end. Each time there is nothing at its target, or all of it. */
async function killAndEnd(
  task: CopyingTask,
  random: SeededRandom,
): Promise<{ killed: number; position: number }> {
  let killed = 0;
  let longest = 0;
  for (let round = 0; ; round += 1) {
    const isLast = round === KILLS;
    const target = `${task.target}-${round}`;
    // An import of a file goes on at the same target.
    const own = task.kind === 'import' ? task.target : target;
    const program = new Program('./copying-process.mjs', { task: { ...task, target: own } });
    await program.line('begun');
    const began = performance.now();
    if (!isLast) {
      await new Promise((resolve) => setTimeout(resolve, random.below(Math.max(40, longest))));
      program.kill('SIGKILL');
    }
    const { signal, output, errors } = await program.ended;
    const hasEnded = output.includes('ended');
    if (hasEnded) longest = performance.now() - began;
    if (signal === 'SIGKILL' && !hasEnded) killed += 1;
    if (existsSync(own)) await expectWhole(own);
    else
      expect({ isLast, hasEnded, errors }).toEqual({ isLast: false, hasEnded: false, errors: '' });
    if (isLast || (task.kind === 'import' && existsSync(own))) {
      const position = await expectWhole(own);
      expect(leftBeside(own)).toEqual([]);
      return { killed, position };
    }
  }
}

function leftBeside(target: string): string[] {
  return readdirSync(dirname(target)).filter((name) => name.startsWith(`${basename(target)}.`));
}

describe('while three processes write', () => {
  test('backups and restores that are killed leave nothing or all, and the store loses nothing', {
    timeout: timeoutMs,
  }, async () => {
    const root = temporaryDirectory();
    const source = join(root, 'store');
    await fill(source);
    const writers = new Writers(source);
    await writers.begun();
    const random = new SeededRandom(10 + seed);
    const kind = 'backup';
    const known = writers.last;
    const full = await killAndEnd({ kind, source, target: join(root, 'full') }, random);
    expect(full.position).toBeGreaterThanOrEqual(known);
    const since = join(root, `full-${KILLS}`);
    const later = await killAndEnd({ kind, source, since, target: join(root, 'later') }, random);
    expect(later.position).toBeGreaterThan(full.position);
    const whole = await killAndEnd(
      { kind: 'restore', source, target: join(root, 'whole') },
      random,
    );
    expect(whole.position).toBeGreaterThan(later.position);
    const cut = await killAndEnd(
      { kind: 'restore', source, to: FILLING, target: join(root, 'cut') },
      random,
    );
    expect(cut.position).toBe(FILLING + 1);
    const backup = join(root, `later-${KILLS}`);
    const target = join(root, 'back');
    const back = await killAndEnd({ kind: 'restore', source: backup, target }, random);
    expect(back.position).toBe(later.position + 1);
    await writers.stop();
    const kills = [full, later, whole, cut, back].map(({ killed }) => killed);
    expect(kills.reduce((sum, killed) => sum + killed, 0)).toBeGreaterThan(KILLS);

    const positions = await expectWhole(source);
    expect(positions).toBeGreaterThanOrEqual(writers.last);
    const store = await openStore(source, { readOnly: true });
    const there = new Set((await store.readAll().toArray()).map(({ position }) => position));
    expect([...writers.positions].filter((position) => !there.has(position))).toEqual([]);
    const restored = await openStore(join(root, `back-${KILLS}`));
    const expected = await store.readAll({ to: later.position }).toArray();
    expect(await restored.readAll({ to: later.position }).toArray()).toEqual(expected);
    await restored.append('after/1', { type: 'went.on', data: null });
    await restored.close();
    await store.close();
  });
});

describe('an import', () => {
  test('that is killed goes on, and ends as if it had not been', {
    timeout: timeoutMs,
  }, async () => {
    const root = temporaryDirectory();
    const source = join(root, 'store');
    await fill(source);
    const file = join(root, 'events.ndjson');
    await exportStore(source, createWriteStream(file), { format: 'ndjson' });
    const target = join(root, 'imported');
    const { killed, position } = await killAndEnd(
      { kind: 'import', source: file, target },
      new SeededRandom(4 + seed),
    );
    expect(killed).toBeGreaterThan(0);
    expect(position).toBe(FILLING);
    const [before, after] = await Promise.all(
      [source, target].map(async (directory) => {
        const store = await openStore(directory, { readOnly: true });
        const events = await store.readAll().toArray();
        await store.close();
        return events;
      }),
    );
    expect(after).toEqual(before);
  });
});
