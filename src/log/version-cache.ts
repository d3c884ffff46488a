/**
 * Versions that streams reached in the closed segments, for streams looked up before. Bounded: entries live in a young and an
 * old generation; when the young one is full it becomes the old one, and the old one goes. One Map look-up finds most.
 *
 * Invariant: whatever is set later lies in the same or a younger generation, so a stale value is never seen again.
 */
export class VersionCache {
  readonly #generationMax: number;
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }

  get(stream: string): number | undefined {
    const young = this.#young.get(stream);
    if (young !== undefined) return young;
    const old = this.#old.get(stream);
    if (old !== undefined) this.set(stream, old);
    return old;
  }

  set(stream: string, version: number): void {
    if (this.#young.size >= this.#generationMax && !this.#young.has(stream)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(stream, version);
  }
}
