/** States of a projection as of a position, on the disk (docs/FORMAT.md, "Snapshots"). */
import { hashName } from '../log/bloom-filter.js';
import type { Io } from '../log/io.js';
import type { Identity } from '../log/snapshot-files.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedCursor, SortedFile, SortedLine } from '../log/sorted-read.js';
import { stateFrom, stateText } from './state-text.js';
import type { KeyState } from './states.js';

/** A key's line in a snapshot. */
export interface StateLine {
  readonly k: string;
  readonly p: number;
  readonly f?: { readonly p: number; readonly e: string; readonly n: string; readonly m: string };
  readonly s?: unknown;
}

/** The key is there, but what its state is must be folded from the log. */
export const UNSAVED: unique symbol = Symbol('not saved');

export type Saved = KeyState | typeof UNSAVED;

/** The line of a key, its LF included; `undefined` for a key that is absent. */
export function stateLine(key: string, known: KeyState, absent: symbol): string | undefined {
  const { state, position, failure } = known;
  const beginning = `{"k":${JSON.stringify(key)},"p":${position}`;
  if (failure) {
    const { cause } = failure;
    const [n, m] = cause instanceof Error ? [cause.name, cause.message] : ['Error', String(cause)];
    const f = JSON.stringify({ p: failure.position, e: failure.event, n, m });
    return `${beginning},"f":${f}}\n`;
  }
  if (state === absent) return undefined;
  const text = stateText(state);
  return text === undefined ? `${beginning}}\n` : `${beginning},"s":${text}}\n`;
}

/** What a line says. */
export function savedIn(line: StateLine, absent: symbol, through: number): Saved {
  const { p: position, f, s } = line;
  if (f) {
    const cause = new Error(f.m);
    cause.name = f.n;
    const failure = { position: f.p, event: f.e, cause };
    return { state: absent, position, failure, through };
  }
  if (s === undefined) return UNSAVED;
  return { state: stateFrom(s), position, through };
}

export class ProjectionSnapshot {
  readonly position: number;
  readonly #file: SortedFile;
  readonly #absent: symbol;

  constructor(file: SortedFile, absent: symbol) {
    this.position = file.header.position;
    this.#file = file;
    this.#absent = absent;
  }

  get path(): string {
    return this.#file.path;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  /** Keys with a line. */
  get count(): number {
    return this.#file.count('states');
  }

  /** False when the key certainly has no line; `undefined` when that takes a look at the file. */
  mayHaveNow(key: string): boolean | undefined {
    return this.#file.mayHaveNow('states', hashName(key));
  }

  /** What is known of the key; `undefined` when it was absent. @throws SortedProblem */
  *find(key: string): Io<Saved | undefined> {
    const line = yield* this.#file.find<StateLine>('states', key);
    return line && savedIn(line, this.#absent, this.position);
  }

  /** From the first key at `from` or behind it. */
  cursor(from: string): SortedCursor {
    return this.#file.cursor('states', from);
  }

  /** From the first key on, for whoever is done with the lines when it asks for more. */
  passingCursor(): SortedCursor {
    return this.#file.passingCursor('states');
  }

  /** What a line that a cursor gave says. @throws SortedProblem */
  saved({ block, index }: SortedLine): Saved {
    return savedIn(block.line<StateLine>(index), this.#absent, this.position);
  }
}

/** @throws SortedProblem when the file is not one of that identity at that position of that store */
export function checkIdentity(
  file: SortedFile,
  identity: Identity,
  storeId: string,
  position: number,
): void {
  const { snapshot, store, name, version, fingerprint, position: at } = file.header;
  const same =
    snapshot === identity.kind &&
    store === storeId &&
    name === identity.name &&
    version === identity.version &&
    fingerprint === identity.fingerprint &&
    at === position;
  if (!same) throw new SortedProblem('of another projection, store or position');
}
