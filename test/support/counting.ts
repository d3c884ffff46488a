/** Many processes that count in one plain file under a file lock, some of which are killed while they do. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { CountingTask } from './counting-process.mjs';
import { Program, until } from './programs.js';
import { SeededRandom } from './random.js';

export const startCounting = (task: CountingTask): Program =>
  new Program('./counting-process.mjs', { task });

/** What stands in the file: counts without a gap or a repeat, each under a higher token than the one before. */
export function checkCounts(counts: string, expected: number): { pids: number } {
  const lines = readFileSync(counts, 'latin1').split('\n').slice(0, -1);
  expect(lines).toHaveLength(expected);
  let lastToken = 0;
  const pids = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const [number, token, pid = ''] = line.trim().split(' ');
    expect(Number(number)).toBe(index + 1);
    expect(Number(token)).toBeGreaterThan(lastToken);
    lastToken = Number(token);
    pids.add(pid);
  }
  return { pids: pids.size };
}

const LINE_BYTES = 40;

/** Eight processes count up to the number, `kills` of them are killed on the way, at any instruction, and replaced. */
export async function countWithKills(
  directory: string,
  upTo: number,
  kills: number,
): Promise<void> {
  const random = new SeededRandom(1);
  const counts = `${directory}/counts`;
  writeFileSync(counts, '');
  const task = (index: number): CountingTask => ({
    file: `${directory}/lock`,
    counts,
    until: upTo,
    sync: index % 2 === 0,
    label: `counter ${index}`,
  });
  const running = Array.from({ length: 8 }, (_, index) => startCounting(task(index)));
  const standing = (): number => statSync(counts).size / LINE_BYTES;
  let killed = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const moment = ((kill + random.fraction()) * upTo) / (kills + 1);
    await until(() => standing() >= moment);
    const index = random.below(running.length);
    const victim = running[index] as Program;
    victim.kill('SIGKILL');
    const { signal } = await victim.ended;
    if (signal === 'SIGKILL') killed += 1;
    running[index] = startCounting(task(index));
  }
  for (const { ended } of running) {
    expect(await ended).toMatchObject({ code: 0, errors: '', output: 'done\n' });
  }
  // Each died while the others counted on.
  expect(killed).toBe(kills);
  expect(checkCounts(counts, upTo).pids).toBeGreaterThan(2);
}
