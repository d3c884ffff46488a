/**
 * Brings the projections and indexes of one open store to where the log is. What is near the head is brought on by whoever reads; what has a
 * long way to go is built in the background, in slices.
 *
 * Invariants:
 * - each commit is routed to each runtime once, in order, whoever drives the feed;
 * - nothing is routed in the turn of an append;
 * - a ready runtime stays ready;
 * - what stops one track stops no other, and is told to the readers of its members.
 */
import { HistoryPrunedError, IndexFailedError } from '../errors.js';
import { type Io, rest, runSync } from '../log/io.js';
import { monotonicMs } from '../log/monotonic.js';
import { NEEDS_IO } from './key-reader.js';
import type { LogSource, ReadErrors, Runtime } from './ports.js';
import type { ProjectionRuntime } from './projection.js';
import { type Relief, Relieving } from './relief.js';
import { Slices } from './slices.js';
import type { Track } from './track.js';
import { Tracks } from './tracks.js';

export interface EngineOptions {
  /** So many commits are brought up by the first read, sync or async, without a word. Default 20 000. */
  readonly smallCommits?: number | undefined;
  /** With more waiting than this the background takes over, once appending rests. Default 10 000. */
  readonly backlogCommits?: number | undefined;
  /** With more waiting than this it does not wait for a rest. A read meanwhile may find as many to bring up. Default 100 000. */
  readonly burstCommits?: number | undefined;
  /** Work between two returns to the event loop, ms. Default 5. */
  readonly sliceMs?: number | undefined;
  /** A projection that keeps the places of more events than this in memory is to be relieved of them. Default 200 000. */
  readonly notedMax?: number | undefined;
  /** Milliseconds that never go back. */
  readonly clock?: (() => number) | undefined;
}

/** Built between two looks at what is kept in memory. */
const BUILT_COMMITS = 65_536;

export class Engine {
  readonly #log: LogSource;
  readonly #errors: ReadErrors;
  readonly #tracks: Tracks;
  readonly #relieving: Relieving;
  readonly #slices: Slices;

  constructor(log: LogSource, errors: ReadErrors, options: EngineOptions = {}) {
    this.#log = log;
    this.#errors = errors;
    this.#tracks = new Tracks(log, options.smallCommits ?? 20_000);
    this.#relieving = new Relieving(options.notedMax ?? 200_000, () => this.checkOpen());
    this.#slices = new Slices(log, this.#tracks, this.#relieving, {
      backlogCommits: options.backlogCommits ?? 10_000,
      burstCommits: options.burstCommits ?? 100_000,
      sliceMs: options.sliceMs ?? 5,
      clock: options.clock ?? monotonicMs,
    });
  }

  /** Where snapshots can be made: how. */
  relieveBy(relief: Relief): void {
    this.#relieving.by(relief);
  }

  /** Takes a runtime in, and begins to load it, or to build it when it has a long way to go. */
  add(runtime: Runtime): void {
    this.checkOpen();
    this.#tracks.add(runtime);
    this.#slices.wake();
  }

  /** Loads what was saved of a runtime, if that was not done yet. @throws StoreClosedError, IndexFailedError, and what reading it throws */
  *load(runtime: Runtime): Io<void> {
    this.checkOpen();
    const track = this.#tracks.of(runtime);
    if (!track.unloaded) return;
    // What the background did goes on, unless it waits for the disk right now.
    const begun = track.isLoading ? undefined : track.loading;
    track.loading = undefined;
    yield* begun ?? runtime.load?.() ?? rest();
    this.checkOpen();
    this.#tracks.split(track);
    this.#slices.wake();
  }

  /** {@link Tracks.jump}, and what it has left to do is begun. */
  *#jump(track: Track, error: unknown): Io<boolean> {
    const jumped = yield* this.#tracks.jump(track, error);
    if (jumped) this.#slices.wake();
    return jumped;
  }

  /**
   * The state as of the durable head that this process knows, or `NEEDS_IO`. When it was read before and nothing has changed since, this is
   * one comparison and one look-up.
   * @throws ProjectionFailedError, StoreClosedError
   */
  getNow(runtime: ProjectionRuntime, key: string): unknown {
    const hot = this.#hot(runtime, key);
    return hot === undefined ? this.#catchUpAndGet(runtime, key, 'advanceNow') : hot;
  }

  /** {@link Engine.getNow} for who can wait: also `NEEDS_IO` when so much is to be brought up that others must have their turn meanwhile. */
  getSoon(runtime: ProjectionRuntime, key: string): unknown {
    const hot = this.#hot(runtime, key);
    return hot === undefined ? this.#catchUpAndGet(runtime, key, 'advancePortion') : hot;
  }

  #hot(runtime: ProjectionRuntime, key: string): unknown {
    return runtime.position === this.#log.position ? runtime.hot.get(key) : undefined;
  }

  #catchUpAndGet(
    runtime: ProjectionRuntime,
    key: string,
    way: 'advanceNow' | 'advancePortion',
  ): unknown {
    this.checkOpen();
    if (runtime.position !== this.#log.position) {
      const track = this.#tracks.of(runtime);
      if (!track.ready || !track[way]()) return NEEDS_IO;
    }
    return runtime.stateNow(key);
  }

  /**
   * Brings all that is ready to the durable head that this process knows.
   *
   * @param reader - what is to be read: what stops others, now or before, is left to their readers. Without it the first of what stopped any is
   * thrown when the others are there, unless the history that it needs is gone for good: that is told to whoever reads it
   * @throws StoreClosedError, StoreDamagedError, HistoryPrunedError
   */
  *catchUp(reader?: Runtime): Io<void> {
    this.checkOpen();
    const { position } = this.#log;
    const stopped = new Map<Track, unknown>();
    const isWanted = (track: Track) =>
      !reader || track.problem === undefined || track === this.#tracks.of(reader);
    const isBehind = (track: Track) =>
      track.ready && track.position < position && !stopped.has(track) && isWanted(track);
    const next = () => this.#tracks.all.find(isBehind);
    for (let track = next(); track; track = next()) {
      try {
        yield* track.advance(undefined, reader ? 'relieve' : 'settle');
        track.problem = undefined;
      } catch (error) {
        this.checkOpen();
        if (yield* this.#jump(track, error)) continue;
        track.stop(error);
        if (reader && track === this.#tracks.of(reader)) throw error;
        stopped.set(track, error);
      }
      this.checkOpen();
      if (!stopped.has(track)) this.#slices.drainIfHeavy(track);
    }
    this.#tracks.merge();
    if (!reader) throwFirst(stopped.values());
  }

  /** The same without I/O, a portion at most: true when what is to be read is there. @throws StoreClosedError */
  catchUpNow(reader?: Runtime): boolean {
    this.checkOpen();
    let all = true;
    let isThere = true;
    for (const track of this.#tracks.all) {
      if (!track.ready || track.advancePortion()) continue;
      all = false;
      if (!reader || track === this.#tracks.of(reader)) isThere = false;
    }
    if (all) this.#tracks.merge();
    return isThere;
  }

  isReady(runtime: Runtime): boolean {
    return this.#tracks.of(runtime).ready;
  }

  /** Whether it can be read, or could if it were loaded, as far as is known. */
  isAlmostReady(runtime: Runtime): boolean {
    const { ready, unloaded, position } = this.#tracks.of(runtime);
    return ready || (unloaded !== undefined && this.#tracks.isNear(position));
  }

  /** From 0 to 1: how much of its way it has come; 1 when it can be read. */
  progress(runtime: Runtime): number {
    const { ready, start, position } = this.#tracks.of(runtime);
    if (ready) return 1;
    return Math.min(1, (position - start) / Math.max(1, this.#log.position - start));
  }

  /** For synchronous readers. @throws ProjectionNotReadyError, HistoryPrunedError when it never will be, StoreClosedError */
  requireReady(runtime: Runtime): void {
    this.checkOpen();
    const { ready, problem } = this.#tracks.of(runtime);
    if (ready) return;
    if (isLeftToReaders(problem)) throw problem;
    throw this.#errors.notReady(runtime.name, this.progress(runtime));
  }

  /**
   * For asynchronous readers: `undefined` when they need not wait.
   * @throws StoreClosedError; the promise also what stopped the building, such as StoreDamagedError
   */
  whenReady(runtime: Runtime): Promise<void> | undefined {
    this.checkOpen();
    const track = this.#tracks.of(runtime);
    if (track.ready) return undefined;
    const arrival = track.wait(runtime);
    track.problem = undefined;
    this.#slices.wake();
    return arrival;
  }

  /**
   * Brings a runtime to a position that the log has reached, if it is not there yet, in portions of so many commits.
   * @throws StoreClosedError, StoreDamagedError
   */
  *advanceTo(runtime: Runtime, position: number, portion: number): Io<void> {
    yield* this.load(runtime);
    while (runtime.position < position) {
      this.checkOpen();
      const track = this.#tracks.of(runtime);
      try {
        yield* track.advance(Math.min(position, runtime.position + portion));
      } catch (error) {
        if (!(yield* this.#jump(track, error))) throw error;
      }
      yield* rest();
    }
  }

  /**
   * Builds all that is not ready, and brings all to the head. What cannot be built because history is gone is left to its readers.
   * @throws StoreClosedError, StoreDamagedError
   */
  *build(): Io<void> {
    this.checkOpen();
    const stopped = new Map<Track, unknown>();
    const isToBuild = (track: Track) => (!track.ready || track.lag > 0) && !stopped.has(track);
    const next = () => this.#tracks.all.find(isToBuild);
    for (let track = next(); track; track = next()) {
      const to = Math.min(this.#log.position, track.position + BUILT_COMMITS);
      try {
        if (track.unloaded) {
          yield* this.load(track.unloaded);
          continue;
        }
        yield* track.advance(to);
        yield* this.#relieving.relieve(track.members);
      } catch (error) {
        this.checkOpen();
        if (yield* this.#jump(track, error)) continue;
        track.stop(error);
        stopped.set(track, error);
        continue;
      }
      this.checkOpen();
      if (track.lag === 0) track.arrive();
    }
    this.#tracks.merge();
    throwFirst(stopped.values());
  }

  /** {@link Engine.build}, at once. */
  buildSync(): void {
    runSync(this.#log.disk, this.build());
  }

  /** The head moved. Costs a look at the clock; what is to be done is done in a later turn. */
  onAdvance(): void {
    this.#slices.onAdvance();
  }

  /** Stops the background; who waits gets StoreClosedError. Calling it again does nothing. */
  close(): void {
    this.#slices.close();
    this.#tracks.close();
  }

  /** @throws StoreClosedError */
  checkOpen(): void {
    this.#tracks.checkOpen();
  }
}

/** What cannot be read, whatever is done: whoever needs it is told when it is read. */
export function isLeftToReaders(
  problem: unknown,
): problem is HistoryPrunedError | IndexFailedError {
  return problem instanceof HistoryPrunedError || problem instanceof IndexFailedError;
}

function throwFirst(problems: Iterable<unknown>): void {
  for (const problem of problems) if (!isLeftToReaders(problem)) throw problem;
}
