/**
 * A knowledge graph of entities, relations and observations: the nine operations of the MCP memory server, release 2026.8.31, with its arguments and results.
 *
 * Two things differ. An entity, relation or observation that a call names twice is stored once, as the server does for what was there before the call. And
 * every call is one commit, so that agents who write at once lose nothing of each other's.
 */
import { invalidArgument } from '../errors.js';
import type { Access, WriteOptions } from './access.js';
import {
  type Entity,
  graphProjection,
  type NodeState,
  type Order,
  type Relation,
  type RelationState,
  relationKey,
  streamOfName,
} from './graph-model.js';
import {
  type AddedObservations,
  addingObservations,
  creatingEntities,
  creatingRelations,
  deletingEntities,
  deletingObservations,
  deletingRelations,
} from './graph-plans.js';
import type { Meter } from './meter.js';
import { frozen, Model, type ModelSettings } from './model.js';
import type { Plan } from './plan.js';

export { type Entity, graphModel, type Relation } from './graph-model.js';
export type { AddedObservations } from './graph-plans.js';

/** Entities and relations in the order in which they were created. Deeply frozen. */
export interface KnowledgeGraph {
  readonly entities: readonly Entity[];
  readonly relations: readonly Relation[];
}

export interface ObservationAddition {
  readonly entityName: string;
  readonly contents: readonly string[];
}

export interface ObservationDeletion {
  readonly entityName: string;
  readonly observations: readonly string[];
}

/** `memory.graph`. Members that the arguments have beyond those named are left out. */
export class Graph extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('graph', access, settings, meter);
  }

  /** Creates entities and gives those that it created: names that are taken are skipped. @throws TypeError */
  createEntities(
    entities: readonly Entity[],
    options: WriteOptions = {},
  ): Promise<readonly Entity[]> {
    return this.#write(
      'createEntities',
      () => creatingEntities(checkedEntities(entities)),
      options,
    );
  }

  createEntitiesSync(entities: readonly Entity[], options: WriteOptions = {}): readonly Entity[] {
    return this.#writeSync(
      'createEntities',
      () => creatingEntities(checkedEntities(entities)),
      options,
    );
  }

  /** Creates relations and gives those that it created: those that are there are skipped. Their ends need not exist. @throws TypeError */
  createRelations(
    relations: readonly Relation[],
    options: WriteOptions = {},
  ): Promise<readonly Relation[]> {
    return this.#write(
      'createRelations',
      () => creatingRelations(checkedRelations(relations)),
      options,
    );
  }

  createRelationsSync(
    relations: readonly Relation[],
    options: WriteOptions = {},
  ): readonly Relation[] {
    return this.#writeSync(
      'createRelations',
      () => creatingRelations(checkedRelations(relations)),
      options,
    );
  }

  /**
   * Adds observations to entities, and gives for each addition those that were new.
   * @throws EntityNotFoundError when one of the entities does not exist: nothing is written then; TypeError
   */
  addObservations(
    additions: readonly ObservationAddition[],
    options: WriteOptions = {},
  ): Promise<readonly AddedObservations[]> {
    return this.#write(
      'addObservations',
      () => addingObservations(checkedAdditions(additions)),
      options,
    );
  }

  addObservationsSync(
    additions: readonly ObservationAddition[],
    options: WriteOptions = {},
  ): readonly AddedObservations[] {
    return this.#writeSync(
      'addObservations',
      () => addingObservations(checkedAdditions(additions)),
      options,
    );
  }

  /** Deletes entities and every relation from or to one of the names; names that there are not are skipped. @throws TypeError */
  deleteEntities(names: readonly string[], options: WriteOptions = {}): Promise<void> {
    return this.#write(
      'deleteEntities',
      () => deletingEntities(checkedTexts(names, 'the names')),
      options,
    );
  }

  deleteEntitiesSync(names: readonly string[], options: WriteOptions = {}): void {
    this.#writeSync(
      'deleteEntities',
      () => deletingEntities(checkedTexts(names, 'the names')),
      options,
    );
  }

  /** Deletes observations; entities and observations that there are not are skipped. @throws TypeError */
  deleteObservations(
    deletions: readonly ObservationDeletion[],
    options: WriteOptions = {},
  ): Promise<void> {
    return this.#write(
      'deleteObservations',
      () => deletingObservations(checkedDeletions(deletions)),
      options,
    );
  }

  deleteObservationsSync(
    deletions: readonly ObservationDeletion[],
    options: WriteOptions = {},
  ): void {
    this.#writeSync(
      'deleteObservations',
      () => deletingObservations(checkedDeletions(deletions)),
      options,
    );
  }

  /** Deletes relations; those that there are not are skipped. @throws TypeError */
  deleteRelations(relations: readonly Relation[], options: WriteOptions = {}): Promise<void> {
    return this.#write(
      'deleteRelations',
      () => deletingRelations(checkedRelations(relations)),
      options,
    );
  }

  deleteRelationsSync(relations: readonly Relation[], options: WriteOptions = {}): void {
    this.#writeSync(
      'deleteRelations',
      () => deletingRelations(checkedRelations(relations)),
      options,
    );
  }

  /** All of it. */
  readGraph(): Promise<KnowledgeGraph> {
    return this.measured('readGraph', async () => graphOf(await this.#nodes(), 'all'));
  }

  readGraphSync(): KnowledgeGraph {
    return this.measuredSync('readGraph', () => graphOf(this.#nodesSync(), 'all'));
  }

  /**
   * Entities that have the text in their name, type or an observation, in any case of letters, and every relation from or to one of them.
   * @throws TypeError
   */
  searchNodes(query: string): Promise<KnowledgeGraph> {
    return this.measured('searchNodes', async () => {
      const matches = matcher(query);
      return graphOf(await this.#nodes(), matches);
    });
  }

  searchNodesSync(query: string): KnowledgeGraph {
    return this.measuredSync('searchNodes', () => {
      const matches = matcher(query);
      return graphOf(this.#nodesSync(), matches);
    });
  }

  /** The entities of those names that there are, and every relation from or to one of them. @throws TypeError */
  openNodes(names: readonly string[]): Promise<KnowledgeGraph> {
    return this.measured('openNodes', async () => {
      const nodes: NodeState[] = [];
      for (const stream of streamsOf(names)) {
        const node = await this.access.get(graphProjection, stream);
        if (node) nodes.push(node);
      }
      return graphOf(nodes, () => true);
    });
  }

  openNodesSync(names: readonly string[]): KnowledgeGraph {
    return this.measuredSync('openNodes', () => {
      const nodes: NodeState[] = [];
      for (const stream of streamsOf(names)) {
        const node = this.access.getSync(graphProjection, stream);
        if (node) nodes.push(node);
      }
      return graphOf(nodes, () => true);
    });
  }

  #write<Result>(
    operation: string,
    plan: () => Plan<NodeState, Result>,
    options: WriteOptions,
  ): Promise<Result> {
    return this.measured(operation, async () => frozen(await this.access.runPlan(plan(), options)));
  }

  #writeSync<Result>(
    operation: string,
    plan: () => Plan<NodeState, Result>,
    options: WriteOptions,
  ): Result {
    return this.measuredSync(operation, () => frozen(this.access.runPlanSync(plan(), options)));
  }

  async #nodes(): Promise<NodeState[]> {
    const nodes: NodeState[] = [];
    for await (const [, node] of this.access.entries(graphProjection, { prefix: 'graph/' }))
      nodes.push(node);
    return nodes;
  }

  #nodesSync(): NodeState[] {
    const nodes: NodeState[] = [];
    for (const [, node] of this.access.entriesSync(graphProjection, { prefix: 'graph/' }))
      nodes.push(node);
    return nodes;
  }
}

function inOrder(one: { readonly order: Order }, other: { readonly order: Order }): number {
  return one.order[0] - other.order[0] || one.order[1] - other.order[1];
}

/** The chosen entities among the nodes, and the relations that touch them; everything when nothing is chosen by. */
function graphOf(
  nodes: readonly NodeState[],
  chosen: ((entity: Entity) => boolean) | 'all',
): KnowledgeGraph {
  const entities: NonNullable<NodeState['entity']>[] = [];
  const relations = new Map<string, RelationState>();
  for (const node of nodes) {
    if (chosen !== 'all' && !(node.entity && chosen(node.entity))) continue;
    if (node.entity) entities.push(node.entity);
    for (const relation of Object.values(node.relations))
      relations.set(relationKey(relation), relation);
  }
  return frozen({
    entities: entities
      .sort(inOrder)
      .map(({ name, entityType, observations }) => ({ name, entityType, observations })),
    relations: [...relations.values()]
      .sort(inOrder)
      .map(({ from, to, relationType }) => ({ from, to, relationType })),
  });
}

function matcher(query: unknown): (entity: Entity) => boolean {
  if (typeof query !== 'string') throw invalidArgument('query must be a string');
  const text = query.toLowerCase();
  const has = (part: string) => part.toLowerCase().includes(text);
  return ({ name, entityType, observations }) =>
    has(name) || has(entityType) || observations.some(has);
}

function streamsOf(names: readonly string[]): ReadonlySet<string> {
  return new Set(checkedTexts(names, 'the names').map(streamOfName));
}

function checkedList(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalidArgument(`${what} must be a list`);
}

function checkedText(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw invalidArgument(`${what} must be a string`);
}

function checkedTexts(value: unknown, what: string): readonly string[] {
  return checkedList(value, what).map((text, index) => checkedText(text, `${what}[${index}]`));
}

function members(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null)
    return value as Readonly<Record<string, unknown>>;
  throw invalidArgument(`${what} must be an object`);
}

function checkedEntities(entities: unknown): readonly Entity[] {
  return checkedList(entities, 'entities').map((each, index) => {
    const what = `entities[${index}]`;
    const { name, entityType, observations } = members(each, what);
    return {
      name: checkedText(name, `${what}.name`),
      entityType: checkedText(entityType, `${what}.entityType`),
      observations: checkedTexts(observations, `${what}.observations`),
    };
  });
}

function checkedRelations(relations: unknown): readonly Relation[] {
  return checkedList(relations, 'relations').map((each, index) => {
    const what = `relations[${index}]`;
    const { from, to, relationType } = members(each, what);
    return {
      from: checkedText(from, `${what}.from`),
      to: checkedText(to, `${what}.to`),
      relationType: checkedText(relationType, `${what}.relationType`),
    };
  });
}

function checkedAdditions(additions: unknown): readonly ObservationAddition[] {
  return checkedList(additions, 'observations').map((each, index) => {
    const what = `observations[${index}]`;
    const { entityName, contents } = members(each, what);
    return {
      entityName: checkedText(entityName, `${what}.entityName`),
      contents: checkedTexts(contents, `${what}.contents`),
    };
  });
}

function checkedDeletions(deletions: unknown): readonly ObservationDeletion[] {
  return checkedList(deletions, 'deletions').map((each, index) => {
    const what = `deletions[${index}]`;
    const { entityName, observations } = members(each, what);
    return {
      entityName: checkedText(entityName, `${what}.entityName`),
      observations: checkedTexts(observations, `${what}.observations`),
    };
  });
}
