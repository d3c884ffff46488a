/** Whether what an archive says of itself is true of the lines in it, for whoever walks them. */
import { createHash } from 'node:crypto';
import type { ArchiveBlock, ArchiveFacts } from './archive-file.js';
import type { Place } from './place.js';

export class ArchiveCheck {
  readonly #facts: ArchiveFacts;
  /** The seal that the segment's first group is chained to. */
  readonly #before: string;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #block = 1;
  #firstTime = '';
  #lastTime = '';

  constructor(facts: ArchiveFacts, before: string) {
    this.#facts = facts;
    this.#before = before;
  }

  /** The segment's bytes, in order. */
  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** A commit, by its time. */
  commit(time: string): void {
    if (this.#firstTime === '') this.#firstTime = time;
    this.#lastTime = time;
  }

  /** The end of a whole group. */
  group(end: Place): void {
    const block = this.#facts.blocks[this.#block];
    if (block?.start === end.offset && block.position === end.position + 1) this.#block += 1;
  }

  /** What the archive says that is not so; known at the end of the segment. */
  problem(end: Place, storeId: string): string | undefined {
    const facts = this.#facts;
    const [first] = facts.blocks as readonly [ArchiveBlock, ...ArchiveBlock[]];
    if (this.#hash.digest('hex') !== facts.sha256 || this.#bytes !== facts.bytes) {
      return 'the lines in the archive are not those that were put there';
    }
    const fits =
      facts.storeId === storeId &&
      facts.before === this.#before &&
      facts.seal === end.seal &&
      facts.last === end.position &&
      facts.firstTime === this.#firstTime &&
      facts.lastTime === this.#lastTime &&
      first.position === facts.first;
    if (!fits) return 'the directory of the archive does not say what its lines say';
    if (this.#block === facts.blocks.length) return undefined;
    return 'a member of the archive that does not begin where a group begins';
  }
}
