/** How long something took, as a histogram with buckets that grow with the time: adding one costs a few nanoseconds. */

/** Of what was measured so far; all 0 when nothing was. */
export interface Durations {
  readonly count: number;
  readonly minMs: number;
  readonly meanMs: number;
  /** At most an eighth above the true value, as `p99Ms`. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A bucket is an eighth of its power of two wide. */
const PARTS = 8;
const PARTS_BITS = 3;
/** The first eight buckets are this wide each. */
const UNIT_MS = 2 ** -13;
/** Integers can be shifted up to here. What is longer is counted in units of 2^16 units, and what is longer than about 200 days as that. */
const UNITS_MAX = 2 ** 31 - 1;
const COARSE_DOUBLINGS = 16;
const BUCKETS = (31 + COARSE_DOUBLINGS - PARTS_BITS + 1) * PARTS;

export class DurationHistogram {
  readonly #buckets = new Uint32Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  add(milliseconds: number): void {
    this.#count += 1;
    this.#sum += milliseconds;
    if (milliseconds < this.#min) this.#min = milliseconds;
    if (milliseconds > this.#max) this.#max = milliseconds;
    const bucket = bucketOf(milliseconds);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
  }

  get durations(): Durations {
    const none = this.#count === 0;
    return Object.freeze({
      count: this.#count,
      minMs: none ? 0 : this.#min,
      meanMs: none ? 0 : this.#sum / this.#count,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      maxMs: this.#max,
    });
  }

  /** The upper end of the bucket in which the quantile lies, and no more than was measured. */
  #quantile(share: number): number {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      left -= this.#buckets[bucket] as number;
      if (left <= 0) return Math.max(this.#min, Math.min(this.#max, endOf(bucket)));
    }
    return this.#max;
  }
}

function bucketOf(milliseconds: number): number {
  let units = Math.max(0, Math.floor(milliseconds / UNIT_MS));
  if (units < PARTS) return units;
  let coarse = 0;
  if (units > UNITS_MAX) {
    units = Math.min(UNITS_MAX, Math.floor(units / 2 ** COARSE_DOUBLINGS));
    coarse = COARSE_DOUBLINGS;
  }
  const doublings = 31 - Math.clz32(units) - PARTS_BITS;
  return (doublings + coarse + 1) * PARTS + (units >>> doublings) - PARTS;
}

function endOf(bucket: number): number {
  if (bucket < PARTS) return (bucket + 1) * UNIT_MS;
  const doublings = Math.floor(bucket / PARTS) - 1;
  return ((bucket % PARTS) + PARTS + 1) * 2 ** doublings * UNIT_MS;
}
