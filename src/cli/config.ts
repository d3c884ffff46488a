/**
 * A user's projections, event types and upcasters: `--config file.js`, or recollect.config.js beside the store.
 *
 * To read such a file is to run it, and a store may have come from anywhere with one beside it. Therefore one that nobody named is run only when whoever
 * calls stands in its directory or below, and only when nobody else could have written it (docs/decisions/0011-a-config-file-is-run-where-you-stand.md).
 */
import { existsSync, lstatSync, type Stats } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type {
  Events,
  IndexDefinition,
  Projection,
  RetentionOptions,
  StoreOptions,
} from '../store.js';
import { CONFIG, type CommandSpec } from './command.js';
import type { Context } from './context.js';
import { plain } from './escape.js';
import { WrongUse } from './exit-codes.js';
import { serveOwnPackage } from './own-package.js';

export const CONFIG_FILE = 'recollect.config.js';

/** What a config file may export, by name or as the default export. */
export interface Config {
  readonly events?: Events;
  readonly projections?: readonly Projection[];
  readonly indexes?: readonly IndexDefinition[];
  readonly upcasters?: StoreOptions['upcasters'];
  readonly retention?: RetentionOptions;
  /** Of recall. */
  readonly language?: string;
}

const MEMBERS: readonly string[] = [
  'events',
  'projections',
  'indexes',
  'upcasters',
  'retention',
  'language',
];

/** Whether a name is that of a file of code. */
export function isModuleFile(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

/** Whether a command will run a module of the user's, unless it is refused. */
export function runsOwnModule(
  { options }: CommandSpec,
  context: Context,
  directory: string,
): boolean {
  if (!options.some((option) => CONFIG.includes(option))) return false;
  const { config, projection } = context.options;
  if (typeof config === 'string' || isModuleFile(projection ?? '')) return true;
  return config !== false && reasonAgainst(besideOf(context, directory), context.io.cwd) === '';
}

/** Nothing when there is no file, or none that is run unasked. @throws WrongUse */
export async function loadConfig(context: Context, directory: string): Promise<Config> {
  const { config } = context.options;
  if (config === false) return {};
  if (typeof config === 'string') return await configOf(context.path(config));
  const beside = besideOf(context, directory);
  const problem = reasonAgainst(beside, context.io.cwd);
  if (problem === undefined) return {};
  if (problem === '') return await configOf(beside);
  context.note(
    `recollect: ${plain(beside)} was not run, because ${problem}. Name it with --config to run it, or say --no-config.`,
  );
  return {};
}

function besideOf(context: Context, directory: string): string {
  return join(dirname(context.path(directory)), CONFIG_FILE);
}

/** Undefined when there is no such file; the empty text when nothing speaks against running it. */
function reasonAgainst(file: string, cwd: string): string | undefined {
  const facts = factsOf(file);
  if (!facts) return undefined;
  const directory = dirname(file);
  if (cwd !== directory && !cwd.startsWith(directory.endsWith(sep) ? directory : directory + sep)) {
    return 'you are in another directory';
  }
  if (!facts.isFile()) return 'it is no plain file';
  const place = factsOf(directory);
  if (!place || mayBeOthers(place)) return 'others may write to its directory';
  return mayBeOthers(facts) ? 'others may have written it' : '';
}

function factsOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Owned by somebody else than the caller and root, or writable for others. */
function mayBeOthers({ uid, mode }: Stats): boolean {
  const own = process.getuid?.();
  // Where there are no users there is nothing to compare.
  if (own === undefined) return false;
  return (uid !== own && uid !== 0) || (mode & 0o022) !== 0;
}

async function configOf(file: string): Promise<Config> {
  const config = membersOf(await exportsOf(file));
  for (const member of Object.keys(config)) {
    if (MEMBERS.includes(member)) continue;
    throw new WrongUse(
      `${plain(file)} exports '${plain(member)}', which nobody asks for; it may export ${MEMBERS.join(', ')}`,
    );
  }
  for (const member of ['projections', 'indexes'] as const) {
    if (config[member] === undefined || Array.isArray(config[member])) continue;
    throw new WrongUse(`${plain(file)} exports ${member}, which must be a list`);
  }
  return config as Config;
}

/** What a module exports by name, and as the members of its default export. */
export function membersOf({
  default: whole,
  ...named
}: Record<string, unknown>): Record<string, unknown> {
  return { ...(typeof whole === 'object' ? whole : {}), ...named };
}

/** What a module exports. @throws WrongUse when it cannot be loaded */
export async function exportsOf(file: string): Promise<Record<string, unknown>> {
  // What Node says of it names the module that asked.
  if (!existsSync(file)) {
    throw new WrongUse(`${plain(file)} cannot be loaded: there is no such file`);
  }
  serveOwnPackage();
  try {
    return { ...((await import(pathToFileURL(file).href)) as Record<string, unknown>) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WrongUse(`${plain(file)} cannot be loaded: ${plain(reason)}`, { cause: error });
  }
}
