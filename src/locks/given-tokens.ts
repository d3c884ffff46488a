/**
 * The highest token that this thread has given out of each lock file. A file may say less, because the disk lost what was written to it.
 *
 * Only the files used last are remembered one by one. Of those before there is one number, the highest of all of them: their next token comes behind that, so
 * that it is higher than their own, too, at the cost of a range that is skipped.
 */
export class GivenTokens {
  readonly #filesMax: number;
  /** By file, in the order of their last use. */
  readonly #highest = new Map<string, number>();
  /** Of those that are not remembered any more. */
  #others = 0;

  constructor(filesMax: number) {
    this.#filesMax = filesMax;
  }

  /** No token of the file was higher. */
  highest(file: string): number {
    return this.#highest.get(file) ?? this.#others;
  }

  /** Takes in the file's newest token. */
  given(file: string, token: number): void {
    this.#highest.delete(file);
    this.#highest.set(file, token);
    if (this.#highest.size <= this.#filesMax) return;
    for (const [oldest, last] of this.#highest) {
      this.#others = Math.max(this.#others, last);
      this.#highest.delete(oldest);
      return;
    }
  }
}
