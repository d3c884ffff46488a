/** What git says of a repository, as a stream. Nothing of the repository is run, and nothing is changed. */
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { ImportFailedError, systemCode } from '../errors.js';

export interface GitOptions {
  readonly signal?: AbortSignal | undefined;
  /** As errors call the repository. */
  readonly label: string;
}

/** Whatever the repository's own settings say. */
const SETTINGS = ['log.showSignature=false', 'core.fsmonitor=false', 'color.ui=false'];
const ERRORS_MAX = 2000;
const TOKEN_BYTES_MAX = 16 * 1024 * 1024;

/** What an outer git, such as a hook's, says of another repository, and what adds to a repository from outside of it. */
const FOREIGN =
  /^GIT_(?:DIR|COMMON_DIR|WORK_TREE|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|CEILING_DIRECTORIES)$/;

/**
 * What git is run with. Objects that are missing are not fetched: the repository's own settings say by which command that would be done. Versions that do
 * not know the first of the two settings for that obey the second. And a folder that is no repository is not taken for one because it lies in one.
 */
function environment(repository: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_CEILING_DIRECTORIES: dirname(resolve(repository)),
  };
}

/** Bytes that were read, for progress. */
export class Counter {
  bytes = 0;
}

/**
 * What git gives, cut at NUL.
 * @throws ImportFailedError when git is not there or fails
 */
export async function* gitTokens(
  repository: string,
  parameters: readonly string[],
  { signal, label }: GitOptions,
  counter: Counter = new Counter(),
): AsyncGenerator<Buffer, void> {
  signal?.throwIfAborted();
  const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
  const child = spawn('git', ['-C', repository, ...settings, '--no-pager', ...parameters], {
    env: environment(repository),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (errors.length < ERRORS_MAX) errors += text;
  });
  const ended = new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }));
    child.once('close', (code) => resolve({ code }));
  });
  try {
    let begun: Buffer[] = [];
    let begunBytes = 0;
    for await (const piece of child.stdout as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      counter.bytes += piece.length;
      let from = 0;
      for (let end = piece.indexOf(0); end >= 0; end = piece.indexOf(0, from)) {
        const rest = piece.subarray(from, end);
        yield begun.length === 0 ? rest : Buffer.concat([...begun, rest]);
        begun = [];
        begunBytes = 0;
        from = end + 1;
      }
      if (from < piece.length) begun.push(piece.subarray(from));
      begunBytes += piece.length - from;
      if (begunBytes > TOKEN_BYTES_MAX) throw new ImportFailedError(label, 'git gives no end');
    }
    if (begunBytes > 0) yield Buffer.concat(begun);
    const { code, error } = await ended;
    if (code !== 0) throw failed(label, parameters[0] ?? '', errors, code, error);
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill();
  }
}

function failed(
  label: string,
  command: string,
  errors: string,
  code: number | null,
  cause: Error | undefined,
): ImportFailedError {
  if (systemCode(cause) === 'ENOENT') {
    return new ImportFailedError(label, 'git is not installed, or not on the path', { cause });
  }
  const said = errors.trim().replace(/^fatal:\s*/, '') || cause?.message || `code ${code}`;
  return new ImportFailedError(label, `git ${command} failed: ${said}`, { cause });
}

/** One answer of one line. */
export async function gitAnswer(
  repository: string,
  parameters: readonly string[],
  options: GitOptions,
): Promise<string> {
  let answer = '';
  for await (const token of gitTokens(repository, parameters, options)) answer += token.toString();
  return answer.trim();
}
