/** What is known of a site as readers are given it. */
import type { Known, SiteState, Steps } from './site-state.js';

export interface SiteVisits {
  readonly count: number;
  readonly successes: number;
  readonly failures: number;
  readonly totalDurationMs: number;
  /** Of the visits whose duration was told; absent when none was. */
  readonly meanDurationMs?: number;
}

/** How a purpose is served: try `selector` first, then the fallbacks in order. */
export interface SiteSelector {
  readonly purpose: string;
  readonly selector: string;
  readonly fallbacks: readonly string[];
  /** Of `selector`, as are the other counts. */
  readonly successes: number;
  readonly failures: number;
  /** From 0 to 1; absent before the first outcome. */
  readonly successRate?: number;
  readonly lastUsedAt?: string;
}

export interface SiteQuirk {
  readonly description: string;
  readonly workaround?: string;
  readonly firstSeenAt: string;
}

/** The steps by which a type of task was done. */
export interface SiteActionPattern {
  readonly taskType: string;
  readonly steps: Steps;
  readonly successes: number;
  readonly failures: number;
  readonly successRate?: number;
  readonly lastUsedAt?: string;
}

/** All that is known of a site. Deeply frozen. */
export interface SiteProfile {
  /** Lower-case ASCII, as `hostOf` gives it. */
  readonly host: string;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  /** Of the last visit that told one. */
  readonly title?: string;
  readonly visits: SiteVisits;
  readonly selectors: readonly SiteSelector[];
  readonly quirks: readonly SiteQuirk[];
  readonly patterns: readonly SiteActionPattern[];
}

/** Profiles by state, so that reading a site again costs nothing. */
const profiles = new WeakMap<SiteState, SiteProfile>();

function rated<T extends { readonly successes: number; readonly failures: number }>(counts: T) {
  const tried = counts.successes + counts.failures;
  return tried === 0 ? {} : { successRate: counts.successes / tried };
}

function outcomesOf<T>(known: Known<T>) {
  const [first] = known.candidates;
  const { successes = 0, failures = 0, lastUsedAt } = first ?? {};
  return {
    successes,
    failures,
    ...rated({ successes, failures }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
  };
}

function selectorOf(known: Known<string>): SiteSelector {
  const [selector = '', ...fallbacks] = known.candidates.map(({ value }) => value);
  const purpose = known.name;
  return Object.freeze({
    purpose,
    selector,
    fallbacks: Object.freeze(fallbacks),
    ...outcomesOf(known),
  });
}

function patternOf(known: Known<Steps>): SiteActionPattern {
  const steps = known.candidates[0]?.value ?? [];
  return Object.freeze({ taskType: known.name, steps, ...outcomesOf(known) });
}

/** The same profile for the same state. */
export function profileOf(host: string, state: SiteState): SiteProfile {
  const made = profiles.get(state);
  if (made) return made;
  const { firstSeenAt, lastSeenAt, title, visits, selectors, quirks, patterns } = state;
  const { count, successes, failures, timed, totalDurationMs } = visits;
  const profile = Object.freeze({
    host,
    firstSeenAt,
    lastSeenAt,
    ...(title === undefined ? {} : { title }),
    visits: Object.freeze({
      count,
      successes,
      failures,
      totalDurationMs,
      ...(timed === 0 ? {} : { meanDurationMs: totalDurationMs / timed }),
    }),
    selectors: Object.freeze(Object.values(selectors).map(selectorOf)),
    quirks: Object.freeze(Object.values(quirks)),
    patterns: Object.freeze(Object.values(patterns).map(patternOf)),
  });
  profiles.set(state, profile);
  return profile;
}
