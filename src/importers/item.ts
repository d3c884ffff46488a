/** What importers make of a source: items, each of which is imported whole or not at all. Plain data, so that it can be compared, counted and cut. */
import { createHash } from 'node:crypto';
import { ImportFailedError } from '../errors.js';
import type { Message } from '../memory/conversation-state.js';
import type { NewEpisode } from '../memory/episodes.js';
import type { Entity, Relation } from '../memory/graph-model.js';
import { fitsStream } from '../memory/model.js';
import type { RecordInput } from '../memory/record-input.js';
import type { MemoryImportFormat, SkippedItem } from './options.js';

/** What is to be known of a user. */
export interface ImportedUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly topics: readonly string[];
}

/** What an item brings into the models. */
export interface ItemContent {
  readonly episode?: NewEpisode;
  readonly message?: { readonly session: string; readonly data: Message };
  readonly record?: RecordInput;
  /** An entity that is there already gets the observations that it lacks. */
  readonly entity?: Entity;
  /** Entities that many items speak of: made when they are not there. */
  readonly shared?: readonly Entity[];
  readonly relations?: readonly Relation[];
  /** Hosts. */
  readonly sites?: readonly string[];
  readonly user?: ImportedUser;
}

export interface ImportItem {
  readonly content: ItemContent;
  /** Items of one lane go to one importer, in their order. */
  readonly lane: string;
  /** Bytes of the source up to its end. */
  readonly bytes: number;
  /** When the episode took place, where the source itself does not say; no part of the content. */
  readonly at?: string;
}

/** The commits of a git history that one run imports. */
export interface Span {
  readonly from?: string;
  readonly to: string;
}

/** A source that is open for reading, as often as is wanted. */
export interface ItemSource {
  readonly format: MemoryImportFormat;
  /** As errors and the log call it. */
  readonly label: string;
  /** Undefined where it is not known beforehand. */
  readonly totalBytes: number | undefined;
  /** @throws ImportFailedError */
  items(notes: Notes, span?: Span): AsyncGenerator<ImportItem, void>;
  /** Of a git history: what there is, and whether it still has what an import had come to. */
  readonly history?:
    | { readonly head: string; isAncestor(commit: string): Promise<boolean> }
    | undefined;
  close(): Promise<void>;
}

const SKIPPED_MAX = 100;

/** What is left out while a source is read. */
export class Notes {
  readonly skipped: SkippedItem[] = [];
  readonly signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
  }

  skip(where: string, reason: string): void {
    if (this.skipped.length < SKIPPED_MAX) this.skipped.push(Object.freeze({ where, reason }));
  }
}

/** Bytes of an item as JSON: well below the 1 MiB that an event may have by default. */
export const itemBytesMax: number = 512 * 1024;
const DIGEST_DIGITS = 16;

/** Where an item stands in its source. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** @throws ImportFailedError for what no store would take */
export function checkItem({ content }: ImportItem, { file, line, column = 1 }: Place): void {
  const text = JSON.stringify(content);
  const where = line === undefined ? {} : { line, column };
  const bytes = Buffer.byteLength(text);
  if (bytes > itemBytesMax) {
    const problem = `one item of ${bytes} bytes; at most ${itemBytesMax} are taken, so divide it`;
    throw new ImportFailedError(file, problem, where);
  }
  if (/\\ud[89a-f]/.test(text) && !isWellFormed(content)) {
    const problem = 'half of a surrogate pair, which no text can hold';
    throw new ImportFailedError(file, problem, where);
  }
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, part]) => key.isWellFormed() && isWellFormed(part));
}

/** Tells an item from another one: 16 hexadecimal digits. */
export function digestOf({ content }: ImportItem): string {
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return hash.slice(0, DIGEST_DIGITS);
}

/** The digests of a commit, one by one. */
export function* digestsIn(keys: string): Generator<string, void> {
  for (let at = 0; at < keys.length; at += DIGEST_DIGITS) yield keys.slice(at, at + DIGEST_DIGITS);
}

/** Which of so many importers takes the lane, from 1. */
export function partOf(lane: string, of: number): number {
  return of === 1 ? 1 : (createHash('sha256').update(lane).digest().readUInt32BE() % of) + 1;
}

/** A name that may be the key of a model; one that may not goes by its hash. */
export function keyFor(model: string, name: string): string {
  const fits = name.trim() !== '' && !name.startsWith('#') && fitsStream(`${model}/${name}`);
  return fits ? name : `#${createHash('sha256').update(name).digest('hex')}`;
}
