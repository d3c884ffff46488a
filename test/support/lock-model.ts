/** A lock of readers and writers as its documentation tells it: slow, plain, with everybody in one list. */

export interface Asking {
  readonly name: string;
  readonly mode: 'read' | 'write';
  readonly critical: boolean;
}

export class LockModel {
  holders: Asking[] = [];
  /** In the order of their coming. */
  waiters: Asking[] = [];
  /** Everybody who got the lock, in that order. */
  readonly got: string[] = [];
  #criticalInARow = 0;

  ask(asking: Asking): void {
    this.waiters.push(asking);
    this.#handOut();
  }

  /** Gives up, or gives back. */
  leave(name: string): void {
    this.holders = this.holders.filter((holder) => holder.name !== name);
    this.waiters = this.waiters.filter((waiter) => waiter.name !== name);
    this.#handOut();
  }

  holds(name: string): boolean {
    return this.holders.some((holder) => holder.name === name);
  }

  waits(name: string): boolean {
    return this.waiters.some((waiter) => waiter.name === name);
  }

  /** Who must be gone, one way or another, before the waiter can have the lock. */
  blockersOf(waiter: Asking): Asking[] {
    const conflicting = this.holders.filter(
      (holder) => holder.mode === 'write' || waiter.mode === 'write',
    );
    if (conflicting.length > 0) return conflicting;
    const first = this.#first();
    return first === undefined || first === waiter ? [] : [first];
  }

  #first(): Asking | undefined {
    const critical = this.waiters.find((waiter) => waiter.critical);
    const normal = this.waiters.find((waiter) => !waiter.critical);
    if (critical === undefined || normal === undefined) return critical ?? normal;
    return this.#criticalInARow < 8 ? critical : normal;
  }

  #handOut(): void {
    for (;;) {
      const first = this.#first();
      if (first === undefined) return;
      const isFree = this.holders.length === 0;
      const onlyReaders = this.holders.every((holder) => holder.mode === 'read');
      if (!isFree && !(first.mode === 'read' && onlyReaders)) return;
      this.waiters = this.waiters.filter((waiter) => waiter !== first);
      this.holders.push(first);
      this.got.push(first.name);
      const normalWaits = this.waiters.some((waiter) => !waiter.critical);
      this.#criticalInARow = first.critical && normalWaits ? this.#criticalInARow + 1 : 0;
    }
  }
}

/** Every simple circle of a graph, each as its nodes; nothing cleverer than trying all ways. */
export function allCycles<Node>(
  nodes: readonly Node[],
  next: (node: Node) => readonly Node[],
): Node[][] {
  const found: Node[][] = [];
  const walk = (start: Node, path: Node[]): void => {
    for (const node of next(path.at(-1) as Node)) {
      if (node === start) found.push([...path]);
      else if (!path.includes(node)) walk(start, [...path, node]);
    }
  };
  for (const node of nodes) walk(node, [node]);
  return found;
}
