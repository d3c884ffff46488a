/** Which memories a listing or a search is about. */
import { invalidArgument } from '../errors.js';
import { checkedMoment, diff } from '../store.js';
import type { Facts } from './facts.js';
import { checkMembers, checkText, checkTexts } from './model.js';

export type { Facts } from './facts.js';

/** Conditions that all must hold. Text is compared as it is, with its case. */
export interface Filters {
  /** Has every one of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** Has at least one of these tags. */
  readonly anyTags?: readonly string[] | undefined;
  readonly section?: string | undefined;
  /** Belongs to this persona; what belongs to none does not count. */
  readonly persona?: string | undefined;
  /** Who stored or changed it last. */
  readonly actor?: string | undefined;
  /** The session it comes from: of a record the `session` of its metadata, of a conversation's item the conversation's id. */
  readonly session?: string | undefined;
  /** From 0 to 1; what has no importance counts as 0. */
  readonly minImportance?: number | undefined;
  /** Stored or changed at that time or later. A Date, or ISO 8601 with a zone; a date alone is midnight UTC. */
  readonly since?: Date | string | undefined;
  /** Stored or changed at that time or before. */
  readonly until?: Date | string | undefined;
  /** Its metadata has these members with equal values. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** Filters, checked. */
export type Filter = (facts: Facts) => boolean;

const MEMBERS = [
  'tags',
  'anyTags',
  'section',
  'persona',
  'actor',
  'session',
  'minImportance',
  'since',
  'until',
  'metadata',
] as const;

/** @throws TypeError */
export function filterOf(filters: Filters | undefined): Filter {
  if (filters === undefined) return () => true;
  checkMembers(filters, 'filters', MEMBERS);
  const { tags, anyTags, metadata, minImportance }: Filters = filters;
  const conditions: Filter[] = [];
  if (tags !== undefined) {
    checkTexts(tags, 'filters.tags');
    conditions.push((facts) => tags.every((tag) => facts.tags.includes(tag)));
  }
  if (anyTags !== undefined) {
    checkTexts(anyTags, 'filters.anyTags');
    conditions.push((facts) => anyTags.some((tag) => facts.tags.includes(tag)));
  }
  for (const name of ['section', 'persona', 'actor', 'session'] as const) {
    const wanted = filters[name];
    if (wanted === undefined) continue;
    checkText(wanted, `filters.${name}`);
    conditions.push((facts) => facts[name] === wanted);
  }
  if (minImportance !== undefined) {
    checkImportance(minImportance, 'filters.minImportance');
    conditions.push(({ importance = 0 }) => importance >= minImportance);
  }
  if (metadata !== undefined) {
    checkMetadata(metadata, 'filters.metadata');
    const wanted = Object.entries(metadata).filter(([, value]) => value !== undefined);
    conditions.push((facts) => wanted.every(([name, value]) => hasEqual(facts, name, value)));
  }
  conditions.push(...timeConditions(filters));
  return (facts) => conditions.every((holds) => holds(facts));
}

function timeConditions({ since, until }: Filters): Filter[] {
  const conditions: Filter[] = [];
  if (since !== undefined) {
    const from = checkedTime(since, 'filters.since');
    conditions.push(({ time }) => time >= from);
  }
  if (until !== undefined) {
    const to = checkedTime(until, 'filters.until');
    conditions.push(({ time }) => time <= to);
  }
  return conditions;
}

function hasEqual({ metadata }: Facts, name: string, value: unknown): boolean {
  if (!Object.hasOwn(metadata, name) || !isJson(value)) return false;
  return diff(metadata[name], value).length === 0;
}

/** No value that is stored is deeper. */
const DEPTH_MAX = 1000;

/** Whether metadata can have such a value; nothing that is stored equals another one, such as an object that holds itself. */
export function isJson(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) {
    return value === null || typeof value === 'string' || typeof value === 'boolean';
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  const parts = Object.values(value);
  return isPlain && depth < DEPTH_MAX && parts.every((part) => isJson(part, depth + 1));
}

/** A time as ISO 8601 in UTC. @throws TypeError */
export function checkedTime(time: unknown, what: string): string {
  if (typeof time !== 'string' && !(time instanceof Date)) {
    throw invalidArgument(`${what} must be a Date, or ISO 8601 text with a zone`);
  }
  const checked = checkedMoment(time);
  return 'time' in checked ? checked.time : '';
}

/** @throws TypeError */
export function checkImportance(value: unknown, what: string): asserts value is number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return;
  throw invalidArgument(`${what} must be a number from 0 to 1`);
}

/** @throws TypeError */
export function checkMetadata(
  value: unknown,
  what: string,
): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw invalidArgument(`${what} must be an object`);
}
