/** The memory that groups are encoded into, which the writer thread sees too. What has the usual size is used again; a commit that needs more gets its own. */
import { SEAL_LINE_ROOM } from './encode.js';
import { groupBytesMax } from './limits.js';
import { WriterThread } from './thread.js';

export class GroupBuffers {
  readonly #usualBytes: number;
  readonly #free: Buffer[] = [];
  readonly #release: (buffer: Buffer) => void;

  /**
   * @param queueBytes - no group takes more than may wait at all
   * @param release - told of each buffer that is not used again
   */
  constructor(queueBytes: number, release: (buffer: Buffer) => void) {
    this.#usualBytes = Math.min(groupBytesMax, queueBytes) + SEAL_LINE_ROOM;
    this.#release = release;
  }

  /** A buffer with room for so many bytes of lines, and for the seal behind them. */
  take(lineBytes: number): Buffer {
    const need = lineBytes + SEAL_LINE_ROOM;
    if (need > this.#usualBytes) return WriterThread.buffer(need);
    return this.#free.pop() ?? WriterThread.buffer(this.#usualBytes);
  }

  /** Nobody reads or writes it any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === this.#usualBytes) this.#free.push(buffer);
    else this.#release(buffer);
  }
}
