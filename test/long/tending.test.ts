/**
 * Minutes (RECOLLECT_MINUTES, 10 if left out) of stores that three processes write to while they are snapshotted, compacted, backed up, restored, exported and
 * imported, and of all of these being killed at random moments.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SeededRandom } from '../support/random.js';
import { seed } from '../support/runs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { tendStore } from '../support/tending.js';

const MINUTES = Number(process.env['RECOLLECT_MINUTES'] ?? 10);
const LAPS = 5;

test(`${MINUTES} minutes of stores that are tended by processes that are killed`, {
  timeout: (MINUTES + 15) * 60_000,
}, async () => {
  const root = temporaryDirectory();
  const random = new SeededRandom(500 + seed);
  const end = performance.now() + MINUTES * 60_000;
  const sums: Record<string, number> = {};
  const add = (name: string, count: number) => {
    sums[name] = (sums[name] ?? 0) + count;
  };
  for (let round = 1; round === 1 || performance.now() < end; round += 1) {
    const own = join(root, `round-${round}`);
    mkdirSync(own);
    const { problems, killed, ...counts } = await tendStore({
      root: own,
      random,
      laps: LAPS,
      droppingFrom: 2,
      killsMax: 3,
      pauseMs: 60,
    });
    expect({ round, problems }).toEqual({ round, problems: [] });
    add('rounds', 1);
    for (const [name, count] of Object.entries(counts)) add(name, count);
    for (const [kind, count] of Object.entries(killed)) add(`killed: ${kind}`, count);
    rmSync(own, { recursive: true });
  }
  console.log({ minutes: MINUTES, ...sums });
  expect(sums['acknowledged']).toBeGreaterThan(500);
  expect(sums['dropped']).toBeGreaterThan(0);
  for (const kind of ['snapshot', 'compact', 'backup', 'restore', 'export', 'import']) {
    expect({ kind, killed: sums[`killed: ${kind}`] ?? 0 }).not.toEqual({ kind, killed: 0 });
  }
});
