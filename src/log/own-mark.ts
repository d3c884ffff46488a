/**
 * The mark as the holder of the lock reads and moves it.
 *
 * Invariants:
 * - a mark counts only when it was written since this boot and for this very lock file;
 * - what was written here is known without decoding it, as long as the same bytes stand there; after a write that failed nothing is.
 */
import { HOLDER_BYTES } from '../locks/holder.js';
import type { Disk } from './disk.js';
import { writeFully } from './io.js';
import { bootDigits, decodeMark, MARK_BYTES, MarkEncoder, markHolds, type Writer } from './mark.js';
import type { Place } from './place.js';

export class OwnMark {
  readonly #disk: Disk;
  readonly #lockFile: number;
  readonly #lockInode: number;
  readonly #encoder: MarkEncoder;
  readonly #bytes: Buffer = Buffer.alloc(MARK_BYTES + HOLDER_BYTES);
  /** Who took the lock last, as of the last `read`: the record behind the mark. */
  readonly holder: Buffer = this.#bytes.subarray(MARK_BYTES);
  /** Where the mark stands that was written here last; its bytes are those of the encoder. */
  #own: Place | undefined;

  /** @param lockFile - this writer's own descriptor of the lock file, opened as `lockInode` */
  constructor(disk: Disk, lockFile: number, lockInode: number, writer: Writer) {
    this.#disk = disk;
    this.#lockFile = lockFile;
    this.#lockInode = lockInode;
    this.#encoder = new MarkEncoder(writer, bootDigits(disk.bootId()), lockInode);
  }

  /** The mark, if it holds. One read brings the holder with it. */
  read(): Place | undefined {
    const bytes = this.#bytes;
    const count = this.#disk.read(this.#lockFile, bytes, 0, bytes.length, 0);
    if (count < bytes.length) bytes.fill(0, count);
    if (this.#own && bytes.compare(this.#encoder.bytes, 0, MARK_BYTES, 0, MARK_BYTES) === 0) {
      return this.#own;
    }
    const mark = decodeMark(bytes.subarray(0, MARK_BYTES));
    return mark && markHolds(mark, this.#disk, this.#lockInode) ? mark : undefined;
  }

  /** @param place - synced or, with durability `os`, written */
  write(place: Place): void {
    this.#own = undefined;
    writeFully(this.#disk, this.#lockFile, this.#encoder.encode(place), 0);
    this.#own = place;
  }

  /** Without a mark, whoever comes next proves all anew from the anchor before it writes. */
  erase(): void {
    this.#own = undefined;
    writeFully(this.#disk, this.#lockFile, Buffer.alloc(MARK_BYTES), 0);
  }
}
