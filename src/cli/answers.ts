/** What somebody at a terminal answers, line by line; also what was typed before it was asked for. */
import { createInterface, type Interface } from 'node:readline';
import type { Io } from './io.js';

export class Answers {
  readonly #io: Io;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;

  constructor(io: Io) {
    this.#io = io;
    this.#reader = createInterface({ input: io.stdin, terminal: false });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** The answer; undefined when there will be none any more. @throws the signal's reason */
  async ask(question: string): Promise<string | undefined> {
    const { stderr, signal } = this.#io;
    signal.throwIfAborted();
    stderr.write(question);
    // What is waited for never comes then.
    const stop = (): void => this.#reader.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { done, value } = await this.#lines.next();
      signal.throwIfAborted();
      return done === true ? undefined : value.trim();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  end(): void {
    this.#reader.close();
    // Nothing must keep the process alive for keys that nobody waits for.
    this.#io.stdin.pause();
  }
}
