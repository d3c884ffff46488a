/** What is stored of skills, how it is folded, and what readers are given. */
import {
  defineEvents,
  defineProjection,
  type Events,
  event,
  type Projection,
  removed,
} from '../store.js';
import type { ModelDefinition } from './model-definition.js';
import { type Reverted, revert } from './revert.js';

/** What a revision says. */
export interface SkillContent {
  readonly description: string;
  readonly steps?: readonly string[];
  readonly body?: string;
  readonly tags: readonly string[];
}

interface OutcomeCounts {
  successes: number;
  failures: number;
  /** Outcomes whose duration was told. */
  timed: number;
  totalDurationMs: number;
}

interface RevisionState extends SkillContent {
  readonly createdAt: string;
  readonly actor?: string;
  outcomes: OutcomeCounts;
}

export interface Deprecation {
  readonly at: string;
  readonly reason?: string;
  readonly replacedBy?: string;
}

export interface SkillState {
  name: string;
  /** The first one is revision 1. */
  revisions: RevisionState[];
  deprecated: Deprecation | null;
}

/** How often it was used, and how that went. */
export interface SkillOutcomes {
  readonly count: number;
  readonly successes: number;
  readonly failures: number;
  /** From 0 to 1; absent before the first outcome. */
  readonly successRate?: number;
  /** Of the outcomes whose duration was told; absent when none was. */
  readonly meanDurationMs?: number;
}

/** A skill at one of its revisions. Deeply frozen. */
export interface Skill extends SkillContent {
  readonly name: string;
  readonly revision: number;
  /** Who made this revision, when that was told. */
  readonly actor?: string;
  /** Of revision 1. */
  readonly createdAt: string;
  /** Of this revision. */
  readonly updatedAt: string;
  readonly deprecated?: Deprecation;
  /** Of all revisions. */
  readonly outcomes: SkillOutcomes;
  /** Of this revision. */
  readonly revisionOutcomes: SkillOutcomes;
}

const skillsEvents = defineEvents({
  'skill.added': event<SkillContent & { readonly name: string }>(),
  'skill.revised': event<SkillContent>(),
  'skill.deprecated': event<{ readonly replacedBy?: string }>(),
  'skill.used': event<{
    readonly success: boolean;
    readonly durationMs?: number;
    readonly revision?: number;
  }>(),
  'skill.reverted': event<Reverted>(),
});

function none(): OutcomeCounts {
  return { successes: 0, failures: 0, timed: 0, totalDurationMs: 0 };
}

function revisionOf(
  content: SkillContent,
  { time, actor }: { readonly time: string; readonly actor?: string },
): RevisionState {
  return {
    ...content,
    createdAt: time,
    ...(actor === undefined ? {} : { actor }),
    outcomes: none(),
  };
}

export const skillsProjection: Projection<SkillState> = defineProjection({
  name: 'skills',
  version: 1,
  events: skillsEvents,
  initial: (): SkillState => ({ name: '', revisions: [], deprecated: null }),
  on: {
    'skill.added': (_, added): SkillState => {
      const { name, ...content } = added.data;
      return { name, revisions: [revisionOf(content, added)], deprecated: null };
    },
    'skill.revised': (skill, revised) => {
      (skill.revisions as RevisionState[]).push(revisionOf(revised.data, revised));
      skill.deprecated = null;
    },
    'skill.deprecated': (skill, { data, time, reason }) => {
      skill.deprecated = { at: time, ...(reason === undefined ? {} : { reason }), ...data };
    },
    'skill.used': (skill, { data: { success, durationMs, revision } }) => {
      const used = skill.revisions.at((revision ?? 0) - 1);
      // The revision, or the skill, was taken back in the meantime.
      if (!used) return skill.revisions.length === 0 ? removed : undefined;
      used.outcomes[success ? 'successes' : 'failures'] += 1;
      if (durationMs === undefined) return undefined;
      used.outcomes.timed += 1;
      used.outcomes.totalDurationMs += durationMs;
      return undefined;
    },
    'skill.reverted': (skill, event) => revert<SkillState>(skill, event),
  },
});

export const skillsModel: ModelDefinition = {
  name: 'skills',
  events: skillsEvents as Events,
  projection: skillsProjection as Projection,
  opposites: {
    'skill.added': 'skill.reverted',
    'skill.revised': 'skill.reverted',
    'skill.deprecated': 'skill.reverted',
    'skill.used': 'skill.reverted',
    'skill.reverted': 'skill.reverted',
  },
  bookkeeping: [],
};

export function sameContent(one: SkillContent, other: SkillContent): boolean {
  const text = ({ description, steps, body, tags }: SkillContent) =>
    JSON.stringify([description, steps ?? null, body ?? null, tags]);
  return text(one) === text(other);
}

function outcomesOf(revisions: readonly { readonly outcomes: OutcomeCounts }[]): SkillOutcomes {
  const sum = none();
  for (const { outcomes } of revisions) {
    sum.successes += outcomes.successes;
    sum.failures += outcomes.failures;
    sum.timed += outcomes.timed;
    sum.totalDurationMs += outcomes.totalDurationMs;
  }
  const { successes, failures, timed, totalDurationMs } = sum;
  const count = successes + failures;
  return Object.freeze({
    count,
    successes,
    failures,
    ...(count === 0 ? {} : { successRate: successes / count }),
    ...(timed === 0 ? {} : { meanDurationMs: totalDurationMs / timed }),
  });
}

/** Newest revisions by state, so that reading a skill again costs nothing. */
const newest = new WeakMap<SkillState, Skill>();

/** The skill at a revision, by default the newest; undefined when there is no such revision. */
export function skillOf(state: SkillState, revision?: number): Skill | undefined {
  if (revision !== undefined) return madeOf(state, revision);
  const known = newest.get(state) ?? madeOf(state, state.revisions.length);
  if (known) newest.set(state, known);
  return known;
}

function madeOf(state: SkillState, revision: number): Skill | undefined {
  const { name, revisions, deprecated } = state;
  const wanted = revisions[revision - 1];
  const first = revisions[0];
  if (!wanted || !first) return undefined;
  const { createdAt, outcomes: _, ...content } = wanted;
  return Object.freeze({
    name,
    revision,
    ...content,
    createdAt: first.createdAt,
    updatedAt: createdAt,
    ...(deprecated === null ? {} : { deprecated }),
    outcomes: outcomesOf(revisions),
    revisionOutcomes: outcomesOf([wanted]),
  });
}
