/** A writer thread that dies: nobody waits for ever, nobody is told wrong, and the lock is free for others. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLog } from '#src/index.js';
import type { HoldingTask } from '../support/lock-file-holder.mjs';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import type { KillingTask, Outcome } from '../support/thread-killer.mjs';

interface Told {
  readonly outcomes: Map<string, number | string>;
  readonly directory: string;
}

/** Runs the program and checks that its answers are true: a position stands, a refusal does not. */
async function kill(task: Omit<KillingTask, 'directory'>): Promise<Told> {
  const directory = join(temporaryDirectory(), 'store');
  const program = new Program('./thread-killer.mjs', { task: { ...task, directory } });
  return await outcomesOf(program, directory);
}

async function outcomesOf(program: Program, directory: string): Promise<Told> {
  const { code, output, errors } = await program.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  const outcomes = new Map(
    lines.map((line) => {
      const outcome = JSON.parse(line) as Outcome;
      return [outcome.name, 'position' in outcome ? outcome.position : outcome.code] as const;
    }),
  );
  expect(outcomes.get('closed')).toBe(0);
  outcomes.delete('closed');

  const log = await openLog(directory);
  const events = await log.readAll().toArray();
  const standing = new Map(
    events.map(({ data, position }) => [(data as { name: string }).name, position]),
  );
  expect(standing.size).toBe(events.length);
  for (const [name, outcome] of outcomes) {
    if (typeof outcome === 'number') expect(standing.get(name)).toBe(outcome);
    else if (outcome !== 'OUTCOME_UNKNOWN') expect(standing.has(name)).toBe(false);
  }
  expect((await log.verify()).ok).toBe(true);
  const after = await log.append('notes/opened-again', { type: 'note.taken', data: null });
  expect(after.position).toBe(events.length + 1);
  await log.close();
  return { outcomes, directory };
}

describe('a writer thread that dies', () => {
  test('while it syncs a group: its commits are of unknown outcome, later ones are refused', async () => {
    const { outcomes } = await kill({
      program: 'while a group is synced',
      hangsFromSync: 1,
      afterMs: 0,
    });
    expect(Object.fromEntries(outcomes)).toMatchObject({
      'warm/1': 1,
      'flight/1': 'OUTCOME_UNKNOWN',
      'flight/2': 'OUTCOME_UNKNOWN',
      'queued/1': 'STORE_POISONED',
      'after/1': 'STORE_POISONED',
      'after/2': 'STORE_POISONED',
    });
  });

  test('while it syncs the anchor: later commits are refused', async () => {
    const { outcomes } = await kill({
      program: 'while the anchor is synced',
      // Its first sync is the one of the group before.
      hangsFromSync: 2,
      afterMs: 0,
    });
    expect(Object.fromEntries(outcomes)).toMatchObject({
      'before/1': 2,
      'after/1': 'STORE_POISONED',
      'after/2': 'STORE_POISONED',
    });
  });

  test('while it has nothing to do: appends go on', async () => {
    const { outcomes } = await kill({
      program: 'while nothing is in flight',
      hangsFromSync: 0,
      afterMs: 0,
    });
    expect(Object.fromEntries(outcomes)).toMatchObject({
      'after/1': 2,
      'after/2': 3,
      'after/3': 4,
    });
  });

  test('while a synchronous call waits for its group: the call ends', async () => {
    const { outcomes } = await kill({
      program: 'while a synchronous call waits for its group',
      hangsFromSync: 1,
      afterMs: 0,
    });
    expect(Object.fromEntries(outcomes)).toMatchObject({
      'flight/1': 'OUTCOME_UNKNOWN',
      'sync/1': 'STORE_POISONED',
    });
  });

  test('at random moments: every answer is true', async () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < 8; round += 1) {
      const { outcomes } = await kill({
        program: 'at a random moment',
        hangsFromSync: 0,
        afterMs: random.below(12),
      });
      expect(outcomes.size).toBe(403);
    }
  });

  test('while closing waits for the lock: the log closes', async () => {
    const directory = join(temporaryDirectory(), 'store');
    const task: KillingTask = {
      directory,
      program: 'while closing waits for the lock',
      hangsFromSync: 0,
      afterMs: 0,
    };
    const program = new Program('./thread-killer.mjs', { task });
    await program.line('ready');
    const holding: HoldingTask = { file: join(directory, 'lock'), label: '', stops: false };
    const holder = new Program('./lock-file-holder.mjs', { task: holding });
    await holder.line('taken');
    program.tell('close it');
    await program.line('ended');
    holder.tell('let go');
    await outcomesOf(program, directory);
  });
});
