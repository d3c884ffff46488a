/** A Map bounded in bytes: what was used least recently goes first. The newest entry always stays, however large it is. */
export class ByteLru<Key, Value> {
  readonly #bytesMax: number;
  readonly #dropped: ((value: Value) => void) | undefined;
  readonly #entries = new Map<Key, { readonly value: Value; readonly bytes: number }>();
  /** Keys from the oldest on. It goes along with what is dropped: a new one would have to step over all that was dropped before. */
  #oldest: Iterator<Key, unknown>;
  #bytes = 0;

  /** @param dropped - told of every value that goes, also of one that another takes the place of */
  constructor(bytesMax: number, dropped?: (value: Value) => void) {
    this.#bytesMax = bytesMax;
    this.#dropped = dropped;
    this.#oldest = this.#entries.keys();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The value, which thereby becomes the most recently used. */
  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** The value, without counting as a use: one Map look-up. */
  peek(key: Key): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: Key, value: Value, bytes: number): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax && this.#entries.size > 1) this.#dropOldest();
  }

  #dropOldest(): void {
    let oldest = this.#oldest.next();
    if (oldest.done) {
      this.#oldest = this.#entries.keys();
      oldest = this.#oldest.next();
    }
    this.delete(oldest.value as Key);
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#dropped?.(entry.value);
  }
}
