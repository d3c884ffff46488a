/** What each writing call on a site appends, decided on what is known of it. */
import { produce } from 'immer';
import { invalidArgument } from '../errors.js';
import type { Command } from './access.js';
import { checkMembers, checkText, checkTexts } from './model.js';
import type { SiteFile } from './site-file.js';
import { mergeSite } from './site-merge.js';
import { sitesProjection } from './site-model.js';
import { memberOf, type SiteState, type Steps } from './site-state.js';

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

export function creating(stream: string): Command<SiteState> {
  return {
    projection: sitesProjection,
    stream,
    decide: (state) => (state ? [] : [{ type: 'site.created', data: {} }]),
  };
}

export function visiting(stream: string, visit: Visit): Command<SiteState> {
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
  return adding(stream, 'site.visited', withoutUndefined(data));
}

export function caching(
  stream: string,
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
  return adding(stream, 'site.selector-used', {
    purpose,
    selector,
    fallbacks: [...fallbacks],
    success,
  });
}

export function learning(
  stream: string,
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
  return adding(stream, 'site.pattern-used', { taskType, steps, success });
}

/** Right whatever others write meanwhile. */
function adding(stream: string, type: string, data: unknown): Command<SiteState> {
  return {
    projection: sitesProjection,
    stream,
    commutes: true,
    decide: () => [{ type, data }],
  };
}

export function noting(
  stream: string,
  quirk: { readonly description: string; readonly workaround?: string | undefined },
): Command<SiteState> {
  checkMembers(quirk, 'a quirk', ['description', 'workaround']);
  const { description, workaround } = quirk;
  checkText(description, 'description');
  if (workaround !== undefined) checkText(workaround, 'workaround');
  return {
    projection: sitesProjection,
    stream,
    decide: (state) => {
      const known = state?.quirks[memberOf(description)];
      if (known && (workaround === undefined || known.workaround === workaround)) return [];
      const data = withoutUndefined({ description, workaround });
      return [{ type: 'site.quirk-recorded', data }];
    },
  };
}

/** One for each site that a file tells of. */
export function importing(
  { sites }: SiteFile,
  streamOf: (host: string) => string,
): readonly Command<unknown>[] {
  return [...sites].map(([host, told]): Command<unknown> => {
    const command: Command<SiteState> = {
      projection: sitesProjection,
      stream: streamOf(host),
      decide: (state, now) => {
        const news =
          !state || produce(state, (site) => mergeSite(site as SiteState, told, now)) !== state;
        return news ? [{ type: 'site.imported', data: told }] : [];
      },
    };
    return command as Command<unknown>;
  });
}

function checkFlag(value: unknown, what: string): void {
  if (value === undefined || typeof value === 'boolean') return;
  throw invalidArgument(`${what} must be true or false`);
}

function withoutUndefined(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
