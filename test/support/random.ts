/** Repeatable randomness: the same seed gives the same numbers on every machine (sfc32). */
export class SeededRandom {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b ^= Math.floor(seed / 2 ** 32);
    // Seeds that are close together need a few rounds to drift apart.
    for (let round = 0; round < 12; round += 1) this.#next();
  }

  /** In [0, 1). Bound, so that it can stand in for Math.random. */
  readonly fraction = (): number => this.#next() / 2 ** 32;

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new RangeError('nothing to pick from');
    return values[this.below(values.length)] as T;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** A generator of its own, so that one part of a test can draw more without changing what another part gets. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next() * 2 ** 20 + this.below(2 ** 20));
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
