/** Colours by what a text is. Every text is made safe first. */
import { styleText } from 'node:util';
import { plain } from './escape.js';

type Format = Parameters<typeof styleText>[0];

export class Paint {
  readonly #colours: boolean;

  constructor(colours: boolean) {
    this.#colours = colours;
  }

  /** A name: of a stream, a key, a file. */
  name(text: string): string {
    return this.#style('cyan', text);
  }

  /** What happened. */
  type(text: string): string {
    return this.#style('bold', text);
  }

  /** Who. */
  actor(text: string): string {
    return this.#style('magenta', text);
  }

  /** When, and other things beside. */
  faint(text: string): string {
    return this.#style('gray', text);
  }

  position(text: string): string {
    return this.#style('yellow', text);
  }

  added(text: string): string {
    return this.#style('green', text);
  }

  removed(text: string): string {
    return this.#style('red', text);
  }

  good(text: string): string {
    return this.#style('green', text);
  }

  bad(text: string): string {
    return this.#style(['red', 'bold'] as Format, text);
  }

  warning(text: string): string {
    return this.#style('yellow', text);
  }

  #style(format: Format, text: string): string {
    const safe = plain(text);
    return this.#colours ? styleText(format, safe, { validateStream: false }) : safe;
  }
}
