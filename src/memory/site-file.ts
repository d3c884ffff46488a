/** Reads the file of a file-based site memory: `{ "sites": { "<host>": { … } } }`. Such files name their members in many ways; all known ones are taken. */
import { isUtf8 } from 'node:buffer';
import { ImportFailedError, InvalidEventError, reasonOf } from '../errors.js';
import { jsonText } from '../store.js';
import { offsetOfBreak, placeOf } from './json-place.js';
import { NAMES, type Name, plain } from './site-file-names.js';
import { hostOf } from './site-host.js';
import { add, type ImportedSite, together } from './site-merge.js';
import {
  type Candidate,
  type Known,
  knownAs,
  NO_VISITS,
  type Steps,
  type VisitCounts,
} from './site-state.js';

/** What a file holds. */
export interface SiteFile {
  readonly sites: ReadonlyMap<string, ImportedSite>;
  /** JSON paths of members that mean nothing to this library. */
  readonly ignored: readonly string[];
}

type Members = Partial<Record<Name, { readonly value: unknown; readonly path: string }>>;

/** @throws ImportFailedError */
export function parseSiteFile(file: string, bytes: Buffer): SiteFile {
  return new SiteFileReader(file).read(textOf(file, bytes));
}

/** Without a byte order mark. */
function textOf(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (isUtf8(bytes)) throw new ImportFailedError(file, reasonOf(cause), { cause });
    const place = placeOfBadBytes(bytes);
    throw new ImportFailedError(file, 'it is not encoded as UTF-8', { ...place, cause });
  }
}

/** Where the bytes stop being UTF-8: line and column, both from 1. */
function placeOfBadBytes(bytes: Buffer): { line: number; column: number } {
  let text = '';
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    try {
      // A character that is cut at the end is no fault of the bytes before it.
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), {
        stream: true,
      });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return placeOf(text, text.length);
}

class SiteFileReader {
  readonly #file: string;
  readonly #ignored: string[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): SiteFile {
    const root = this.#object(this.#parse(text), '$');
    for (const name of Object.keys(root)) {
      if (name !== 'sites') this.#ignored.push(pathTo('$', name));
    }
    if (!Object.hasOwn(root, 'sites')) this.#fail('$.sites', 'there is no such member');
    const sites = new Map<string, ImportedSite>();
    for (const [name, section] of Object.entries(this.#object(root['sites'], '$.sites'))) {
      const path = pathTo('$.sites', name);
      const host = this.#host(name, path);
      const site = this.#site(section, path);
      const before = sites.get(host);
      sites.set(host, before ? together(before, site) : site);
    }
    return { sites, ignored: this.#ignored };
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      const place = { ...placeOf(text, offsetOfBreak(text)), cause };
      throw new ImportFailedError(this.#file, `it is no JSON (${reasonOf(cause)})`, place);
    }
  }

  #host(name: string, path: string): string {
    try {
      // As such files name sites, with or without a scheme; a name without a dot, such as `intranet`, is one here.
      return hostOf(/^[^./:[\]\s]+$/.test(name) ? `https://${name}` : name);
    } catch (cause) {
      return this.#fail(path, `the name of a site must be a host (${reasonOf(cause)})`);
    }
  }

  #site(section: unknown, path: string): ImportedSite {
    const members = this.#members(section, path, [
      'firstSeenAt',
      'lastSeenAt',
      'title',
      'host',
      'visits',
      'successes',
      'failures',
      'successRate',
      'totalDurationMs',
      'meanDurationMs',
      'selectors',
      'quirks',
      'patterns',
    ]);
    const { firstSeenAt, lastSeenAt, title } = members;
    return {
      ...(firstSeenAt ? { firstSeenAt: this.#time(firstSeenAt) } : {}),
      ...(lastSeenAt ? { lastSeenAt: this.#time(lastSeenAt) } : {}),
      ...(title ? { title: this.#text(title) } : {}),
      visits: this.#visits(members),
      selectors: this.#known(members.selectors, 'purpose', (value, at) =>
        this.#selectors(value, at),
      ),
      quirks: this.#quirks(members.quirks),
      patterns: this.#known(members.patterns, 'taskType', (value, at) => this.#patterns(value, at)),
    };
  }

  #visits(members: Members): VisitCounts {
    const { visits } = members;
    if (visits && Array.isArray(visits.value)) return this.#visitList(visits.value, visits.path);
    if (visits && typeof visits.value === 'object' && visits.value !== null) {
      return this.#visits(
        this.#members(visits.value, visits.path, [
          'visits',
          'successes',
          'failures',
          'successRate',
          'totalDurationMs',
          'meanDurationMs',
          'firstSeenAt',
          'lastSeenAt',
        ]),
      );
    }
    const count = this.#count(visits);
    const failures = this.#count(members.failures);
    const rate = members.successRate ? this.#number(members.successRate) : undefined;
    if (rate !== undefined && rate > 1)
      this.#fail(members.successRate?.path ?? '', 'must be a number from 0 to 1');
    const successes = members.successes
      ? this.#count(members.successes)
      : Math.round((rate ?? 0) * count);
    const mean = members.meanDurationMs ? this.#number(members.meanDurationMs) : undefined;
    const total = members.totalDurationMs ? this.#number(members.totalDurationMs) : undefined;
    const timed = mean === undefined && total === undefined ? 0 : count;
    return {
      count: Math.max(count, successes + failures),
      successes,
      failures,
      timed,
      totalDurationMs: total ?? (mean ?? 0) * count,
    };
  }

  #visitList(list: readonly unknown[], path: string): VisitCounts {
    const counts = { ...NO_VISITS, count: list.length };
    list.forEach((visit, index) => {
      if (typeof visit === 'string' || typeof visit === 'number') return;
      const at = `${path}[${index}]`;
      const { successes, durationMs } = this.#members(visit, at, [
        'seenAt',
        'host',
        'title',
        'successes',
        'durationMs',
      ]);
      if (successes) counts[this.#count(successes) > 0 ? 'successes' : 'failures'] += 1;
      if (!durationMs) return;
      counts.timed += 1;
      counts.totalDurationMs += this.#number(durationMs);
    });
    return counts;
  }

  /** Candidates by purpose or task type: an object keyed by it, or a list whose elements name it. */
  #known<T>(
    member: { readonly value: unknown; readonly path: string } | undefined,
    naming: 'purpose' | 'taskType',
    candidates: (value: unknown, path: string) => Candidate<T>[],
  ): readonly Known<T>[] {
    if (!member) return [];
    const members: Record<string, Known<T>> = {};
    const take = (name: string, value: unknown, path: string) => {
      if (name.trim() === '') this.#fail(path, `its ${naming} is empty`);
      this.#storable(name, path);
      const known = knownAs(members, name);
      for (const candidate of candidates(value, path)) add(known.candidates, candidate);
    };
    if (Array.isArray(member.value)) {
      for (const [index, element] of (member.value as unknown[]).entries()) {
        const path = `${member.path}[${index}]`;
        const named = Object.entries(this.#object(element, path)).find(([name]) =>
          NAMES[naming].includes(plain(name)),
        );
        if (!named) this.#fail(path, `it does not say its ${naming}`);
        take(this.#text({ value: named[1], path: pathTo(path, named[0]) }), element, path);
      }
    } else {
      for (const [name, value] of Object.entries(this.#object(member.value, member.path)))
        take(name, value, pathTo(member.path, name));
    }
    return Object.values(members).filter((known) => known.candidates.length > 0);
  }

  #selectors(value: unknown, path: string): Candidate<string>[] {
    if (typeof value === 'string') {
      return [{ value: this.#text({ value, path }), successes: 0, failures: 0 }];
    }
    if (Array.isArray(value)) {
      return value.flatMap((each, index) => this.#selectors(each, `${path}[${index}]`));
    }
    const members = this.#members(value, path, [
      'selector',
      'purpose',
      'fallbacks',
      'successes',
      'failures',
      'successRate',
      'lastUsedAt',
    ]);
    if (!members.selector) this.#fail(path, 'it has no selector');
    const fallbacks = members.fallbacks
      ? this.#selectors(members.fallbacks.value, members.fallbacks.path)
      : [];
    const first = this.#candidate(this.#text(members.selector), members);
    return [first, ...fallbacks];
  }

  #patterns(value: unknown, path: string): Candidate<Steps>[] {
    if (Array.isArray(value)) {
      const several = value.length > 0 && value.every(hasSteps);
      if (several) return value.flatMap((each, index) => this.#patterns(each, `${path}[${index}]`));
      this.#storable(value, path);
      return [{ value: value as Steps, successes: 0, failures: 0 }];
    }
    const members = this.#members(value, path, [
      'steps',
      'taskType',
      'successes',
      'failures',
      'successRate',
      'lastUsedAt',
      'description',
    ]);
    const { steps } = members;
    if (!steps || !Array.isArray(steps.value) || steps.value.length === 0) {
      return this.#fail(steps?.path ?? path, 'it has no list of steps');
    }
    this.#storable(steps.value, steps.path);
    return [this.#candidate(steps.value as Steps, members)];
  }

  #candidate<T>(value: T, { successes, failures, lastUsedAt }: Members): Candidate<T> {
    return {
      value,
      successes: this.#count(successes),
      failures: this.#count(failures),
      ...(lastUsedAt ? { lastUsedAt: this.#time(lastUsedAt) } : {}),
    };
  }

  #quirks(member: Members['quirks']): ImportedSite['quirks'] {
    if (!member) return [];
    const { value, path } = member;
    if (Array.isArray(value)) {
      return value.map((quirk, index) => this.#quirk(quirk, `${path}[${index}]`, undefined));
    }
    return Object.entries(this.#object(value, path)).map(([name, quirk]) =>
      this.#quirk(quirk, pathTo(path, name), name),
    );
  }

  #quirk(value: unknown, path: string, name: string | undefined): ImportedSite['quirks'][number] {
    if (typeof value === 'string') {
      const text = this.#text({ value, path });
      if (name !== undefined) this.#storable(name, path);
      return name === undefined ? { description: text } : { description: name, workaround: text };
    }
    const { description, workaround } = this.#members(value, path, [
      'description',
      'workaround',
      'seenAt',
      'successes',
      'failures',
    ]);
    const text = description ? this.#text(description) : name;
    if (name !== undefined) this.#storable(name, path);
    if (text === undefined) return this.#fail(path, 'it has no description');
    if (!workaround) return { description: text };
    return { description: text, workaround: this.#text(workaround) };
  }

  /** The members that are known, by what they mean; the others are noted. A null counts as absent. */
  #members(value: unknown, path: string, names: readonly Name[]): Members {
    const members: Members = {};
    for (const [name, member] of Object.entries(this.#object(value, path))) {
      const at = pathTo(path, name);
      const meaning = names.find((each) => NAMES[each].includes(plain(name)));
      if (meaning === undefined || members[meaning]) this.#ignored.push(at);
      else if (member !== null) members[meaning] = { value: member, path: at };
    }
    return members;
  }

  #object(value: unknown, path: string): Readonly<Record<string, unknown>> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
    return this.#fail(path, 'it must be an object');
  }

  #text({ value, path }: { readonly value: unknown; readonly path: string }): string {
    if (typeof value !== 'string' || value.trim() === '') {
      return this.#fail(path, 'it must be a text that is not empty');
    }
    this.#storable(value, path);
    return value.trim();
  }

  #number({ value, path }: { readonly value: unknown; readonly path: string }): number {
    // Beyond that, what adds up could leave the numbers that there are.
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
    return this.#fail(path, 'it must be a number from 0 to 2^53 - 1');
  }

  #count(member: { readonly value: unknown; readonly path: string } | undefined): number {
    if (!member) return 0;
    if (typeof member.value === 'boolean') return Number(member.value);
    if (Number.isSafeInteger(member.value) && (member.value as number) >= 0) {
      return member.value as number;
    }
    return this.#fail(member.path, 'it must be an integer from 0');
  }

  /** ISO 8601, or a number of seconds or milliseconds since 1970. */
  #time({ value, path }: { readonly value: unknown; readonly path: string }): string {
    const milliseconds =
      typeof value === 'number' ? value * (value < 1e11 ? 1000 : 1) : Date.parse(String(value));
    if (milliseconds >= 0 && milliseconds <= 253_402_300_799_999) {
      return new Date(milliseconds).toISOString();
    }
    return this.#fail(path, 'it must be a time');
  }

  /** JSON may have what no store holds: half a surrogate pair, or nesting without end. */
  #storable(value: unknown, path: string): void {
    try {
      jsonText(value, path, Number.MAX_SAFE_INTEGER);
    } catch (cause) {
      if (!(cause instanceof InvalidEventError)) throw cause;
      throw new ImportFailedError(this.#file, reasonOf(cause), { path: cause.path, cause });
    }
  }

  #fail(path: string, problem: string): never {
    throw new ImportFailedError(this.#file, problem, { path });
  }
}

function hasSteps(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).some(
    ([name, member]) =>
      ['steps', 'actions', 'sequence'].includes(plain(name)) && Array.isArray(member),
  );
}

function pathTo(path: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}
