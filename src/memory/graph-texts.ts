/** Entities of the knowledge graph as texts that can be found, with their observations and what they are related to. */
import type { NodeState } from './graph-model.js';
import { NO_FACTS, type RecallModel } from './recall-model.js';

export const graphTexts: RecallModel<NodeState> = {
  parts: (state) => (state.entity === null ? [] : [{ name: '', source: state }]),
  text(_, { entity, relations }) {
    const { name = '', entityType = '', observations = [] } = entity ?? {};
    const related = Object.values(relations).map(
      ({ from, relationType, to }) => `${from} ${relationType.replaceAll('_', ' ')} ${to}`,
    );
    return { title: name, text: [entityType, ...observations, ...related].join('\n') };
  },
  // When it changed last is known from the log.
  facts: () => NO_FACTS,
};
