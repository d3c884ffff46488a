/**
 * Brings the projections and indexes of one open store to where the log is. What is near the head is brought on by whoever reads; what has a
 * long way to go is built in the background, in slices.
 *
 * Invariants:
 * - each runtime is a member of one track, and each commit is routed to it once, in order, whoever drives the feed;
 * - nothing is routed in the turn of an append;
 * - a ready runtime stays ready;
 * - what was saved and is not loaded yet has a track of its own, on which nothing is routed;
 * - what stops one track stops no other, and is told to the readers of its members.
 */
import { HistoryPrunedError, IndexFailedError, StoreClosedError } from '../errors.js';
import { type Io, newPace, rest, runAsync, runSync } from '../log/io.js';
import { monotonicMs } from '../log/monotonic.js';
import { Background, measured, someOf } from './background.js';
import { NEEDS_IO } from './key-reader.js';
import type { LogSource, ReadErrors, Runtime } from './ports.js';
import type { ProjectionRuntime } from './projection.js';
import { Track } from './track.js';

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

/** Makes a snapshot for a runtime to stand on, so that it need not keep the places of the events before. Best effort. */
export type Relief = (runtime: Runtime) => Io<void>;

/** A track that is built is ready when no more than this waits: the head may go on meanwhile. */
const NEAR_COMMITS = 1000;
/** Appending rests when the head has not moved for so long, ms. */
const REST_MS = 5;
/** Built between two looks at what is kept in memory. */
const BUILT_COMMITS = 65_536;
/** Loading goes on in portions that cannot be made smaller or larger while it does: with what one takes beyond this, less than ten, ms. */
const LOAD_SLICE_MS = 2;
const FIRST_SLICE_COMMITS = 256;
const SLICE_COMMITS_MAX = 65_536;

export class Engine {
  readonly #log: LogSource;
  readonly #errors: ReadErrors;
  readonly #smallCommits: number;
  readonly #backlogCommits: number;
  readonly #burstCommits: number;
  readonly #sliceMs: number;
  readonly #notedMax: number;
  readonly #clock: () => number;
  readonly #background: Background;
  readonly #trackOf = new Map<Runtime, Track>();
  #tracks: Track[] = [];
  #sliceCommits = FIRST_SLICE_COMMITS;
  #advancedAt = Number.NEGATIVE_INFINITY;
  #relief: Relief | undefined;
  /** Those that could not be relieved, and from how many events on that is tried again. */
  readonly #burdened = new WeakMap<Runtime, number>();
  #closed = false;

  constructor(log: LogSource, errors: ReadErrors, options: EngineOptions = {}) {
    this.#log = log;
    this.#errors = errors;
    this.#smallCommits = options.smallCommits ?? 20_000;
    this.#backlogCommits = options.backlogCommits ?? 10_000;
    this.#burstCommits = options.burstCommits ?? 100_000;
    this.#sliceMs = options.sliceMs ?? 5;
    this.#notedMax = options.notedMax ?? 200_000;
    this.#clock = options.clock ?? monotonicMs;
    this.#background = new Background(
      () => this.#slice(),
      () => this.#tracks.some(({ waiters }) => waiters.length > 0),
    );
  }

  /** Where snapshots can be made: how. */
  relieveBy(relief: Relief): void {
    this.#relief = relief;
  }

  /** Takes a runtime in, and begins to load it, or to build it when it has a long way to go. */
  add(runtime: Runtime): void {
    this.checkOpen();
    if (runtime.isLoaded === false) {
      const track = new Track(this.#log, runtime.position, false, runtime);
      track.add(runtime);
      this.#tracks.push(track);
      this.#trackOf.set(runtime, track);
    } else this.#place(runtime);
    if (this.#behind()) this.#background.wake();
  }

  /** Puts it on a track where it stands. */
  #place(runtime: Runtime): Track {
    const { position } = runtime;
    const small = this.#isNear(position);
    const isSame = (other: Track) =>
      other.position === position && other.ready === small && !other.unloaded;
    let track = this.#tracks.find(isSame);
    if (!track) {
      track = new Track(this.#log, position, small);
      this.#tracks.push(track);
    }
    track.add(runtime);
    this.#trackOf.set(runtime, track);
    return track;
  }

  #isNear(position: number): boolean {
    const { tailFirst } = this.#log;
    return this.#log.position - position <= this.#smallCommits || position >= tailFirst - 1;
  }

  /** Loads what was saved of a runtime, if that was not done yet. @throws StoreClosedError, IndexFailedError, and what reading it throws */
  *load(runtime: Runtime): Io<void> {
    this.checkOpen();
    const track = this.#track(runtime);
    if (!track.unloaded) return;
    // What the background did goes on, unless it waits for the disk right now.
    const begun = track.isLoading ? undefined : track.loading;
    track.loading = undefined;
    yield* begun ?? runtime.load?.() ?? rest();
    this.checkOpen();
    this.#loaded(track);
  }

  /** Whoever waits goes on waiting where its runtime stands now. */
  #loaded(track: Track): void {
    if (!this.#tracks.includes(track)) return;
    this.#tracks = this.#tracks.filter((other) => other !== track);
    const { waiters } = track;
    track.waiters = [];
    for (const runtime of track.leave()) {
      const next = this.#place(runtime);
      // One that could be read must not wait again; whoever reads it brings it the rest of the way.
      if (track.ready && !next.ready) this.#arrived(next);
      if (next.ready) for (const { resolve } of waiters) resolve();
      else next.waiters.push(...waiters);
    }
    if (this.#behind()) this.#background.wake();
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
      const track = this.#track(runtime);
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
      !reader || track.problem === undefined || track === this.#track(reader);
    const isBehind = (track: Track) =>
      track.ready && track.position < position && !stopped.has(track) && isWanted(track);
    for (let track = this.#tracks.find(isBehind); track; track = this.#tracks.find(isBehind)) {
      try {
        yield* track.advance(undefined, reader ? 'relieve' : 'settle');
        track.problem = undefined;
      } catch (error) {
        this.checkOpen();
        if (yield* this.#jump(track, error)) continue;
        this.#stop(track, error);
        if (reader && track === this.#track(reader)) throw error;
        stopped.set(track, error);
      }
      this.checkOpen();
      if (this.#isHeavy(track) && !stopped.has(track)) this.#drain(track);
    }
    this.#join();
    if (!reader) throwFirst(stopped.values());
  }

  /** The same without I/O, a portion at most: true when what is to be read is there. @throws StoreClosedError */
  catchUpNow(reader?: Runtime): boolean {
    this.checkOpen();
    let all = true;
    let isThere = true;
    for (const track of this.#tracks) {
      if (!track.ready || track.advancePortion()) continue;
      all = false;
      if (!reader || track === this.#track(reader)) isThere = false;
    }
    if (all) this.#join();
    return isThere;
  }

  isReady(runtime: Runtime): boolean {
    return this.#track(runtime).ready;
  }

  /** Whether it can be read, or could if it were loaded, as far as is known. */
  isAlmostReady(runtime: Runtime): boolean {
    const { ready, unloaded, position } = this.#track(runtime);
    return ready || (unloaded !== undefined && this.#isNear(position));
  }

  /** From 0 to 1: how much of its way it has come; 1 when it can be read. */
  progress(runtime: Runtime): number {
    const { ready, start, position } = this.#track(runtime);
    if (ready) return 1;
    return Math.min(1, (position - start) / Math.max(1, this.#log.position - start));
  }

  /** For synchronous readers. @throws ProjectionNotReadyError, HistoryPrunedError when it never will be, StoreClosedError */
  requireReady(runtime: Runtime): void {
    this.checkOpen();
    const { ready, problem } = this.#track(runtime);
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
    const track = this.#track(runtime);
    if (track.ready) return undefined;
    return new Promise((resolve, reject) => {
      track.waiters.push({ resolve, reject });
      track.problem = undefined;
      this.#background.wake();
    });
  }

  /**
   * Brings a runtime to a position that the log has reached, if it is not there yet, in portions of so many commits.
   * @throws StoreClosedError, StoreDamagedError
   */
  *advanceTo(runtime: Runtime, position: number, portion: number): Io<void> {
    yield* this.load(runtime);
    while (runtime.position < position) {
      this.checkOpen();
      const track = this.#track(runtime);
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
    for (let track = this.#tracks.find(isToBuild); track; track = this.#tracks.find(isToBuild)) {
      const to = Math.min(this.#log.position, track.position + BUILT_COMMITS);
      try {
        if (track.unloaded) {
          yield* this.load(track.unloaded);
          continue;
        }
        yield* track.advance(to);
        yield* this.#relieve(track);
      } catch (error) {
        this.checkOpen();
        if (yield* this.#jump(track, error)) continue;
        this.#stop(track, error);
        stopped.set(track, error);
        continue;
      }
      this.checkOpen();
      if (track.lag === 0) this.#arrived(track);
    }
    this.#join();
    throwFirst(stopped.values());
  }

  /** Makes room in memory where a member of the track keeps too much. */
  *#relieve(track: Track): Io<void> {
    const relieve = this.#relief;
    if (!relieve) return;
    for (const member of track.members.filter((each) => this.#isBurdened(each))) {
      yield* relieve(member);
      this.checkOpen();
      const { noted = 0 } = member;
      if (noted < this.#notedMax) this.#burdened.delete(member);
      else this.#burdened.set(member, noted + this.#notedMax / 4);
    }
  }

  #isBurdened(runtime: Runtime): boolean {
    const { noted = 0 } = runtime;
    return noted >= this.#notedMax && noted >= (this.#burdened.get(runtime) ?? 0);
  }

  /** {@link Engine.build}, at once. */
  buildSync(): void {
    runSync(this.#log.disk, this.build());
  }

  /** The head moved. Costs a look at the clock; what is to be done is done in a later turn. */
  onAdvance(): void {
    this.#advancedAt = this.#clock();
    for (const track of this.#tracks) {
      if (!track.ready || this.#closed) continue;
      if (track.lag <= this.#backlogCommits && !this.#isHeavy(track)) continue;
      this.#drain(track);
    }
  }

  /** From now on the background works on it, too. */
  #drain(track: Track): void {
    track.problem = undefined;
    track.draining = true;
    this.#background.wake();
  }

  /** Stops the background; who waits gets StoreClosedError. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#background.close();
    for (const track of this.#tracks) track.close();
    this.#tracks = [];
  }

  /** @throws StoreClosedError */
  checkOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  /** A member keeps too much in memory, and something can be done about it. */
  #isHeavy(track: Track): boolean {
    return this.#relief !== undefined && track.members.some((each) => this.#isBurdened(each));
  }

  #track(runtime: Runtime): Track {
    const track = this.#trackOf.get(runtime);
    if (!track) throw new Error(`${runtime.name} is not among the projections of this store`);
    return track;
  }

  /** A track for the background to work on. */
  #behind(): Track | undefined {
    const open = this.#tracks.filter(({ problem }) => problem === undefined);
    const rests = this.#clock() - this.#advancedAt >= REST_MS;
    const unready = open.filter(({ ready }) => !ready);
    // Whoever waits comes first; loading takes moments where building may take minutes.
    const waited = unready.filter(({ waiters }) => waiters.length > 0);
    const isUnloaded = ({ unloaded }: Track) => unloaded !== undefined;
    return (
      waited.find(isUnloaded) ??
      waited[0] ??
      unready.find(isUnloaded) ??
      unready[0] ??
      open.find(({ draining, lag }) => draining && (rests || lag > this.#burstCommits))
    );
  }

  /** There is work for the background, now or when appending rests. */
  get #hasMore(): boolean {
    return this.#tracks.some(
      ({ problem, ready, draining }) => problem === undefined && (!ready || draining),
    );
  }

  async #slice(): Promise<boolean> {
    if (this.#closed) return false;
    const track = this.#behind();
    if (!track) return this.#hasMore;
    if (track.unloaded) return await this.#loadSome(track, track.unloaded);
    const to = Math.min(this.#log.position, track.position + this.#sliceCommits);
    const work = measured(track.advance(to), this.#clock, (took) => this.#resize(took));
    const { disk } = this.#log;
    try {
      await runAsync(disk, work, newPace(this.#sliceMs));
      if (this.#isHeavy(track)) {
        await runAsync(disk, this.#relieve(track), newPace(this.#sliceMs));
      }
    } catch (error) {
      if (this.#closed) return false;
      if (!(await this.#jumpLater(track, error))) this.#stop(track, error);
      return this.#hasMore;
    }
    if (this.#closed) return false;
    if (!track.ready && track.lag <= NEAR_COMMITS) this.#arrived(track);
    if (track.lag <= this.#backlogCommits / 10) track.draining = false;
    this.#join();
    return this.#hasMore;
  }

  async #loadSome(track: Track, runtime: Runtime): Promise<boolean> {
    try {
      track.loading ??= runtime.load?.() ?? rest();
      const some = someOf(track.loading, this.#clock, LOAD_SLICE_MS);
      track.isLoading = true;
      const isLoaded = await runAsync(this.#log.disk, some, newPace(LOAD_SLICE_MS));
      track.isLoading = false;
      if (!this.#closed && isLoaded) this.#loaded(track);
    } catch (error) {
      track.isLoading = false;
      track.loading = undefined;
      if (!this.#closed) this.#stop(track, error);
    }
    return !this.#closed && this.#hasMore;
  }

  #resize(tookMs: number): void {
    if (tookMs > this.#sliceMs) {
      this.#sliceCommits = Math.max(1, Math.floor((this.#sliceCommits * this.#sliceMs) / tookMs));
    } else if (tookMs < this.#sliceMs / 2) {
      this.#sliceCommits = Math.min(2 * this.#sliceCommits, SLICE_COMMITS_MAX);
    }
  }

  /**
   * Another process dropped what the members need next: they go on from the snapshots that cover it, as far as they have some. False when the error is another
   * one, or none of them can.
   */
  *#jump(track: Track, error: unknown): Io<boolean> {
    if (!(error instanceof HistoryPrunedError) || this.#closed) return false;
    for (const member of [...track.members]) yield* member.jump?.(this.#log.position) ?? rest();
    this.checkOpen();
    if (!this.#tracks.includes(track)) return true;
    // Somebody else may have done it, and looks after the others.
    if (track.members.every(({ position }) => position <= track.position)) return false;
    this.#loaded(track);
    return true;
  }

  async #jumpLater(track: Track, error: unknown): Promise<boolean> {
    try {
      return await runAsync(this.#log.disk, this.#jump(track, error), newPace(this.#sliceMs));
    } catch {
      // What stopped it first is what its readers are told.
      return false;
    }
  }

  /** The track does not go on until somebody asks for one of its members. */
  #stop(track: Track, problem: unknown): void {
    track.problem = problem;
    track.draining = false;
    const { waiters } = track;
    track.waiters = [];
    for (const { reject } of waiters) reject(problem);
  }

  #arrived(track: Track): void {
    track.ready = true;
    track.problem = undefined;
    const { waiters } = track;
    track.waiters = [];
    for (const { resolve } of waiters) resolve();
  }

  /** Ready tracks at the same position go on as one. */
  #join(): void {
    if (this.#tracks.length < 2) return;
    const kept: Track[] = [];
    for (const track of this.#tracks) {
      const same = track.ready && kept.find((other) => other.ready && other.takes(track));
      if (!same) {
        kept.push(track);
        continue;
      }
      for (const member of track.leave()) {
        same.add(member);
        this.#trackOf.set(member, same);
      }
    }
    this.#tracks = kept;
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
