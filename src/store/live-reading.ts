/** Reading that does not end, batch by batch: history, page by page, then what is appended, here and by other processes. */
import { PositionAheadError } from '../errors.js';
import { type EventWork, nextBatch } from '../log/event-sequence.js';
import type { Beginning } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import type { Io } from '../log/io.js';
import type { ReadAllOptions, RecordedEvent } from '../log/types.js';

/** Positions that are read as one: what of them was for nobody is passed over behind each page. */
export const PAGE_POSITIONS = 10_000;
/** Without a wait for the disk other work of the program gets its turn after so long, ms. */
const TURN_MS = 10;

/** @throws PositionAheadError for a place that nothing stands at yet, but for the next one */
export function* checkBeginning(log: LogInternals, { position, index }: Beginning): Io<void> {
  yield* log.look();
  // Behind the last event there may be nothing yet; an event itself must stand.
  if (position <= log.position + (index === 0 ? 1 : 0)) return;
  throw new PositionAheadError(position, log.position);
}

export class LiveReading {
  readonly #log: LogInternals;
  readonly #filter: Pick<ReadAllOptions, 'types' | 'streams'>;
  readonly #begin: Beginning;
  /** Where the next page begins. */
  #next: number;
  #page: { readonly work: EventWork; readonly to: number } | undefined;
  #turnAt = 0;
  /** True while there is nothing to read. */
  isWaiting = false;

  constructor(
    log: LogInternals,
    filter: Pick<ReadAllOptions, 'types' | 'streams'>,
    begin: Beginning,
  ) {
    this.#log = log;
    this.#filter = filter;
    this.#begin = begin;
    this.#next = begin.position;
  }

  /** Everything before this position was read. */
  get next(): number {
    return this.#next;
  }

  /**
   * The next events, in the order of the log. None behind each page, and none after a wait: then ask again.
   * @param signal - ends a wait
   * @throws StoreDamagedError, HistoryPrunedError, StoreMovedError, StoreClosedError
   */
  async read(signal: AbortSignal): Promise<readonly RecordedEvent[]> {
    if (!this.#page && !(await this.#turnPage(signal))) return [];
    if (!this.#log.disk.promises) await this.#giveTurn();
    const { work, to } = this.#page as { work: EventWork; to: number };
    const batch = await this.#log.run(nextBatch(work));
    if (batch) return this.#fromBeginning(batch);
    this.#page = undefined;
    this.#next = to + 1;
    return [];
  }

  /** False when there is none. */
  async #turnPage(signal: AbortSignal): Promise<boolean> {
    const log = this.#log;
    const from = this.#next;
    if (from > log.position) await log.run(log.look());
    if (from > log.position) {
      await this.#wait(signal);
      return false;
    }
    const to = Math.min(log.position, from + PAGE_POSITIONS - 1);
    this.#page = { work: log.readingAll({ ...this.#filter, from, to })(), to };
    return true;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const log = this.#log;
    // It would never go on.
    if (log.damage) throw log.damage;
    const changed = log.changed(signal);
    // What came between the last look and now gave its sign already.
    await log.run(log.look());
    if (this.#next <= log.position) return;
    this.isWaiting = true;
    try {
      await changed;
    } finally {
      this.isWaiting = false;
    }
  }

  #fromBeginning(batch: readonly RecordedEvent[]): readonly RecordedEvent[] {
    const { position, index } = this.#begin;
    if (index === 0 || (batch[0]?.position ?? 0) > position) return batch;
    return batch.filter((event) => event.position > position || event.index >= index);
  }

  /** Where no read waits for a disk. */
  async #giveTurn(): Promise<void> {
    if (performance.now() < this.#turnAt) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnAt = performance.now() + TURN_MS;
  }
}
