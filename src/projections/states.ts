/**
 * States of keys, bounded in bytes for all projections of a store together. In front of them each projection has a plain Map of the states
 * known to be current, so that reading one again is a single look-up.
 *
 * Invariant: `hot` holds nothing that the cache does not hold, so it takes no memory of its own but its entries, which are counted.
 */
import { LRUCache } from 'lru-cache';

/** Why a key has no state from a position on. */
export interface KeyFailure {
  readonly position: number;
  /** Id of the event. */
  readonly event: string;
  readonly cause: unknown;
}

/** A key's state behind the event at `position`. */
export interface KeyState {
  readonly state: unknown;
  /** Of the last event folded, 0 when there is none. */
  readonly position: number;
  /** The key's next event cannot be folded. */
  readonly failure?: KeyFailure | undefined;
  /** No event of the key stands behind `position` up to here; at least `position`. Only ever raised. */
  through?: number | undefined;
}

/** Beside a state itself: entries in both maps, the record, the list by use. */
const ENTRY_BYTES = 256;
/** A state that was pushed out takes room until old objects are collected, which the engine does when they take half as much again as what is in use, or more. */
const COLLECTED_LATE = 2.5;
/** Far below what a Map can hold. */
const HOT_MAX = 2 ** 20;

/** The states of all projections of one open store. */
export class StateCache {
  readonly #lru: LRUCache<string, KeyState> | undefined;
  readonly #views: ProjectionStates[] = [];

  constructor(bytesMax: number) {
    if (bytesMax < 1) return;
    this.#lru = new LRUCache({
      maxSize: Math.floor(bytesMax),
      noDisposeOnSet: true,
      // Hot reads do not tell the LRU. Letting go of all of them lets it learn again which are used.
      dispose: (_value, _key, reason) => {
        if (reason === 'evict') this.#cool();
      },
    });
  }

  /** Of all states, with what goes with them. */
  get bytes(): number {
    return this.#lru?.calculatedSize ?? 0;
  }

  get count(): number {
    return this.#lru?.size ?? 0;
  }

  /** For one more projection. */
  view(): ProjectionStates {
    const view = new ProjectionStates(this.#lru, `${this.#views.length}/`);
    this.#views.push(view);
    return view;
  }

  /** Lets go of all states. */
  clear(): void {
    this.#cool();
    this.#lru?.clear();
  }

  #cool(): void {
    for (const { hot } of this.#views) if (hot.size > 0) hot.clear();
  }
}

/** States that a reader finds, and where it leaves those that it folded. */
export interface KeptStates {
  /** States that no event has touched since they were folded, by key. */
  readonly hot: Map<string, unknown>;
  get(key: string): KeyState | undefined;
  keep(key: string, value: KeyState, bytes: number, current: boolean): void;
  warm(key: string, state: unknown): void;
}

/** The states of one projection. */
export class ProjectionStates implements KeptStates {
  /** States that no event has touched since they were folded, by key. */
  readonly hot: Map<string, unknown> = new Map<string, unknown>();
  readonly #lru: LRUCache<string, KeyState> | undefined;
  readonly #prefix: string;

  /** @internal Made by {@link StateCache.view}. */
  constructor(lru: LRUCache<string, KeyState> | undefined, prefix: string) {
    this.#lru = lru;
    this.#prefix = prefix;
  }

  /** Counts as a use. */
  get(key: string): KeyState | undefined {
    return this.#lru?.get(this.#prefix + key);
  }

  /**
   * Keeps a state unless a newer one is there, or it is larger than the whole budget.
   * @param current - no event of the key stands behind it
   */
  keep(key: string, value: KeyState, bytes: number, current: boolean): void {
    if (!this.#lru) return;
    const name = this.#prefix + key;
    const known = this.#lru.peek(name);
    if (known && isNewer(known, value)) return;
    if (known?.position === value.position) reach(value, known.through ?? 0);
    this.hot.delete(key);
    const size = Math.ceil(COLLECTED_LATE * (ENTRY_BYTES + 4 * key.length + bytes));
    this.#lru.set(name, value, { size });
    if (current && this.#lru.has(name)) this.warm(key, value.state);
  }

  /** Notes that a state in the cache is current. */
  warm(key: string, state: unknown): void {
    if (this.hot.size >= HOT_MAX) this.hot.clear();
    this.hot.set(key, state);
  }

  /** For whoever goes through all keys once: what is there serves it, and what it folds pushes nothing out. */
  get inPassing(): KeptStates {
    return {
      hot: this.hot,
      get: (key) => this.#lru?.peek(this.#prefix + key),
      keep: () => {},
      warm: () => {},
    };
  }

  /** An event of the key came. */
  touch(key: string): void {
    this.hot.delete(key);
  }
}

/** No event of the key stands between the state and that position. */
export function reach(state: KeyState, through: number): void {
  if ((state.through ?? state.position) < through) state.through = through;
}

function isNewer(known: KeyState, value: KeyState): boolean {
  if (known.position !== value.position) return known.position > value.position;
  return known.failure !== undefined && value.failure === undefined;
}
