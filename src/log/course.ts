/** How a long piece of work goes on: who watches it hears of it now and then, and may end it. */
import { invalidArgument } from '../errors.js';
import { monotonicMs } from './monotonic.js';
import { checkSignal } from './on-abort.js';

/** How far a piece of work has come. Of its phases each begins anew at 0. */
export interface Progress {
  readonly phase: 'copy' | 'read' | 'write' | 'verify' | 'snapshot' | 'archive';
  readonly done: number;
  /** Undefined when it is not known beforehand. */
  readonly total: number | undefined;
  /** Parts: of a snapshot, that of the log and of each projection and index. */
  readonly unit: 'bytes' | 'commits' | 'parts';
}

export interface CourseOptions {
  /** Called at most every 100 ms, and when a phase ends. What it throws ends the work. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Aborted: the work ends with the signal's reason and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

const REPORT_MS = 100;

export class Course {
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  #phase: Progress['phase'] = 'read';
  #unit: Progress['unit'] = 'bytes';
  #total: number | undefined;
  #done = 0;
  #told = monotonicMs();

  /** @throws TypeError, and the signal's reason when it was aborted before */
  constructor(options: CourseOptions) {
    const { onProgress, signal } = options;
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      throw invalidArgument('onProgress must be a function');
    }
    checkSignal(signal);
    this.#onProgress = onProgress;
    this.#signal = signal;
    this.check();
  }

  begin(phase: Progress['phase'], unit: Progress['unit'], total?: number): void {
    this.check();
    this.#phase = phase;
    this.#unit = unit;
    this.#total = total;
    this.#done = 0;
  }

  advance(amount: number): void {
    this.reach(this.#done + amount);
  }

  /** @throws the signal's reason, and whatever onProgress throws */
  reach(done: number): void {
    this.check();
    this.#done = done;
    // A source that others write to may have grown.
    if (this.#total !== undefined && done > this.#total) this.#total = done;
    if (!this.#onProgress) return;
    const now = monotonicMs();
    if (now - this.#told < REPORT_MS) return;
    this.#told = now;
    this.#tell();
  }

  /** Ends a phase. */
  end(): void {
    this.check();
    this.#told = monotonicMs();
    this.#tell();
  }

  /** @throws the signal's reason once it was aborted */
  check(): void {
    if (this.#signal?.aborted) throw this.#signal.reason;
  }

  #tell(): void {
    this.#onProgress?.(
      Object.freeze({ phase: this.#phase, done: this.#done, total: this.#total, unit: this.#unit }),
    );
  }
}
