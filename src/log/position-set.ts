/** Positions as ranges: a log with little damage is a few of them, however long it is. */

export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

export class PositionSet {
  /** Ascending, apart from one another. */
  readonly #ranges: { from: number; to: number }[] = [];

  has(position: number): boolean {
    const range = this.#ranges[this.#find(position)];
    return range !== undefined && range.to >= position;
  }

  add(position: number): void {
    const index = this.#find(position);
    const before = this.#ranges[index];
    if (before && before.to >= position) return;
    const after = this.#ranges[index + 1];
    const joinsBefore = before?.to === position - 1;
    const joinsAfter = after?.from === position + 1;
    if (before && joinsBefore) {
      before.to = joinsAfter && after ? after.to : position;
      if (joinsAfter) this.#ranges.splice(index + 1, 1);
    } else if (after && joinsAfter) after.from = position;
    else this.#ranges.splice(index + 1, 0, { from: position, to: position });
  }

  /** The positions from `from` to `to` that are not in the set. */
  missing(from: number, to: number): PositionRange[] {
    const gaps: PositionRange[] = [];
    let at = from;
    for (let index = Math.max(0, this.#find(from)); at <= to; index += 1) {
      const range = this.#ranges[index];
      if (!range || range.from > to) break;
      if (range.from > at) gaps.push({ from: at, to: range.from - 1 });
      at = Math.max(at, range.to + 1);
    }
    if (at <= to) gaps.push({ from: at, to });
    return gaps;
  }

  /** Index of the last range that begins at or before the position, -1 when none does. */
  #find(position: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as PositionRange).from <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
