/** Events by their places: those that routing decoded, while they are kept, and the others from the log. */
import { ByteLru } from '../log/byte-lru.js';
import { type Io, rest } from '../log/io.js';
import type { RecordedEvent } from '../log/types.js';
import type { EventPlace, LogSource } from './ports.js';

type Commit = readonly RecordedEvent[];

/** By position: the events that were asked for, by their place in their commit; of others that commit may have as many as it likes. */
export type Fetched = ReadonlyMap<number, Readonly<Record<number, RecordedEvent>>>;

/** Beside what an event carries: its own members and the strings they refer to. */
const EVENT_BYTES = 512;
/** Commits further behind the head than this are not kept while routing catches up: they would be pushed out before anybody reads them. */
const KEPT_COMMITS = 8192;
/** Read and decoded before the next are; one commit at least. */
const READ_BYTES = 256 * 1024;
/** What events fetched at once should take in all, and how many there may be whatever they take. */
const FETCH_BYTES = 16 * 1024 * 1024;
const FETCH_MAX = 16_384;
/** While nothing is known of their size. */
const FETCH_FIRST = 16;
/** So many events tell how large others are. */
const SAMPLED = 1024;

export class StoredEvents {
  readonly #log: Pick<LogSource, 'position' | 'commitAt' | 'commitNow' | 'commitsAt'>;
  readonly #bytesOf: (value: unknown) => number;
  readonly #decoded: ByteLru<number, Commit>;
  /** Of events that were fetched lately, so that it is known how many can be fetched at once. */
  #sampled = 0;
  #sampledBytes = 0;

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
    for (const event of events) bytes += this.#sizeOf(event);
    this.#decoded.set(position, events, bytes);
  }

  #sizeOf({ data, metadata }: RecordedEvent): number {
    const bytes = EVENT_BYTES + this.#bytesOf(data);
    return metadata === undefined ? bytes : bytes + this.#bytesOf(metadata);
  }

  /** How many events may be fetched at once, so that they stay within what one fetch should take. */
  get countMax(): number {
    if (this.#sampled === 0) return FETCH_FIRST;
    const count = Math.floor((FETCH_BYTES * this.#sampled) / this.#sampledBytes);
    return Math.max(1, Math.min(FETCH_MAX, count));
  }

  #sample(event: RecordedEvent): void {
    if (this.#sampled >= SAMPLED) {
      this.#sampled /= 2;
      this.#sampledBytes /= 2;
    }
    this.#sampled += 1;
    this.#sampledBytes += this.#sizeOf(event);
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

  /**
   * The events at these places, which need not be in order. Each commit is decoded once, and of its events only those that were asked for are held on to:
   * a thousand others may stand beside one. @throws StoreDamagedError
   */
  *fetch(places: readonly EventPlace[]): Io<Fetched> {
    const fetched = new Map<number, Record<number, RecordedEvent>>();
    const missing = new Map<number, EventPlace[]>();
    for (const place of places) {
      const commit = this.#decoded.peek(place.position);
      const others = missing.get(place.position);
      if (commit) fetched.set(place.position, commit as Commit & Record<number, RecordedEvent>);
      else if (others) others.push(place);
      else missing.set(place.position, [place]);
    }
    const sorted = [...missing.values()].sort((a, b) => placeOf(a).position - placeOf(b).position);
    for (let at = 0; at < sorted.length; ) {
      const first = placeOf(sorted[at] as EventPlace[]);
      const end = endOfRun(sorted, at);
      const run = sorted.slice(at, end);
      const commits = yield* this.#read(
        first.segment,
        run.map((wanted) => placeOf(wanted).offset),
      );
      for (const [index, wanted] of run.entries()) {
        const { position } = placeOf(wanted);
        fetched.set(position, this.#held(commits[index] as Commit, wanted));
      }
      at = end;
      yield* rest();
    }
    return fetched;
  }

  #held(commit: Commit, wanted: readonly EventPlace[]): Record<number, RecordedEvent> {
    const held: Record<number, RecordedEvent> = {};
    for (const { index } of wanted) {
      const event = commit[index];
      if (!event) continue;
      held[index] = event;
    }
    const [first] = Object.values(held);
    if (first) this.#sample(first);
    return held;
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

function placeOf(wanted: readonly EventPlace[]): EventPlace {
  return wanted[0] as EventPlace;
}

/** Behind those from `at` on that are read together. */
function endOfRun(sorted: readonly EventPlace[][], at: number): number {
  const { segment, offset } = placeOf(sorted[at] as EventPlace[]);
  let end = at + 1;
  for (; end < sorted.length; end += 1) {
    const next = placeOf(sorted[end] as EventPlace[]);
    if (next.segment !== segment || next.offset - offset > READ_BYTES) break;
  }
  return end;
}

/** The event at that place among what was fetched. */
export function eventAt(fetched: Fetched, { position, index }: EventPlace): RecordedEvent {
  const event = fetched.get(position)?.[index];
  if (event?.position !== position || event.index !== index) {
    throw new Error(`the log gave another commit than that at position ${position}`);
  }
  return event;
}
