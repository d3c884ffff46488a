#!/usr/bin/env node
/** The program `recollect`. */
import { userInfo } from 'node:os';
import { INTERRUPTED, UNFINISHED } from './codes.js';
import { packageVersion } from './version.js';

/** The same program as the package is, module by module: this one may have been put together into a few files (scripts/bundle.mjs). */
const WHOLE = new URL('./run.js', import.meta.url).href;

const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.on('error', () => {});
  process.stdout.write(`${packageVersion()}\n`);
} else {
  const lost = (): void => {
    process.exitCode = UNFINISHED;
    process.stderr.write(`${lostLine()}\n`);
  };
  process.once('beforeExit', lost);
  void start().then((code) => {
    process.off('beforeExit', lost);
    process.exitCode = code;
  });
}

/** What is said of a command that waits for what can never come. */
function lostLine(): string {
  const message =
    'the command came to no end: it waits for something that can never come, such as a promise that nobody settles in a module named with --config or --projection. Do not take it for done; mend the module, or run the command without it.';
  const exitCode = UNFINISHED;
  if (!argv.includes('--json')) return `recollect: ${message}`;
  return JSON.stringify({ error: { code: 'UNFINISHED', message, exitCode } });
}

/** What a change is signed with when nobody says otherwise. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list.
    return undefined;
  }
}

async function start(): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => {
    // Who asks twice does not want to wait for a tidy end.
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort(new Error('interrupted'));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // That nobody listens to what is said beside the answer changes nothing of the answer and of the exit code.
  process.stderr.on('error', () => {});
  const { run } = await import('./run.js');
  const { stdin, stdout, stderr } = process;
  const env = { USER: userName(), ...process.env };
  const io = { stdin, stdout, stderr, env, cwd: process.cwd(), signal: controller.signal };
  const code = await run(argv, io, async () => {
    const whole = (await import(WHOLE)) as typeof import('./run.js');
    return whole.run;
  });
  // Whatever an interrupted command still has open must not hold the end up.
  if (controller.signal.aborted) process.exit(code);
  return code;
}
