/**
 * Reads the state of a key: from the cache, or from the snapshot that the projection stands on, and by folding the key's events behind that.
 *
 * Invariants:
 * - a result is as of the position asked for, whatever is routed, and whatever the projection comes to stand on, while it waits for the disk;
 * - a state in the cache is what its key's events up to its position fold to, so whoever knows the events behind it folds on from it;
 * - an older result never takes the place of a newer one in the cache.
 */
import { nextBatch } from '../log/event-sequence.js';
import { type Io, rest } from '../log/io.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { Ground } from './ground.js';
import { foldKey, type KeyFolder } from './key-fold.js';
import type { Past } from './past.js';
import { Portions } from './portions.js';
import type { EventPlace } from './ports.js';
import { ProjectionSnapshot, UNSAVED } from './snapshot.js';
import { type KeptStates, type KeyFailure, type KeyState, reach } from './states.js';
import { eventAt, type Fetched, type StoredEvents } from './stored-events.js';

/** The answer of reads without I/O when there must be I/O first. */
export const NEEDS_IO: unique symbol = Symbol('needs I/O');

/** Keys looked up, or keys and events folded, between two returns to whoever else has something to do. */
const KEYS_AT_ONCE = 64;

/** A state, or why there is none. */
export type Outcome = { readonly state: unknown } | { readonly failure: KeyFailure };

/** What is left to do for a key. */
interface Plan {
  readonly key: string;
  readonly base: KeyState;
  /** What is to be folded; `undefined` when it is too much to do together with other keys. */
  readonly places: readonly EventPlace[] | undefined;
}

/** What a projection stands on now, and what becomes of it when that is broken. */
export interface Standing {
  readonly ground: Ground;
  /** For the time before the ground; undefined where there are no snapshots. */
  readonly past: Past | undefined;
  /** Finds other ground, because a piece of that one's snapshot is broken. */
  leave(ground: Ground): Io<void>;
}

export class KeyReader {
  readonly #folder: KeyFolder;
  readonly #standing: Standing;
  readonly #states: KeptStates;
  readonly #events: StoredEvents;
  readonly #start: KeyState;
  #stopped = false;

  constructor(folder: KeyFolder, standing: Standing, states: KeptStates, events: StoredEvents) {
    this.#folder = folder;
    this.#standing = standing;
    this.#states = states;
    this.#events = events;
    this.#start = Object.freeze({ state: folder.folding.absent, position: 0 });
  }

  /** From now on no state counts as current: the projection stopped. */
  stop(): void {
    this.#stopped = true;
    this.#states.hot.clear();
  }

  /** The key as of `to`, unless that takes I/O. */
  now(key: string, to: number): Outcome | typeof NEEDS_IO {
    const { ground } = this.#standing;
    if (to < ground.position) return NEEDS_IO;
    const base = this.#known(key, to, ground) ?? this.#absentNow(key, ground);
    if (!base) return NEEDS_IO;
    if (this.#reaches(key, base, to, ground)) return this.#settle(key, base, to, ground);
    const portions = this.#behind(key, base, to, ground);
    const places = portions.next();
    const fetched = portions.done ? this.#events.fetchNow(places) : undefined;
    if (!fetched) return NEEDS_IO;
    return this.#settle(key, this.#fold(key, base, places, fetched), to, ground);
  }

  /** The key as of `to`. */
  *at(key: string, to: number): Io<Outcome> {
    for (;;) {
      const { ground } = this.#standing;
      if (to < ground.position) return yield* this.#before(key, to);
      const found = this.#known(key, to, ground) ?? (yield* this.#base(key, ground));
      if (!found) continue;
      let base = found;
      if (this.#reaches(key, base, to, ground)) return this.#settle(key, base, to, ground);
      const portions = this.#behind(key, base, to, ground);
      while (!portions.done && !base.failure) {
        const places = portions.next();
        base = this.#fold(key, base, places, yield* this.#events.fetch(places));
        yield* rest();
      }
      return this.#settle(key, base, to, ground);
    }
  }

  /** Several keys as of `to`, with the reads they need put in order and together. */
  *several(keys: readonly string[], to: number): Io<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < keys.length; ) {
      const { ground } = this.#standing;
      const plans: (Plan | Outcome)[] = [];
      const wanted: EventPlace[] = [];
      const { countMax } = this.#events;
      for (; at < keys.length && wanted.length < countMax; at += 1) {
        const plan = yield* this.#plan(keys[at] as string, to, ground);
        plans.push(plan);
        if ('key' in plan && plan.places) for (const place of plan.places) wanted.push(place);
        if (plans.length % KEYS_AT_ONCE === 0) yield* rest();
      }
      const fetched: Fetched = wanted.length === 0 ? new Map() : yield* this.#events.fetch(wanted);
      let done = 0;
      for (const plan of plans) {
        outcomes.push('key' in plan ? yield* this.#carryOut(plan, to, fetched, ground) : plan);
        done += 1 + ('key' in plan ? (plan.places?.length ?? 0) : 0);
        if (done < KEYS_AT_ONCE) continue;
        done = 0;
        yield* rest();
      }
      yield* rest();
    }
    return outcomes;
  }

  *#plan(key: string, to: number, ground: Ground): Io<Plan | Outcome> {
    if (to < ground.position) return yield* this.at(key, to);
    const state = this.#states.hot.get(key);
    if (state !== undefined && ground.postings.last(key) <= to) return { state };
    const base = this.#known(key, to, ground) ?? this.#absentNow(key, ground);
    if (!base) {
      const found = yield* this.#base(key, ground);
      return found ? this.#planFrom(key, found, to, ground) : yield* this.at(key, to);
    }
    return this.#planFrom(key, base, to, ground);
  }

  #planFrom(key: string, base: KeyState, to: number, ground: Ground): Plan {
    if (this.#reaches(key, base, to, ground)) return { key, base, places: [] };
    const portions = this.#behind(key, base, to, ground);
    const places = portions.next();
    return { key, base, places: portions.done ? places : undefined };
  }

  *#carryOut(
    { key, base, places }: Plan,
    to: number,
    fetched: Fetched,
    ground: Ground,
  ): Io<Outcome> {
    if (!places) return yield* this.at(key, to);
    const found = places.length === 0 ? base : this.#fold(key, base, places, fetched);
    return this.#settle(key, found, to, ground);
  }

  /** What the cache knows of the key that helps to know it as of `to`. */
  #known(key: string, to: number, ground: Ground): KeyState | undefined {
    const known = this.#states.get(key);
    if (known && known.position <= to && isOn(known, ground)) return known;
    return ground.base ? undefined : this.#start;
  }

  /** Where the key begins, when that is known without a look at the snapshot. */
  #absentNow(key: string, { base }: Ground): KeyState | undefined {
    return base === undefined || base.mayHaveNow(key) === false ? this.#start : undefined;
  }

  /** The key as of the snapshot; `undefined` when there is other ground now. */
  *#base(key: string, ground: Ground): Io<KeyState | undefined> {
    const { base } = ground;
    if (!base) return this.#start;
    try {
      const saved = yield* base.find(key);
      if (saved !== UNSAVED) return saved ?? this.#start;
    } catch (error) {
      if (!(error instanceof SortedProblem)) throw error;
      yield* this.#standing.leave(ground);
      return undefined;
    }
    return yield* this.#folded(key, base.position, base.position - 1);
  }

  /** What a line of the snapshot says, given by whoever goes along it. */
  *saved(key: string, saved: KeyState | typeof UNSAVED, ground: Ground): Io<Outcome> {
    const to = ground.position;
    const found = saved === UNSAVED ? yield* this.#folded(key, to, to - 1) : saved;
    return this.#settle(key, found, to, ground);
  }

  /** The key as of a position before the snapshot that the projection stands on. */
  *#before(key: string, to: number): Io<Outcome> {
    const known = this.#states.get(key);
    if (
      known &&
      known.position <= to &&
      (known.failure || (known.through ?? known.position) >= to)
    ) {
      return outcomeOf(known, to);
    }
    const found = yield* this.#folded(key, to, to);
    if (found !== this.#start) {
      const { absent, bytesOf } = this.#folder.folding;
      this.#states.keep(key, found, found.state === absent ? 0 : bytesOf(found.state), false);
    }
    return outcomeOf(found, to);
  }

  /** The key as of `to`, folded from the nearest snapshot at or before `from`, or from the log's beginning. */
  *#folded(key: string, to: number, from: number): Io<KeyState> {
    const past = this.#standing.past as Past;
    let state = this.#start;
    let begun = 0;
    for (let bound = from; bound > 0; ) {
      const file = yield* past.newest(bound);
      if (!file) break;
      const { position } = file.header;
      const snapshot = new ProjectionSnapshot(file, this.#folder.folding.absent);
      try {
        const saved = yield* snapshot.find(key);
        if (saved !== UNSAVED) {
          state = saved ?? this.#start;
          begun = position;
          break;
        }
      } catch (error) {
        if (!(error instanceof SortedProblem)) throw error;
        yield* past.shelf.lose(position);
      }
      bound = position - 1;
    }
    const events = past.events(key, begun + 1, to);
    for (;;) {
      const stored = state.failure ? undefined : yield* nextBatch(events);
      if (!stored) break;
      state = foldKey(this.#folder, key, state, stored);
      yield* rest();
    }
    if (state !== this.#start) reach(state, to);
    return state;
  }

  /** Nothing is to be folded, or nothing can be. */
  #reaches(key: string, base: KeyState, to: number, ground: Ground): boolean {
    return base.failure !== undefined || ground.postings.last(key, to) <= base.position;
  }

  #behind(key: string, base: KeyState, to: number, ground: Ground): Portions {
    return new Portions(ground.postings.places(key, base.position + 1, to));
  }

  #fold(key: string, base: KeyState, places: readonly EventPlace[], fetched: Fetched): KeyState {
    const stored = places.map((place) => eventAt(fetched, place));
    return foldKey(this.#folder, key, base, stored);
  }

  /** Keeps what was found out. */
  #settle(key: string, found: KeyState, to: number, ground: Ground): Outcome {
    const { state, position, failure } = found;
    const isCurrent = ground === this.#standing.ground && ground.postings.last(key) <= position;
    const current = !failure && !this.#stopped && isCurrent;
    if (found !== this.#start) reach(found, to);
    if (this.#states.get(key) === found) {
      if (current) this.#states.warm(key, state);
    } else if (found !== this.#start) {
      const { absent, bytesOf } = this.#folder.folding;
      this.#states.keep(key, found, state === absent ? 0 : bytesOf(state), current);
    }
    return outcomeOf(found, to);
  }
}

/** Whether the events behind the state are those that were noted behind the snapshot. */
function isOn({ position, through, failure }: KeyState, ground: Ground): boolean {
  return failure !== undefined || (through ?? position) >= ground.position;
}

function outcomeOf({ state, failure }: KeyState, to: number): Outcome {
  return failure && failure.position <= to ? { failure } : { state };
}
