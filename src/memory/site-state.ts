/**
 * What is known of one site, and how it grows. Each purpose, task type and quirk is a member of its own, so that what one agent learnt can be taken back whatever
 * others learnt since.
 */

/** Counts as of the last import, so that importing a file again, or a newer one, counts nothing twice. */
export interface ImportedCounts {
  successes: number;
  failures: number;
}

/** One way to do something, and how it went. */
export interface Candidate<T> {
  readonly value: T;
  successes: number;
  failures: number;
  lastUsedAt?: string;
  imported?: ImportedCounts;
}

/** The ways to do one thing, the one to try first in front. */
export interface Known<T> {
  /** A purpose, or a task type. */
  readonly name: string;
  candidates: Candidate<T>[];
}

export type Steps = readonly unknown[];

export interface VisitCounts {
  count: number;
  successes: number;
  failures: number;
  /** Visits whose duration was told. */
  timed: number;
  totalDurationMs: number;
}

export interface Quirk {
  readonly description: string;
  workaround?: string;
  readonly firstSeenAt: string;
}

export interface SiteState {
  /** ISO 8601; empty before the first event. */
  firstSeenAt: string;
  lastSeenAt: string;
  title?: string;
  visits: VisitCounts;
  importedVisits?: VisitCounts;
  /** These three by {@link memberOf}, in the order in which they were learnt. */
  selectors: Record<string, Known<string>>;
  quirks: Record<string, Quirk>;
  patterns: Record<string, Known<Steps>>;
}

/** Of one purpose or task type; those tried last in vain are forgotten first. */
export const CANDIDATES_MAX = 20;

export const NO_VISITS: Readonly<VisitCounts> = Object.freeze({
  count: 0,
  successes: 0,
  failures: 0,
  timed: 0,
  totalDurationMs: 0,
});

export function emptySite(): SiteState {
  return {
    firstSeenAt: '',
    lastSeenAt: '',
    visits: { ...NO_VISITS },
    selectors: {},
    quirks: {},
    patterns: {},
  };
}

export function same(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/** Begins with a quotation mark, so that no name of a user's, such as `__proto__`, can be that of a member of all objects. */
export function memberOf(name: string): string {
  return JSON.stringify(name);
}

/** The entry of that name, made when there is none. */
export function knownAs<T>(members: Record<string, Known<T>>, name: string): Known<T> {
  const member = memberOf(name);
  members[member] ??= { name, candidates: [] };
  // Read again: a draft gives a draft of what was put into it.
  return members[member];
}

/** The site was heard of at that time. */
export function touch(site: SiteState, time: string): void {
  if (site.firstSeenAt === '') site.firstSeenAt = time;
  if (site.lastSeenAt < time) site.lastSeenAt = time;
}

/** What was reported of a way to do something. */
export interface Report<T> {
  readonly value: T;
  /** Others to try when it fails, the best first. */
  readonly fallbacks: readonly T[];
  readonly success: boolean;
  readonly time: string;
}

/** What worked goes to the front, followed by its fallbacks; what failed goes to the end. */
export function report<T>(known: Known<T>, { value, fallbacks, success, time }: Report<T>): void {
  const used = candidateOf(known.candidates, value);
  if (success) used.successes += 1;
  else used.failures += 1;
  used.lastUsedAt = time;
  const alternatives: Candidate<T>[] = [];
  for (const fallback of fallbacks) {
    if (same(fallback, value)) continue;
    if (alternatives.some((candidate) => same(candidate.value, fallback))) continue;
    alternatives.push(candidateOf(known.candidates, fallback));
  }
  const others = known.candidates.filter((candidate) => !same(candidate.value, value));
  const rest = others.filter(
    (candidate) => !alternatives.some((each) => same(each.value, candidate.value)),
  );
  const ordered = success
    ? [used, ...alternatives, ...rest]
    : [
        ...others,
        ...alternatives.filter((each) => !others.some((other) => same(other.value, each.value))),
        used,
      ];
  known.candidates = ordered.slice(0, CANDIDATES_MAX);
}

/** The candidate of that value, or a new one that nothing is known of yet. */
function candidateOf<T>(candidates: readonly Candidate<T>[], value: T): Candidate<T> {
  return (
    candidates.find((candidate) => same(candidate.value, value)) ?? {
      value,
      successes: 0,
      failures: 0,
    }
  );
}
