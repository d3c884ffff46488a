/** Programs that a test starts as processes of their own. None outlives its test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface ProgramOptions {
  /** Handed over as JSON, the program's first argument. */
  readonly task?: unknown;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Set by a shell before the program starts, such as `ulimit -n 64`. */
  readonly shellSetting?: string;
  readonly uid?: number;
  readonly cwd?: string;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

/** A program in test/support, running as a process of its own until it ends or the test does. */
export class Program {
  readonly pid: number;
  /** When it has ended and all that it said was heard. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(line: string) => void>();
  readonly #lines: string[] = [];
  #rest = '';
  #output = '';
  #errors = '';
  #hasEnded = false;

  constructor(name: string, options: ProgramOptions = {}) {
    const { task, nodeOptions = [], env = process.env, shellSetting, uid, cwd } = options;
    const path = fileURLToPath(new URL(name, import.meta.url));
    const argument = task === undefined ? [] : [JSON.stringify(task)];
    const command = [process.execPath, ...nodeOptions, path, ...argument];
    const shelled =
      shellSetting === undefined
        ? command
        : ['/bin/sh', '-c', `${shellSetting}; exec "$@"`, 'sh', ...command];
    const [file = '', ...parameters] = shelled;
    const child = spawn(file, parameters, {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    // A program that is gone takes no more orders.
    child.stdin?.on('error', () => {});
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal, output: this.#output, errors: this.#errors });
        for (const listener of [...this.#listeners]) listener('');
      });
    });
    onTestFinished(async () => {
      this.kill('SIGKILL');
      await this.ended;
    });
  }

  get running(): boolean {
    return !this.#hasEnded;
  }

  /** Calls back with every whole line of its output, also those that came before. */
  onLine(listener: (line: string) => void): void {
    for (const line of this.#lines) listener(line);
    this.#listeners.add((line) => {
      if (line !== '') listener(line);
    });
  }

  /** The first line that holds the text. Rejects when the program ends without it. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#hasEnded) {
        const { code, signal, output, errors } = await this.ended;
        throw new Error(
          `the program ended (${signal ?? code}) without saying ${text}: ${output}\n${errors}`,
        );
      }
      await new Promise<void>((resolve) => {
        const once = (): void => {
          this.#listeners.delete(once);
          resolve();
        };
        this.#listeners.add(once);
      });
    }
  }

  /** Sends a line to its standard input. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  #hear(text: string): void {
    this.#output += text;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#lines.push(line);
      for (const listener of [...this.#listeners]) listener(line);
    }
  }
}

/** Runs a program to its end. */
export async function run(name: string, options: ProgramOptions = {}): Promise<Ending> {
  return await new Program(name, options).ended;
}

/** Waits until the condition holds; the test's own time limit ends a wait in vain. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Resolves when the process has come to a stop, with all its threads. */
export async function stopped(pid: number): Promise<void> {
  await until(() => statesOf(pid).every((state) => state.startsWith('T')));
}

function statesOf(pid: number): string[] {
  if (process.platform !== 'linux') {
    return [execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).trim()];
  }
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads).map((thread) => {
    const text = readFileSync(`${threads}/${thread}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2);
  });
}
