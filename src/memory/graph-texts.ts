/** Entities of the knowledge graph as texts that can be found, with their observations and what they are related to. */
import type { NodeState } from './graph-model.js';
import { NO_FACTS, type RecallModel } from './recall-model.js';

/** Relations that an entity is found by: the first of them. One that everything is related to is not read anew with each that comes. */
const RELATIONS_MAX = 100;

export const graphTexts: RecallModel<NodeState> = {
  // The text itself, so that a change that it does not tell of is none.
  parts: (state) => (state.entity === null ? [] : [{ name: '', source: textOf(state) }]),
  text: ({ source }, { entity }) => ({ title: entity?.name ?? '', text: source as string }),
  // When it changed last is known from the log.
  facts: () => NO_FACTS,
};

function textOf({ entity, relations }: NodeState): string {
  const { entityType = '', observations = [] } = entity ?? {};
  const related: string[] = [];
  for (const key in relations) {
    const relation = relations[key];
    if (!relation) continue;
    const { from, relationType, to } = relation;
    related.push(`${from} ${relationType.replaceAll('_', ' ')} ${to}`);
    if (related.length === RELATIONS_MAX) break;
  }
  return [entityType, ...observations, ...related].join('\n');
}
