/**
 * Keys in the order of their UTF-16 code units. New keys wait unsorted until somebody reads: a projection whose keys nobody lists pays
 * nothing for their order. Sorted keys lie in blocks, so that a few new ones among a million do not move them all.
 */

const BLOCK_MAX = 1024;
const BLOCK_FILL = 512;
/** With more new keys than one in this many, sorting all of them again is cheaper than placing each. */
const REBUILD_SHARE = 8;

function byCodeUnits(a: string, b: string): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

/** The first place in the sorted list whose key is at or behind `key`; behind it only, when the key itself is not wanted. */
function placeOf(list: readonly string[], key: string, inclusive: boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = list[middle] as string;
    if (other < key || (!inclusive && other === key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class SortedKeys {
  /** Ascending, none empty. */
  #blocks: string[][] = [];
  #sorted = 0;
  #waiting: string[] = [];
  /** Counts changes of the blocks, so that an iteration finds its place again. */
  #changes = 0;

  get size(): number {
    return this.#sorted + this.#waiting.length;
  }

  /** Adds a key that is not among them. */
  add(key: string): void {
    this.#waiting.push(key);
  }

  /**
   * Keys that begin with `prefix` and stand behind `after`. Keys may be added meanwhile: those behind the one given last are found too,
   * and none is given twice or left out.
   */
  *range(prefix = '', after?: string): Generator<string, void, undefined> {
    let inclusive = after === undefined || after < prefix;
    let key = inclusive ? prefix : (after as string);
    let moved = true;
    while (moved) {
      moved = false;
      this.#sort();
      const changes = this.#changes;
      let at = this.#blockOf(key, inclusive);
      let index = at < this.#blocks.length ? placeOf(this.#block(at), key, inclusive) : 0;
      while (!moved && at < this.#blocks.length) {
        const block = this.#block(at);
        if (index === block.length) {
          at += 1;
          index = 0;
          continue;
        }
        key = block[index] as string;
        if (!key.startsWith(prefix)) return;
        inclusive = false;
        yield key;
        moved = this.#waiting.length > 0 || this.#changes !== changes;
        index += 1;
      }
    }
  }

  #block(at: number): string[] {
    return this.#blocks[at] as string[];
  }

  /** The first block with a key at or behind `key`. */
  #blockOf(key: string, inclusive: boolean): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = this.#block(middle).at(-1) as string;
      if (last < key || (!inclusive && last === key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting.sort(byCodeUnits);
    this.#waiting = [];
    this.#changes += 1;
    if (waiting.length * REBUILD_SHARE >= this.#sorted) this.#rebuild(waiting);
    else for (const key of waiting) this.#insert(key);
    this.#sorted += waiting.length;
  }

  #rebuild(waiting: readonly string[]): void {
    const merged = merge(this.#blocks.flat(), waiting);
    this.#blocks = [];
    for (let at = 0; at < merged.length; at += BLOCK_FILL) {
      this.#blocks.push(merged.slice(at, at + BLOCK_FILL));
    }
  }

  #insert(key: string): void {
    const at = Math.min(this.#blockOf(key, true), this.#blocks.length - 1);
    const block = this.#block(at);
    block.splice(placeOf(block, key, true), 0, key);
    if (block.length > BLOCK_MAX) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_FILL));
  }
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const merged: string[] = [];
  let inB = 0;
  for (const key of a) {
    while (inB < b.length && (b[inB] as string) < key) {
      merged.push(b[inB] as string);
      inB += 1;
    }
    merged.push(key);
  }
  while (inB < b.length) {
    merged.push(b[inB] as string);
    inB += 1;
  }
  return merged;
}
