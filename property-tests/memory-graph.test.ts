/** Commands on the graph that run at once end in the state of one serial order, the log's, and each answered as that order says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriteOptions } from '#src/memory/access.js';
import type { Entity, KnowledgeGraph, Relation } from '#src/memory/graph.js';
import type { Models } from '#src/memory/models.js';
import { runAtOnce } from '../test/memory/support-concurrent.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

/** The graph as one plain list of each, which every command walks through. */
class PlainGraph {
  entities: (Entity & { observations: string[] })[] = [];
  relations: Relation[] = [];

  createEntities(entities: readonly Entity[]): unknown {
    const created: Entity[] = [];
    for (const entity of entities) {
      if (this.entities.some(({ name }) => name === entity.name)) continue;
      this.entities.push({ ...entity, observations: [...entity.observations] });
      created.push(entity);
    }
    return created;
  }

  createRelations(relations: readonly Relation[]): unknown {
    const created: Relation[] = [];
    for (const relation of relations) {
      if (this.relations.some((other) => isSame(other, relation))) continue;
      this.relations.push(relation);
      created.push(relation);
    }
    return created;
  }

  addObservations(additions: readonly { entityName: string; contents: string[] }[]): unknown {
    return additions.map(({ entityName, contents }) => {
      const entity = this.entities.find(({ name }) => name === entityName);
      if (!entity) throw new Error('a command that failed was committed');
      const addedObservations: string[] = [];
      for (const content of contents) {
        if (entity.observations.includes(content)) continue;
        entity.observations.push(content);
        addedObservations.push(content);
      }
      return { entityName, addedObservations };
    });
  }

  deleteEntities(names: readonly string[]): unknown {
    this.entities = this.entities.filter(({ name }) => !names.includes(name));
    this.relations = this.relations.filter(
      ({ from, to }) => !names.includes(from) && !names.includes(to),
    );
    return undefined;
  }

  deleteObservations(
    deletions: readonly { entityName: string; observations: string[] }[],
  ): unknown {
    for (const { entityName, observations } of deletions) {
      const entity = this.entities.find(({ name }) => name === entityName);
      if (entity)
        entity.observations = entity.observations.filter((each) => !observations.includes(each));
    }
    return undefined;
  }

  deleteRelations(relations: readonly Relation[]): unknown {
    this.relations = this.relations.filter(
      (relation) => !relations.some((other) => isSame(other, relation)),
    );
    return undefined;
  }
}

function isSame(one: Relation, other: Relation): boolean {
  return one.from === other.from && one.to === other.to && one.relationType === other.relationType;
}

type Operation = keyof Omit<PlainGraph, 'entities' | 'relations'>;

class GraphCommand {
  readonly operation: Operation;
  readonly argument: never;
  readonly sync: boolean;

  constructor(operation: Operation, argument: unknown, sync: boolean) {
    this.operation = operation;
    this.argument = argument as never;
    this.sync = sync;
  }

  async run({ graph }: Models, options: WriteOptions): Promise<unknown> {
    try {
      if (this.sync) return graph[`${this.operation}Sync`](this.argument, options);
      return await graph[this.operation](this.argument, options);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENTITY_NOT_FOUND' });
      return error;
    }
  }

  toString(): string {
    return `${this.operation}${this.sync ? 'Sync' : ''}(${JSON.stringify(this.argument)})`;
  }
}

const name = fc.constantFrom('a', 'b', 'c', '__proto__', 'a\nlong name');
const observations = fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 3 });
const few = <T>(element: fc.Arbitrary<T>) => fc.array(element, { minLength: 1, maxLength: 3 });
const relation = fc.record({ from: name, to: name, relationType: fc.constantFrom('r', 's') });
const uniqueObservations = fc.uniqueArray(fc.constantFrom('x', 'y', 'z'));
const argumentsOf: Readonly<Record<Operation, fc.Arbitrary<unknown>>> = {
  createEntities: few(
    fc.record({ name, entityType: fc.constantFrom('t', 'u'), observations: uniqueObservations }),
  ),
  createRelations: few(relation),
  addObservations: few(fc.record({ entityName: name, contents: observations })),
  deleteEntities: few(name),
  deleteObservations: few(fc.record({ entityName: name, observations })),
  deleteRelations: few(relation),
};
const command = fc
  .constantFrom(
    ...(Object.keys(argumentsOf) as Operation[]),
    'createEntities' as const,
    'createRelations' as const,
  )
  .chain((operation) =>
    fc
      .tuple(argumentsOf[operation], fc.integer({ max: 5, min: 0 }))
      .map(([argument, chance]) => new GraphCommand(operation, argument, chance === 0)),
  );

test('whatever is written at once, the graph is as if the commands had run in the order of the log', {
  timeout: timeoutMs,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 25 }), async (commands) => {
      const read = ({ graph }: Models): Promise<KnowledgeGraph> => graph.readGraph();
      const { committed, states } = await runAtOnce(commands, read);
      const plain = new PlainGraph();
      for (const { command: each, result } of committed)
        expect(result).toEqual(plain[each.operation](each.argument));
      for (const { entities, relations } of states) {
        expect(entities).toEqual(plain.entities);
        expect(relations).toEqual(plain.relations);
      }
    }),
    { numRuns: times(40), seed },
  );
});
