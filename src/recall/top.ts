/** The best of many, without sorting all of them. */

/** Whether one is better than another: below 0 when it is. Never 0 for two different ones. */
export type Better<T> = (one: T, other: T) => number;

/** Keeps so many. A heap with the worst of them in front. */
export class Top<T> {
  readonly #most: number;
  readonly #better: Better<T>;
  readonly #heap: T[] = [];

  constructor(most: number, better: Better<T>) {
    this.#most = most;
    this.#better = better;
  }

  /** Whether it would be kept. */
  takes(item: T): boolean {
    if (this.#heap.length < this.#most) return true;
    const worst = this.#heap[0];
    return worst !== undefined && this.#better(item, worst) < 0;
  }

  add(item: T): void {
    if (!this.takes(item)) return;
    const heap = this.#heap;
    if (heap.length < this.#most) {
      heap.push(item);
      this.#rise(heap.length - 1);
    } else {
      heap[0] = item;
      this.#sink();
    }
  }

  /** The best first. */
  sorted(): T[] {
    return this.#heap.toSorted(this.#better);
  }

  /** In no order. */
  all(): readonly T[] {
    return this.#heap;
  }

  #rise(start: number): void {
    const heap = this.#heap;
    for (let at = start; at > 0; ) {
      const above = (at - 1) >> 1;
      if (this.#better(heap[at] as T, heap[above] as T) < 0) return;
      [heap[at], heap[above]] = [heap[above] as T, heap[at] as T];
      at = above;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const worse =
        right < heap.length && this.#better(heap[left] as T, heap[right] as T) < 0 ? right : left;
      if (this.#better(heap[worse] as T, heap[at] as T) < 0) return;
      [heap[at], heap[worse]] = [heap[worse] as T, heap[at] as T];
      at = worse;
    }
  }
}
