/** Standard output: lines for people, JSON for programs, and an end without complaint when nobody listens any more. */
import { guarded, jsonOf } from './escape.js';
import { PipeClosed } from './exit-codes.js';
import { type Io, type OutputStream, wantsColours } from './io.js';

/** Text waits for others until there is so much of it, or until so long has passed since some was written. */
const CHUNK_CHARACTERS = 32 * 1024;
const CHUNK_MS = 40;

export class Output {
  readonly #stream: OutputStream;
  readonly colours: boolean;
  readonly isTerminal: boolean;
  /** Of the terminal; on a pipe lines are not cut. */
  readonly columns: number;
  #waiting = '';
  #written = performance.now();
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  /** Called before anything is written: what else stands on the terminal must go. */
  beforeWriting: () => void = () => {};
  readonly #onError: (error: NodeJS.ErrnoException) => void;

  constructor(io: Io) {
    const stream = io.stdout;
    this.#stream = stream;
    this.colours = wantsColours(io, stream);
    this.isTerminal = stream.isTTY === true;
    this.columns = this.isTerminal ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY;
    this.#onError = (error) => {
      this.#failure ??= error.code === 'EPIPE' ? new PipeClosed() : error;
      this.#wake?.();
    };
    // It stays: what a closed pipe has to say may come later than the last write.
    stream.on('error', this.#onError);
  }

  /** @throws PipeClosed, or what writing failed with */
  async line(text = ''): Promise<void> {
    this.#waiting += `${guarded(text, this.colours)}\n`;
    const isDue =
      this.#waiting.length >= CHUNK_CHARACTERS || performance.now() - this.#written >= CHUNK_MS;
    if (isDue) await this.flush();
  }

  async lines(text: string): Promise<void> {
    for (const line of text.split('\n')) await this.line(line);
  }

  /** One JSON value: on a terminal over several lines. */
  async json(value: unknown): Promise<void> {
    // A line feed inside a string is escaped: those that are left stand between lines.
    await this.lines(jsonOf(value, this.isTerminal ? 2 : undefined));
  }

  /** One of many. */
  async ndjson(value: unknown): Promise<void> {
    await this.line(jsonOf(value));
  }

  /** Bytes that are no text of ours, as they are. */
  async bytes(piece: Buffer | string): Promise<void> {
    await this.flush();
    await this.#write(piece);
  }

  /** Hands on what waits, and waits while the reader is behind. */
  async flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    this.#written = performance.now();
    if (this.#failure) throw this.#failure;
    if (text !== '') await this.#write(text);
  }

  async #write(piece: Buffer | string): Promise<void> {
    this.beforeWriting();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.write(piece, () => resolve());
    });
    this.#wake = undefined;
    if (this.#failure) throw this.#failure;
  }
}
