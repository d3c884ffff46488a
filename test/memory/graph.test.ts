/** The knowledge graph, with the operations of the MCP memory server. */
import { describe, expect, test } from 'vitest';
import { EntityNotFoundError } from '#src/errors.js';
import { streamOfName } from '#src/memory/graph-model.js';
import { expectDeeplyFrozen } from '../support/deeply-frozen.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { openModels, places } from './support-sites.js';

const anna = { name: 'Anna', entityType: 'person', observations: ['likes tea'] };
const ben = { name: 'Ben', entityType: 'person', observations: [] };
const shop = { name: 'Shop', entityType: 'company', observations: ['sells Coffee'] };
const knows = { from: 'Anna', to: 'Ben', relationType: 'knows' };
const worksAt = { from: 'Ben', to: 'Shop', relationType: 'works_at' };

describe.each(places)('the graph %s', (_, open) => {
  test('is empty at first', async () => {
    const { graph } = await open();
    expect(await graph.readGraph()).toEqual({ entities: [], relations: [] });
    expect(graph.searchNodesSync('')).toEqual({ entities: [], relations: [] });
  });

  test('creates entities whose names are new, and gives those, in one commit', async () => {
    const { graph, store } = await open();
    expect(await graph.createEntities([shop, anna])).toEqual([shop, anna]);
    expect(store.head.position).toBe(1);
    expect(graph.createEntitiesSync([{ ...anna, entityType: 'cat' }, ben, ben])).toEqual([ben]);
    expect(await graph.createEntities([anna, ben])).toEqual([]);
    expect(store.head.position).toBe(2);
    expect(await graph.readGraph()).toEqual({ entities: [shop, anna, ben], relations: [] });
  });

  test('creates relations that are new, and gives those, whether their ends exist or not', async () => {
    const { graph, store } = await open();
    expect(await graph.createRelations([worksAt, knows, worksAt])).toEqual([worksAt, knows]);
    expect(graph.createRelationsSync([knows, { ...knows, relationType: 'likes' }])).toEqual([
      { ...knows, relationType: 'likes' },
    ]);
    expect(await graph.createRelations([knows])).toEqual([]);
    expect(store.head.position).toBe(2);
    expect(graph.readGraphSync()).toEqual({
      entities: [],
      relations: [worksAt, knows, { ...knows, relationType: 'likes' }],
    });
  });

  test('adds observations that are new, and gives those of each entity', async () => {
    const { graph } = await open();
    await graph.createEntities([anna, ben]);
    expect(
      await graph.addObservations([
        { entityName: 'Anna', contents: ['likes tea', 'is tall'] },
        { entityName: 'Ben', contents: ['sings', 'sings'] },
        { entityName: 'Anna', contents: ['is tall', 'is late'] },
      ]),
    ).toEqual([
      { entityName: 'Anna', addedObservations: ['is tall'] },
      { entityName: 'Ben', addedObservations: ['sings'] },
      { entityName: 'Anna', addedObservations: ['is late'] },
    ]);
    expect(graph.openNodesSync(['Anna']).entities).toEqual([
      { ...anna, observations: ['likes tea', 'is tall', 'is late'] },
    ]);
  });

  test('adds no observation when one of the entities is unknown', async () => {
    const { graph, store } = await open();
    await graph.createEntities([anna]);
    await graph.createRelations([knows]);
    const additions = [
      { entityName: 'Anna', contents: ['is tall'] },
      { entityName: 'Ben', contents: ['sings'] },
    ];
    await expect(graph.addObservations(additions)).rejects.toThrow(EntityNotFoundError);
    await expect(graph.addObservations(additions)).rejects.toThrow(
      'Entity with name Ben not found',
    );
    expect(() => graph.addObservationsSync(additions)).toThrow(EntityNotFoundError);
    expect(store.head.position).toBe(2);
  });

  test('deletes entities with every relation from or to them, in one commit', async () => {
    const { graph, store } = await open();
    await graph.createEntities([anna, ben, shop]);
    await graph.createRelations([
      knows,
      worksAt,
      { from: 'Anna', to: 'Shop', relationType: 'buys_at' },
      { from: 'Ben', to: 'Ben', relationType: 'is' },
    ]);
    const { position } = store.head;
    expect(await graph.deleteEntities(['Ben', 'nobody'])).toBeUndefined();
    expect(store.head.position).toBe(position + 1);
    expect(await graph.readGraph()).toEqual({
      entities: [anna, shop],
      relations: [{ from: 'Anna', to: 'Shop', relationType: 'buys_at' }],
    });
    graph.deleteEntitiesSync(['Anna', 'Shop']);
    expect(graph.readGraphSync()).toEqual({ entities: [], relations: [] });
    await graph.deleteEntities(['Anna']);
    expect(store.head.position).toBe(position + 2);
    await graph.createEntities([ben]);
    expect(await graph.readGraph()).toEqual({ entities: [ben], relations: [] });
  });

  test('deletes the relations of a name that no entity has', async () => {
    const { graph } = await open();
    await graph.createRelations([knows]);
    await graph.deleteEntities(['Ben']);
    expect(await graph.readGraph()).toEqual({ entities: [], relations: [] });
  });

  test('deletes observations and relations, and keeps silent on what is not there', async () => {
    const { graph, store } = await open();
    await graph.createEntities([anna, ben]);
    await graph.createRelations([knows, worksAt]);
    expect(
      await graph.deleteObservations([
        { entityName: 'Anna', observations: ['likes tea', 'is tall'] },
        { entityName: 'nobody', observations: ['x'] },
      ]),
    ).toBeUndefined();
    expect(await graph.deleteRelations([knows, { ...knows, to: 'nobody' }])).toBeUndefined();
    const { position } = store.head;
    graph.deleteObservationsSync([{ entityName: 'Anna', observations: ['likes tea'] }]);
    graph.deleteRelationsSync([knows]);
    expect(store.head.position).toBe(position);
    expect(await graph.readGraph()).toEqual({
      entities: [{ ...anna, observations: [] }, ben],
      relations: [worksAt],
    });
  });

  test('finds entities by name, type and observation in any case, with all their relations', async () => {
    const { graph } = await open();
    await graph.createEntities([anna, ben, shop]);
    await graph.createRelations([worksAt, knows]);
    expect(await graph.searchNodes('COFFEE')).toEqual({ entities: [shop], relations: [worksAt] });
    expect(graph.searchNodesSync('person')).toEqual({
      entities: [anna, ben],
      relations: [worksAt, knows],
    });
    expect(await graph.searchNodes('ann')).toEqual({ entities: [anna], relations: [knows] });
    expect(await graph.searchNodes('')).toEqual(await graph.readGraph());
    expect(await graph.searchNodes('works_at')).toEqual({ entities: [], relations: [] });
  });

  test('opens the entities that there are, in the order of their creation, with all their relations', async () => {
    const { graph } = await open();
    await graph.createEntities([anna, ben, shop]);
    await graph.createRelations([worksAt, knows]);
    expect(await graph.openNodes(['Shop', 'nobody', 'Anna', 'Shop'])).toEqual({
      entities: [anna, shop],
      relations: [worksAt, knows],
    });
    expect(graph.openNodesSync(['Ben'])).toEqual({ entities: [ben], relations: [worksAt, knows] });
    await graph.deleteEntities(['Shop']);
    expect(await graph.openNodes(['Shop'])).toEqual({ entities: [], relations: [] });
  });

  test('takes names that no stream can have', async () => {
    const { graph } = await open();
    const names = [
      '',
      ' ',
      'x'.repeat(5000),
      'a\nb',
      '\u0000',
      '#',
      '#a',
      '__proto__',
      'constructor',
      '$a',
      '../a',
      'é',
      'e\u0301',
    ];
    const entities = names.map((name) => ({ name, entityType: 'odd', observations: [name] }));
    expect(await graph.createEntities(entities)).toEqual(entities);
    const relations = names.map((name) => ({ from: name, to: '__proto__', relationType: name }));
    expect(await graph.createRelations(relations)).toEqual(relations);
    expect(await graph.readGraph()).toEqual({ entities, relations });
    for (const entity of entities)
      expect((await graph.openNodes([entity.name])).entities).toEqual([entity]);
    expect(new Set(names.map(streamOfName)).size).toBe(names.length);
    await graph.deleteEntities(names);
    expect(await graph.readGraph()).toEqual({ entities: [], relations: [] });
  });

  test('gives out nothing that can be changed, and keeps nothing that the caller may change', async () => {
    const { graph } = await open();
    const observations = ['one'];
    const created = await graph.createEntities([{ name: 'a', entityType: 't', observations }]);
    observations.push('two');
    expectDeeplyFrozen(created);
    expectDeeplyFrozen(await graph.createRelations([knows]));
    expectDeeplyFrozen(await graph.addObservations([{ entityName: 'a', contents: ['three'] }]));
    expectDeeplyFrozen(await graph.readGraph());
    expect((await graph.openNodes(['a'])).entities[0]?.observations).toEqual(['one', 'three']);
  });

  test('loses nothing of what many agents write at once', async () => {
    const { graph, as } = await open();
    await graph.createEntities([{ name: 'hub', entityType: 'thing', observations: [] }]);
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const own = as(`agent-${index}`).graph;
        await own.createEntities([{ name: `e${index}`, entityType: 't', observations: [] }, anna]);
        await own.createRelations([{ from: `e${index}`, to: 'hub', relationType: 'of' }]);
        await own.addObservations([{ entityName: 'hub', contents: [`o${index}`, 'same'] }]);
      }),
    );
    const { entities, relations } = await graph.readGraph();
    expect(entities).toHaveLength(12);
    expect(relations).toHaveLength(10);
    expect([...(entities[0]?.observations ?? [])].sort()).toEqual(
      ['same', ...Array.from({ length: 10 }, (_, index) => `o${index}`)].sort(),
    );
  });

  test('is as it was when asked as of a moment, and the same in a transaction', async () => {
    const { graph, store, at, transaction } = await open();
    await graph.createEntities([anna, ben]);
    const { position } = store.head;
    await transaction(async (models) => {
      await models.graph.createRelations([knows]);
      await models.graph.addObservations([{ entityName: 'Ben', contents: ['sings'] }]);
      await models.graph.deleteEntities(['Anna']);
      expect(await models.graph.readGraph()).toEqual({
        entities: [{ ...ben, observations: ['sings'] }],
        relations: [],
      });
    });
    expect(store.head.position).toBe(position + 1);
    expect(await at(position).graph.readGraph()).toEqual({ entities: [anna, ben], relations: [] });
    expect(at(position).graph.openNodesSync(['Anna']).entities).toEqual([anna]);
    await expect(at(position).graph.createEntities([shop])).rejects.toMatchObject({
      code: 'STORE_READ_ONLY',
    });
    expect(() => at(position).graph.createEntitiesSync([shop])).toThrow();
  });
});

test('the graph is the same after the store was opened again', async () => {
  const directory = temporaryDirectory();
  const first = await openModels(directory);
  await first.graph.createEntities([anna, ben, shop]);
  await first.graph.createRelations([knows, worksAt]);
  await first.graph.deleteEntities(['Anna']);
  const before = await first.graph.readGraph();
  await first.store.close();
  const second = await openModels(directory);
  expect(await second.graph.readGraph()).toEqual(before);
});

describe('arguments that the server would refuse are refused, and nothing is written', () => {
  test.each<[string, (graph: Awaited<ReturnType<typeof openModels>>['graph']) => Promise<unknown>]>(
    [
      ['entities that are no list', (graph) => graph.createEntities({} as never)],
      [
        'an entity without a name',
        (graph) => graph.createEntities([{ entityType: 't', observations: [] } as never]),
      ],
      [
        'an observation that is no text',
        (graph) => graph.createEntities([{ ...ben, observations: [7] } as never]),
      ],
      [
        'a relation without an end',
        (graph) => graph.createRelations([{ from: 'a', relationType: 'b' } as never]),
      ],
      ['an addition that is null', (graph) => graph.addObservations([null as never])],
      ['names that are no texts', (graph) => graph.deleteEntities([7 as never])],
      [
        'a deletion without observations',
        (graph) => graph.deleteObservations([{ entityName: 'a' } as never]),
      ],
      ['a query that is no text', (graph) => graph.searchNodes(undefined as never)],
      ['a name instead of names', (graph) => graph.openNodes('Anna' as never)],
    ],
  )('%s', async (_, call) => {
    const { graph, store } = await openModels();
    await expect(call(graph)).rejects.toThrow(TypeError);
    expect(store.head.position).toBe(0);
  });
});

test('a condition on the version is told, not tried again', async () => {
  const { graph } = await openModels();
  await graph.createEntities([anna], { expectedVersion: 'absent' });
  await expect(
    graph.addObservations([{ entityName: 'Anna', contents: ['x'] }], { expectedVersion: 7 }),
  ).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
});
