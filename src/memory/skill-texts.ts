/** Skills as texts that can be found, at their newest revision. */
import { NO_FACTS, type RecallModel } from './recall-model.js';
import { spoken } from './record-texts.js';
import type { SkillContent, SkillState } from './skill-model.js';

interface Revision extends SkillContent {
  readonly createdAt: string;
  readonly actor?: string;
}

function newestOf({ revisions }: SkillState): Revision {
  return revisions.at(-1) as Revision;
}

export const skillTexts: RecallModel<SkillState> = {
  // Outcomes are counted in the revision: how often a skill was used does not change what it says.
  parts(state) {
    const { revisions, name } = state;
    if (revisions.length === 0) return [];
    const { description, steps, body, tags } = newestOf(state);
    const source = JSON.stringify([name, revisions.length, description, steps, body, tags]);
    return [{ name: '', source }];
  },
  text(_, state) {
    const { description, steps = [], body = '' } = newestOf(state);
    const text = [description, ...steps, body].filter((each) => each !== '').join('\n');
    return { title: spoken(state.name), text };
  },
  isRetired: ({ deprecated }) => deprecated !== null,
  shown(_, state) {
    const { description, steps = [], body = '' } = newestOf(state);
    return [`${state.name}: ${description}`, ...steps, body]
      .filter((each) => each !== '')
      .join('\n');
  },
  facts(_, state) {
    const { tags, createdAt, actor } = newestOf(state);
    return { ...NO_FACTS, tags, actor, time: createdAt };
  },
};
