/** The compaction in the main job: it comes in between for certain, and is asked for no more than there is enough for. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openMemory } from '#src/index.js';
import { Agents } from '../scripts/main-job/agents.mjs';
import { Compacting, tooLittle, uncompacted } from '../scripts/main-job/compacting.mjs';
import { options } from '../scripts/main-job/projections.mjs';
import { remarks } from './support/imported.js';
import { temporaryDirectory } from './support/temporary-directory.js';

describe('compaction in the main job', () => {
  const fine = { isHalved: true, meanwhile: 2, archived: 3, segments: 4 };

  test('that did not run meanwhile, or archived nothing, is told where there was enough for it', () => {
    expect([...uncompacted(fine)]).toEqual([]);
    expect([...uncompacted({ ...fine, meanwhile: 0 })]).toEqual([
      'nothing was compacted while the agents wrote',
    ]);
    expect([...uncompacted({ ...fine, archived: 0, segments: 3 })]).toEqual([
      'none of 3 segments was archived',
    ]);
    expect([...tooLittle(fine)]).toEqual([]);
  });

  test('is not asked for where there is too little, and that is said', () => {
    const little = { isHalved: false, meanwhile: 0, archived: 0, segments: 2 };
    expect([...uncompacted(little)]).toEqual([]);
    expect([...tooLittle(little)]).toEqual([
      'there is too little to import for a compaction while the agents write',
      'there is too little to import for a segment to be archived',
    ]);
    expect([...tooLittle({ ...little, meanwhile: 1, archived: 1 })]).toEqual([]);
  });

  test.each([1, 2, 3, 8])('finds no fault with a store of %i commits', async (commits) => {
    const memory = await openMemory(join(temporaryDirectory(), 'memory'), options);
    const compacting = new Compacting(memory);
    compacting.begin();
    const said: string[] = [];
    for (let number = 1; number <= commits; number += 1) {
      memory.engine.appendSync('tally', { type: 'tally.raised', data: { agent: 'anna', number } });
      if (number === 4) await compacting.halfWay();
    }
    await compacting.end((line) => said.push(line), commits >= 4);
    const { segments } = memory.engine.stats();
    await memory.close();
    expect(compacting.problems).toEqual([]);
    // One that was made half-way ends a segment of its own.
    expect(segments).toBe(commits < 4 ? 2 : 3);
    expect(said).toHaveLength(commits < 4 ? 2 : 0);
  });

  test('is made when an agent was killed, before it is replaced', async () => {
    const directory = join(temporaryDirectory(), 'memory');
    const memory = await openMemory(directory, options);
    const compacting = new Compacting(memory);
    const work = {
      directory,
      path: remarks(8),
      format: undefined,
      itemsPerCommit: 1,
      raiseEvery: 4,
    };
    const said: string[] = [];
    const say = (line: string) => void said.push(line);
    // It was not begun: nothing else compacts.
    const agents = new Agents(work, [8], say, () => compacting.halfWay());
    await agents.run();
    await compacting.end(say, true);
    await memory.close();
    expect([...agents.problems, ...compacting.problems]).toEqual([]);
    expect(said).toEqual([
      expect.stringMatching(/^agent-1 ended by SIGKILL after [4-7] of 8 items; replacing it$/),
    ]);
  });
});
