/** Several sorted sequences as one, read bit by bit: memory holds one batch of each. */
import { type Io, rest } from './io.js';

/** A sequence that is sorted by key, in batches none of which is empty. */
export interface SortedSource<Item extends { readonly key: string }> {
  next(): Io<readonly Item[] | undefined>;
}

interface Head<Item> {
  readonly source: number;
  items: readonly Item[];
  at: number;
}

const BATCH_MAX = 512;
/** Sorted at once. */
const RUN_MAX = 2048;

/**
 * Keys in the order of their UTF-16 code units, sorted in short slices: all at once, a million of them would keep the thread for a second.
 * @param keys - each once; more may be added to what they come from meanwhile
 */
export function* sortedInSlices(
  keys: Iterable<string>,
): Io<SortedSource<{ readonly key: string }>> {
  const runs: string[][] = [];
  let run: string[] = [];
  for (const key of keys) {
    run.push(key);
    if (run.length < RUN_MAX) continue;
    runs.push(run.sort());
    run = [];
    yield* rest();
  }
  if (run.length > 0) runs.push(run.sort());
  return new Merged(runs.map(inBatches));
}

/** A class for the reason told at `SortedLine`. */
class Keyed {
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

function inBatches(run: readonly string[]): SortedSource<{ readonly key: string }> {
  let at = 0;
  return {
    *next() {
      const batch = run.slice(at, at + BATCH_MAX);
      at += batch.length;
      return batch.length > 0 ? batch.map((key) => new Keyed(key)) : undefined;
    },
  };
}

/** All items sorted by key; of those with the same key only that of the source handed over last. */
export class Merged<Item extends { readonly key: string }> implements SortedSource<Item> {
  readonly #sources: readonly SortedSource<Item>[];
  /** A binary heap: the smallest key first, and of equal keys the newest source. */
  #heap: Head<Item>[] | undefined;

  /** @param sources - from the oldest to the newest */
  constructor(sources: readonly SortedSource<Item>[]) {
    this.#sources = sources;
  }

  *next(): Io<Item[] | undefined> {
    const heap = this.#heap ?? (yield* this.#begin());
    const batch: Item[] = [];
    while (batch.length < BATCH_MAX && heap.length > 0) {
      const item = itemOf(heap[0] as Head<Item>);
      batch.push(item);
      while (heap.length > 0 && itemOf(heap[0] as Head<Item>).key === item.key) {
        yield* this.#step(heap);
      }
    }
    yield* rest();
    return batch.length > 0 ? batch : undefined;
  }

  *#begin(): Io<Head<Item>[]> {
    const heap: Head<Item>[] = [];
    for (let source = 0; source < this.#sources.length; source += 1) {
      const items = yield* (this.#sources[source] as SortedSource<Item>).next();
      if (items) heap.push({ source, items, at: 0 });
    }
    for (let at = (heap.length >>> 1) - 1; at >= 0; at -= 1) sink(heap, at);
    this.#heap = heap;
    return heap;
  }

  /** Goes on behind the item on top. */
  *#step(heap: Head<Item>[]): Io<void> {
    const top = heap[0] as Head<Item>;
    top.at += 1;
    if (top.at === top.items.length) {
      const items = yield* (this.#sources[top.source] as SortedSource<Item>).next();
      if (items) {
        top.items = items;
        top.at = 0;
      } else {
        const last = heap.pop() as Head<Item>;
        if (heap.length === 0) return;
        heap[0] = last === top ? (heap[0] as Head<Item>) : last;
      }
    }
    sink(heap, 0);
  }
}

function itemOf<Item>(head: Head<Item>): Item {
  return head.items[head.at] as Item;
}

function isBefore<Item extends { readonly key: string }>(a: Head<Item>, b: Head<Item>): boolean {
  const [keyA, keyB] = [itemOf(a).key, itemOf(b).key];
  return keyA === keyB ? a.source > b.source : keyA < keyB;
}

function sink<Item extends { readonly key: string }>(heap: Head<Item>[], from: number): void {
  let at = from;
  for (;;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child >= heap.length) break;
      if (isBefore(heap[child] as Head<Item>, heap[least] as Head<Item>)) least = child;
    }
    if (least === at) return;
    const moved = heap[at] as Head<Item>;
    heap[at] = heap[least] as Head<Item>;
    heap[least] = moved;
    at = least;
  }
}
