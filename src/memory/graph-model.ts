/**
 * What is stored of the knowledge graph, and how it is folded.
 *
 * Each name has a stream of its own, so that many agents write at once. A relation stands in the streams of both its ends. Invariants:
 * - both are written by one commit;
 * - whether a relation is there is decided on the end it comes from; a deleted end takes its relations along, decided on the deleted end;
 * - so any two commands that could disagree on a relation share a stream that both decide on, and the log has one order of them.
 */
import { createHash } from 'node:crypto';
import {
  defineEvents,
  defineProjection,
  type Events,
  event,
  type Projection,
  removed,
} from '../store.js';
import { fitsStream } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { type Reverted, revert } from './revert.js';

/** A node of the graph. */
export interface Entity {
  readonly name: string;
  readonly entityType: string;
  readonly observations: readonly string[];
}

/** A directed edge; its ends need not be entities. */
export interface Relation {
  readonly from: string;
  readonly to: string;
  readonly relationType: string;
}

/** When something came into the graph: position of its commit, and place in its call. */
export type Order = readonly [position: number, place: number];

interface EntityState {
  readonly name: string;
  readonly entityType: string;
  readonly order: Order;
  observations: string[];
}

export interface RelationState extends Relation {
  readonly order: Order;
}

/** All that the graph knows of one name. */
export interface NodeState {
  /** Null for a name that relations speak of and no entity has. */
  entity: EntityState | null;
  /** From it and to it, by {@link relationKey}. */
  relations: Record<string, RelationState>;
}

/** Begins with `[`, so that no name of a user's can be that of a member of all objects. */
export function relationKey({ from, to, relationType }: Relation): string {
  return JSON.stringify([from, relationType, to]);
}

/** The stream of a name. One that no stream can have goes by its hash; the name itself stands in the events. */
export function streamOfName(name: string): string {
  const stream = `graph/${name}`;
  if (name !== '' && !name.startsWith('#') && fitsStream(stream)) return stream;
  return `graph/#${createHash('sha256').update(name).digest('hex')}`;
}

const graphEvents = defineEvents({
  'entity.created': event<Entity & { readonly place: number }>(),
  'entity.deleted': event<{ readonly name: string }>(),
  'entity.observed': event<{ readonly observations: readonly string[] }>(),
  'entity.observations-deleted': event<{ readonly observations: readonly string[] }>(),
  'graph.relations-created': event<{
    readonly relations: readonly (Relation & { readonly place: number })[];
  }>(),
  'graph.relations-deleted': event<{ readonly relations: readonly Relation[] }>(),
  'graph.reverted': event<Reverted>(),
});

export const graphProjection: Projection<NodeState> = defineProjection({
  name: 'graph',
  version: 1,
  events: graphEvents,
  initial: (): NodeState => ({ entity: null, relations: {} }),
  on: {
    'entity.created': (node, { data, position }) => {
      const { name, entityType, observations, place } = data;
      node.entity = { name, entityType, order: [position, place], observations: [...observations] };
    },
    'entity.deleted': () => removed,
    'entity.observed': (node, { data }) => {
      node.entity?.observations.push(...data.observations);
    },
    'entity.observations-deleted': (node, { data }) => {
      if (!node.entity) return;
      const gone = new Set(data.observations);
      node.entity.observations = node.entity.observations.filter((each) => !gone.has(each));
    },
    'graph.relations-created': (node, { data, position }) => {
      for (const { from, to, relationType, place } of data.relations) {
        const relation = { from, to, relationType, order: [position, place] as const };
        node.relations[relationKey(relation)] = relation as never;
      }
    },
    'graph.relations-deleted': (node, { data }) => {
      for (const relation of data.relations) delete node.relations[relationKey(relation)];
      return node.entity === null && Object.keys(node.relations).length === 0 ? removed : undefined;
    },
    'graph.reverted': (node, event) => revert<NodeState>(node, event),
  },
});

export const graphModel: ModelDefinition = {
  name: 'graph',
  events: graphEvents as Events,
  projection: graphProjection as Projection,
  opposites: {
    'entity.created': 'graph.reverted',
    'entity.deleted': 'graph.reverted',
    'entity.observed': 'graph.reverted',
    'entity.observations-deleted': 'graph.reverted',
    'graph.relations-created': 'graph.reverted',
    'graph.relations-deleted': 'graph.reverted',
    'graph.reverted': 'graph.reverted',
  },
  bookkeeping: [],
  additive: true,
};
