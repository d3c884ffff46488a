/** A command line from its arguments to its exit code. Nothing here ends the process or looks at it. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  ExportFailedError,
  PositionAheadError,
  RecollectError,
  StoreNotFoundError,
  systemCode,
} from '../errors.js';
import type { CommandSpec, OptionSpec } from './command.js';
import { commands } from './commands.js';
import { runsOwnModule } from './config.js';
import { type CommonOptions, Context } from './context.js';
import { guarded, guardedLines, jsonOf, plain } from './escape.js';
import {
  DIFFERS,
  exitCodeOf,
  FINE,
  INTERRUPTED,
  NotFound,
  PipeClosed,
  WRONG_USE,
  WrongUse,
} from './exit-codes.js';
import { type Io, wantsColours } from './io.js';
import { Output } from './output.js';
import { Paint } from './paint.js';
import { packageVersion } from './version.js';

/** Ctrl-C ended a command that only reads. */
class Interrupted extends Error {}

/** What {@link run} is. */
export type Runner = (argv: readonly string[], io: Io) => Promise<number>;

/**
 * Runs one command line.
 * @param argv - what stands behind `recollect`
 * @param whole - the same as the package has it, when this is a copy: modules of the user's import the package, and must get the modules that run them
 * @returns the exit code
 */
export async function run(
  argv: readonly string[],
  io: Io,
  whole?: () => Promise<Runner>,
): Promise<number> {
  const out = new Output(io);
  let code = FINE;
  const program = programFor(io, argv, async (spec, options, given) => {
    const context = new Context(io, out, options);
    if (whole && runsOwnModule(spec, context, given[0] ?? '')) {
      const runner = await whole();
      code = await runner(argv, io);
    } else {
      code = await runCommand(spec, context, given, options);
    }
  });
  try {
    await program.parseAsync(understood(argv), { from: 'user' });
    await out.flush();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return misused(error, argv, io);
    return await failed(error, argv, io, out);
  }
}

/** Help for a command that there is not would be that for all of them, without a word about it; help for help is that for all of them. */
function understood(argv: readonly string[]): string[] {
  const [first, name = ''] = argv;
  if (first === 'help' && name === 'help') return ['help'];
  const isUnknown = /^\w/.test(name) && !commands.some((spec) => spec.name === name);
  return first === 'help' && isUnknown ? argv.slice(1) : [...argv];
}

/** Whether errors are wanted as JSON, also those of a command line that makes no sense. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

/** Commander has said it already, unless that is wanted as JSON. */
function misused({ exitCode, message }: CommanderError, argv: readonly string[], io: Io): number {
  if (exitCode === 0) return FINE;
  if (asksForJson(argv)) {
    const said = message.replace(/^error: /, '').replaceAll('\n', ' ');
    const error = { code: 'WRONG_USE', message: said, exitCode: WRONG_USE };
    io.stderr.write(`${guarded(jsonOf({ error }), false)}\n`);
  }
  return WRONG_USE;
}

async function runCommand(
  spec: CommandSpec,
  context: Context,
  given: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const command = await spec.load();
  context.signal.throwIfAborted();
  try {
    const work = command(context, given, options);
    const code = spec.reads ? await untilInterrupted(work, context.signal) : await work;
    return context.isDamaged && code === FINE ? DIFFERS : code;
  } finally {
    context.progress.stop();
  }
}

/** What only reads leaves nothing half done, wherever it stands. */
async function untilInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const interrupted = new Promise<never>((_, reject) => {
    stop = () => reject(new Interrupted());
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function failed(
  error: unknown,
  argv: readonly string[],
  io: Io,
  out: Output,
): Promise<number> {
  if (isUnread(error)) return FINE;
  // What was found before the failure is told all the same.
  const unread = await out.flush().then(
    () => false,
    (problem: unknown) => problem instanceof PipeClosed,
  );
  if (unread) return FINE;
  const interrupted = io.signal.aborted;
  const code = interrupted ? INTERRUPTED : exitCodeOf(error);
  const message = interrupted ? interruptionOf(error) : messageOf(error);
  const asJson = asksForJson(argv);
  const paint = new Paint(wantsColours(io, io.stderr));
  const text = asJson
    ? jsonOf({ error: { ...factsOf(error, interrupted), message, exitCode: code } })
    : `${paint.bad('recollect:')} ${plain(message)}`;
  io.stderr.write(`${guarded(text, wantsColours(io, io.stderr))}\n`);
  if (io.env.RECOLLECT_DEBUG && error instanceof Error) {
    io.stderr.write(`${guardedLines(error.stack ?? '', false)}\n`);
  }
  return code;
}

/** Nobody reads on: what is left to say has no listener. */
function isUnread(error: unknown): boolean {
  return (
    error instanceof PipeClosed ||
    (error instanceof ExportFailedError && error.cause instanceof PipeClosed)
  );
}

function interruptionOf(error: unknown): string {
  return error instanceof Interrupted ? 'interrupted' : 'interrupted; nothing is left half done';
}

function factsOf(error: unknown, interrupted: boolean): Record<string, unknown> {
  if (interrupted) return { code: 'INTERRUPTED' };
  const facts = error instanceof RecollectError ? { ...error } : {};
  const { name: _, ...rest } = facts as Record<string, unknown>;
  return { ...rest, code: systemCode(error) ?? ownCodeOf(error) };
}

function ownCodeOf(error: unknown): string {
  if (error instanceof NotFound) return 'NOT_FOUND';
  return error instanceof WrongUse ? 'WRONG_USE' : 'UNEXPECTED';
}

function messageOf(error: unknown): string {
  if (error instanceof StoreNotFoundError) {
    const { directory, nearby, message } = error;
    const [, reason = ''] = /: (.*?)\.(?: Did you mean.*)?$/s.exec(message) ?? [];
    const hint = nearby.length > 0 ? `; did you mean ${nearby.join(' or ')}?` : '';
    return `no memory at ${directory} (${reason})${hint}`;
  }
  if (error instanceof PositionAheadError) {
    return `there is no position ${error.position}: the log ends at position ${error.head}`;
  }
  return error instanceof Error ? error.message : String(error);
}

type Action = (
  spec: CommandSpec,
  options: CommonOptions & Readonly<Record<string, unknown>>,
  given: readonly string[],
) => Promise<void>;

function programFor(io: Io, argv: readonly string[], action: Action): Command {
  const asJson = asksForJson(argv);
  const program = new Command('recollect')
    .description('Look after a memory: read, audit, replay, restore it.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'say how it is used')
    .helpCommand('help [command]', 'say how a command is used')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(guardedLines(text, false)),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => wantsColours(io, io.stdout),
      getErrHasColors: () => wantsColours(io, io.stderr),
      outputError: (text, write) => {
        if (!asJson) write(`recollect: ${text.replace(/^error: /, '')}`);
      },
    })
    .addHelpText(
      'after',
      "\nExit codes: 0 fine, 1 differs or damaged, 2 wrong use, 3 the store refused, 4 not found, 5 disk or access, 13 came to no end, 130 interrupted.\n`recollect help <command>` shows a command's options and an example.",
    );
  // The others are of use only to who asks for help, or has mistaken the name.
  const named = commands.filter(({ name }) => name === argv[0]);
  for (const spec of named.length > 0 ? named : commands) addCommand(program, spec, action);
  return program;
}

function addCommand(program: Command, spec: CommandSpec, action: Action): void {
  const command = program.command(spec.name).summary(spec.summary).helpGroup(`${spec.group}:`);
  command.description(spec.about === undefined ? spec.summary : `${spec.summary}\n\n${spec.about}`);
  for (const [syntax, what] of spec.given) command.argument(syntax, what);
  for (const option of [...spec.options, ...COMMON]) command.addOption(optionOf(option));
  const examples = spec.examples.map((example) => `  $ ${example}`).join('\n');
  command.addHelpText('after', `\nExample:\n${examples}`);
  command.action(async (...parts: unknown[]) => {
    const given = parts.slice(0, spec.given.length) as (string | undefined)[];
    const options = command.opts<CommonOptions & Record<string, unknown>>();
    // Left out at the end.
    while (given.length > 0 && given.at(-1) === undefined) given.pop();
    await action(spec, options, given.flat() as string[]);
  });
}

const COMMON: readonly OptionSpec[] = [
  { flags: '--json', what: 'one JSON value, or one a line' },
  { flags: '--lock-timeout <ms>', what: 'how long to wait for other processes', kind: 'count' },
  { flags: '--allow-shared-directory', what: 'accept a directory in which others may write' },
  { flags: '--allow-file-system', what: 'accept a file system whose locks or syncs may not hold' },
];

function optionOf({ flags, what, kind, choices, required }: OptionSpec): Option {
  const option = new Option(flags, what);
  if (choices) option.choices(choices);
  if (kind === 'count') option.argParser(countOf);
  if (kind === 'number') option.argParser(numberOf);
  if (kind === 'list') {
    option.argParser((text: string, list: string[] | undefined) => [...(list ?? []), text]);
  }
  return required ? option.makeOptionMandatory() : option;
}

function countOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError('It must be a whole number.');
}

function numberOf(text: string): number {
  const number = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('It must be a number.');
}
