/**
 * Rankings of several sources as one: reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009). It looks at places alone, so sources whose scores
 * cannot be compared, such as words and vectors, need no common scale.
 */

/** What a first place counts is 1 / (k + 1); with 60, as in the paper, places far down still count beside it. */
const K = 60;

export interface Fused<T> {
  readonly item: T;
  /** The sum over the sources of weight / (k + place). */
  readonly score: number;
}

/**
 * @param rankings - each best first; what is the same in two of them has the same key
 * @param weights - of the sources, in their order. Default: 1 each.
 */
export function fuse<T>(
  rankings: readonly (readonly T[])[],
  keyOf: (item: T) => string,
  weights: readonly number[] = [],
): readonly Fused<T>[] {
  const fused = new Map<string, { item: T; score: number }>();
  for (const [source, ranking] of rankings.entries()) {
    const weight = weights[source] ?? 1;
    for (const [place, item] of ranking.entries()) {
      const score = weight / (K + place + 1);
      const known = fused.get(keyOf(item));
      if (known) known.score += score;
      else fused.set(keyOf(item), { item, score });
    }
  }
  return [...fused.entries()]
    .sort(([a, one], [b, other]) => other.score - one.score || (a < b ? -1 : 1))
    .map(([, each]) => each);
}
