/**
 * Which track each projection and index of one open store is on.
 *
 * Invariants:
 * - each runtime is a member of one track;
 * - what was saved and is not loaded yet has a track of its own, on which nothing is routed;
 * - a runtime that could be read can be read wherever it goes, and whoever waits for one that goes elsewhere waits for it there.
 */
import { HistoryPrunedError, StoreClosedError } from '../errors.js';
import { type Io, rest } from '../log/io.js';
import type { LogSource, Runtime } from './ports.js';
import { Track } from './track.js';

export class Tracks {
  readonly #log: LogSource;
  readonly #nearCommits: number;
  readonly #trackOf = new Map<Runtime, Track>();
  #all: readonly Track[] = [];
  #closed = false;

  /** @param nearCommits - with no more than this to the head a runtime can be read as it is put on a track */
  constructor(log: LogSource, nearCommits: number) {
    this.#log = log;
    this.#nearCommits = nearCommits;
  }

  get all(): readonly Track[] {
    return this.#all;
  }

  /** The track that the runtime is on now. */
  of(runtime: Runtime): Track {
    const track = this.#trackOf.get(runtime);
    if (!track) throw new Error(`${runtime.name} is not among the projections of this store`);
    return track;
  }

  /** Whether it is near enough to the head that a reader brings it the rest of the way. */
  isNear(position: number): boolean {
    const { tailFirst } = this.#log;
    return this.#log.position - position <= this.#nearCommits || position >= tailFirst - 1;
  }

  /** Takes a runtime in. */
  add(runtime: Runtime): void {
    if (runtime.isLoaded === false) {
      this.#join(runtime, this.#begin(runtime.position, false, runtime));
    } else this.#place(runtime);
  }

  /** Puts it on a track where it stands. */
  #place(runtime: Runtime): Track {
    const { position } = runtime;
    const ready = this.isNear(position);
    const isSame = (other: Track) =>
      other.position === position && other.ready === ready && !other.unloaded;
    const track = this.#all.find(isSame) ?? this.#begin(position, ready);
    this.#join(runtime, track);
    return track;
  }

  #begin(position: number, ready: boolean, unloaded?: Runtime): Track {
    const track = new Track(this.#log, position, ready, unloaded);
    this.#all = [...this.#all, track];
    return track;
  }

  #join(runtime: Runtime, track: Track): void {
    track.add(runtime);
    this.#trackOf.set(runtime, track);
  }

  /** Ends a track whose members do not stand where it does any more: each goes to one where it stands. Nothing to do when it has ended. */
  split(track: Track): void {
    if (!this.#all.includes(track)) return;
    this.#all = this.#all.filter((other) => other !== track);
    track.moveTo((member) => this.#place(member));
  }

  /**
   * Another process dropped what the members need next: they go on from the snapshots that cover it, as far as they have some. False when the error is another
   * one, or none of them can.
   */
  *jump(track: Track, error: unknown): Io<boolean> {
    if (!(error instanceof HistoryPrunedError) || this.#closed) return false;
    for (const member of [...track.members]) yield* member.jump?.(this.#log.position) ?? rest();
    this.checkOpen();
    if (!this.#all.includes(track)) return true;
    // Somebody else may have done it, and looks after the others.
    if (track.members.every(({ position }) => position <= track.position)) return false;
    this.split(track);
    return true;
  }

  /** Ready tracks at the same position go on as one. */
  merge(): void {
    if (this.#all.length < 2) return;
    const kept: Track[] = [];
    for (const track of this.#all) {
      const same = track.ready && kept.find((other) => other.ready && other.takes(track));
      if (!same) {
        kept.push(track);
        continue;
      }
      for (const member of track.leave()) this.#join(member, same);
    }
    this.#all = kept;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** @throws StoreClosedError */
  checkOpen(): void {
    if (this.#closed) throw new StoreClosedError();
  }

  /** Closes all of them, and their members; who waits gets StoreClosedError. */
  close(): void {
    this.#closed = true;
    for (const track of this.#all) track.close();
    this.#all = [];
  }
}
