/** Writes sorted files (docs/FORMAT.md, "Sorted files") so that a reader finds a whole one or none. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemCode } from '../errors.js';
import { BloomFilter, hashName } from './bloom-filter.js';
import { finishedLine } from './encode.js';
import { LF } from './format.js';
import { checksumText } from './index-encode.js';
import { ask, type Io } from './io.js';
import { readFully } from './open-files.js';
import {
  BLOCK_BYTES,
  BRANCH_BYTES,
  pageOf,
  pagesFor,
  type SectionFacts,
  SORTED_FORMAT,
  type SortedHeader,
  TRAILER_BYTES,
} from './sorted-format.js';
import { writeAll } from './whole-file.js';

const WRITE_BYTES = 64 * 1024;
const READ_BACK_BYTES = 256 * 1024;

/** Lines of one piece of the file. */
interface Lines {
  readonly first: string;
  readonly text: string;
  /** In UTF-8. */
  readonly bytes: number;
}

/** One level of a section: the blocks at the bottom, or branches above them. */
class Level {
  readonly #max: number;
  #text: string[] = [];
  #bytes = 0;
  #first = '';

  constructor(bytesMax: number) {
    this.#max = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Gives the block that the line no longer fitted into. */
  add(key: string, line: string): Lines | undefined {
    const bytes = Buffer.byteLength(line);
    const full = this.#bytes > 0 && this.#bytes + bytes > this.#max ? this.take() : undefined;
    if (this.#bytes === 0) this.#first = key;
    this.#text.push(line);
    this.#bytes += bytes;
    return full;
  }

  take(): Lines {
    const block = { first: this.#first, text: this.#text.join(''), bytes: this.#bytes };
    this.#text = [];
    this.#bytes = 0;
    return block;
  }
}

interface Child {
  readonly first: string;
  readonly at: readonly [offset: number, bytes: number, checksum: string];
}

/**
 * A sorted file on its way to the disk. Nothing stands at its name before `publish`; when anything fails, `discard` leaves nothing.
 * Lines are handed over in the order of their keys.
 */
export class SortedWriter {
  readonly #directory: string;
  readonly #name: string;
  readonly #temporary: string;
  readonly #file: number;
  #open = true;
  /** What waits to be written, from the beginning on. One for the whole file: a new one each time would be left to be collected. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(WRITE_BYTES + 2 * BRANCH_BYTES);
  #waiting = 0;
  #written = 0;
  #crc = 0;
  readonly #sections: string[] = [];
  #section = '';
  #count = 0;
  #leaf = new Level(BLOCK_BYTES);
  #children: Child[] = [];
  #pages: BloomFilter[] = [];
  #pageBytes = 0;

  private constructor(directory: string, name: string, temporary: string, file: number) {
    this.#directory = directory;
    this.#name = name;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** @throws system errors of the disk */
  static *begin(
    directory: string,
    name: string,
    randomBytes: (count: number) => Buffer,
    header: Omit<SortedHeader, 'format'>,
  ): Io<SortedWriter> {
    // Another process may make the same file at the same time.
    const temporary = join(directory, `${name}.${randomBytes(6).toString('hex')}.tmp`);
    const file = yield* ask('open', temporary, 'create');
    const writer = new SortedWriter(directory, name, temporary, file);
    writer.#put(finishedLine(headerBody(header)));
    return writer;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#written + this.#waiting;
  }

  /** Begins a section; `namesMax` says for how many names its filter must be good, 0 for none. */
  beginSection(name: string, namesMax = 0): void {
    this.#section = name;
    this.#count = 0;
    this.#leaf = new Level(BLOCK_BYTES);
    this.#children = [];
    this.#pages = [];
    const { pages, bytes } = pagesFor(namesMax);
    this.#pageBytes = bytes;
    for (let page = 0; page < pages; page += 1) {
      this.#pages.push(new BloomFilter(new Uint8Array(bytes)));
    }
  }

  /** Adds a line, its LF included. True when it is time to `flush`. */
  add(key: string, line: string): boolean {
    this.#count += 1;
    if (this.#pages.length > 0) {
      const hash = hashName(key);
      (this.#pages[pageOf(hash.b, this.#pages.length)] as BloomFilter).add(hash);
    }
    const full = this.#leaf.add(key, line);
    if (full) this.#children.push(this.#block(full));
    return this.#waiting >= WRITE_BYTES;
  }

  #block({ first, text, bytes }: Lines): Child {
    const offset = this.bytes;
    const place = this.#room(bytes);
    place.write(text);
    return { first, at: [offset, bytes, checksumText(place)] };
  }

  #put(bytes: Buffer): void {
    bytes.copy(this.#room(bytes.length));
  }

  /** Behind what waits, for so many bytes more. */
  #room(bytes: number): Buffer {
    const start = this.#waiting;
    this.#waiting += bytes;
    if (this.#waiting > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(this.#waiting + BRANCH_BYTES);
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(start, this.#waiting);
  }

  /** Writes what waits. */
  *flush(): Io<void> {
    if (this.#waiting === 0) return;
    const bytes = this.#buffer.subarray(0, this.#waiting);
    this.#waiting = 0;
    const at = this.#written;
    this.#written += bytes.length;
    this.#crc = crc32(bytes, this.#crc);
    yield* writeAll(this.#file, bytes, at);
  }

  /** Ends the section that was begun: its branches and its filter. */
  *endSection(): Io<void> {
    if (!this.#leaf.isEmpty) this.#children.push(this.#block(this.#leaf.take()));
    let children = this.#children;
    this.#children = [];
    let levels = 0;
    while (children.length > 1) {
      children = yield* this.#branches(children);
      levels += 1;
    }
    const pagesAt = this.bytes;
    for (const [number, page] of this.#pages.entries()) {
      const digits = String(number).padStart(8, '0');
      const bits = Buffer.from(page.bytes).toString('base64');
      this.#put(finishedLine(`{"page":"${digits}","bits":"${bits}"`));
      if (this.#waiting >= WRITE_BYTES) yield* this.flush();
    }
    const [offset, bytes, checksum] = children[0]?.at ?? [0, 0, '00000000'];
    const facts: SectionFacts = [
      this.#count,
      offset,
      bytes,
      checksum,
      levels,
      pagesAt,
      this.#pages.length,
      this.#pageBytes,
    ];
    this.#sections.push(`"${this.#section}":${JSON.stringify(facts)}`);
    this.#pages = [];
  }

  *#branches(children: readonly Child[]): Io<Child[]> {
    const level = new Level(BRANCH_BYTES);
    const above: Child[] = [];
    for (const { first, at } of children) {
      const full = level.add(first, `{"k":${JSON.stringify(first)},"at":${JSON.stringify(at)}}\n`);
      if (!full) continue;
      above.push(this.#block(full));
      if (this.#waiting >= WRITE_BYTES) yield* this.flush();
    }
    above.push(this.#block(level.take()));
    return above;
  }

  /**
   * Ends the file, syncs it, reads it back, and puts it in place.
   * @throws system errors of the disk; `EIO` when it does not read back as it was written
   */
  *publish(): Io<{ readonly bytes: number }> {
    yield* this.flush();
    const crc = this.#crc.toString(16).padStart(8, '0');
    const sections = this.#sections.join(',');
    const line = finishedLine(
      `{"end":${SORTED_FORMAT},"bytes":${this.#written},"crc":"${crc}","sections":{${sections}}`,
    );
    const trailer = Buffer.alloc(TRAILER_BYTES, ' ');
    line.copy(trailer, 0, 0, line.length - 1);
    trailer[TRAILER_BYTES - 1] = LF;
    this.#put(trailer);
    yield* this.flush();
    yield* ask('sync', this.#file);
    this.#open = false;
    yield* ask('close', this.#file);
    yield* this.#readBack();
    yield* ask('rename', this.#temporary, join(this.#directory, this.#name));
    yield* ask('syncDirectory', this.#directory);
    return { bytes: this.#written };
  }

  *#readBack(): Io<void> {
    const file = yield* ask('open', this.#temporary, 'read');
    try {
      const buffer = Buffer.allocUnsafe(READ_BACK_BYTES);
      let [at, crc] = [0, 0];
      for (;;) {
        const count = yield* readFully(file, buffer, 0, buffer.length, at);
        if (count === 0) break;
        crc = crc32(buffer.subarray(0, count), crc);
        at += count;
      }
      if (at === this.#written && crc === this.#crc) return;
    } finally {
      yield* ask('close', file);
    }
    throw Object.assign(new Error(`${this.#name} does not read back as it was written`), {
      code: 'EIO',
    });
  }

  /** Gives up: leaves nothing, as far as the disk allows. */
  *discard(): Io<void> {
    if (this.#open) {
      this.#open = false;
      try {
        yield* ask('close', this.#file);
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
      }
    }
    yield* removeIfThere(this.#temporary);
  }
}

function headerBody(header: Omit<SortedHeader, 'format'>): string {
  const { snapshot, store, position, time, seal, events, keyed, name, version, fingerprint } =
    header;
  const facts = name === undefined ? { events, keyed } : { name, version, fingerprint };
  const first = { snapshot, format: SORTED_FORMAT, store, position, time, seal };
  return JSON.stringify({ ...first, ...facts }).slice(0, -1);
}

/** Removes a file; that it is not there, or may not be removed, is no error here. */
export function* removeIfThere(path: string): Io<void> {
  try {
    yield* ask('remove', path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}
