/**
 * A file of the simulated disk: what is durable, what only the page cache holds, and what a power loss may make of it.
 *
 * The model is that of docs/FORMAT.md. Of each 512-byte sector touched since the last sync the disk holds the durable
 * content, the newest, any that stood there in between, or zeros where nothing durable stood; the file has any size
 * that it had or passed through. So:
 * - bytes that were durable stay, unless they were overwritten or cut off since;
 * - sectors go each their own way, whatever the order of the writes;
 * - until a cut is synced the bytes behind it may come back, mixed with what was written over them.
 */
import { RangeLocks } from '#src/locks/range-locks.js';
import type { Chooser } from './chooser.js';

export const SECTOR_BYTES = 512;

/** How many contents of one sector are remembered between two syncs, besides the newest. */
const versionsMax = 5;

interface Sector {
  /** What the disk may hold instead of the newest content, each 512 bytes; the durable content first. */
  versions: Buffer[];
  /** Nothing durable stood here, so the disk may hold zeros. */
  mayBeZero: boolean;
  /** A failed sync marked it clean: it is not durable, and no later sync will write it. */
  forgotten: boolean;
}

/** What happened between two truncations. A truncation that was not synced may be undone with all that followed it. */
interface Era {
  readonly smallest: number;
  readonly largest: number;
  readonly sectors: ReadonlyMap<number, Sector>;
}

export class SimulatedFile {
  readonly kind = 'file';
  readonly inode: number;
  readonly locks = new RangeLocks<object>();
  readonly watchers = new Set<() => void>();

  #content: Buffer;
  #size: number;
  #durable: Buffer;
  #durableSize: number;
  /** Since the last sync: */
  #past: Era[] = [];
  #sectors = new Map<number, Sector>();
  #smallest: number;
  #largest: number;
  /** Behind this byte nothing durable has a claim to stay. */
  #claimEnd: number;

  constructor(inode: number, durable: Uint8Array = Buffer.alloc(0)) {
    this.inode = inode;
    this.#content = Buffer.from(durable);
    this.#durable = Buffer.from(durable);
    this.#size = durable.length;
    this.#durableSize = durable.length;
    this.#smallest = durable.length;
    this.#largest = durable.length;
    this.#claimEnd = durable.length;
  }

  get size(): number {
    return this.#size;
  }

  /** What a process reads. */
  get content(): Buffer {
    return this.#content.subarray(0, this.#size);
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#size);
    if (end <= position) return 0;
    buffer.set(this.#content.subarray(position, end), offset);
    return end - position;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#touch(position, end);
    this.#grow(end);
    this.#content.set(bytes, position);
  }

  truncate(size: number): void {
    if (size >= this.#size) {
      this.#grow(size);
      return;
    }
    this.#past.push({
      smallest: this.#smallest,
      largest: this.#largest,
      sectors: this.#sectorsWithNewest(),
    });
    this.#claimEnd = Math.min(this.#claimEnd, size);
    this.#touch(size, this.#size);
    this.#content.fill(0, size, this.#size);
    this.#size = size;
    this.#smallest = size;
    this.#largest = size;
  }

  sync(): void {
    this.#durable = enlarged(this.#durable, this.#size);
    for (const [number, sector] of this.#sectors) {
      const start = number * SECTOR_BYTES;
      if (sector.forgotten && start < this.#size) continue;
      const room = this.#durable.length - start;
      if (room > 0) {
        this.#durable.set(this.#sectorOf(this.#content, number).subarray(0, room), start);
      }
      this.#sectors.delete(number);
    }
    this.#durableSize = this.#size;
    this.#past = [];
    this.#smallest = this.#size;
    this.#largest = this.#size;
    this.#claimEnd = this.#size;
  }

  /** The kernel could not write and gives up: it marks everything clean, and a later sync has nothing to do. */
  failSync(): void {
    for (const sector of this.#sectors.values()) sector.forgotten = true;
  }

  /** The kernel drops what it holds clean and reads it again when asked: after a failed sync that can be other bytes. */
  evict(choose: Chooser): void {
    for (const [number, sector] of this.#sectors) {
      if (!sector.forgotten) continue;
      const start = number * SECTOR_BYTES;
      const chosen = this.#choose(number, sector, SECTOR_BYTES, choose);
      const length = Math.min(SECTOR_BYTES, this.#size - start);
      this.#content.set(chosen.subarray(0, length), start);
      this.#durable = enlarged(this.#durable, start + SECTOR_BYTES);
      this.#durable.set(chosen, start);
      this.#sectors.delete(number);
    }
  }

  /** One of the contents that a power loss can leave. */
  afterPowerLoss(choose: Chooser): Buffer {
    const now: Era = {
      smallest: this.#smallest,
      largest: this.#largest,
      sectors: this.#sectorsWithNewest(),
    };
    const eras = [...this.#past, now];
    const era = eras.length === 1 ? now : (eras[choose(eras.length)] ?? now);
    const sizes = era.largest - era.smallest + 1;
    const size = era.smallest + (sizes === 1 ? 0 : choose(sizes));
    const result = Buffer.alloc(size);
    this.#durable.copy(result, 0, 0, Math.min(size, this.#durableSize));
    const numbers = [...era.sectors.keys()].sort((a, b) => a - b);
    for (const number of numbers) {
      const start = number * SECTOR_BYTES;
      const sector = era.sectors.get(number);
      if (start >= size || !sector) continue;
      const length = Math.min(SECTOR_BYTES, size - start);
      result.set(this.#choose(number, sector, length, choose).subarray(0, length), start);
    }
    return result;
  }

  /** Of what a sector may hold, the first `length` bytes; contents that are equal so far count once. */
  #choose(number: number, sector: Sector, length: number, choose: Chooser): Buffer {
    const [durable, ...newer] = sector.versions;
    const zeros = sector.mayBeZero ? [Buffer.alloc(SECTOR_BYTES)] : [];
    const all = [...(durable ? [durable] : []), ...zeros, ...newer];
    if (this.#sectors.get(number) === sector) all.push(this.#sectorOf(this.#content, number));
    const parts = all.map((version) => version.subarray(0, length));
    const oldest = parts[0] ?? Buffer.alloc(length);
    if (parts.every((part) => part.equals(oldest))) return Buffer.concat([oldest], SECTOR_BYTES);
    // Of equal ones the last stays, so that the newest is last, and the oldest is first in any case.
    const distinct = parts.filter(
      (part, place) =>
        place === 0 ||
        place === parts.length - 1 ||
        !(part.equals(oldest) || holds(parts.slice(place + 1), part)),
    );
    return Buffer.concat([distinct[choose(distinct.length)] ?? oldest], SECTOR_BYTES);
  }

  /** To be called before the bytes from `start` to `end` change. */
  #touch(start: number, end: number): void {
    const last = Math.floor((end - 1) / SECTOR_BYTES);
    for (let number = Math.floor(start / SECTOR_BYTES); number <= last; number += 1) {
      const mayBeZero = number * SECTOR_BYTES >= this.#claimEnd;
      const sector = this.#sectors.get(number);
      if (!sector) {
        const durable = this.#sectorOf(this.#durable, number);
        this.#sectors.set(number, { versions: [durable], mayBeZero, forgotten: false });
        continue;
      }
      addVersion(sector, this.#sectorOf(this.#content, number));
      sector.mayBeZero ||= mayBeZero;
      sector.forgotten = false;
    }
  }

  #sectorsWithNewest(): Map<number, Sector> {
    const copies = new Map<number, Sector>();
    for (const [number, sector] of this.#sectors) {
      const copy = { ...sector, versions: [...sector.versions] };
      addVersion(copy, this.#sectorOf(this.#content, number));
      copies.set(number, copy);
    }
    return copies;
  }

  #sectorOf(bytes: Buffer, number: number): Buffer {
    const start = number * SECTOR_BYTES;
    return Buffer.concat([bytes.subarray(start, start + SECTOR_BYTES)], SECTOR_BYTES);
  }

  #grow(size: number): void {
    this.#content = enlarged(this.#content, size);
    this.#size = Math.max(this.#size, size);
    this.#largest = Math.max(this.#largest, this.#size);
  }
}

function holds(versions: readonly Buffer[], version: Buffer): boolean {
  return versions.some((other) => other.equals(version));
}

/** As the newest one: an equal one that stood there before gives way, the durable content stays first. */
function addVersion(sector: Sector, version: Buffer): void {
  const [durable, ...rest] = sector.versions;
  const others = rest.filter((other) => !other.equals(version));
  sector.versions = [durable ?? version, ...others.slice(-(versionsMax - 2)), version];
}

/** With zeros behind, and room for more, so that appending does not copy each time. */
function enlarged(bytes: Buffer, size: number): Buffer {
  if (bytes.length >= size) return bytes;
  const larger = Buffer.alloc(Math.max(size, bytes.length * 2, SECTOR_BYTES));
  bytes.copy(larger);
  return larger;
}
