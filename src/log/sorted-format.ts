/** What writers and readers of sorted files share (docs/FORMAT.md, "Sorted files"). */
import { LF } from './format.js';

export const SORTED_FORMAT = 1;
/** A block is closed before it grows beyond this, unless a single line is longer. */
export const BLOCK_BYTES = 4096;
export const BRANCH_BYTES: number = 16 * 1024;
export const TRAILER_BYTES = 512;
/** Of one page of a filter that has several. */
const PAGE_BYTES = 3072;
/** At about ten bits each. */
export const NAMES_PER_PAGE = 2400;

/** How a filter for so many names is cut into pages: whole numbers of three bytes, so that base64 needs no padding. */
export function pagesFor(names: number): { readonly pages: number; readonly bytes: number } {
  const pages = Math.ceil(names / NAMES_PER_PAGE);
  if (pages > 1) return { pages, bytes: PAGE_BYTES };
  return { pages, bytes: 3 * Math.ceil((names * 10) / 24) };
}

/** `{"page":"00000000","bits":"` + base64 + `","c":"00000000"}` + LF */
export function pageLineBytes(bytes: number): number {
  return 27 + (bytes / 3) * 4 + 1 + 17;
}

export type SortedKind = 'log' | 'projection' | 'index' | 'places';

/** Where a snapshot stands in its log. */
export interface SortedPlace {
  /** The last one of a closed segment. */
  readonly position: number;
  /** Of that commit, `''` when there is none. */
  readonly time: string;
  readonly seal: string;
}

/** The first line of a sorted file. */
export interface SortedHeader extends SortedPlace {
  readonly snapshot: SortedKind;
  readonly format: number;
  readonly store: string;
  /** Of the log's: events and commits with a key so far. */
  readonly events?: number;
  readonly keyed?: number;
  /** Of the others: whose it is. */
  readonly name?: string;
  readonly version?: number;
  readonly fingerprint?: string;
}

/** Lines, root (offset, bytes, checksum), levels of branches, filter (offset, pages, bytes of bits in each). */
export type SectionFacts = readonly [
  count: number,
  offset: number,
  bytes: number,
  checksum: string,
  levels: number,
  pagesAt: number,
  pages: number,
  pageBytes: number,
];

export interface SortedTrailer {
  readonly end: number;
  readonly bytes: number;
  readonly crc: string;
  readonly sections: Readonly<Record<string, SectionFacts>>;
}

/** A line of a branch. */
export interface BranchLine {
  readonly k: string;
  readonly at: readonly [offset: number, bytes: number, checksum: string];
}

/** A sorted file that is missing, broken, or not what is looked for: as if it were not there. Never leaves the store. */
export class SortedProblem extends Error {}

/** The page of a filter that a name with that second hash belongs to. */
export function pageOf(b: number, pages: number): number {
  return Math.floor((b * pages) / 2 ** 32);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Where the key begins in `{"k":"`. */
const KEY_AT = 6;

/** Lines of a sorted file in one piece of memory, whose checksum was right. Only what is asked for is parsed. */
export class SortedBlock {
  readonly bytes: Buffer;
  /** Where each line begins, and the end of the last one; what stands behind that is of no use. Never made shorter: V8 would take new memory for it. */
  readonly #starts: number[] = [0];
  #count = 0;

  /** @param length - how many of the bytes are lines */
  constructor(bytes: Buffer, length: number = bytes.length) {
    this.bytes = bytes;
    this.refill(length);
  }

  /** The first so many bytes are other lines now, all of them whole. */
  refill(length: number): void {
    const { bytes } = this;
    this.#count = 0;
    for (let at = 0; at < length; ) {
      const end = bytes.indexOf(LF, at);
      if (end < 0 || end >= length) break;
      at = end + 1;
      this.#count += 1;
      this.#starts[this.#count] = at;
    }
  }

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.bytes.length + 8 * this.#starts.length + 100;
  }

  /** @throws SortedProblem */
  key(index: number): string {
    const start = (this.#starts[index] as number) + KEY_AT;
    const { bytes } = this;
    let end = start;
    for (;;) {
      end = bytes.indexOf(QUOTE, end);
      if (end < 0) throw new SortedProblem('a line without a key');
      let slashes = 0;
      while (bytes[end - 1 - slashes] === BACKSLASH) slashes += 1;
      if (slashes % 2 === 0) break;
      end += 1;
    }
    const text = bytes.toString('utf8', start, end);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  text(index: number): string {
    return this.bytes.toString('utf8', this.#starts[index], this.#starts[index + 1]);
  }

  /** @throws SortedProblem */
  line<T>(index: number): T {
    try {
      return JSON.parse(this.text(index)) as T;
    } catch {
      throw new SortedProblem('not valid JSON');
    }
  }

  /** The number of the last line that stands at or before the key; -1 when all stand behind it. */
  find(key: string): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.key(middle) > key) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }
}
