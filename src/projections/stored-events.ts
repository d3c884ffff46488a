/** Events by their places: those that routing decoded, while they are kept, and the others from the log. */
import { ByteLru } from '../log/byte-lru.js';
import type { Io } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import type { EventPlace, LogSource } from './ports.js';

type Commit = readonly RecordedEvent[];

/** Commits by position. */
export type Fetched = ReadonlyMap<number, Commit>;

/** Beside what an event carries: its own members and the strings they refer to. */
const EVENT_BYTES = 512;
/** Commits further behind the head than this are not kept while routing catches up: they would be pushed out before anybody reads them. */
const KEPT_COMMITS = 8192;

export class StoredEvents {
  readonly #log: Pick<LogSource, 'position' | 'commitAt' | 'commitNow' | 'commitsAt'>;
  readonly #bytesOf: (value: unknown) => number;
  readonly #decoded: ByteLru<number, Commit>;

  /** @param decodedBytes - how much of what routing decoded is kept for folding */
  constructor(
    log: Pick<LogSource, 'position' | 'commitAt' | 'commitNow' | 'commitsAt'>,
    bytesOf: (value: unknown) => number,
    decodedBytes: number,
  ) {
    this.#log = log;
    this.#bytesOf = bytesOf;
    this.#decoded = new ByteLru(decodedBytes);
  }

  /** Keeps a commit that was decoded; the oldest go when there is no room. */
  keep(position: number, events: Commit): void {
    if (position < this.#log.position - KEPT_COMMITS || this.#decoded.peek(position)) return;
    let bytes = 0;
    for (const { data, metadata } of events) {
      bytes += EVENT_BYTES + this.#bytesOf(data);
      if (metadata !== undefined) bytes += this.#bytesOf(metadata);
    }
    this.#decoded.set(position, events, bytes);
  }

  /** The commits that these places are in, or `undefined` when one of them must be read. */
  fetchNow(places: readonly EventPlace[]): Fetched | undefined {
    const fetched = new Map<number, Commit>();
    for (const { position, segment, offset } of places) {
      const commit =
        fetched.get(position) ??
        this.#decoded.peek(position) ??
        this.#log.commitNow?.(segment, offset);
      if (!commit) return undefined;
      fetched.set(position, commit);
    }
    return fetched;
  }

  /** The commits that these places are in, which need not be in order. @throws StoreDamagedError */
  *fetch(places: readonly EventPlace[]): Io<Fetched> {
    const fetched = new Map<number, Commit>();
    const missing = new Map<number, EventPlace>();
    for (const place of places) {
      const commit = this.#decoded.peek(place.position);
      if (commit) fetched.set(place.position, commit);
      else missing.set(place.position, place);
    }
    const sorted = [...missing.values()].sort((a, b) => a.position - b.position);
    for (let at = 0; at < sorted.length; ) {
      const { segment } = sorted[at] as EventPlace;
      let end = at + 1;
      while (end < sorted.length && sorted[end]?.segment === segment) end += 1;
      const run = sorted.slice(at, end);
      const commits = yield* this.#read(
        segment,
        run.map(({ offset }) => offset),
      );
      for (const [index, { position }] of run.entries()) {
        fetched.set(position, commits[index] as Commit);
      }
      at = end;
    }
    return fetched;
  }

  *#read(segment: number, offsets: readonly number[]): Io<readonly Commit[]> {
    const [only] = offsets;
    if (this.#log.commitsAt && offsets.length > 1) {
      return yield* this.#log.commitsAt(segment, offsets);
    }
    if (offsets.length === 1) return [yield* this.#log.commitAt(segment, only as number)];
    const commits: Commit[] = [];
    for (const offset of offsets) commits.push(yield* this.#log.commitAt(segment, offset));
    return commits;
  }
}

/** The event at that place among what was fetched. */
export function eventAt(fetched: Fetched, { position, index }: EventPlace): RecordedEvent {
  const event = fetched.get(position)?.[index];
  if (event?.position !== position || event.index !== index) {
    throw new Error(`the log gave another commit than that at position ${position}`);
  }
  return event;
}
