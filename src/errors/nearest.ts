/** What somebody may have meant. */

/** How many single characters must change to make one text of the other; more than `most` counts as `most + 1`. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const changed = a[row - 1] === b[column - 1] ? 0 : 1;
      line.push(
        Math.min(
          (before[column] as number) + 1,
          (line[column - 1] as number) + 1,
          (before[column - 1] as number) + changed,
        ),
      );
    }
    before = line;
  }
  return Math.min(before[b.length] as number, most + 1);
}

/** At most `count` of the names that look like `name`, the nearest first. Capitals do not count. */
export function nearest(name: string, names: Iterable<string>, count = 3): string[] {
  const wanted = name.toLowerCase();
  const most = Math.max(2, Math.floor(wanted.length / 3));
  return [...names]
    .map((candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase(), most) }))
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}
