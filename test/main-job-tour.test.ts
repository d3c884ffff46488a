/** What the main job shows and compares at its end: each of its checks finds what it is for. */
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type Memory, openMemory } from '#src/index.js';
import { commitsOf } from '../scripts/main-job/compare.mjs';
import { type Content, contentDiffers, contentOf, keysIn } from '../scripts/main-job/content.mjs';
import { limited } from '../scripts/main-job/limited.mjs';
import { options } from '../scripts/main-job/projections.mjs';
import { compared, historyAndBlame, momentBefore, restored } from '../scripts/main-job/tour.mjs';
import { fileWith } from './support/imported.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const clock = () => Date.UTC(2026, 0, 1);

/** A memory with something in each of its models. */
async function filled(location = 'memory:'): Promise<Memory> {
  const memory = await openMemory(location, { ...options, clock, actor: 'anna' });
  await memory.users.changeContext('bert', (draft) => {
    draft.preferences['name'] = 'Bert';
    draft.topics.push('boats');
  });
  await memory.sites.recordVisit('https://boats.example', { success: true });
  await memory.episodes.record({ text: 'Bert sailed', speaker: 'bert', at: new Date(clock()) });
  await memory.records.store('boat', { masts: 2 });
  await memory.graph.createEntities([{ name: 'Bert', entityType: 'person', observations: [] }]);
  await memory.graph.createRelations([{ from: 'Bert', to: 'boat', relationType: 'owns' }]);
  memory.engine.appendSync('tally', { type: 'tally.raised', data: { agent: 'anna', number: 1 } });
  return memory;
}

/** What a memory says before and after a change. */
async function contentAround(change: (memory: Memory) => Promise<unknown>): Promise<Content[]> {
  const memory = await filled();
  const content = async () => contentOf(memory, keysIn(await commitsOf(memory.engine.readAll())));
  const was = await content();
  await change(memory);
  const is = await content();
  await memory.close();
  return [was, is];
}

const found = ([was, is]: Content[]) => [...contentDiffers(was as Content, is as Content, 'noon')];

describe('the content that is compared', () => {
  test('is whole, and equal when nothing was changed', async () => {
    const contents = await contentAround(async () => {});
    for (const content of contents) {
      expect(Object.values(content).map(({ length }) => length)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    }
    expect(found(contents)).toEqual([]);
  });

  test.each<[string, string, (memory: Memory) => Promise<unknown>]>([
    [
      'the topics of a user',
      'users',
      (memory) => memory.users.changeContext('bert', (draft) => void draft.topics.push('knots')),
    ],
    [
      'the name of a user',
      'users',
      (memory) =>
        memory.users.changeContext('bert', (draft) => {
          draft.preferences['name'] = 'Robert';
        }),
    ],
    [
      'the visits of a site',
      'sites',
      (memory) => memory.sites.recordVisit('https://boats.example', { success: true }),
    ],
    ['an episode', 'episodes', (memory) => memory.episodes.record({ text: 'and again' })],
    [
      'who spoke how often',
      'spoken',
      (memory) => memory.episodes.record({ text: 'aye', speaker: 'bert' }),
    ],
    ['a record', 'records', (memory) => memory.records.store('boat', { masts: 3 })],
    [
      'an observation',
      'entities',
      (memory) => memory.graph.addObservations([{ entityName: 'Bert', contents: ['tall'] }]),
    ],
    [
      'a relation',
      'relations',
      (memory) =>
        memory.graph.deleteRelations([{ from: 'Bert', to: 'boat', relationType: 'owns' }]),
    ],
    [
      'the tally',
      'tally',
      (memory) =>
        memory.engine.append('tally', {
          type: 'tally.raised',
          data: { agent: 'anna', number: 2 },
        }),
    ],
  ])('differs by %s', async (_, part, change) => {
    expect(found(await contentAround(change)).join('\n')).toContain(
      `the restored memory has other ${part} than at noon`,
    );
  });
});

describe('the tour', () => {
  const silent = () => {};

  test('shows history, blame and a difference where there are some', async () => {
    const memory = await filled();
    const commits = await commitsOf(memory.engine.readAll());
    expect(await historyAndBlame(memory, commits, silent)).toEqual({
      key: 'graph/Bert',
      problems: [],
    });
    expect(await compared(memory, 1, silent)).toEqual([]);
    await memory.close();
  });

  test('finds a history, a blame and a difference that are empty', async () => {
    const memory = await filled();
    const commits = await commitsOf(memory.engine.readAll());
    const [key, other] = ['graph/Bert', 'graph/Nobody'];
    for (const { events } of commits) {
      for (const [index, event] of events.entries()) {
        if (event.stream === key) events[index] = { ...event, stream: other };
      }
    }
    expect((await historyAndBlame(memory, commits, silent)).problems).toEqual([
      'the history of graph/Nobody is empty',
      'nobody is to blame for any value of graph/Nobody',
    ]);
    expect((await historyAndBlame(memory, [], silent)).problems).toEqual([
      'no key has a history to show',
    ]);
    const { position } = memory.engine.head;
    expect(await compared(memory, position, silent)).toEqual([
      `nothing differs between positions ${position} and ${position}`,
    ]);
    await memory.close();
  });

  test('compares the end with a moment behind which something begins', async () => {
    const memory = await filled();
    const raised = { type: 'tally.raised', data: { agent: 'anna', number: 2 } };
    memory.engine.appendSync('tally', raised);
    const commits = await commitsOf(memory.engine.readAll());
    const moments = commits.map(({ position }) => momentBefore(commits, position));
    expect(moments).toEqual([1, 2, 3, 4, 5, 0, 0, 0]);
    for (const moment of moments) expect(await compared(memory, moment, silent)).toEqual([]);
    await memory.close();
  });

  test('finds what a restored memory says otherwise', async () => {
    const directory = join(temporaryDirectory(), 'memory');
    const memory = await filled(directory);
    const commits = await commitsOf(memory.engine.readAll());
    const half = commits.length;
    const restoring = (target: string) =>
      restored(memory, directory, { target: `${directory}-${target}`, half, commits }, silent);
    expect(await restoring('whole')).toEqual([]);
    const past = memory.at.bind(memory);
    vi.spyOn(memory, 'at').mockImplementation(() => past(1));
    const found = (await restoring('other')).join('\n');
    for (const part of ['sites', 'episodes', 'relations', 'spoken', 'tally']) {
      expect(found).toContain(`other ${part} than`);
    }
    await memory.close();
  });
});

describe('the limit of time', () => {
  const spoken = vi.spyOn(console, 'error').mockImplementation(() => {});

  test('gives the exit code of a program that ends', async () => {
    const program = fileWith('process.exitCode = 7; process.disconnect();', 'ends.mjs');
    expect(await limited(program, [], 60_000)).toBe(7);
  });

  test('ends one whose thread hangs, and says so', async () => {
    const program = fileWith('for (;;);', 'hangs.mjs');
    expect(await limited(program, [], 300)).toBe(1);
    expect(spoken).toHaveBeenCalledWith('main job failed: it was not done after 300 ms');
  });
});
