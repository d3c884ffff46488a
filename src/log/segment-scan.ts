/** Builds the index of a closed segment from its lines. Several readers may drive one scan: each feeds what is next. */
import { checksumHolds, lineKind } from './decode.js';
import { LF } from './format.js';
import type { ClosingFacts } from './index-encode.js';
import { TailIndex } from './segment-index.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

export class SegmentScan {
  readonly index: TailIndex;
  /** Why it stopped for good. */
  failure: Error | undefined;
  /** True once nothing was found behind the closing line. */
  done = false;
  readonly #first: number;
  readonly #storeId: string;
  #walker: SegmentWalker | undefined;
  #offset = 0;

  constructor(first: number, storeId: string) {
    this.#first = first;
    this.#storeId = storeId;
    this.index = new TailIndex(first);
  }

  /** Where the next bytes to be fed stand. */
  get offset(): number {
    return this.#offset;
  }

  get closed(): boolean {
    return this.#walker?.closed ?? false;
  }

  /** The position that the next commit must have. */
  get position(): number {
    return this.index.last + 1;
  }

  /** Known once the scan is closed. */
  get closing(): ClosingFacts {
    return { seal: this.#walker?.place.seal ?? '', bytes: this.#offset };
  }

  /**
   * Takes whole lines that stand at `offset`: `buffer[0, end)`.
   * @throws SegmentProblem
   */
  feed(buffer: Buffer, end: number): void {
    this.#walker ??= this.#walkerFrom(buffer);
    this.#walker.feed(buffer, 0, end, this.#offset);
    this.#offset += end;
  }

  #walkerFrom(buffer: Buffer): SegmentWalker {
    const end = buffer.indexOf(LF) + 1;
    if (lineKind(buffer, 0) !== 'segment' || !checksumHolds(buffer, 0, end)) {
      throw new SegmentProblem(0, this.#first, 'no segment header');
    }
    // The walker compares the header with what it must be; the seal before it is all that cannot be known here.
    const { seal } = JSON.parse(buffer.toString('utf8', 0, end)) as { seal: string };
    const place = { segment: this.#first, offset: 0, position: this.#first - 1, seal };
    return new SegmentWalker(
      { place, time: '', storeId: this.#storeId },
      {
        group: (commits) => {
          for (const { head, offset } of commits) this.index.addHead(head, offset);
        },
      },
    );
  }
}
