/** What each writing call on the graph decides, from the states of the names it speaks of. */
import { EntityNotFoundError } from '../errors.js';
import type { NewEvent } from '../store.js';
import {
  type Entity,
  graphProjection,
  type NodeState,
  type Relation,
  relationKey,
  streamOfName,
} from './graph-model.js';
import type { Plan, Planned, PlannedEvents } from './plan.js';

/** Observations of one entity that were added. */
export interface AddedObservations {
  readonly entityName: string;
  readonly addedObservations: readonly string[];
}

type States = ReadonlyMap<string, NodeState | undefined>;

function planOn<Result>(
  names: readonly string[],
  decide: (states: States) => Planned<Result>,
): Plan<NodeState, Result> {
  const streams = [...new Set(names.map(streamOfName))];
  return { projection: graphProjection, streams, decide };
}

/** Entities whose name is new, each once. */
export function creatingEntities(entities: readonly Entity[]): Plan<NodeState, readonly Entity[]> {
  return planOn(
    entities.map(({ name }) => name),
    (states) => {
      const taken = new Set<string>();
      const created = entities.filter(({ name }) => {
        const stream = streamOfName(name);
        if (taken.has(stream) || states.get(stream)?.entity) return false;
        taken.add(stream);
        return true;
      });
      const decisions = created.map((entity, place) => ({
        stream: streamOfName(entity.name),
        events: [{ type: 'entity.created', data: { ...entity, place } }],
      }));
      return { decisions, result: created };
    },
  );
}

/** Relations that are not there yet, each once. Their ends need not exist. */
export function creatingRelations(
  relations: readonly Relation[],
): Plan<NodeState, readonly Relation[]> {
  return planOn(
    relations.map(({ from }) => from),
    (states) => {
      const taken = new Set<string>();
      const created = relations.filter((relation) => {
        const key = relationKey(relation);
        const node = states.get(streamOfName(relation.from));
        if (taken.has(key) || (node && Object.hasOwn(node.relations, key))) return false;
        taken.add(key);
        return true;
      });
      const placed = created.map((relation, place) => ({ ...relation, place }));
      const decisions = atBothEnds('graph.relations-created', placed);
      return { decisions, result: created };
    },
  );
}

/** @throws EntityNotFoundError from `decide` */
export function addingObservations(
  additions: readonly { readonly entityName: string; readonly contents: readonly string[] }[],
): Plan<NodeState, readonly AddedObservations[]> {
  return planOn(
    additions.map(({ entityName }) => entityName),
    (states) => {
      const known = new Map<string, Set<string>>();
      const events = new Map<string, string[]>();
      const result = additions.map(({ entityName, contents }) => {
        const stream = streamOfName(entityName);
        const entity = states.get(stream)?.entity;
        if (!entity) throw new EntityNotFoundError(entityName);
        const before = known.get(stream) ?? new Set(entity.observations);
        known.set(stream, before);
        const addedObservations: string[] = [];
        for (const content of contents) {
          if (before.has(content)) continue;
          before.add(content);
          addedObservations.push(content);
        }
        events.set(stream, [...(events.get(stream) ?? []), ...addedObservations]);
        return { entityName, addedObservations };
      });
      return { decisions: perStream('entity.observed', 'observations', events), result };
    },
  );
}

/** Entities, and every relation from or to one of the names. */
export function deletingEntities(names: readonly string[]): Plan<NodeState, void> {
  return planOn(names, (states) => {
    const decisions: PlannedEvents[] = [];
    const elsewhere = new Map<string, Relation[]>();
    for (const name of new Set(names)) {
      const stream = streamOfName(name);
      const node = states.get(stream);
      if (!node) continue;
      decisions.push({ stream, events: [{ type: 'entity.deleted', data: { name } }] });
      for (const { from, to, relationType } of Object.values(node.relations)) {
        const other = streamOfName(from === name ? to : from);
        // A name that is deleted too takes its relations along by itself.
        if (states.has(other)) continue;
        append(elsewhere, other, { from, to, relationType });
      }
    }
    decisions.push(...perStream('graph.relations-deleted', 'relations', elsewhere));
    return { decisions, result: undefined };
  });
}

export function deletingObservations(
  deletions: readonly { readonly entityName: string; readonly observations: readonly string[] }[],
): Plan<NodeState, void> {
  return planOn(
    deletions.map(({ entityName }) => entityName),
    (states) => {
      const gone = new Map<string, string[]>();
      for (const { entityName, observations } of deletions) {
        const stream = streamOfName(entityName);
        const known = new Set(states.get(stream)?.entity?.observations);
        for (const observation of new Set(observations)) {
          if (known.has(observation)) append(gone, stream, observation);
        }
      }
      const decisions = perStream('entity.observations-deleted', 'observations', gone);
      return { decisions, result: undefined };
    },
  );
}

export function deletingRelations(relations: readonly Relation[]): Plan<NodeState, void> {
  return planOn(
    relations.map(({ from }) => from),
    (states) => {
      const gone = new Map<string, Relation>();
      for (const relation of relations) {
        const key = relationKey(relation);
        const node = states.get(streamOfName(relation.from));
        if (node && Object.hasOwn(node.relations, key)) gone.set(key, relation);
      }
      const decisions = atBothEnds('graph.relations-deleted', [...gone.values()]);
      return { decisions, result: undefined };
    },
  );
}

/** One event for each name that a relation touches. */
function atBothEnds(type: string, relations: readonly Relation[]): PlannedEvents[] {
  const streams = new Map<string, Relation[]>();
  for (const relation of relations) {
    append(streams, streamOfName(relation.from), relation);
    if (relation.to !== relation.from) append(streams, streamOfName(relation.to), relation);
  }
  return perStream(type, 'relations', streams);
}

function perStream(
  type: string,
  member: string,
  streams: ReadonlyMap<string, readonly unknown[]>,
): PlannedEvents[] {
  return [...streams].map(([stream, list]) => {
    const events: readonly NewEvent[] =
      list.length === 0 ? [] : [{ type, data: { [member]: list } }];
    return { stream, events };
  });
}

function append<T>(lists: Map<string, T[]>, key: string, element: T): void {
  const list = lists.get(key);
  if (list) list.push(element);
  else lists.set(key, [element]);
}
