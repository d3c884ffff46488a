/** What an index saved, on its way to a sorted file and back (docs/FORMAT.md, "Snapshots"). */
import { invalidArgument, quote } from '../errors.js';
import { type Io, rest } from '../log/io.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedFile } from '../log/sorted-read.js';
import type { SortedWriter } from '../log/sorted-write.js';
import type { IndexSink, IndexSource } from './define-index.js';
import type { Shelf } from './shelf.js';

const PIECE_BYTES = 48 * 1024;

interface PartLine {
  readonly k: string;
  readonly name: string;
  readonly d: string;
}

/** Takes what an index saves, in memory: it is written when the call of `save` is over. */
export class SavedParts implements IndexSink {
  readonly #parts = new Map<string, Uint8Array>();
  #ended = false;

  write(part: string, bytes: Uint8Array): void {
    if (this.#ended) throw invalidArgument('the sink is valid during the call of save only');
    if (typeof part !== 'string' || !part.isWellFormed()) {
      throw invalidArgument('the name of a part must be a well-formed string');
    }
    if (!(bytes instanceof Uint8Array)) throw invalidArgument('a part must be bytes (Uint8Array)');
    if (this.#parts.has(part)) {
      throw invalidArgument(`the part ${quote(part)} was written before; a name is written once`);
    }
    this.#parts.set(part, new Uint8Array(bytes));
  }

  /** Takes no more. */
  end(): void {
    this.#ended = true;
  }

  /** What it took, for whoever loads it. */
  source(): IndexSource {
    return sourceOf(new Map([...this.#parts].map(([name, bytes]) => [name, [bytes]])));
  }

  /** Writes the section. */
  *writeTo(writer: SortedWriter): Io<void> {
    writer.beginSection('parts');
    let number = 0;
    for (const [name, bytes] of this.#parts) {
      let piece = 0;
      for (let at = 0; at === 0 || at < bytes.length; at += PIECE_BYTES) {
        const key = `${digits(number)}/${digits(piece)}`;
        const d = Buffer.from(bytes.subarray(at, at + PIECE_BYTES)).toString('base64');
        if (writer.add(key, `${JSON.stringify({ k: key, name, d })}\n`)) yield* writer.flush();
        yield* rest();
        piece += 1;
      }
      number += 1;
    }
    yield* writer.endSection();
  }
}

function digits(number: number): string {
  return String(number).padStart(8, '0');
}

/** What was saved last at or before that position and can be read, in memory. A file in which something is wrong counts as missing from then on. */
export function* newestParts(
  shelf: Shelf,
  to: number,
  head: number,
): Io<{ readonly position: number; readonly source: IndexSource } | undefined> {
  for (;;) {
    const file = yield* shelf.newest(to, head);
    if (!file) return undefined;
    const { position } = file.header;
    try {
      return { position, source: yield* savedParts(file) };
    } catch (error) {
      if (!(error instanceof SortedProblem)) throw error;
      yield* shelf.lose(position);
    }
  }
}

/** All that was saved, in memory. @throws SortedProblem */
export function* savedParts(file: SortedFile): Io<IndexSource> {
  const pieces = new Map<string, Uint8Array[]>();
  const cursor = file.cursor('parts');
  let count = 0;
  for (let lines = yield* cursor.next(); lines; lines = yield* cursor.next()) {
    for (const { block, index } of lines) {
      const { name, d } = block.line<PartLine>(index);
      const bytes = Buffer.from(d, 'base64');
      count += 1;
      const known = pieces.get(name);
      if (known) known.push(bytes);
      else pieces.set(name, [bytes]);
      yield* rest();
    }
  }
  if (count !== file.count('parts')) throw new SortedProblem('a piece of a part is missing');
  return sourceOf(pieces);
}

function sourceOf(pieces: ReadonlyMap<string, readonly Uint8Array[]>): IndexSource {
  return {
    parts: () => [...pieces.keys()],
    read(part) {
      const found = pieces.get(part);
      if (!found) throw invalidArgument(`no part ${quote(String(part))} was saved`);
      return new Uint8Array(Buffer.concat(found));
    },
  };
}
