/** The parts of an index file that are kept in memory: directories (a sparse index with a filter), and blocks of lines. */
import { crc32 } from 'node:zlib';
import { BloomFilter, type NameHash } from './bloom-filter.js';
import { ByteLru } from './byte-lru.js';
import { LF } from './format.js';
import { SECTIONS, type SectionName } from './index-encode.js';

/** An index file that is missing, broken, or gone from memory: it can be built again. Never leaves the log. */
export class IndexProblem extends Error {}

/** An index in memory that had to make room: nothing is wrong with its file, if it has one by now. */
export class IndexGone extends IndexProblem {}

/** What all indexes of a log together keep in memory. */
export interface IndexMemory {
  readonly directories: ByteLru<number, Directory>;
  readonly blocks: ByteLru<string, Block>;
  /** Whole indexes that could not be written to the disk. */
  readonly images: ByteLru<number, Buffer>;
}

export interface IndexMemoryLimits {
  readonly directoryBytesMax?: number;
  readonly blockBytesMax?: number;
  readonly imageBytesMax?: number;
}

export function indexMemory(limits: IndexMemoryLimits = {}): IndexMemory {
  return {
    directories: new ByteLru(limits.directoryBytesMax ?? 64 * 1024 * 1024),
    blocks: new ByteLru(limits.blockBytesMax ?? 4 * 1024 * 1024),
    images: new ByteLru(limits.imageBytesMax ?? 32 * 1024 * 1024),
  };
}

/** @throws IndexProblem */
export function parseLine<T>(bytes: Buffer, start: number, end: number): T {
  try {
    return JSON.parse(bytes.toString('utf8', start, end)) as T;
  } catch {
    throw new IndexProblem('not valid JSON');
  }
}

/** The number of the last of `count` entries that does not stand behind what is looked for; -1 when all do. */
function lastNotBehind(count: number, isBehind: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(middle)) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

type Entry = readonly [offset: number, length: number, checksum: string, ...(string | number)[]];

/** Rough cost of a short string beside its characters, and of a directory beside its entries. */
const STRING_BYTES = 24;
const ENTRY_BYTES = 8 + 4 + 4 + 8 + 8;

/** Where the blocks of a section stand and what each begins with. */
export class Directory {
  readonly count: number;
  readonly filter: BloomFilter;
  /** About what it takes in memory. */
  readonly memoryBytes: number;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #checksums: Uint32Array;
  readonly #names: string[] = [];
  readonly #numbers: Float64Array;

  constructor(line: Buffer, section: SectionName) {
    const facts = parseLine<{ blocks: string; at: Entry[]; filter?: string }>(line, 0, line.length);
    if (facts.blocks !== section) throw new IndexProblem('another section');
    this.count = facts.at.length;
    this.filter = new BloomFilter(Buffer.from(facts.filter ?? '', 'base64'));
    this.#offsets = new Float64Array(this.count);
    this.#lengths = new Uint32Array(this.count);
    this.#checksums = new Uint32Array(this.count);
    this.#numbers = new Float64Array(this.count);
    let memoryBytes = STRING_BYTES + this.filter.bytes.length + this.count * ENTRY_BYTES;
    facts.at.forEach(([offset, length, checksum, ...first], index) => {
      this.#offsets[index] = offset;
      this.#lengths[index] = length;
      this.#checksums[index] = Number.parseInt(checksum, 16);
      const name = first.find((part) => typeof part === 'string') ?? '';
      const number = first.find((part) => typeof part === 'number') ?? 0;
      this.#names.push(name);
      this.#numbers[index] = number;
      memoryBytes += STRING_BYTES + 2 * name.length;
    });
    this.memoryBytes = memoryBytes;
  }

  mayHave(hash: NameHash): boolean {
    return this.filter.mayHave(hash);
  }

  /** The last block that begins at or before the name and number; -1 when all begin behind. */
  find(name: string, number: number): number {
    return lastNotBehind(this.count, (index) => this.beginsBehind(index, name, number));
  }

  beginsBehind(index: number, name: string, number: number): boolean {
    const first = this.#names[index] as string;
    return first === name ? (this.#numbers[index] as number) > number : first > name;
  }

  place(index: number): { offset: number; length: number } {
    return { offset: this.#offsets[index] as number, length: this.#lengths[index] as number };
  }

  /** @throws IndexProblem when these are not the block's bytes */
  check(index: number, bytes: Buffer): void {
    if (crc32(bytes) !== this.#checksums[index]) throw new IndexProblem('a wrong checksum');
  }
}

/** Some lines of an index, whose checksum was right. Only the lines that are asked for are parsed. */
export class Block {
  readonly #bytes: Buffer;
  /** Where each line begins, and the end of the last one. */
  readonly #starts: number[] = [0];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, end + 1)) {
      this.#starts.push(end + 1);
    }
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  get memoryBytes(): number {
    return this.#bytes.length + 8 * this.#starts.length + 100;
  }

  line<T>(index: number): T {
    return parseLine<T>(
      this.#bytes,
      this.#starts[index] as number,
      this.#starts[index + 1] as number,
    );
  }

  /** The last line that is not behind; -1 when all are. */
  find<T>(isBehind: (line: T) => boolean): number {
    return lastNotBehind(this.count, (index) => isBehind(this.line<T>(index)));
  }
}

export function sectionNumber(section: SectionName): number {
  return SECTIONS.indexOf(section);
}
