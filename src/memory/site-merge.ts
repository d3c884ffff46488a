/** Taking over what a file tells of a site. Nothing changes when all of it is known already. */
import {
  CANDIDATES_MAX,
  type Candidate,
  type Known,
  knownAs,
  memberOf,
  NO_VISITS,
  type Quirk,
  type SiteState,
  type Steps,
  same,
  type VisitCounts,
} from './site-state.js';

/** What a file tells of one site. */
export interface ImportedSite {
  readonly firstSeenAt?: string;
  readonly lastSeenAt?: string;
  readonly title?: string;
  readonly visits: VisitCounts;
  readonly selectors: readonly Known<string>[];
  readonly quirks: readonly Omit<Quirk, 'firstSeenAt'>[];
  readonly patterns: readonly Known<Steps>[];
}

/** A file that grew since it was imported last adds what it grew by; one that shrank takes nothing away. */
function grown(count: number, before: number, now: number): number {
  return count + Math.max(0, now - before);
}

/** Changes the site; assigns only what differs, so that one to which the file is no news stays as it is. */
export function mergeSite(site: SiteState, told: ImportedSite, time: string): void {
  const first = told.firstSeenAt ?? told.lastSeenAt ?? time;
  if (site.firstSeenAt === '' || (told.firstSeenAt ?? site.firstSeenAt) < site.firstSeenAt)
    site.firstSeenAt = first;
  const last = told.lastSeenAt ?? site.firstSeenAt;
  if (site.lastSeenAt < last) site.lastSeenAt = last;
  if (site.title === undefined && told.title !== undefined) site.title = told.title;
  mergeVisits(site, told.visits);
  for (const each of told.selectors) mergeKnown(knownAs(site.selectors, each.name), each);
  for (const each of told.patterns) mergeKnown(knownAs(site.patterns, each.name), each);
  for (const { description, workaround } of told.quirks) {
    const quirk = site.quirks[memberOf(description)];
    if (!quirk) {
      site.quirks[memberOf(description)] = {
        description,
        ...(workaround === undefined ? {} : { workaround }),
        firstSeenAt: first,
      };
    } else if (quirk.workaround === undefined && workaround !== undefined) {
      quirk.workaround = workaround;
    }
  }
}

function mergeVisits(site: SiteState, told: VisitCounts): void {
  const before = site.importedVisits ?? NO_VISITS;
  const keys = Object.keys(NO_VISITS) as (keyof VisitCounts)[];
  if (keys.every((key) => told[key] <= before[key])) return;
  const after = { ...before };
  for (const key of keys) {
    site.visits[key] = grown(site.visits[key], before[key], told[key]);
    after[key] = Math.max(before[key], told[key]);
  }
  site.importedVisits = after;
}

function mergeKnown<T>(known: Known<T>, told: Known<T>): void {
  for (const candidate of told.candidates) {
    let mine = known.candidates.find((each) => same(each.value, candidate.value));
    if (!mine) {
      if (known.candidates.length >= CANDIDATES_MAX) continue;
      known.candidates.push({ value: candidate.value, successes: 0, failures: 0 });
      mine = known.candidates.at(-1) as Candidate<T>;
    }
    mergeCounts(mine, candidate);
  }
}

function mergeCounts<T>(mine: Candidate<T>, told: Candidate<T>): void {
  const before = mine.imported ?? { successes: 0, failures: 0 };
  if (told.successes > before.successes || told.failures > before.failures) {
    mine.successes = grown(mine.successes, before.successes, told.successes);
    mine.failures = grown(mine.failures, before.failures, told.failures);
    mine.imported = {
      successes: Math.max(before.successes, told.successes),
      failures: Math.max(before.failures, told.failures),
    };
  }
  const { lastUsedAt } = told;
  if (lastUsedAt !== undefined && (mine.lastUsedAt ?? '') < lastUsedAt)
    mine.lastUsedAt = lastUsedAt;
}

/** What two sections of one file tell of the same site, such as `example.com` and `www.example.com`. */
export function together(one: ImportedSite, other: ImportedSite): ImportedSite {
  const visits = { ...one.visits };
  for (const key of Object.keys(NO_VISITS) as (keyof VisitCounts)[])
    visits[key] += other.visits[key];
  const firstSeenAt = [one.firstSeenAt, other.firstSeenAt].filter((time) => time !== undefined);
  const lastSeenAt = [one.lastSeenAt, other.lastSeenAt].filter((time) => time !== undefined);
  const title = one.title ?? other.title;
  return {
    ...(firstSeenAt.length === 0 ? {} : { firstSeenAt: firstSeenAt.sort()[0] as string }),
    ...(lastSeenAt.length === 0 ? {} : { lastSeenAt: lastSeenAt.sort().at(-1) as string }),
    ...(title === undefined ? {} : { title }),
    visits,
    selectors: joined(one.selectors, other.selectors),
    quirks: [...one.quirks, ...other.quirks],
    patterns: joined(one.patterns, other.patterns),
  };
}

function joined<T>(one: readonly Known<T>[], other: readonly Known<T>[]): readonly Known<T>[] {
  const members: Record<string, Known<T>> = {};
  for (const { name, candidates } of [...one, ...other]) {
    const known = knownAs(members, name);
    for (const candidate of candidates) add(known.candidates, candidate);
  }
  return Object.values(members);
}

/** Counts of the same candidate add up. */
export function add<T>(candidates: Candidate<T>[], told: Candidate<T>): void {
  const index = candidates.findIndex((each) => same(each.value, told.value));
  const mine = candidates[index];
  if (!mine) {
    candidates.push(told);
    return;
  }
  const times = [mine.lastUsedAt, told.lastUsedAt].filter((time) => time !== undefined).sort();
  candidates[index] = {
    value: mine.value,
    successes: mine.successes + told.successes,
    failures: mine.failures + told.failures,
    ...(times.length === 0 ? {} : { lastUsedAt: times.at(-1) as string }),
  };
}
