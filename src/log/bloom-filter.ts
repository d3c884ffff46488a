/**
 * Absence filters: "certainly not here" for a name, in about ten bits each, so that a segment that lacks a stream or a key is
 * passed over without a read. The bits are stored (docs/FORMAT.md, "Index files in detail"): neither the hash nor the
 * way it picks bits may change within a format.
 */

/** Two independent 32-bit hashes of a name; taken once, good for any number of filters. */
export interface NameHash {
  readonly a: number;
  readonly b: number;
}

const BITS_PER_NAME = 10;
/** The number of bits that make the fewest errors at ten bits a name. */
const BITS_SET_PER_NAME = 7;

/** Hashes the UTF-16 code units of a name. */
export function hashName(name: string): NameHash {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    a = Math.imul(a ^ unit, 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul(b ^ unit, 0x1b873593);
    b ^= b >>> 13;
  }
  return { a: finish(a ^ name.length), b: (finish(b ^ a) | 1) >>> 0 };
}

/** Every bit of the result depends on every bit of `hash`. */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export class BloomFilter {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** An empty filter with room for so many names. */
  static forNames(count: number): BloomFilter {
    return new BloomFilter(new Uint8Array(Math.ceil((count * BITS_PER_NAME) / 8)));
  }

  /** For so many names it has room. */
  get namesMax(): number {
    return Math.floor((this.bytes.length * 8) / BITS_PER_NAME);
  }

  add(hash: NameHash): void {
    const bits = this.bytes.length * 8;
    let at = hash.a;
    for (let turn = 0; turn < BITS_SET_PER_NAME; turn += 1) {
      const bit = at % bits;
      const index = bit >>> 3;
      this.bytes[index] = (this.bytes[index] as number) | (1 << (bit & 7));
      at = (at + hash.b) >>> 0;
    }
  }

  /** False when the name was certainly not added. */
  mayHave(hash: NameHash): boolean {
    const bits = this.bytes.length * 8;
    if (bits === 0) return false;
    let at = hash.a;
    for (let turn = 0; turn < BITS_SET_PER_NAME; turn += 1) {
      const bit = at % bits;
      if (((this.bytes[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
      at = (at + hash.b) >>> 0;
    }
    return true;
  }
}
