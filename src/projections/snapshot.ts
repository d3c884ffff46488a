/** States of a projection as of a position, on the disk (docs/FORMAT.md, "Snapshots"). */
import { hashName } from '../log/bloom-filter.js';
import { type Io, rest } from '../log/io.js';
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

/** Longer than what such a line ends with: `,"p":`, a position, `}` and LF. */
const UNSAVED_END_LENGTH = 24;
const UNSAVED_END = /,"p":[0-9]+\}\n$/;

/** Whether a key's line leaves its state to be folded from the log. */
export function isUnsaved(line: string): boolean {
  return UNSAVED_END.test(line.slice(-UNSAVED_END_LENGTH));
}

/** The section that says how many keys have a line without their state; empty when there is none, so that a look at the trailer tells. */
export const UNSAVED_SECTION = 'unsaved';

/** The line of that section. */
export function unsavedLine(count: number): string {
  return `{"k":"","n":${count}}\n`;
}

/** Keys whose state the log must still tell. @throws SortedProblem */
export function* unsavedIn(file: SortedFile): Io<number> {
  if (file.has(UNSAVED_SECTION)) {
    if (file.count(UNSAVED_SECTION) === 0) return 0;
    const line = yield* file.find<{ readonly n: number }>(UNSAVED_SECTION, '');
    if (!line) throw new SortedProblem('it does not say how many states it lacks');
    return line.n;
  }
  // Written before there was that section.
  const cursor = file.passingCursor('states');
  let count = 0;
  for (let lines = yield* cursor.next(); lines; lines = yield* cursor.next()) {
    for (const { block, index } of lines) if (isUnsaved(block.text(index))) count += 1;
    yield* rest();
  }
  return count;
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

  /** Keys with a line that leaves their state to the log. @throws SortedProblem */
  *unsaved(): Io<number> {
    return yield* unsavedIn(this.#file);
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
