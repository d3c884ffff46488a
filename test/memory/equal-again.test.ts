/** What all models hold is the same after opening again, with no room to keep states, and when the events are upcast. */
import { expect, test } from 'vitest';
import type { Memory, MemoryOptions } from '#src/index.js';
import { modelDefinitions } from '#src/memory/models.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened } from './support-memory.js';

const url = 'https://example.com/';
const chat = { conversationId: 'c', memoryType: 'working' } as const;
const entity = (name: string) => ({ name, entityType: 't', observations: ['x'] });
const relation = { from: 'A', to: 'B', relationType: 'r' };

/** An event of every type. */
async function writeAll(memory: Memory): Promise<void> {
  const undoLast = () => memory.undo(memory.engine.head.position);
  const { records, conversations, users, sites, skills, graph } = memory;
  await records.store('r', { list: [1, { a: 1 }] }, { tags: ['t'], importance: 0.9 });
  await records.update<{ list: unknown[] }>('r', (draft) => void draft.list.push('é'));
  await undoLast();
  await records.store('gone', 1);
  await records.delete('gone');
  const { ids } = await conversations.store({ ...chat, data: ['one', 'two'] });
  await conversations.update({ ...chat, id: ids[0] ?? '', data: 'other' });
  await undoLast();
  await conversations.delete({ ...chat, id: ids[1] ?? '' });
  await users.updateContext('anna', { message: 'a', response: 'b' });
  await users.changeContext('anna', (draft) => void draft.topics.push('tea'));
  await users.remember('anna', 'plays chess');
  await undoLast();
  await sites.getOrCreateProfile(url);
  await sites.recordVisit(url, { durationMs: 5, success: true, title: 'Home' });
  await sites.cacheSelector(url, '__proto__', '#a', { fallbacks: ['#b'] });
  await sites.recordQuirk(url, { description: 'slow' });
  await sites.cacheActionPattern(url, 'buy', ['a', { b: 1 }]);
  await undoLast();
  await skills.add('wait', { description: 'Wait' });
  await skills.update('wait', { body: 'longer' });
  await skills.recordOutcome('wait', { success: true, durationMs: 5 });
  await skills.deprecate('wait', { reason: 'old' });
  await undoLast();
  await graph.createEntities([entity('A'), entity('B'), entity('#C')]);
  await graph.createRelations([relation]);
  await graph.deleteRelations([relation]);
  await undoLast();
  await graph.addObservations([{ entityName: 'A', contents: ['y'] }]);
  await graph.deleteObservations([{ entityName: 'A', observations: ['x'] }]);
  await graph.deleteEntities(['B']);
}

async function states(memory: Memory): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { name, projection } of modelDefinitions) {
    for await (const [key, state] of memory.engine.entries(projection, { prefix: `${name}/` })) {
      all[key] = state;
    }
  }
  return all;
}

const types = modelDefinitions.flatMap(({ events }) => [...events.types]);
const seen: string[] = [];

/** As a later release may declare them: every type has a second version. */
const upcasters = Object.fromEntries(
  types.map((type) => [
    type,
    {
      1: (data: unknown) => {
        seen.push(type);
        return structuredClone(data);
      },
    },
  ]),
) as NonNullable<MemoryOptions['upcasters']>;

test('every model is equal after opening again, with nothing kept, and upcast', async () => {
  const directory = temporaryDirectory();
  const first = await opened(directory);
  await writeAll(first.memory);
  const written = await first.memory.engine.readAll().toArray();
  const missing = types.filter((type) => !written.some((event) => event.type === type));
  expect(missing).toEqual(['site.imported']);
  const expected = await states(first.memory);
  expect(Object.keys(expected).length).toBeGreaterThanOrEqual(7);
  await first.memory.close();

  const tries: MemoryOptions[] = [
    {},
    { cacheBytes: 0 },
    { cacheBytes: 1000 },
    { upcasters },
    { upcasters, cacheBytes: 0 },
  ];
  for (const options of tries) {
    const { memory } = await opened(directory, options);
    expect(await states(memory)).toEqual(expected);
    expect(memory.sites.getProfileSync(url)).toMatchObject({ visits: { count: 1 } });
    expect(memory.graph.readGraphSync().entities.map(({ name }) => name)).toEqual(['A', '#C']);
    await memory.close();
  }
  expect(types.filter((type) => !seen.includes(type))).toEqual(['site.imported']);
});

test('what was written before the upcast is undone after it', async () => {
  const directory = temporaryDirectory();
  const first = await opened(directory);
  await first.memory.users.remember('anna', 'plays chess');
  await first.memory.users.changeContext('anna', (draft) => void draft.topics.push('tea'));
  const before = await states(first.memory);
  await first.memory.sites.recordQuirk(url, { description: 'slow' });
  const { position } = first.memory.engine.head;
  await first.memory.close();
  const { memory } = await opened(directory, { upcasters });
  const undone = await memory.undo(position);
  expect(await states(memory)).toEqual(before);
  const [, second] = await memory.engine.readStream('sites/example.com').toArray();
  expect(second).toMatchObject({ type: 'site.reverted', schemaVersion: 2 });
  await memory.undo(undone.position);
  expect(await memory.sites.getQuirks(url)).toMatchObject([{ description: 'slow' }]);
});
