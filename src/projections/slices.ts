/**
 * Brings tracks on behind everybody's back, in slices between which the program has its turns: those that cannot be read yet, and those that can but have
 * fallen far behind.
 *
 * Invariants:
 * - whoever waits comes first, and what stops one track stops no other;
 * - a slice takes about as long as it may, whatever commits cost: the next one is larger or smaller.
 */
import { type Io, newPace, rest, runAsync } from '../log/io.js';
import { Background, measured, someOf } from './background.js';
import type { LogSource, Runtime } from './ports.js';
import type { Relieving } from './relief.js';
import type { Track } from './track.js';
import type { Tracks } from './tracks.js';

export interface SlicesOptions {
  /** A ready track with more waiting than this is worked on, once appending rests. */
  readonly backlogCommits: number;
  /** With more waiting than this that does not wait for a rest. */
  readonly burstCommits: number;
  /** Work between two returns to the event loop, ms. */
  readonly sliceMs: number;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
}

/** A track that is built is ready when no more than this waits: the head may go on meanwhile. */
const NEAR_COMMITS = 1000;
/** Appending rests when the head has not moved for so long, ms. */
const REST_MS = 5;
/** Loading goes on in portions that cannot be made smaller or larger while it does: with what one takes beyond this, less than ten, ms. */
const LOAD_SLICE_MS = 2;
const FIRST_SLICE_COMMITS = 256;
const SLICE_COMMITS_MAX = 65_536;

export class Slices {
  readonly #log: LogSource;
  readonly #tracks: Tracks;
  readonly #relieving: Relieving;
  readonly #options: SlicesOptions;
  readonly #background: Background;
  #sliceCommits = FIRST_SLICE_COMMITS;
  #advancedAt = Number.NEGATIVE_INFINITY;

  constructor(log: LogSource, tracks: Tracks, relieving: Relieving, options: SlicesOptions) {
    this.#log = log;
    this.#tracks = tracks;
    this.#relieving = relieving;
    this.#options = options;
    this.#background = new Background(
      () => this.#slice(),
      () => tracks.all.some(({ isAwaited }) => isAwaited),
    );
  }

  /** There may be something to do, or somebody began to wait for it. */
  wake(): void {
    if (this.#hasMore) this.#background.wake();
  }

  /** The head moved. Costs a look at the clock; what is to be done is done in a later turn. */
  onAdvance(): void {
    this.#advancedAt = this.#options.clock();
    for (const track of this.#tracks.all) {
      if (!track.ready) continue;
      if (track.lag <= this.#options.backlogCommits && !this.#isHeavy(track)) continue;
      this.#drain(track);
    }
  }

  /** After somebody brought a track to the head: it is worked on here when it keeps too much in memory. */
  drainIfHeavy(track: Track): void {
    if (this.#isHeavy(track)) this.#drain(track);
  }

  /** From now on this ready track is worked on, too. */
  #drain(track: Track): void {
    track.problem = undefined;
    track.draining = true;
    this.wake();
  }

  /** Nothing is begun any more. */
  close(): void {
    this.#background.close();
  }

  #isHeavy({ members }: Track): boolean {
    return this.#relieving.isDue(members);
  }

  /** A track to work on. */
  #next(): Track | undefined {
    const { clock, burstCommits } = this.#options;
    const open = this.#tracks.all.filter(({ problem }) => problem === undefined);
    const rests = clock() - this.#advancedAt >= REST_MS;
    const unready = open.filter(({ ready }) => !ready);
    // Whoever waits comes first; loading takes moments where building may take minutes.
    const awaited = unready.filter(({ isAwaited }) => isAwaited);
    const isUnloaded = ({ unloaded }: Track) => unloaded !== undefined;
    return (
      awaited.find(isUnloaded) ??
      awaited[0] ??
      unready.find(isUnloaded) ??
      unready[0] ??
      open.find(({ draining, lag }) => draining && (rests || lag > burstCommits))
    );
  }

  /** There is work, now or when appending rests. */
  get #hasMore(): boolean {
    return this.#tracks.all.some(
      ({ problem, ready, draining }) => problem === undefined && (!ready || draining),
    );
  }

  async #slice(): Promise<boolean> {
    if (this.#tracks.isClosed) return false;
    const track = this.#next();
    if (track?.unloaded) await this.#loadSome(track, track.unloaded);
    else if (track) await this.#buildSome(track);
    return !this.#tracks.isClosed && this.#hasMore;
  }

  async #buildSome(track: Track): Promise<void> {
    const to = Math.min(this.#log.position, track.position + this.#sliceCommits);
    const { clock, backlogCommits } = this.#options;
    const work = measured(track.advance(to), clock, (took) => this.#resize(took));
    try {
      await this.#run(work);
      if (this.#isHeavy(track)) await this.#run(this.#relieving.relieve(track.members));
    } catch (error) {
      if (!this.#tracks.isClosed && !(await this.#jump(track, error))) track.stop(error);
      return;
    }
    if (this.#tracks.isClosed) return;
    if (!track.ready && track.lag <= NEAR_COMMITS) track.arrive();
    if (track.lag <= backlogCommits / 10) track.draining = false;
    this.#tracks.merge();
  }

  async #loadSome(track: Track, runtime: Runtime): Promise<void> {
    try {
      track.loading ??= runtime.load?.() ?? rest();
      const some = someOf(track.loading, this.#options.clock, LOAD_SLICE_MS);
      track.isLoading = true;
      const isLoaded = await runAsync(this.#log.disk, some, newPace(LOAD_SLICE_MS));
      track.isLoading = false;
      if (!this.#tracks.isClosed && isLoaded) this.#tracks.split(track);
    } catch (error) {
      track.isLoading = false;
      track.loading = undefined;
      if (!this.#tracks.isClosed) track.stop(error);
    }
  }

  #resize(tookMs: number): void {
    const { sliceMs } = this.#options;
    if (tookMs > sliceMs) {
      this.#sliceCommits = Math.max(1, Math.floor((this.#sliceCommits * sliceMs) / tookMs));
    } else if (tookMs < sliceMs / 2) {
      this.#sliceCommits = Math.min(2 * this.#sliceCommits, SLICE_COMMITS_MAX);
    }
  }

  async #jump(track: Track, error: unknown): Promise<boolean> {
    try {
      return await this.#run(this.#tracks.jump(track, error));
    } catch {
      // What stopped it first is what its readers are told.
      return false;
    }
  }

  #run<T>(work: Io<T>): Promise<T> {
    return runAsync(this.#log.disk, work, newPace(this.#options.sliceMs));
  }
}
