/** What callers say of a record to be stored, checked. */
import { invalidArgument } from '../errors.js';
import { jsonValue } from '../store.js';
import { defined } from './defined.js';
import { checkedTime, checkImportance, checkMetadata } from './filters.js';
import { checkDurationMs, checkMembers, checkText, checkTexts } from './model.js';
import type { RecordStored } from './record-state.js';

/** How a record is to be stored. All members are optional. */
export interface RecordOptions {
  /**
   * Default: what stands before the first ':' of the key when that is one of the eight sections, such as `episodic:monday`; otherwise `working` for a
   * memory that expires, and `semantic` for one that does not.
   */
  readonly section?: Section | (string & {}) | undefined;
  /** From 0 to 1. From 0.8 on, `getContext` shows it whatever the task. */
  readonly importance?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  /** How long it lives, ms. */
  readonly ttlMs?: number | undefined;
  /** When it expires: a Date, or ISO 8601 with a zone. In place of `ttlMs`. */
  readonly expiresAt?: Date | string | undefined;
  /** The persona whose memory it is. Default: nobody's, which every persona's context may show. */
  readonly persona?: string | undefined;
  /** JSON to filter by; its member `session` is the session that it comes from. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** A record of many: `store(key, value, options)` in one object. */
export interface RecordInput extends RecordOptions {
  readonly key: string;
  readonly value: unknown;
}

/** Those that have a meaning of their own. */
export const SECTIONS = [
  'working',
  'episodic',
  'semantic',
  'procedural',
  'cache',
  'learning',
  'pattern',
  'performance',
] as const;

/** The sections that key prefixes name. Others can be given by name. */
export type Section = (typeof SECTIONS)[number];

const MEMBERS = [
  'section',
  'importance',
  'tags',
  'ttlMs',
  'expiresAt',
  'persona',
  'metadata',
] as const;

/**
 * @param path - where the value stands, for errors
 * @throws TypeError, InvalidEventError for a value or metadata that is not JSON
 */
export function storedOf(
  key: string,
  value: unknown,
  options: RecordOptions,
  path: string,
): RecordStored {
  checkMembers(options, 'the options', MEMBERS);
  const { section, importance, tags, ttlMs, expiresAt, persona, metadata }: RecordOptions = options;
  if (section !== undefined) checkText(section, 'section');
  if (importance !== undefined) checkImportance(importance, 'importance');
  if (tags !== undefined) checkTexts(tags, 'tags');
  if (ttlMs !== undefined) checkDurationMs(ttlMs, 'ttlMs');
  if (persona !== undefined) checkText(persona, 'persona');
  if (metadata !== undefined) checkMetadata(metadata, 'metadata');
  if (ttlMs !== undefined && expiresAt !== undefined) {
    throw invalidArgument('give ttlMs or expiresAt, not both');
  }
  const expires = ttlMs !== undefined || expiresAt !== undefined;
  return {
    value: jsonValue(value, path),
    section: section ?? sectionOf(key) ?? (expires ? 'working' : 'semantic'),
    ...defined({
      importance,
      tags: tags === undefined || tags.length === 0 ? undefined : [...new Set(tags)],
      ttlMs,
      expiresAt: expiresAt === undefined ? undefined : checkedTime(expiresAt, 'expiresAt'),
      persona,
      metadata: metadata === undefined ? undefined : checkedMetadata(metadata),
    }),
  };
}

function checkedMetadata(metadata: Readonly<Record<string, unknown>>) {
  return jsonValue(metadata, 'metadata') as Readonly<Record<string, unknown>>;
}

function sectionOf(key: string): Section | undefined {
  return SECTIONS.find((section) => key.startsWith(`${section}:`));
}
