/** Chance that is the same for the same seed: a linear congruential generator with the constants of Knuth's MMIX, its upper bits. */
export class Chance {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = BigInt(seed) * 2n + 1n;
    for (let at = 0; at < 8; at += 1) this.number();
  }

  /** From 0 to just below 1. */
  number() {
    this.#state = (this.#state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return Number(this.#state >> 32n) / 2 ** 32;
  }

  /** @param {number} below */
  whole(below) {
    return Math.floor(this.number() * below);
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T}
   */
  one(list) {
    return /** @type {T} */ (list[this.whole(list.length)]);
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T[]}
   */
  shuffled(list) {
    const copy = [...list];
    for (let at = copy.length - 1; at > 0; at -= 1) {
      const other = this.whole(at + 1);
      [copy[at], copy[other]] = [/** @type {T} */ (copy[other]), /** @type {T} */ (copy[at])];
    }
    return copy;
  }
}
