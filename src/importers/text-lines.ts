/** Lines of a text file, read strictly and in bounded memory. */
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ImportFailedError, systemCode } from '../errors.js';

export interface TextLine {
  /** Without its end. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** Bytes of the file up to its end. */
  readonly bytes: number;
}

export interface LineOptions {
  readonly signal?: AbortSignal | undefined;
  /** As errors call the file. Default: its path. */
  readonly label?: string;
  /** A link is not followed. */
  readonly noLink?: boolean;
}

/** Bytes of a line. */
export const lineBytesMax: number = 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
const LF = 0x0a;

/**
 * The lines of a file; CRLF and a byte order mark are left out.
 * @throws ImportFailedError for what cannot be opened, is no UTF-8 text, holds NUL, or has too long a line
 */
export async function* linesOf(
  path: string,
  { signal, label = path, noLink = false }: LineOptions = {},
): AsyncGenerator<TextLine, void> {
  const file = await opened(path, label, noLink);
  try {
    const cutter = new Cutter(label);
    for (let at = 0; ; ) {
      signal?.throwIfAborted();
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      const count = await readPiece(file, piece, at, label);
      if (count === 0) break;
      at += count;
      yield* cutter.cut(piece.subarray(0, count));
    }
    yield* cutter.rest();
  } finally {
    await file.close();
  }
}

async function opened(path: string, label: string, noLink: boolean): Promise<FileHandle> {
  // Not waiting: a named pipe would be waited for without end.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  let file: FileHandle;
  try {
    file = await open(path, flags | (noLink ? (constants.O_NOFOLLOW ?? 0) : 0));
  } catch (error) {
    throw unreadable(label, error);
  }
  try {
    const stat = await file.stat();
    if (stat.isFile()) return file;
  } catch (error) {
    await file.close();
    throw unreadable(label, error);
  }
  await file.close();
  throw new ImportFailedError(label, 'it is no regular file');
}

async function readPiece(
  file: FileHandle,
  piece: Buffer,
  at: number,
  label: string,
): Promise<number> {
  try {
    return (await file.read(piece, 0, piece.length, at)).bytesRead;
  } catch (error) {
    throw unreadable(label, error);
  }
}

/** @internal Also for folders. */
export function unreadable(label: string, error: unknown): ImportFailedError {
  const code = systemCode(error);
  const problem = code === undefined ? 'it cannot be read' : `it cannot be read (${code})`;
  return new ImportFailedError(label, problem, { cause: error });
}

const SIGNATURES: readonly (readonly [bytes: string, problem: string])[] = [
  ['1f8b', 'it is compressed; unpack it first'],
  ['504b0304', 'it is a ZIP archive; unpack it first'],
  ['28b52ffd', 'it is compressed; unpack it first'],
  ['fffe', 'it is UTF-16; convert it to UTF-8 first'],
  ['feff', 'it is UTF-16; convert it to UTF-8 first'],
];
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Cuts what comes in pieces into lines. */
class Cutter {
  readonly #label: string;
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #line = 0;
  #bytes = 0;

  constructor(label: string) {
    this.#label = label;
  }

  *cut(piece: Buffer): Generator<TextLine, void> {
    for (let from = 0; ; ) {
      const end = piece.indexOf(LF, from);
      const rest = piece.subarray(from, end < 0 ? piece.length : end);
      this.#begun.push(rest);
      this.#begunBytes += rest.length;
      if (this.#begunBytes > lineBytesMax) {
        throw this.#failed(1, `a line of more than ${lineBytesMax} bytes`, this.#line + 1);
      }
      if (end < 0) return;
      yield this.#taken(1);
      from = end + 1;
    }
  }

  /** A last line that no LF ends. */
  *rest(): Generator<TextLine, void> {
    if (this.#begunBytes > 0) yield this.#taken(0);
  }

  #taken(endBytes: number): TextLine {
    const [only] = this.#begun;
    let bytes = this.#begun.length === 1 && only ? only : Buffer.concat(this.#begun);
    this.#line += 1;
    this.#bytes += this.#begunBytes + endBytes;
    this.#begun = [];
    this.#begunBytes = 0;
    if (this.#line === 1) bytes = this.#withoutMark(bytes);
    if (bytes.at(-1) === 0x0d) bytes = bytes.subarray(0, -1);
    return { text: this.#text(bytes), line: this.#line, bytes: this.#bytes };
  }

  #withoutMark(bytes: Buffer): Buffer {
    const start = bytes.subarray(0, 4).toString('hex');
    for (const [signature, problem] of SIGNATURES) {
      if (start.startsWith(signature)) throw this.#failed(1, problem);
    }
    return bytes.subarray(0, 3).equals(MARK) ? bytes.subarray(3) : bytes;
  }

  #text(bytes: Buffer): string {
    if (!isUtf8(bytes)) {
      throw this.#failed(badCharacterOf(bytes), 'bytes that are no UTF-8 text');
    }
    const text = bytes.toString('utf8');
    const nul = text.indexOf('\u0000');
    if (nul >= 0) throw this.#failed(nul + 1, 'a NUL character: it is no text');
    return text;
  }

  #failed(column: number, problem: string, line: number = this.#line): ImportFailedError {
    return new ImportFailedError(this.#label, problem, { line, column });
  }
}

/** In characters, from 1. */
function badCharacterOf(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  const again = Buffer.from(text);
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at += 1;
  // The replacement takes three bytes, of which some may agree by chance: a character begins before them.
  while (at > 0 && (again[at] ?? 0) >= 0x80 && (again[at] ?? 0) < 0xc0) at -= 1;
  return again.subarray(0, at).toString('utf8').length + 1;
}
