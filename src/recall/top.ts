/** The best of many, without sorting all of them. */

/** Whether one comes before another: below 0 when it does. Never 0 for two different ones. */
export type Before = (one: number, other: number) => number;

/** Keeps so many numbers of things that have a score. A heap with the worst of them in front. */
export class Top {
  readonly #most: number;
  readonly #before: Before;
  readonly #ordinals: number[] = [];
  readonly #scores: number[] = [];

  /** @param before - the order of those whose scores are equal */
  constructor(most: number, before: Before) {
    this.#most = most;
    this.#before = before;
  }

  /** Whether it would be kept. */
  takes(ordinal: number, score: number): boolean {
    if (this.#ordinals.length < this.#most) return true;
    const worst = this.#scores[0];
    if (worst === undefined || score < worst) return false;
    return score > worst || this.#before(ordinal, this.#ordinals[0] as number) < 0;
  }

  /** Only what {@link Top.takes}. */
  add(ordinal: number, score: number): void {
    const count = this.#ordinals.length;
    if (count < this.#most) {
      this.#ordinals.push(ordinal);
      this.#scores.push(score);
      this.#rise(count);
    } else {
      this.#ordinals[0] = ordinal;
      this.#scores[0] = score;
      this.#sink();
    }
  }

  /** In no order. */
  all(): readonly number[] {
    return this.#ordinals;
  }

  /** The best first. */
  sorted(): { readonly ordinal: number; readonly score: number }[] {
    return this.#ordinals
      .map((ordinal, at) => ({ ordinal, score: this.#scores[at] as number }))
      .sort((one, other) => other.score - one.score || this.#before(one.ordinal, other.ordinal));
  }

  #isWorse(one: number, other: number): boolean {
    const [score, otherScore] = [this.#scores[one] as number, this.#scores[other] as number];
    if (score !== otherScore) return score < otherScore;
    return this.#before(this.#ordinals[one] as number, this.#ordinals[other] as number) > 0;
  }

  #swap(one: number, other: number): void {
    const [ordinals, scores] = [this.#ordinals, this.#scores];
    const [ordinal, score] = [ordinals[one] as number, scores[one] as number];
    ordinals[one] = ordinals[other] as number;
    scores[one] = scores[other] as number;
    ordinals[other] = ordinal;
    scores[other] = score;
  }

  #rise(start: number): void {
    for (let at = start; at > 0; ) {
      const above = (at - 1) >> 1;
      if (!this.#isWorse(at, above)) return;
      this.#swap(at, above);
      at = above;
    }
  }

  #sink(): void {
    const count = this.#ordinals.length;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= count) return;
      const worse = left + 1 < count && this.#isWorse(left + 1, left) ? left + 1 : left;
      if (!this.#isWorse(worse, at)) return;
      this.#swap(at, worse);
      at = worse;
    }
  }
}
