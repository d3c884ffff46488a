/** The agents of the main job, when they are not done in time. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Agents } from '../scripts/main-job/agents.mjs';
import { remarks } from './support/imported.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const ITEMS = 8;

function agentsOf(halfWay: (agents: Agents) => void) {
  const directory = join(temporaryDirectory(), 'memory');
  const path = remarks(ITEMS);
  const work = { directory, path, format: undefined, itemsPerCommit: 1, raiseEvery: 4 };
  const said: string[] = [];
  const agents: Agents = new Agents(
    work,
    [ITEMS],
    (line) => said.push(line),
    async () => halfWay(agents),
  );
  const told = () => agents.states.get('agent-1');
  return { agents, said, told };
}

describe('agents that are stopped', () => {
  test('while one of them is killed: it is not replaced', async () => {
    const { agents, told } = agentsOf((all) => all.stop());
    await agents.run();
    expect(told()).toMatchObject({ state: 'killed' });
    expect(told()?.done).toBeGreaterThanOrEqual(ITEMS / 2);
    expect(told()?.done).toBeLessThan(ITEMS);
    expect(agents.problems).toEqual([]);
  });

  test('before one of them is killed half-way: it is not replaced, and nobody says so', async () => {
    let isHalfWay = false;
    const { agents, said, told } = agentsOf(() => {
      isHalfWay = true;
    });
    const running = agents.run();
    agents.stop();
    await running;
    expect(told()).toMatchObject({ state: 'killed', done: 0 });
    expect(isHalfWay).toBe(false);
    expect(said).toEqual([]);
  });
});
