/** How an import goes on, told now and then. */
import { monotonicMs } from '../log/monotonic.js';
import type { ImportSettings, MemoryImportProgress } from './options.js';

const REPORT_MS = 100;

export class Progress {
  readonly #settings: ImportSettings;
  readonly #totalBytes: number | undefined;
  #totalItems: number | undefined;
  #phase: MemoryImportProgress['phase'] = 'check';
  #items = 0;
  #bytes = 0;
  #begun = monotonicMs();
  #told = this.#begun;

  constructor(settings: ImportSettings, totalBytes: number | undefined) {
    this.#settings = settings;
    this.#totalBytes = totalBytes;
  }

  begin(phase: MemoryImportProgress['phase'], totalItems?: number): void {
    this.#phase = phase;
    this.#totalItems = totalItems;
    this.#items = 0;
    this.#bytes = 0;
    this.#begun = monotonicMs();
  }

  /** @throws the signal's reason, and whatever onProgress throws */
  reach(items: number, bytes: number): void {
    this.#settings.signal?.throwIfAborted();
    this.#items = items;
    this.#bytes = Math.max(bytes, this.#bytes);
    if (!this.#settings.onProgress) return;
    const now = monotonicMs();
    if (now - this.#told < REPORT_MS) return;
    this.#told = now;
    this.#tell(now);
  }

  /** Ends a phase. */
  end(): void {
    this.#settings.signal?.throwIfAborted();
    this.#tell(monotonicMs());
  }

  #tell(now: number): void {
    const seconds = Math.max(now - this.#begun, 1) / 1000;
    this.#settings.onProgress?.(
      Object.freeze({
        phase: this.#phase,
        items: this.#items,
        totalItems: this.#totalItems,
        bytes: this.#bytes,
        totalBytes: this.#totalBytes,
        itemsPerSecond: Math.round(this.#items / seconds),
      }),
    );
  }
}
