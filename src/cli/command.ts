/** A command as the table of commands describes it. */
import type { Context } from './context.js';

/** What runs it: gives the exit code. */
export type Run = (
  context: Context,
  given: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<number>;

export interface OptionSpec {
  /** As commander takes it: `--to <moment>`. */
  readonly flags: string;
  readonly what: string;
  /** What the value must be. Default: any text. */
  readonly kind?: 'count' | 'number' | 'list' | 'choice' | undefined;
  readonly choices?: readonly string[] | undefined;
  readonly required?: boolean | undefined;
}

export interface CommandSpec {
  readonly name: string;
  readonly group: 'Look' | 'Audit' | 'Replay' | 'Care';
  readonly summary: string;
  /** More about it, shown by `--help`. */
  readonly about?: string;
  /** As commander takes them, `<directory>`, with what each is. */
  readonly given: readonly (readonly [syntax: string, what: string])[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** It changes nothing, so that Ctrl-C ends it at once. */
  readonly reads: boolean;
  /** Its code, which is loaded when it is wanted. */
  load(): Promise<Run>;
}

export const DIRECTORY = ['<directory>', 'of the store'] as const;
export const KEY = ['<key>', '<model>/<key>, as its stream is named: records/alice'] as const;

export const LOCAL: OptionSpec = { flags: '--local', what: 'times in the local zone' };
export const CONFIG: readonly OptionSpec[] = [
  { flags: '--config <file>', what: 'projections, event types and upcasters of your own' },
  { flags: '--no-config', what: 'do without recollect.config.js' },
];
export const PROJECTION: OptionSpec = {
  flags: '--projection <name>',
  what: 'the projection that holds the key; default: the one named like its category',
};
export const DRY_RUN: OptionSpec = {
  flags: '--dry-run',
  what: 'say what would be done, and do nothing',
};
export const YES: OptionSpec = { flags: '--yes', what: 'do not ask' };
export const MOMENT = 'a position, or ISO 8601 with a zone';
