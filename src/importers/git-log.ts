/** The commits of a repository, oldest first. */
import { ImportFailedError } from '../errors.js';
import { type Counter, type GitOptions, gitTokens } from './git-process.js';
import type { Span } from './item.js';

export interface GitCommit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly email: string;
  /** ISO 8601; undefined when git has none that is one. */
  readonly at: string | undefined;
  readonly message: string;
  /** That it changed, without the root's name: `src/log`. At most 32. */
  readonly directories: readonly string[];
  readonly files: number;
}

/** Begins a commit: no name of a file, which follows what begins with a colon, is taken for it. */
const BEGIN = 0x01;
const COLON = 0x3a;
const LF = 0x0a;
const FORMAT = '--format=%x01%H%x00%P%x00%an%x00%ae%x00%aI%x00%B%x00';
const FIELDS = 5;
export const directoriesMax = 32;

/** @throws ImportFailedError */
export async function* commitsOf(
  repository: string,
  { from, to }: Span,
  options: GitOptions,
  counter: Counter,
): AsyncGenerator<GitCommit, void> {
  const parameters = ['log', '--reverse', '--topo-order', '-z', '--raw', '--no-renames'];
  const plain = ['--no-abbrev', '--no-notes', '--no-show-signature', '--encoding=UTF-8', '--root'];
  const range = from === undefined ? [to] : [`^${from}`, to];
  const command = [...parameters, ...plain, FORMAT, ...range, '--'];
  const tokens = gitTokens(repository, command, options, counter);
  let open: OpenCommit | undefined;
  for await (const token of tokens) {
    if (open?.take(token)) continue;
    const bytes = token[0] === LF ? token.subarray(1) : token;
    if (bytes.length === 0) continue;
    if (bytes[0] !== BEGIN) throw new ImportFailedError(options.label, 'git gave what is no log');
    if (open) yield open.commit();
    open = new OpenCommit(bytes.subarray(1).toString());
  }
  if (open) yield open.commit();
}

class OpenCommit {
  readonly #id: string;
  readonly #fields: string[] = [];
  readonly #directories = new Set<string>();
  #files = 0;
  #isPath = false;

  constructor(id: string) {
    this.#id = id;
  }

  /** Whether the token belongs to it. */
  take(token: Buffer): boolean {
    if (this.#fields.length < FIELDS) {
      this.#fields.push(token.toString());
      return true;
    }
    if (this.#isPath) {
      this.#isPath = false;
      this.#file(token.toString());
      return true;
    }
    this.#isPath = token[token[0] === LF ? 1 : 0] === COLON;
    return this.#isPath;
  }

  #file(path: string): void {
    this.#files += 1;
    if (this.#directories.size >= directoriesMax) return;
    const end = path.lastIndexOf('/');
    this.#directories.add(end < 0 ? '' : path.slice(0, end));
  }

  commit(): GitCommit {
    const [parents = '', author = '', email = '', at = '', message = ''] = this.#fields;
    return {
      id: this.#id,
      parents: parents === '' ? [] : parents.split(' '),
      author,
      email,
      at: timeOf(at),
      message: message.trim(),
      directories: [...this.#directories],
      files: this.#files,
    };
  }
}

function timeOf(text: string): string | undefined {
  const date = new Date(text);
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.toISOString() : undefined;
}
