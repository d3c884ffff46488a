/** What a projection stands on: a snapshot, or nothing, and what was noted of the events behind it. Replaced as a whole, never mended. */
import { Postings } from './postings.js';
import type { ProjectionSnapshot } from './snapshot.js';
import { SortedKeys } from './sorted-keys.js';

export class Ground {
  readonly base: ProjectionSnapshot | undefined;
  /** Where the events behind the base stand. */
  readonly postings: Postings = new Postings();
  /** Keys with an event behind the base. */
  readonly keys: SortedKeys = new SortedKeys();
  /** Keys that a listing found absent behind their last event: listings pass them over without folding them again. */
  readonly gone: Set<string> = new Set<string>();

  constructor(base?: ProjectionSnapshot) {
    this.base = base;
  }

  /** Position of the base, 0 without one. */
  get position(): number {
    return this.base?.position ?? 0;
  }

  /** Notes the key's next event. */
  add(key: string, position: number, segment: number, offset: number, index: number): void {
    if (this.postings.add(key, position, segment, offset, index)) this.keys.add(key);
    if (this.gone.size > 0) this.gone.delete(key);
  }
}
