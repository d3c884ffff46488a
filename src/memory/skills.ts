/** What agents know how to do: skills with revisions, and how well they went. */
import { invalidArgument, SkillExistsError, SkillNotFoundError } from '../errors.js';
import type { NewEvent } from '../store.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import type { Meter } from './meter.js';
import {
  checkDurationMs,
  checkLimit,
  checkMembers,
  checkText,
  checkTexts,
  frozen,
  Model,
  type ModelSettings,
} from './model.js';
import type { HitReason } from './recall.js';
import type { MemoryIndex } from './recall-index.js';
import {
  type Skill,
  type SkillContent,
  type SkillState,
  sameContent,
  skillOf,
  skillsProjection,
} from './skill-model.js';

export { type Skill, type SkillOutcomes, skillsModel } from './skill-model.js';

/** A skill as it is added. */
export interface NewSkill {
  /** What it is for, in a sentence. */
  readonly description: string;
  readonly steps?: readonly string[] | undefined;
  /** Anything longer: code, a prompt, a page of text. */
  readonly body?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What a new revision changes; null takes away, what is not named stays. */
export interface SkillChanges {
  readonly description?: string | undefined;
  readonly steps?: readonly string[] | null | undefined;
  readonly body?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** How it went. */
export interface SkillOutcome {
  readonly success: boolean;
  readonly durationMs?: number | undefined;
  /** Which revision was used. Default: the newest. */
  readonly revision?: number | undefined;
}

export interface SkillListOptions {
  /** Only skills that have all of them. */
  readonly tags?: readonly string[] | undefined;
  /** Default false. */
  readonly includeDeprecated?: boolean | undefined;
  /** Only skills behind this name: `next` of the page before. */
  readonly after?: string | undefined;
  /** At most. Default 100. */
  readonly limit?: number | undefined;
}

export interface SkillPage {
  /** By name. */
  readonly items: readonly Skill[];
  /** To be passed as `after`; absent on the last page. */
  readonly next?: string;
}

export interface SkillSearchOptions {
  /** At most. Default 10. */
  readonly limit?: number | undefined;
  /** Default false. */
  readonly includeDeprecated?: boolean | undefined;
}

export interface SkillHit {
  readonly skill: Skill;
  /** Above 0; larger is better. */
  readonly score: number;
  /** Why it was found. */
  readonly reasons: readonly HitReason[];
}

const CONTENT = ['description', 'steps', 'body', 'tags'] as const;
const LIST_LIMIT = 100;
const SEARCH_LIMIT = 10;

/** `memory.skills`. */
export class Skills extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('skills', access, settings, meter);
  }

  /**
   * Adds a skill as revision 1. Adding the same again changes nothing.
   * @throws SkillExistsError when another one has that name; TypeError
   */
  add(name: string, skill: NewSkill, options: WriteOptions = {}): Promise<Written> {
    return this.measured('add', async () => this.access.run(this.#adding(name, skill), options));
  }

  addSync(name: string, skill: NewSkill, options: WriteOptions = {}): Written {
    return this.measuredSync('add', () => this.access.runSync(this.#adding(name, skill), options));
  }

  /**
   * Makes a new revision; a deprecated skill is in use again with it. Nothing changes when it would say the same.
   * @throws SkillNotFoundError, TypeError
   */
  update(name: string, changes: SkillChanges, options: WriteOptions = {}): Promise<Written> {
    return this.measured('update', async () =>
      this.access.run(this.#updating(name, changes), options),
    );
  }

  updateSync(name: string, changes: SkillChanges, options: WriteOptions = {}): Written {
    return this.measuredSync('update', () =>
      this.access.runSync(this.#updating(name, changes), options),
    );
  }

  /**
   * Takes a skill out of use: `list` and `search` leave it out. The `reason` of the options is kept with it, and `replacedBy` names the skill to use instead.
   * @throws SkillNotFoundError, TypeError
   */
  deprecate(
    name: string,
    options: WriteOptions & { readonly replacedBy?: string | undefined } = {},
  ): Promise<Written> {
    return this.measured('deprecate', async () => {
      const { replacedBy, ...rest } = options;
      return await this.access.run(this.#deprecating(name, replacedBy), rest);
    });
  }

  deprecateSync(
    name: string,
    options: WriteOptions & { readonly replacedBy?: string | undefined } = {},
  ): Written {
    return this.measuredSync('deprecate', () => {
      const { replacedBy, ...rest } = options;
      return this.access.runSync(this.#deprecating(name, replacedBy), rest);
    });
  }

  /**
   * The skill, deprecated or not; undefined when there is none, or no such revision.
   * @param options - revision: an older one. Default: the newest.
   */
  get(
    name: string,
    options: { readonly revision?: number | undefined } = {},
  ): Promise<Skill | undefined> {
    return this.measured('get', async () => {
      const state = await this.access.get(skillsProjection, this.streamOf(name, 'name'));
      return state && skillOf(state, checkedRevision(options));
    });
  }

  getSync(
    name: string,
    options: { readonly revision?: number | undefined } = {},
  ): Skill | undefined {
    return this.measuredSync('get', () => {
      const state = this.access.getSync(skillsProjection, this.streamOf(name, 'name'));
      return state && skillOf(state, checkedRevision(options));
    });
  }

  /** Counts how it went, exactly once however many agents use it at the same time. @throws SkillNotFoundError, TypeError */
  recordOutcome(name: string, outcome: SkillOutcome, options: WriteOptions = {}): Promise<Written> {
    return this.measured('recordOutcome', async () => {
      const command = this.#counting(name, outcome);
      requireRevision(name, await this.access.get(skillsProjection, command.stream), outcome);
      return await this.access.run(command, options);
    });
  }

  recordOutcomeSync(name: string, outcome: SkillOutcome, options: WriteOptions = {}): Written {
    return this.measuredSync('recordOutcome', () => {
      const command = this.#counting(name, outcome);
      requireRevision(name, this.access.getSync(skillsProjection, command.stream), outcome);
      return this.access.runSync(command, options);
    });
  }

  /**
   * Skills that answer a question, by their name, description, tags, steps and body, the best first.
   * @param options - limit: at most so many. Default 10. includeDeprecated: default false.
   * @throws TypeError
   */
  search(query: string, options: SkillSearchOptions = {}): Promise<readonly SkillHit[]> {
    return this.measured('search', async () => {
      checkSearch(query, options);
      return skillHits(
        await this.access.recall(['skills']),
        query,
        options,
        await this.access.now(),
      );
    });
  }

  /** {@link Skills.search}, at once. */
  searchSync(query: string, options: SkillSearchOptions = {}): readonly SkillHit[] {
    return this.measuredSync('search', () => {
      checkSearch(query, options);
      return skillHits(this.access.recallSync(['skills']), query, options, this.access.nowSync());
    });
  }

  /** By name, a page at a time. @throws TypeError */
  list(options: SkillListOptions = {}): Promise<SkillPage> {
    return this.measured('list', async () => {
      const page = new PageBuilder(options);
      for await (const [, state] of this.access.entries(skillsProjection, page.range)) {
        if (page.add(state)) break;
      }
      return page.done();
    });
  }

  listSync(options: SkillListOptions = {}): SkillPage {
    return this.measuredSync('list', () => {
      const page = new PageBuilder(options);
      for (const [, state] of this.access.entriesSync(skillsProjection, page.range)) {
        if (page.add(state)) break;
      }
      return page.done();
    });
  }

  #adding(name: string, skill: NewSkill): Command<SkillState> {
    checkMembers(skill, 'a skill', CONTENT);
    const { description, steps, body, tags = [] } = skill as NewSkill;
    checkContent({ description, steps, body, tags });
    const content = contentOf({ description, steps, body, tags });
    return this.#command(name, (state) => {
      if (!state) return [{ type: 'skill.added', data: { name, ...content } }];
      const newest = state.revisions.at(-1);
      if (newest && sameContent(newest, content) && state.deprecated === null) return [];
      throw new SkillExistsError(name, state.revisions.length);
    });
  }

  #updating(name: string, changes: SkillChanges): Command<SkillState> {
    checkMembers(changes, 'the changes', CONTENT);
    const given = changes as SkillChanges;
    return this.#command(name, (state) => {
      const newest = state?.revisions.at(-1);
      if (!state || !newest) throw new SkillNotFoundError(name);
      const next = {
        description: given.description ?? newest.description,
        steps: given.steps === undefined ? newest.steps : given.steps,
        body: given.body === undefined ? newest.body : given.body,
        tags: given.tags ?? newest.tags,
      };
      checkContent(next);
      const content = contentOf(next);
      if (sameContent(newest, content) && state.deprecated === null) return [];
      return [{ type: 'skill.revised', data: content }];
    });
  }

  #deprecating(name: string, replacedBy: string | undefined): Command<SkillState> {
    if (replacedBy !== undefined) checkText(replacedBy, 'replacedBy');
    return this.#command(name, (state) => {
      if (!state) throw new SkillNotFoundError(name);
      const { deprecated } = state;
      if (deprecated && (replacedBy === undefined || deprecated.replacedBy === replacedBy))
        return [];
      const data = replacedBy === undefined ? {} : { replacedBy };
      return [{ type: 'skill.deprecated', data }];
    });
  }

  #counting(name: string, outcome: SkillOutcome): Command<SkillState> {
    checkMembers(outcome, 'an outcome', ['success', 'durationMs', 'revision']);
    const { success, durationMs } = outcome as SkillOutcome;
    if (typeof success !== 'boolean') throw invalidArgument('success must be true or false');
    if (durationMs !== undefined && durationMs !== 0) checkDurationMs(durationMs, 'durationMs');
    const revision = checkedRevision({ revision: outcome.revision });
    const data = {
      success,
      ...(durationMs === undefined ? {} : { durationMs }),
      ...(revision === undefined ? {} : { revision }),
    };
    const decide = () => [{ type: 'skill.used', data }];
    return { ...this.#command(name, decide), commutes: true };
  }

  #command(
    name: string,
    decide: (state: SkillState | undefined) => readonly NewEvent[],
  ): Command<SkillState> {
    return { projection: skillsProjection, stream: this.streamOf(name, 'name'), decide };
  }
}

function checkContent(skill: {
  readonly description: unknown;
  readonly steps?: unknown;
  readonly body?: unknown;
  readonly tags: unknown;
}): void {
  checkText(skill.description, 'description');
  if (skill.steps !== undefined && skill.steps !== null) checkTexts(skill.steps, 'steps');
  if (skill.body !== undefined && skill.body !== null) checkText(skill.body, 'body');
  checkTexts(skill.tags, 'tags');
}

function contentOf(skill: {
  readonly description: string;
  readonly steps?: readonly string[] | null | undefined;
  readonly body?: string | null | undefined;
  readonly tags: readonly string[];
}): SkillContent {
  const { description, steps, body, tags } = skill;
  return {
    description,
    ...(steps === undefined || steps === null ? {} : { steps: [...steps] }),
    ...(body === undefined || body === null ? {} : { body }),
    tags: [...new Set(tags)],
  };
}

function checkedRevision(options: { readonly revision?: number | undefined }): number | undefined {
  checkMembers(options, 'the options', ['revision']);
  const { revision } = options as { readonly revision?: number };
  if (revision === undefined || (Number.isSafeInteger(revision) && revision >= 1)) return revision;
  throw invalidArgument('revision must be an integer from 1');
}

/** What is found here holds when the outcome is written, unless the revision is taken back meanwhile: then the outcome counts for nothing. */
function requireRevision(
  name: string,
  state: SkillState | undefined,
  { revision = 1 }: SkillOutcome,
): void {
  if (!state) throw new SkillNotFoundError(name);
  if (revision <= state.revisions.length) return;
  throw invalidArgument(`revision must be at most ${state.revisions.length}, the newest there is`);
}

/** @throws TypeError */
function checkSearch(query: string, options: SkillSearchOptions): void {
  checkText(query, 'query');
  checkMembers(options, 'the options', ['limit', 'includeDeprecated']);
  const { limit = SEARCH_LIMIT } = options as SkillSearchOptions;
  checkLimit(limit);
}

function skillHits(
  index: MemoryIndex,
  query: string,
  { limit = SEARCH_LIMIT, includeDeprecated = false }: SkillSearchOptions,
  now: string,
): readonly SkillHit[] {
  const found = index.find(query, { limit, now, models: ['skills'], retired: includeDeprecated });
  return frozen(
    found.map(({ state, score, reasons }) => ({
      skill: skillOf(state as SkillState) as Skill,
      score,
      reasons,
    })),
  );
}

/** One page of a listing. */
class PageBuilder {
  readonly range: { readonly prefix: string; readonly after?: string };
  readonly #limit: number;
  readonly #tags: readonly string[];
  readonly #includeDeprecated: boolean;
  readonly #items: Skill[] = [];
  #more = false;

  constructor(options: SkillListOptions) {
    checkMembers(options, 'the options', ['tags', 'includeDeprecated', 'after', 'limit']);
    const {
      tags = [],
      includeDeprecated = false,
      after,
      limit = LIST_LIMIT,
    } = options as SkillListOptions;
    checkTexts(tags, 'tags');
    checkLimit(limit);
    if (after !== undefined) checkText(after, 'after');
    this.range = {
      prefix: 'skills/',
      ...(after === undefined ? {} : { after: `skills/${after}` }),
    };
    this.#limit = limit;
    this.#tags = tags;
    this.#includeDeprecated = includeDeprecated;
  }

  /** True when the page is full and there is more. */
  add(state: SkillState): boolean {
    if (state.deprecated !== null && !this.#includeDeprecated) return false;
    const skill = skillOf(state) as Skill;
    if (!this.#tags.every((tag) => skill.tags.includes(tag))) return false;
    this.#more = this.#items.length >= this.#limit;
    if (!this.#more) this.#items.push(skill);
    return this.#more;
  }

  done(): SkillPage {
    const next = this.#more ? this.#items.at(-1)?.name : undefined;
    const items = Object.freeze(this.#items);
    return Object.freeze(next === undefined ? { items } : { items, next });
  }
}
