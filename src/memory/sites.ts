/** What agents learnt about web sites, by host: visits, selectors, quirks and action patterns. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ImportFailedError, reasonOf } from '../errors.js';
import type { Access, WriteOptions, Written } from './access.js';
import type { Meter } from './meter.js';
import { checkLimit, checkMembers, checkText, Model, type ModelSettings } from './model.js';
import {
  type CachePatternDetails,
  type CacheSelectorDetails,
  caching,
  creating,
  importing,
  learning,
  noting,
  type Visit,
  visiting,
} from './site-commands.js';
import { parseSiteFile, type SiteFile } from './site-file.js';
import { hostOf } from './site-host.js';
import { sitesProjection } from './site-model.js';
import {
  profileOf,
  type SiteActionPattern,
  type SiteProfile,
  type SiteQuirk,
  type SiteSelector,
} from './site-profile.js';
import { promptOf, type SiteContextOptions } from './site-prompt.js';
import type { Steps } from './site-state.js';

export type { CachePatternDetails, CacheSelectorDetails, Visit } from './site-commands.js';
export { sitesModel } from './site-model.js';
export type {
  SiteActionPattern,
  SiteProfile,
  SiteQuirk,
  SiteSelector,
  SiteVisits,
} from './site-profile.js';
export type { Steps } from './site-state.js';

/** What an import did. */
export interface SiteImport {
  /** Hosts that the file tells of, sorted. */
  readonly hosts: readonly string[];
  /** Those that the file had news of. */
  readonly changed: readonly string[];
  /** JSON paths of what was not understood, and so not taken over. */
  readonly ignored: readonly string[];
}

/** `memory.sites`. Every call takes an address or a bare host; docs/MEMORY.md says which site that is. */
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
      await this.access.run(creating(this.streamOf(host, 'host')), options);
      return (await this.#profile(host)) as SiteProfile;
    });
  }

  getOrCreateProfileSync(url: string | URL, options: WriteOptions = {}): SiteProfile {
    return this.measuredSync('getOrCreateProfile', () => {
      const host = hostOf(url);
      const known = this.#profileSync(host);
      if (known) return known;
      this.access.runSync(creating(this.streamOf(host, 'host')), options);
      return this.#profileSync(host) as SiteProfile;
    });
  }

  /** Counts a visit, exactly once however many agents visit at the same time. @throws TypeError */
  recordVisit(url: string | URL, visit: Visit = {}, options: WriteOptions = {}): Promise<Written> {
    return this.measured('recordVisit', async () =>
      this.access.run(visiting(this.#stream(url), visit), options),
    );
  }

  recordVisitSync(url: string | URL, visit: Visit = {}, options: WriteOptions = {}): Written {
    return this.measuredSync('recordVisit', () =>
      this.access.runSync(visiting(this.#stream(url), visit), options),
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
      this.access.run(caching(this.#stream(url), purpose, selector, details), options),
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
      this.access.runSync(caching(this.#stream(url), purpose, selector, details), options),
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
      this.access.run(noting(this.#stream(url), quirk), options),
    );
  }

  recordQuirkSync(
    url: string | URL,
    quirk: { readonly description: string; readonly workaround?: string | undefined },
    options: WriteOptions = {},
  ): Written {
    return this.measuredSync('recordQuirk', () =>
      this.access.runSync(noting(this.#stream(url), quirk), options),
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
      this.access.run(learning(this.#stream(url), taskType, steps, details), options),
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
      this.access.runSync(learning(this.#stream(url), taskType, steps, details), options),
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
      const bytes = await readFile(file).catch((error: unknown) => unreadable(file, error));
      const read = parseSiteFile(file, bytes);
      return imported(
        read,
        await this.access.runAll(
          importing(read, (host) => this.streamOf(host, 'host')),
          options,
        ),
      );
    });
  }

  importSiteMemorySync(file: string, options: WriteOptions = {}): SiteImport {
    return this.measuredSync('importSiteMemory', () => {
      checkText(file, 'file');
      const read = parseSiteFile(file, bytesOf(file));
      return imported(
        read,
        this.access.runAllSync(
          importing(read, (host) => this.streamOf(host, 'host')),
          options,
        ),
      );
    });
  }

  /** The stream of the site that an address belongs to. */
  #stream(url: string | URL): string {
    return this.streamOf(hostOf(url), 'host');
  }

  async #profile(host: string): Promise<SiteProfile | undefined> {
    const state = await this.access.get(sitesProjection, this.streamOf(host, 'host'));
    return state && profileOf(host, state);
  }

  #profileSync(host: string): SiteProfile | undefined {
    const state = this.access.getSync(sitesProjection, this.streamOf(host, 'host'));
    return state && profileOf(host, state);
  }
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

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
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
