/** Options of compaction and retention, checked. */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';

export interface CompactionOptions {
  /** Compact on its own when the log has grown. Default true. */
  readonly automatic?: boolean | undefined;
  /** When closed segments outside of the archive take so many bytes. Default 64 MiB. */
  readonly tailBytes?: number | undefined;
  /** When so many commits stand behind the last compaction. Default 100 000. */
  readonly tailCommits?: number | undefined;
}

export interface RetentionRule {
  /** Keep events for so many days, from 0. Left out: for ever. */
  readonly days?: number | undefined;
}

export interface RetentionOptions extends RetentionRule {
  /** Let the oldest go when the archive takes more bytes than this. */
  readonly bytes?: number | undefined;
  /** Rules of their own for categories, the part of a stream's name before its first '/'. */
  readonly categories?: Readonly<Record<string, RetentionRule>> | undefined;
}

export interface CompactionSettings {
  readonly automatic: boolean;
  readonly tailBytes: number;
  readonly tailCommits: number;
  readonly retention: RetentionSettings | undefined;
}

export interface RetentionSettings {
  readonly days: number | undefined;
  readonly bytes: number | undefined;
  /** Days by category; `undefined` is for ever. */
  readonly categories: ReadonlyMap<string, number | undefined>;
}

// A rule that is misspelt would keep, or drop, what it should not.
const COMPACTION_OPTIONS = optionNames<CompactionOptions>({
  automatic: true,
  tailBytes: true,
  tailCommits: true,
});
const RETENTION_OPTIONS = optionNames<RetentionOptions>({
  days: true,
  bytes: true,
  categories: true,
});
const RULE_OPTIONS = optionNames<RetentionRule>({ days: true });

const TAIL_BYTES = 64 * 1024 * 1024;
const TAIL_COMMITS = 100_000;

/** @throws TypeError */
export function compactionSettings(
  compaction: CompactionOptions | boolean | undefined,
  retention: RetentionOptions | undefined,
): CompactionSettings {
  if (compaction !== undefined && typeof compaction !== 'boolean') {
    checkObject(compaction, 'compaction', 'an object or false');
    checkOptionNames(compaction, COMPACTION_OPTIONS, 'compaction');
  }
  const options = typeof compaction === 'object' ? compaction : {};
  const { automatic = compaction !== false } = options;
  if (typeof automatic !== 'boolean') {
    throw invalidArgument('compaction.automatic must be true or false');
  }
  const { tailBytes = TAIL_BYTES, tailCommits = TAIL_COMMITS } = options;
  checkNumber(tailBytes, 'compaction.tailBytes');
  checkNumber(tailCommits, 'compaction.tailCommits');
  return { automatic, tailBytes, tailCommits, retention: retentionSettings(retention) };
}

function retentionSettings(options: RetentionOptions | undefined): RetentionSettings | undefined {
  if (options === undefined) return undefined;
  checkObject(options, 'retention', 'an object, such as { days: 365 }');
  checkOptionNames(options, RETENTION_OPTIONS, 'retention');
  const { days, bytes, categories = {} } = options;
  if (days !== undefined) checkNumber(days, 'retention.days');
  if (bytes !== undefined) checkNumber(bytes, 'retention.bytes');
  checkObject(categories, 'retention.categories', 'an object of rules by category');
  const rules = new Map<string, number | undefined>();
  for (const [category, rule] of Object.entries(categories)) {
    const name = `retention.categories[${JSON.stringify(category)}]`;
    checkObject(rule, name, 'an object, such as { days: 30 }');
    checkOptionNames(rule, RULE_OPTIONS, name);
    if (rule.days !== undefined) checkNumber(rule.days, `${name}.days`);
    rules.set(category, rule.days);
  }
  return { days, bytes, categories: rules };
}

function checkObject(value: unknown, name: string, what: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw invalidArgument(`${name} must be ${what}`);
}

function checkNumber(value: unknown, name: string): void {
  if (typeof value !== 'number' || !(value >= 0)) {
    throw invalidArgument(`${name} must be a number from 0`);
  }
}
