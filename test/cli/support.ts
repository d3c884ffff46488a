/** Runs command lines inside this process, in surroundings that the test decides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { InputStream, Io, OutputStream } from '#src/cli/io.js';
import { run } from '#src/cli/run.js';

/** Of this project. */
export const root = fileURLToPath(new URL('../../', import.meta.url));
const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  bin: { recollect: string };
};
/** The program as users get it, to be run as a process of its own. */
export const builtProgram = join(root, bin.recollect);

export interface Surroundings {
  readonly cwd: string;
  readonly stdin?: string | InputStream;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Standard output, standard error and input are terminals of that width. */
  readonly columns?: number;
  /** Answers on a terminal. */
  readonly answers?: string;
  /** Told of everything that is printed, as it is. */
  readonly watch?: (text: string) => void;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that keeps what is written to it. */
export class Kept extends Writable {
  text = '';
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly #watch: ((text: string) => void) | undefined;

  constructor(columns?: number, watch?: (text: string) => void) {
    super({ decodeStrings: false });
    this.#watch = watch;
    if (columns === undefined) return;
    this.isTTY = true;
    this.columns = columns;
  }

  override _write(piece: string | Buffer, _: BufferEncoding, done: () => void): void {
    const text = piece.toString();
    this.text += text;
    this.#watch?.(text);
    done();
  }
}

/** What comes from a keyboard. */
function keyboard(answers: string): InputStream {
  const input = new PassThrough();
  input.write(answers);
  return Object.assign(input, { isTTY: true });
}

export async function cli(surroundings: Surroundings, ...argv: string[]): Promise<Ended> {
  const { cwd, stdin = '', env = {}, columns, answers, watch } = surroundings;
  const stdout = new Kept(columns, watch);
  const stderr = new Kept(columns, watch);
  const input = typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin;
  const io: Io = {
    stdin: columns === undefined ? input : keyboard(answers ?? ''),
    stdout: stdout as OutputStream,
    stderr: stderr as OutputStream,
    env: { USER: 'anna', ...env },
    cwd,
    signal: surroundings.signal ?? new AbortController().signal,
  };
  const code = await run(argv, io);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** The lines of NDJSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Words of a line as a shell takes them, without expansions. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  );
}
