/**
 * What a process left to chance: names given to what is not durable yet, removals before what takes the place is, writing over a cut that is not, and what
 * is still not durable when the process says that it is done. Told from its calls alone, so that no power loss has to hit the right moment.
 */
import { basename, dirname } from 'node:path';
import type { TracedCall } from './simulated-process.js';

/** They stand for all that was made before them in their directory. */
const LAST = new Set(['store.json', 'manifest.json', 'import.json']);

/** Made again whenever they are missing, or nobody's. */
function isDerived(path: string): boolean {
  return /\/index(\/|$)|\/lock$|\.tmp$/.test(path);
}

class Watch {
  readonly problems: string[] = [];
  readonly #files = new Set<string>();
  /** Names that a sync of their directory has still to make durable, or gone for good. */
  readonly #names = new Set<string>();
  readonly #cuts = new Set<string>();

  take({ method, path, detail, number }: TracedCall): void {
    const tell = (problem: string) => this.problems.push(`call ${number}: ${problem}`);
    if (method === 'open' && detail === 'create') this.#names.add(path);
    else if (method === 'makeDirectory') this.#names.add(path);
    else if (method === 'link') this.#names.add(detail.slice('to '.length));
    else if (method === 'truncate') {
      this.#files.add(path);
      if (detail !== 'to 0') this.#cuts.add(path);
    } else if (method === 'write') {
      this.#files.add(path);
      if (this.#cuts.has(path)) tell(`${path} is written over a cut that is not durable`);
    } else if (method === 'sync') {
      this.#files.delete(path);
      this.#cuts.delete(path);
    } else if (method === 'syncDirectory') {
      for (const name of this.#names) if (dirname(name) === path) this.#names.delete(name);
    } else if (method === 'rename') this.#rename(path, detail.slice('to '.length), tell);
    else if (method === 'remove') this.#remove(path, tell);
  }

  #rename(from: string, to: string, tell: (problem: string) => void): void {
    const before = LAST.has(basename(to)) ? `${dirname(to)}/` : `${from}/`;
    for (const path of [...this.#unsynced(before), ...(this.#files.has(from) ? [from] : [])]) {
      tell(`${to} gets its name before ${path} is durable`);
    }
    for (const set of [this.#files, this.#names]) {
      for (const path of [...set]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        set.delete(path);
        if (path !== from) set.add(to + path.slice(from.length));
      }
    }
    this.#names.add(to);
  }

  #remove(path: string, tell: (problem: string) => void): void {
    this.#files.delete(path);
    if (path.endsWith('.tmp') || !/\/(log|archive)\//.test(path)) {
      this.#names.delete(path);
      return;
    }
    const root = dirname(dirname(path));
    for (const folder of ['archive', 'snapshots']) {
      for (const other of this.#unsynced(`${root}/${folder}`)) {
        tell(`${path} goes before ${other} is durable`);
      }
    }
    this.#names.add(path);
  }

  #unsynced(beginning: string): string[] {
    const paths = new Set([...this.#files, ...this.#names]);
    return [...paths].filter((path) => path.startsWith(beginning) && !isDerived(path));
  }

  /** Nothing may be left to chance any more. */
  end(): string[] {
    const left = this.#unsynced('').map((path) => `${path} is not durable in the end`);
    return [...this.problems, ...left];
  }
}

/** @param calls - of one process, from when nothing of its was unsynced until it says that it is done */
export function syncProblems(calls: readonly TracedCall[]): string[] {
  const watch = new Watch();
  for (const call of calls) watch.take(call);
  return watch.end();
}
