/** Processes that write to all models at once: the memory is as if their commands had come one after the other, as the log says. */
import { expect, test } from 'vitest';
import { type Memory, openMemory } from '#src/index.js';
import { modelDefinitions } from '#src/memory/models.js';
import { ManualClock } from '../support/clock.js';
import { carryOut, type MemoryCommand } from '../support/memory-command.mjs';
import { Program } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const CALLERS = 8;
const COUNT = 120;
function randomCommands(random: SeededRandom): MemoryCommand[] {
  const name = () => random.pick(['A', 'B', 'C', '__proto__']);
  const text = () => random.pick(['x', 'y', 'z']);
  const success = () => random.chance(0.6);
  const relation = () => ({ from: name(), to: name(), relationType: text() });
  const entity = () => ({ name: name(), entityType: 't', observations: [text()] });
  const host = () => random.pick(['a.example', 'https://www.a.example/x', 'b.example:81']);
  const kinds: (() => Omit<MemoryCommand, 'sync'>)[] = [
    () => ({ model: 'records', operation: 'update', given: ['r', text()] }),
    () => ({ model: 'users', operation: 'changeContext', given: [name(), text()] }),
    () => ({ model: 'users', operation: 'remember', given: [name(), text()] }),
    () => ({
      model: 'users',
      operation: 'updateContext',
      given: [name(), { message: text(), response: text() }],
    }),
    () => ({ model: 'sites', operation: 'recordVisit', given: [host(), { success: success() }] }),
    () => ({
      model: 'sites',
      operation: 'cacheSelector',
      given: [host(), name(), text(), { fallbacks: [text()], success: success() }],
    }),
    () => ({
      model: 'sites',
      operation: 'recordQuirk',
      given: [host(), { description: name(), workaround: text() }],
    }),
    () => ({ model: 'skills', operation: 'update', given: ['wait', { body: text() }] }),
    () => ({ model: 'skills', operation: 'deprecate', given: ['wait'] }),
    () => ({
      model: 'skills',
      operation: 'recordOutcome',
      given: ['wait', { success: success() }],
    }),
    () => ({ model: 'graph', operation: 'createEntities', given: [[entity(), entity()]] }),
    () => ({ model: 'graph', operation: 'createRelations', given: [[relation(), relation()]] }),
    () => ({ model: 'graph', operation: 'deleteEntities', given: [[name()]] }),
    () => ({ model: 'graph', operation: 'deleteRelations', given: [[relation()]] }),
    () => ({
      model: 'graph',
      operation: 'deleteObservations',
      given: [[{ entityName: name(), observations: [text()] }]],
    }),
  ];
  return Array.from({ length: COUNT }, () => ({
    ...random.pick(kinds)(),
    sync: random.chance(0.1),
  }));
}

/** What everybody finds there. */
async function begin(memory: Memory): Promise<void> {
  await memory.transaction(async (tx) => {
    await tx.records.store('r', {});
    await tx.skills.add('wait', { description: 'Wait' });
  });
}

/** All states; episodes without their ids, which are drawn, and without the times of the calls, which no log tells. */
async function states(memory: Memory): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { name, projection } of modelDefinitions) {
    const entries = memory.engine.entries(projection, { prefix: `${name}/` });
    if (name !== 'episodes') for await (const [key, state] of entries) all[key] = state;
  }
  const { items } = await memory.episodes.list({ limit: 1000 });
  const told = items.map(({ id: _, at: __, ...rest }) => JSON.stringify(rest));
  return { ...all, episodes: told.sort() };
}

async function statesOf(directory: string, options: { cacheBytes?: number } = {}) {
  await using memory = await openMemory(directory, options);
  return await states(memory);
}

test('four processes, one of them killed, lose nothing, and end as if one had done it all', {
  timeout: 110_000,
}, async () => {
  const random = new SeededRandom(4);
  const directory = temporaryDirectory();
  const start = await openMemory(directory, { actor: 'first' });
  await begin(start);
  await start.close();

  const commands = new Map<string, readonly MemoryCommand[]>();
  const acknowledged: string[] = [];
  const writing: string[] = [];
  const programs: Program[] = ['a', 'b', 'c', 'd'].map((writer) => {
    commands.set(writer, randomCommands(random));
    const task = { directory, writer, callers: CALLERS, commands: commands.get(writer) };
    const program = new Program('remembering.mjs', { task });
    program.onLine((line) => {
      const [id = '', changed] = line.split(' ');
      acknowledged.push(id);
      if (changed === 'changed') writing.push(id);
      if (acknowledged.length === COUNT) programs[0]?.kill('SIGKILL');
    });
    return program;
  });
  const endings = await Promise.all(programs.map((program) => program.ended));
  expect(endings.map(({ code, signal, errors }) => [signal ?? code, errors])).toEqual([
    ['SIGKILL', ''],
    [0, ''],
    [0, ''],
    [0, ''],
  ]);

  await using memory = await openMemory(directory);
  const events = await memory.engine.readAll().toArray();
  const commits = events.filter(({ last }) => last).slice(1);
  const order = commits.map(({ correlationId = '' }) => correlationId);
  // Nothing twice, nothing that nobody asked for, and all that was acknowledged.
  expect(new Set(order).size).toBe(order.length);
  const commandOf = (id: string): MemoryCommand => {
    const [writer = '', index = ''] = id.split('-');
    return commands.get(writer)?.[Number(index)] as MemoryCommand;
  };
  const written = new Set(order);
  expect(writing.length).toBeGreaterThan(COUNT);
  expect(writing.filter((id) => !written.has(id))).toEqual([]);
  const untold = order.filter((id) => !acknowledged.includes(id));
  expect(untold.filter((id) => !id.startsWith('a-'))).toEqual([]);
  expect(untold.length).toBeLessThanOrEqual(CALLERS);

  // One after the other, at the times that the log tells.
  const clock = new ManualClock();
  await using alone = await openMemory('memory:', { clock: clock.now });
  clock.set(Date.parse(events[0]?.time ?? ''));
  await begin(alone.as('first'));
  for (const { correlationId = '', time, actor = '', position } of commits) {
    clock.set(Date.parse(time));
    await carryOut(alone.as(actor), commandOf(correlationId), { correlationId });
    expect([correlationId, alone.engine.head.position]).toEqual([correlationId, position]);
  }
  const expected = await states(alone);
  const found = await states(memory);
  expect(found).toEqual(expected);
  expect(await statesOf(directory)).toEqual(found);
  expect(await statesOf(directory, { cacheBytes: 0 })).toEqual(found);
});
