/** What agents learnt about web sites, by host: visits, selectors, quirks and action patterns. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { produce } from 'immer';
import { ImportFailedError, invalidArgument, reasonOf } from '../errors.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import type { Meter } from './meter.js';
import {
  checkLimit,
  checkMembers,
  checkText,
  checkTexts,
  Model,
  type ModelSettings,
} from './model.js';
import { parseSiteFile, type SiteFile } from './site-file.js';
import { hostOf } from './site-host.js';
import { mergeSite } from './site-merge.js';
import { sitesProjection } from './site-model.js';
import {
  profileOf,
  type SiteActionPattern,
  type SiteProfile,
  type SiteQuirk,
  type SiteSelector,
} from './site-profile.js';
import { promptOf, type SiteContextOptions } from './site-prompt.js';
import type { SiteState, Steps } from './site-state.js';

export { sitesModel } from './site-model.js';
export type {
  SiteActionPattern,
  SiteProfile,
  SiteQuirk,
  SiteSelector,
  SiteVisits,
} from './site-profile.js';
export type { Steps } from './site-state.js';

/** What happened on a visit. */
export interface Visit {
  readonly durationMs?: number | undefined;
  /** Whether the agent got what it came for. Default: not told, so that the visit counts as neither. */
  readonly success?: boolean | undefined;
  readonly title?: string | undefined;
}

export interface CacheSelectorDetails {
  /** To try when the selector fails, the best first. */
  readonly fallbacks?: readonly string[] | undefined;
  /** Whether it worked. Default true. */
  readonly success?: boolean | undefined;
}

export interface CachePatternDetails {
  /** Whether the steps worked. Default true. */
  readonly success?: boolean | undefined;
}

/** What an import did. */
export interface SiteImport {
  /** Hosts that the file tells of, sorted. */
  readonly hosts: readonly string[];
  /** Those that the file had news of. */
  readonly changed: readonly string[];
  /** JSON paths of what was not understood, and so not taken over. */
  readonly ignored: readonly string[];
}

function checkFlag(value: unknown, what: string): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw invalidArgument(`${what} must be true or false`);
}

/** `memory.sites`. Every call takes an address or a bare host; see {@link hostOf} for which site that is. */
export class Sites extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('sites', access, settings, meter);
  }

  /** What is known of the site; undefined when nothing is. @throws TypeError */
  getProfile(url: string | URL): Promise<SiteProfile | undefined> {
    return this.measured('getProfile', () => this.#profile(hostOf(url)));
  }

  getProfileSync(url: string | URL): SiteProfile | undefined {
    return this.measuredSync('getProfile', () => this.#profileSync(hostOf(url)));
  }

  /** What is known of the site, which is known from now on. @throws TypeError */
  getOrCreateProfile(url: string | URL, options: WriteOptions = {}): Promise<SiteProfile> {
    return this.measured('getOrCreateProfile', async () => {
      const host = hostOf(url);
      const known = await this.#profile(host);
      if (known) return known;
      await this.access.run(this.#creating(host), options);
      return (await this.#profile(host)) as SiteProfile;
    });
  }

  getOrCreateProfileSync(url: string | URL, options: WriteOptions = {}): SiteProfile {
    return this.measuredSync('getOrCreateProfile', () => {
      const host = hostOf(url);
      const known = this.#profileSync(host);
      if (known) return known;
      this.access.runSync(this.#creating(host), options);
      return this.#profileSync(host) as SiteProfile;
    });
  }

  /** Counts a visit, exactly once however many agents visit at the same time. @throws TypeError */
  recordVisit(url: string | URL, visit: Visit = {}, options: WriteOptions = {}): Promise<Written> {
    return this.measured('recordVisit', async () =>
      this.access.run(this.#visiting(url, visit), options),
    );
  }

  recordVisitSync(url: string | URL, visit: Visit = {}, options: WriteOptions = {}): Written {
    return this.measuredSync('recordVisit', () =>
      this.access.runSync(this.#visiting(url, visit), options),
    );
  }

  /**
   * Remembers a selector and whether it worked. One that worked is tried first from now on, followed by the fallbacks given; one that failed is tried last.
   * Nothing that served the purpose before is forgotten, up to 20 selectors.
   * @throws TypeError
   */
  cacheSelector(
    url: string | URL,
    purpose: string,
    selector: string,
    details: CacheSelectorDetails = {},
    options: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('cacheSelector', async () =>
      this.access.run(this.#caching(url, purpose, selector, details), options),
    );
  }

  cacheSelectorSync(
    url: string | URL,
    purpose: string,
    selector: string,
    details: CacheSelectorDetails = {},
    options: WriteOptions = {},
  ): Written {
    return this.measuredSync('cacheSelector', () =>
      this.access.runSync(this.#caching(url, purpose, selector, details), options),
    );
  }

  /** How the purpose is served on that site; undefined when that is not known. @throws TypeError */
  getSelector(url: string | URL, purpose: string): Promise<SiteSelector | undefined> {
    return this.measured('getSelector', async () => {
      checkText(purpose, 'purpose');
      return selectorFor(await this.#profile(hostOf(url)), purpose);
    });
  }

  getSelectorSync(url: string | URL, purpose: string): SiteSelector | undefined {
    return this.measuredSync('getSelector', () => {
      checkText(purpose, 'purpose');
      return selectorFor(this.#profileSync(hostOf(url)), purpose);
    });
  }

  /** Remembers a quirk of the site. The same one again changes nothing, unless it brings another workaround. @throws TypeError */
  recordQuirk(
    url: string | URL,
    quirk: { readonly description: string; readonly workaround?: string | undefined },
    options: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('recordQuirk', async () =>
      this.access.run(this.#noting(url, quirk), options),
    );
  }

  recordQuirkSync(
    url: string | URL,
    quirk: { readonly description: string; readonly workaround?: string | undefined },
    options: WriteOptions = {},
  ): Written {
    return this.measuredSync('recordQuirk', () =>
      this.access.runSync(this.#noting(url, quirk), options),
    );
  }

  /** In the order in which they were found; empty when none is known. @throws TypeError */
  getQuirks(url: string | URL): Promise<readonly SiteQuirk[]> {
    return this.measured('getQuirks', async () => quirksOf(await this.#profile(hostOf(url))));
  }

  getQuirksSync(url: string | URL): readonly SiteQuirk[] {
    return this.measuredSync('getQuirks', () => quirksOf(this.#profileSync(hostOf(url))));
  }

  /**
   * Remembers the steps of a type of task and whether they worked. Steps that worked are the pattern from now on; steps that failed give way to others that
   * are known. @throws TypeError
   */
  cacheActionPattern(
    url: string | URL,
    taskType: string,
    steps: Steps,
    details: CachePatternDetails = {},
    options: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('cacheActionPattern', async () =>
      this.access.run(this.#learning(url, taskType, steps, details), options),
    );
  }

  cacheActionPatternSync(
    url: string | URL,
    taskType: string,
    steps: Steps,
    details: CachePatternDetails = {},
    options: WriteOptions = {},
  ): Written {
    return this.measuredSync('cacheActionPattern', () =>
      this.access.runSync(this.#learning(url, taskType, steps, details), options),
    );
  }

  /** The steps that serve that type of task; undefined when none are known. @throws TypeError */
  getActionPattern(url: string | URL, taskType: string): Promise<SiteActionPattern | undefined> {
    return this.measured('getActionPattern', async () => {
      checkText(taskType, 'taskType');
      return patternFor(await this.#profile(hostOf(url)), taskType);
    });
  }

  getActionPatternSync(url: string | URL, taskType: string): SiteActionPattern | undefined {
    return this.measuredSync('getActionPattern', () => {
      checkText(taskType, 'taskType');
      return patternFor(this.#profileSync(hostOf(url)), taskType);
    });
  }

  /**
   * What is known of the site as text for a prompt: one line for each fact, the most useful first (selectors, quirks, patterns, visits), under a line that
   * says that it is data. What was remembered stands in JSON quotation marks, with control characters, line breaks and `<` escaped. Empty when nothing is known.
   * @throws TypeError
   */
  getContextForPrompt(url: string | URL, options: SiteContextOptions = {}): Promise<string> {
    return this.measured('getContextForPrompt', async () => {
      checkContext(options);
      const host = hostOf(url);
      const profile = await this.#profile(host);
      if (!profile) return '';
      const index = await this.access.recall(['sites']);
      const stream = this.streamOf(host, 'host');
      return promptOf(profile, options, index, stream, await this.access.now());
    });
  }

  getContextForPromptSync(url: string | URL, options: SiteContextOptions = {}): string {
    return this.measuredSync('getContextForPrompt', () => {
      checkContext(options);
      const host = hostOf(url);
      const profile = this.#profileSync(host);
      if (!profile) return '';
      const index = this.access.recallSync(['sites']);
      return promptOf(profile, options, index, this.streamOf(host, 'host'), this.access.nowSync());
    });
  }

  /**
   * Takes over the JSON file of a file-based site memory, `{ "sites": { "<host>": { … } } }`: all of it in one commit, or nothing. Importing a file again
   * changes nothing; importing one that has grown adds what it grew by.
   * @throws ImportFailedError with the line and column, or the JSON path, of what is wrong; LimitExceededError when it does not fit one commit (`commitBytes`)
   */
  importSiteMemory(file: string, options: WriteOptions = {}): Promise<SiteImport> {
    return this.measured('importSiteMemory', async () => {
      checkText(file, 'file');
      const text = await readFile(file, 'utf8').catch((error: unknown) => unreadable(file, error));
      const read = parseSiteFile(file, text);
      return imported(read, await this.access.runAll(this.#importing(read), options));
    });
  }

  importSiteMemorySync(file: string, options: WriteOptions = {}): SiteImport {
    return this.measuredSync('importSiteMemory', () => {
      checkText(file, 'file');
      const read = parseSiteFile(file, textOf(file));
      return imported(read, this.access.runAllSync(this.#importing(read), options));
    });
  }

  async #profile(host: string): Promise<SiteProfile | undefined> {
    const state = await this.access.get(sitesProjection, this.streamOf(host, 'host'));
    return state && profileOf(host, state);
  }

  #profileSync(host: string): SiteProfile | undefined {
    const state = this.access.getSync(sitesProjection, this.streamOf(host, 'host'));
    return state && profileOf(host, state);
  }

  #creating(host: string): Command<SiteState> {
    return {
      projection: sitesProjection,
      stream: this.streamOf(host, 'host'),
      decide: (state) => (state ? [] : [{ type: 'site.created', data: {} }]),
    };
  }

  #visiting(url: string | URL, visit: Visit): Command<SiteState> {
    checkMembers(visit, 'a visit', ['durationMs', 'success', 'title']);
    const { durationMs, success, title } = visit as Visit;
    if (
      durationMs !== undefined &&
      !(typeof durationMs === 'number' && durationMs >= 0 && durationMs <= Number.MAX_SAFE_INTEGER)
    ) {
      throw invalidArgument('durationMs must be a number of milliseconds from 0');
    }
    checkFlag(success, 'success');
    if (title !== undefined && typeof title !== 'string') {
      throw invalidArgument('title must be a string');
    }
    const data = { durationMs, success, title };
    return this.#adding(url, 'site.visited', withoutUndefined(data));
  }

  #caching(
    url: string | URL,
    purpose: string,
    selector: string,
    details: CacheSelectorDetails,
  ): Command<SiteState> {
    checkText(purpose, 'purpose');
    checkText(selector, 'selector');
    checkMembers(details, 'the details', ['fallbacks', 'success']);
    const { fallbacks = [], success = true } = details as CacheSelectorDetails;
    checkTexts(fallbacks, 'fallbacks');
    checkFlag(success, 'success');
    return this.#adding(url, 'site.selector-used', {
      purpose,
      selector,
      fallbacks: [...fallbacks],
      success,
    });
  }

  #learning(
    url: string | URL,
    taskType: string,
    steps: Steps,
    details: CachePatternDetails,
  ): Command<SiteState> {
    checkText(taskType, 'taskType');
    if (!Array.isArray(steps) || steps.length === 0) {
      throw invalidArgument('steps must be a list that is not empty');
    }
    checkMembers(details, 'the details', ['success']);
    const { success = true } = details as CachePatternDetails;
    checkFlag(success, 'success');
    return this.#adding(url, 'site.pattern-used', { taskType, steps, success });
  }

  /** Right whatever others write meanwhile. */
  #adding(url: string | URL, type: string, data: unknown): Command<SiteState> {
    return {
      projection: sitesProjection,
      stream: this.streamOf(hostOf(url), 'host'),
      commutes: true,
      decide: () => [{ type, data }],
    };
  }

  #noting(
    url: string | URL,
    quirk: { readonly description: string; readonly workaround?: string | undefined },
  ): Command<SiteState> {
    checkMembers(quirk, 'a quirk', ['description', 'workaround']);
    const { description, workaround } = quirk;
    checkText(description, 'description');
    if (workaround !== undefined) checkText(workaround, 'workaround');
    return {
      projection: sitesProjection,
      stream: this.streamOf(hostOf(url), 'host'),
      decide: (state) => {
        const known = state?.quirks.find((each) => each.description === description);
        if (known && (workaround === undefined || known.workaround === workaround)) return [];
        const data = withoutUndefined({ description, workaround });
        return [{ type: 'site.quirk-recorded', data }];
      },
    };
  }

  #importing({ sites }: SiteFile): readonly Command<unknown>[] {
    return [...sites].map(([host, told]): Command<unknown> => {
      const command: Command<SiteState> = {
        projection: sitesProjection,
        stream: this.streamOf(host, 'host'),
        decide: (state, now) => {
          const news =
            !state || produce(state, (site) => mergeSite(site as SiteState, told, now)) !== state;
          return news ? [{ type: 'site.imported', data: told }] : [];
        },
      };
      return command as Command<unknown>;
    });
  }
}

function withoutUndefined(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function selectorFor(site: SiteProfile | undefined, purpose: string): SiteSelector | undefined {
  return site?.selectors.find((known) => known.purpose === purpose);
}

function patternFor(site: SiteProfile | undefined, taskType: string) {
  return site?.patterns.find((known) => known.taskType === taskType);
}

const NO_QUIRKS: readonly SiteQuirk[] = Object.freeze([]);

function quirksOf(site: SiteProfile | undefined): readonly SiteQuirk[] {
  return site?.quirks ?? NO_QUIRKS;
}

/** @throws TypeError */
function checkContext(options: SiteContextOptions): void {
  checkMembers(options, 'the options', ['maxChars', 'task']);
  const { maxChars = 0, task } = options as SiteContextOptions;
  checkLimit(maxChars, 'maxChars');
  if (task !== undefined) checkText(task, 'task');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): never {
  throw new ImportFailedError(file, reasonOf(cause), { cause });
}

function imported({ sites, ignored }: SiteFile, written: readonly Written[]): SiteImport {
  const hosts = [...sites.keys()];
  const changed = hosts.filter((_, index) => written[index]?.changed);
  return Object.freeze({
    hosts: Object.freeze(hosts.sort()),
    changed: Object.freeze(changed.sort()),
    ignored: Object.freeze([...ignored]),
  });
}
