/**
 * Reads the state of a key: from the cache, or by folding the key's events behind what the cache has.
 *
 * Invariants:
 * - a result is as of the position asked for, whatever is routed while it waits for the disk;
 * - a state in the cache is what its key's events up to its position fold to, so whoever folds on from it is right;
 * - an older result never takes the place of a newer one in the cache.
 */
import { type Io, rest } from '../log/io.js';
import { foldKey, type KeyFolder } from './key-fold.js';
import { Portions } from './portions.js';
import type { EventPlace, PlaceIndex } from './ports.js';
import type { KeyFailure, KeyState, ProjectionStates } from './states.js';
import { eventAt, type Fetched, type StoredEvents } from './stored-events.js';

/** The answer of reads without I/O when there must be I/O first. */
export const NEEDS_IO: unique symbol = Symbol('needs I/O');

/** Events fetched at once for several keys. */
const FETCH_MAX = 2048;

/** A state, or why there is none. */
export type Outcome = { readonly state: unknown } | { readonly failure: KeyFailure };

/** What is left to do for a key. */
interface Plan {
  readonly key: string;
  readonly base: KeyState;
  /** What is to be folded; `undefined` when it is too much to do together with other keys. */
  readonly places: readonly EventPlace[] | undefined;
}

export class KeyReader {
  readonly #folder: KeyFolder;
  readonly #places: PlaceIndex;
  readonly #states: ProjectionStates;
  readonly #events: StoredEvents;
  readonly #start: KeyState;
  #stopped = false;

  constructor(
    folder: KeyFolder,
    places: PlaceIndex,
    states: ProjectionStates,
    events: StoredEvents,
  ) {
    this.#folder = folder;
    this.#places = places;
    this.#states = states;
    this.#events = events;
    this.#start = { state: folder.folding.absent, position: 0 };
  }

  /** From now on no state counts as current: the projection stopped. */
  stop(): void {
    this.#stopped = true;
    this.#states.hot.clear();
  }

  /** The key as of `to`, unless that takes I/O. */
  now(key: string, to: number): Outcome | typeof NEEDS_IO {
    const base = this.#base(key, to);
    if (this.#reaches(key, base, to)) return this.#settle(key, base, to);
    const portions = this.#behind(key, base, to);
    const places = portions.next();
    const fetched = portions.done ? this.#events.fetchNow(places) : undefined;
    if (!fetched) return NEEDS_IO;
    return this.#settle(key, this.#fold(key, base, places, fetched), to);
  }

  /** The key as of `to`. */
  *at(key: string, to: number): Io<Outcome> {
    let base = this.#base(key, to);
    if (this.#reaches(key, base, to)) return this.#settle(key, base, to);
    const portions = this.#behind(key, base, to);
    while (!portions.done && !base.failure) {
      const places = portions.next();
      base = this.#fold(key, base, places, yield* this.#events.fetch(places));
      yield* rest();
    }
    return this.#settle(key, base, to);
  }

  /** Several keys as of `to`, with the reads they need put in order and together. */
  *several(keys: readonly string[], to: number): Io<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < keys.length; ) {
      const plans: (Plan | Outcome)[] = [];
      const wanted: EventPlace[] = [];
      for (; at < keys.length && wanted.length < FETCH_MAX; at += 1) {
        const plan = this.#plan(keys[at] as string, to);
        plans.push(plan);
        if ('key' in plan && plan.places) for (const place of plan.places) wanted.push(place);
      }
      const fetched: Fetched = wanted.length === 0 ? new Map() : yield* this.#events.fetch(wanted);
      for (const plan of plans) {
        outcomes.push('key' in plan ? yield* this.#carryOut(plan, to, fetched) : plan);
      }
      yield* rest();
    }
    return outcomes;
  }

  #plan(key: string, to: number): Plan | Outcome {
    const state = this.#states.hot.get(key);
    if (state !== undefined && this.#places.last(key) <= to) return { state };
    const base = this.#base(key, to);
    if (this.#reaches(key, base, to)) return { key, base, places: [] };
    const portions = this.#behind(key, base, to);
    const places = portions.next();
    return { key, base, places: portions.done ? places : undefined };
  }

  *#carryOut({ key, base, places }: Plan, to: number, fetched: Fetched): Io<Outcome> {
    if (!places) return yield* this.at(key, to);
    const found = places.length === 0 ? base : this.#fold(key, base, places, fetched);
    return this.#settle(key, found, to);
  }

  /** What the cache knows of the key that helps to know it as of `to`. */
  #base(key: string, to: number): KeyState {
    const known = this.#states.get(key);
    return known && known.position <= to ? known : this.#start;
  }

  /** Nothing is to be folded, or nothing can be. */
  #reaches(key: string, base: KeyState, to: number): boolean {
    return base.failure !== undefined || this.#places.last(key, to) <= base.position;
  }

  #behind(key: string, base: KeyState, to: number): Portions {
    return new Portions(this.#places.places(key, base.position + 1, to));
  }

  #fold(key: string, base: KeyState, places: readonly EventPlace[], fetched: Fetched): KeyState {
    const stored = places.map((place) => eventAt(fetched, place));
    return foldKey(this.#folder, key, base, stored);
  }

  /** Keeps what was found out. */
  #settle(key: string, found: KeyState, to: number): Outcome {
    const { state, position, failure } = found;
    const current = !failure && !this.#stopped && this.#places.last(key) === position;
    if (this.#states.get(key) === found) {
      if (current) this.#states.warm(key, state);
    } else if (found !== this.#start) {
      const { absent, bytesOf } = this.#folder.folding;
      this.#states.keep(key, found, state === absent ? 0 : bytesOf(state), current);
    }
    return failure && failure.position <= to ? { failure } : { state };
  }
}
