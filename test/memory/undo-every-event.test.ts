/**
 * Every event type of every model is taken back, done again, taken back from under later events that are elsewhere, and refused when a later one changed the
 * same place. A type that no story tells of fails here.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Memory, UndoConflictError, UndoRefusedError } from '#src/index.js';
import type { ModelDefinition } from '#src/memory/model-definition.js';
import { modelDefinitions } from '#src/memory/models.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { opened, places, refusal } from './support-memory.js';

type Act = (memory: Memory) => unknown;

interface Story {
  /** What stood there. */
  readonly before?: Act;
  /** The commit to be undone; the type stands in it. */
  readonly act: Act;
  /** On the same key, elsewhere. Missing where all that can come later is about the same. */
  readonly elsewhere?: Act;
  /** On the same place. */
  readonly same: Act;
  /** Of the conflict. */
  readonly place: readonly [stream: string, path: string];
}

const url = 'https://example.com/';
const chat = { conversationId: 'c', memoryType: 'long-term' } as const;
const work = { conversationId: 'c', memoryType: 'working' } as const;
const anna = { name: 'Anna', entityType: 'person', observations: ['likes tea'] };
const knows = { from: 'Anna', to: 'Ben', relationType: 'knows' };
const hates = { from: 'Anna', to: 'Carl', relationType: 'hates' };
const skill = { description: 'Publish', steps: ['tag'] };

const like =
  (name: string, value: unknown): Act =>
  (memory) =>
    memory.users.changeContext('anna', (draft) => {
      draft.preferences[name] = value;
    });
const put =
  (name: string, value: unknown): Act =>
  (memory) =>
    memory.records.update<Record<string, unknown>>('r', (draft) => {
      draft[name] = value;
    });
const storeRecord: Act = (memory) => memory.records.store('r', { a: 1, b: 1 }, { tags: ['t'] });
const storeText: Act = (memory) =>
  memory.conversations.store({ ...chat, data: ['one'] }, { idempotencyKey: 'one' });
const ids = async (memory: Memory): Promise<string[]> => {
  const items = await memory.conversations.retrieve(chat);
  return items.map(({ id }) => id);
};
const rewrite =
  (data: string): Act =>
  async (memory) => {
    const [id = ''] = await ids(memory);
    return await memory.conversations.update({ ...chat, id, data });
  };
const undoLast: Act = (memory) => memory.undo(memory.engine.head.position);
const file = (visits: number): Act => {
  return (memory) => {
    const path = join(temporaryDirectory(), 'sites.json');
    const sites = { 'example.com': { visits, selectors: { login: '#login' } } };
    writeFileSync(path, JSON.stringify({ sites }));
    return memory.sites.importSiteMemory(path);
  };
};

const stories: Readonly<Record<string, Story>> = {
  'record.stored': {
    act: storeRecord,
    same: put('a', 2),
    place: ['records/r', '/value/a'],
  },
  'record.updated': {
    before: storeRecord,
    act: put('a', 2),
    elsewhere: put('b', 2),
    same: put('a', 3),
    place: ['records/r', '/value/a'],
  },
  'record.deleted': {
    before: storeRecord,
    act: (memory) => memory.records.delete('r'),
    same: storeRecord,
    place: ['records/r', ''],
  },
  'record.reverted': {
    before: async (memory) => {
      await storeRecord(memory);
      await put('a', 2)(memory);
    },
    act: undoLast,
    elsewhere: put('b', 2),
    same: put('a', 3),
    place: ['records/r', '/value/a'],
  },
  'conversation.stored': {
    before: storeText,
    act: (memory) => memory.conversations.store({ ...chat, data: ['two'] }),
    elsewhere: (memory) => memory.conversations.store({ ...chat, data: ['three'] }),
    same: async (memory) => {
      const [id = ''] = await ids(memory);
      await memory.conversations.update({ ...chat, id, data: '2' });
    },
    place: ['conversations/c/long-term', expect.stringMatching(/^\/pages\/0\//) as never],
  },
  'conversation.updated': {
    before: storeText,
    act: rewrite('1'),
    elsewhere: (memory) => memory.conversations.store({ ...chat, data: ['three'] }),
    same: async (memory) => {
      const [id = ''] = await ids(memory);
      await memory.conversations.update({ ...chat, id, data: '2' });
    },
    place: ['conversations/c/long-term', expect.stringMatching(/^\/pages\/0\//) as never],
  },
  'conversation.deleted': {
    before: storeText,
    act: (memory) => memory.conversations.delete({ ...chat }),
    same: storeTextAgain,
    place: ['conversations/c/long-term', ''],
  },
  'conversation.reverted': {
    before: async (memory) => {
      await storeText(memory);
      await rewrite('1')(memory);
    },
    act: undoLast,
    elsewhere: (memory) => memory.conversations.store({ ...chat, data: ['three'] }),
    same: rewrite('2'),
    place: ['conversations/c/long-term', expect.stringMatching(/^\/pages\/0\//) as never],
  },
  'user.changed': {
    act: like('tea', 'green'),
    elsewhere: like('cake', 'plum'),
    same: like('tea', 'black'),
    place: ['users/anna', '/context/preferences/tea'],
  },
  'user.remembered': {
    act: (memory) => memory.users.remember('anna', 'plays chess'),
    elsewhere: (memory) => memory.users.remember('anna', 'plays go'),
    same: undoLast,
    place: ['users/anna', ''],
  },
  'user.reverted': {
    before: async (memory) => {
      await like('tea', 'green')(memory);
      await like('tea', 'black')(memory);
    },
    act: undoLast,
    elsewhere: like('cake', 'plum'),
    same: like('tea', 'white'),
    place: ['users/anna', '/context/preferences/tea'],
  },
  'site.created': {
    act: (memory) => memory.sites.getOrCreateProfile(url),
    same: undoLast,
    place: ['sites/example.com', ''],
  },
  'site.visited': {
    act: (memory) => memory.sites.recordVisit(url, { success: true, title: 'Home' }),
    elsewhere: (memory) => memory.sites.cacheSelector(url, 'login', '#login'),
    same: (memory) => memory.sites.recordVisit(url),
    place: ['sites/example.com', '/visits/count'],
  },
  'site.selector-used': {
    act: (memory) => memory.sites.cacheSelector(url, 'log/in', '#a', { fallbacks: ['#b'] }),
    elsewhere: (memory) => memory.sites.cacheSelector(url, '__proto__', '#a'),
    same: (memory) => memory.sites.cacheSelector(url, 'log/in', '#a'),
    place: ['sites/example.com', '/selectors/"log~1in"/candidates/0/successes'],
  },
  'site.quirk-recorded': {
    act: (memory) => memory.sites.recordQuirk(url, { description: 'a trap' }),
    elsewhere: (memory) => memory.sites.recordQuirk(url, { description: 'a banner' }),
    same: (memory) =>
      memory.sites.recordQuirk(url, { description: 'a trap', workaround: 'walk round it' }),
    place: ['sites/example.com', '/quirks/"a trap"/workaround'],
  },
  'site.pattern-used': {
    act: (memory) => memory.sites.cacheActionPattern(url, 'buy', [{ click: 1 }]),
    elsewhere: (memory) => memory.sites.cacheActionPattern(url, 'sell', [{ click: 1 }]),
    same: (memory) => memory.sites.cacheActionPattern(url, 'buy', [{ click: 1 }]),
    place: ['sites/example.com', '/patterns/"buy"/candidates/0/successes'],
  },
  'site.imported': {
    act: file(3),
    elsewhere: (memory) => memory.sites.recordQuirk(url, { description: 'a banner' }),
    same: file(4),
    place: ['sites/example.com', '/visits/count'],
  },
  'site.reverted': {
    before: async (memory) => {
      await memory.sites.recordQuirk(url, { description: 'a banner' });
      await memory.sites.cacheSelector(url, 'login', '#login');
    },
    act: undoLast,
    elsewhere: (memory) => memory.sites.recordVisit(url),
    same: (memory) => memory.sites.cacheSelector(url, 'login', '#other'),
    place: ['sites/example.com', '/selectors/"login"'],
  },
  'skill.added': {
    act: (memory) => memory.skills.add('release', skill),
    same: (memory) => memory.skills.recordOutcome('release', { success: true }),
    place: ['skills/release', '/revisions/0/outcomes/successes'],
  },
  'skill.revised': {
    before: (memory) => memory.skills.add('release', skill),
    act: (memory) => memory.skills.update('release', { body: 'x' }),
    elsewhere: (memory) => memory.skills.deprecate('release'),
    same: (memory) => memory.skills.update('release', { body: 'y' }),
    place: ['skills/release', '/revisions'],
  },
  'skill.deprecated': {
    before: (memory) => memory.skills.add('release', skill),
    act: (memory) => memory.skills.deprecate('release', { reason: 'old', replacedBy: 'publish' }),
    elsewhere: (memory) => memory.skills.recordOutcome('release', { success: false }),
    same: (memory) => memory.skills.update('release', { body: 'y' }),
    place: ['skills/release', '/deprecated'],
  },
  'skill.used': {
    before: (memory) => memory.skills.add('release', skill),
    act: (memory) => memory.skills.recordOutcome('release', { success: true, durationMs: 5 }),
    elsewhere: (memory) => memory.skills.recordOutcome('release', { success: false }),
    same: (memory) => memory.skills.recordOutcome('release', { success: true }),
    place: ['skills/release', '/revisions/0/outcomes/successes'],
  },
  'skill.reverted': {
    before: async (memory) => {
      await memory.skills.add('release', skill);
      await memory.skills.recordOutcome('release', { success: true });
    },
    act: undoLast,
    elsewhere: (memory) => memory.skills.recordOutcome('release', { success: false }),
    same: (memory) => memory.skills.recordOutcome('release', { success: true }),
    place: ['skills/release', '/revisions/0/outcomes/successes'],
  },
  'entity.created': {
    act: (memory) => memory.graph.createEntities([anna]),
    elsewhere: (memory) => memory.graph.createRelations([knows]),
    same: (memory) =>
      memory.graph.addObservations([{ entityName: 'Anna', contents: ['likes cake'] }]),
    place: ['graph/Anna', '/entity/observations'],
  },
  'entity.deleted': {
    before: async (memory) => {
      await memory.graph.createEntities([anna, { ...anna, name: 'Ben' }]);
      await memory.graph.createRelations([knows, hates]);
    },
    act: (memory) => memory.graph.deleteEntities(['Anna']),
    same: (memory) => memory.graph.createEntities([anna]),
    place: ['graph/Anna', '/entity'],
  },
  'entity.observed': {
    before: (memory) => memory.graph.createEntities([anna]),
    act: (memory) => memory.graph.addObservations([{ entityName: 'Anna', contents: ['b', 'c'] }]),
    elsewhere: (memory) => memory.graph.createRelations([knows]),
    same: (memory) =>
      memory.graph.deleteObservations([{ entityName: 'Anna', observations: ['b'] }]),
    place: ['graph/Anna', '/entity/observations'],
  },
  'entity.observations-deleted': {
    before: (memory) => memory.graph.createEntities([anna]),
    act: (memory) =>
      memory.graph.deleteObservations([{ entityName: 'Anna', observations: ['likes tea'] }]),
    elsewhere: (memory) => memory.graph.createRelations([knows]),
    same: (memory) => memory.graph.addObservations([{ entityName: 'Anna', contents: ['b'] }]),
    place: ['graph/Anna', '/entity/observations'],
  },
  'graph.relations-created': {
    act: (memory) => memory.graph.createRelations([knows]),
    elsewhere: (memory) => memory.graph.createRelations([hates]),
    same: (memory) => memory.graph.deleteRelations([knows]),
    place: ['graph/Anna', ''],
  },
  'graph.relations-deleted': {
    before: (memory) => memory.graph.createRelations([knows, hates]),
    act: (memory) => memory.graph.deleteRelations([knows]),
    elsewhere: (memory) => memory.graph.createEntities([anna]),
    same: (memory) => memory.graph.createRelations([knows]),
    place: ['graph/Anna', '/relations/["Anna","knows","Ben"]'],
  },
  'graph.reverted': {
    before: (memory) => memory.graph.createRelations([knows, hates]),
    act: async (memory) => {
      await memory.graph.deleteRelations([knows]);
      await undoLast(memory);
    },
    elsewhere: (memory) => memory.graph.createEntities([anna]),
    same: (memory) => memory.graph.deleteRelations([knows]),
    place: ['graph/Anna', '/relations/["Anna","knows","Ben"]'],
  },
};

/** What happened and stays so. */
const lasting: Readonly<Record<string, Act>> = {
  'episode.recorded': (memory) => memory.episodes.record({ text: 'It rained.' }),
  'user.conversed': (memory) => memory.users.updateContext('anna', { message: 'a', response: 'b' }),
};

function storeTextAgain(memory: Memory): unknown {
  return memory.conversations.store({ ...chat, data: ['again'] });
}

function without(value: unknown, pointers: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !pointers.includes(`/${name}`));
  return Object.fromEntries(members);
}

/** All states of all models, but for what every event changes. */
async function states(memory: Memory): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { name, projection, bookkeeping } of modelDefinitions) {
    for await (const [key, state] of memory.engine.entries(projection, { prefix: `${name}/` })) {
      all[key] = without(state, bookkeeping);
    }
  }
  return all;
}

const definitionOf = (type: string): ModelDefinition =>
  modelDefinitions.find(({ events }) => events.types.includes(type)) as ModelDefinition;

test('every event type of every model says what undoes it, or that nothing does', () => {
  for (const { events, opposites } of modelDefinitions) {
    expect(Object.keys(opposites).sort()).toEqual([...events.types].sort());
    for (const opposite of Object.values(opposites)) {
      if (opposite !== undefined) expect(opposites[opposite]).toBe(opposite);
    }
  }
  const types = modelDefinitions.flatMap(({ events }) => [...events.types]);
  expect([...Object.keys(stories), ...Object.keys(lasting)].sort()).toEqual([...types].sort());
  const withNone = types.filter((type) => definitionOf(type).opposites[type] === undefined);
  expect(withNone.sort()).toEqual(Object.keys(lasting).sort());
});

async function told({ before, act }: Story, type: string, location = 'memory:') {
  const { memory, clock } = await opened(location);
  await before?.(memory);
  clock.advance(1000);
  const at = memory.engine.head.position;
  const start = await states(memory);
  await act(memory);
  clock.advance(1000);
  const { position } = memory.engine.head;
  const events = await memory.engine.readAll({ from: position }).toArray();
  expect(events.map((event) => event.type)).toContain(type);
  // Only what was undone once may have taken two commits.
  if (type !== 'graph.reverted') expect(position).toBe(at + 1);
  const base = position === at + 1 ? start : await statesAt(memory, position - 1);
  return { memory, clock, position, base, done: await states(memory) };
}

async function statesAt(memory: Memory, position: number) {
  const all: Record<string, unknown> = {};
  const view = memory.engine.at(position);
  for (const { name, projection, bookkeeping } of modelDefinitions) {
    for await (const [key, state] of view.entries(projection, { prefix: `${name}/` })) {
      all[key] = without(state, bookkeeping);
    }
  }
  return all;
}

describe.each(places)('in %s an event', (_, location) => {
  test.each(Object.entries(stories))('%s is taken back, and done again', async (type, story) => {
    const { memory, position, base, done } = await told(story, type, location());
    const undone = await memory.undo(position, { idempotencyKey: 'u' });
    expect(undone).toMatchObject({ changed: true, undoes: position, position: position + 1 });
    expect(await states(memory)).toEqual(base);
    expect(await memory.undo(position, { idempotencyKey: 'u' })).toEqual({
      ...undone,
      repeated: true,
    });
    const redone = await memory.undo(undone.position);
    expect(await states(memory)).toEqual(done);
    await memory.undo(redone.position);
    expect(await states(memory)).toEqual(base);
  });
});

describe('an event', () => {
  const movable = Object.entries(stories).filter(([, { elsewhere }]) => elsewhere);

  test.each(movable)('%s is taken back from under what came later', async (type, story) => {
    const { memory, position } = await told(story, type);
    const later = story.elsewhere as Act;
    await later(memory);
    const after = await states(memory);
    const undone = await memory.undo(position);
    expect(undone.changed).toBe(true);
    const left = await states(memory);
    expect(left).not.toEqual(after);

    // As if it had never been.
    const other = await opened('memory:');
    await story.before?.(other.memory);
    if (type === 'graph.reverted') await other.memory.graph.deleteRelations([knows]);
    await later(other.memory);
    expect(comparable(left)).toEqual(comparable(await states(other.memory)));
    await memory.undo(undone.position);
    expect(await states(memory)).toEqual(after);
  });

  test.each(Object.entries(stories))(
    '%s is not taken back when the same place changed later',
    async (type, story) => {
      const { memory, position } = await told(story, type);
      await story.same(memory);
      const { head } = memory.engine;
      const after = await states(memory);
      const error = await refusal(() => memory.undo(position));
      if (story.same === undoLast) {
        expect(error).toBeInstanceOf(UndoRefusedError);
      } else {
        expect(error).toBeInstanceOf(UndoConflictError);
        const [stream, path] = story.place;
        expect(error).toMatchObject({
          positions: [head.position],
          paths: expect.arrayContaining([{ stream, path }]),
        });
      }
      expect(memory.engine.head).toEqual(head);
      expect(await states(memory)).toEqual(after);
    },
  );

  test.each(Object.entries(lasting))('%s stays: that is said', async (type, act) => {
    const { memory } = await opened('memory:');
    await act(memory);
    const error = await refusal(() => memory.undo(1));
    expect(error).toBeInstanceOf(UndoRefusedError);
    expect(error.message).toContain('has no opposite');
    expect(memory.engine.head.position).toBe(1);
    const [event] = (await memory.engine.readAll().toArray()).filter((each) => each.type === type);
    expect(event).toBeDefined();
  });
});

/** Without what says when and where something was written: ids, times and positions differ in a memory of its own. */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value)
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'id')
      .replace(/"order":\[\d+,/g, '"order":[0,')
      .replace(/"\d+\.\d+":/g, '"event":'),
  );
}

test('what has expired in the meantime is put back, and stays expired', async () => {
  const { memory, clock } = await opened('memory:');
  await memory.records.store('r', 1, { ttlMs: 1000 });
  const { position } = await memory.records.delete('r');
  clock.advance(2000);
  expect(await memory.undo(position)).toMatchObject({ changed: true });
  expect(await memory.records.get('r')).toBeUndefined();
  expect((await memory.status()).models['records']).toMatchObject({ items: 0, expired: 1 });

  await memory.conversations.store({ ...work, data: ['one'], ttlMs: 1000 });
  const stored = memory.engine.head.position;
  clock.advance(2000);
  expect(await memory.conversations.retrieve(work)).toEqual([]);
  await memory.undo(stored);
  expect(await memory.conversations.retrieve(work)).toEqual([]);
});

test('one commit over every model is taken back as a whole', async () => {
  const { memory } = await opened('memory:');
  await memory.transaction(async (tx) => {
    await tx.records.store('r', 1);
    await tx.conversations.store({ ...chat, data: ['one'] });
    await tx.users.changeContext('anna', (draft) => void draft.topics.push('tea'));
    await tx.sites.recordVisit(url);
    await tx.skills.add('release', skill);
    await tx.graph.createEntities([anna]);
  });
  const done = await states(memory);
  expect(Object.keys(done)).toHaveLength(6);
  const undone = await memory.undo(1);
  expect(await states(memory)).toEqual({});
  await memory.undo(undone.position);
  expect(await states(memory)).toEqual(done);
});
