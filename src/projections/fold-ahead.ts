/**
 * Folding along the log, for a reader who wants the states of all keys anyway: each event is folded when it comes by, instead of being
 * looked up by its place. That is for speed alone. A key for which anything is out of the ordinary is let go of here, and folded when it
 * is read, as all others are.
 *
 * Invariant: an open fold has taken every event of its key up to the last commit that came by.
 */
import type { RecordedEvent } from '../log/types.js';
import type { KeyFolder } from './key-fold.js';
import type { OpenFold, PlaceIndex } from './ports.js';
import type { ProjectionStates } from './states.js';

/** Folds open at one time, and what they may take before they are closed: states must not grow beyond what the cache would keep of them. */
const OPEN_MAX = 16_384;
const TAKEN_MAX = 262_144;

interface Open {
  readonly fold: OpenFold;
  /** Of the last event taken. */
  position: number;
}

export class FoldAhead {
  readonly #folder: KeyFolder;
  readonly #places: PlaceIndex;
  readonly #states: ProjectionStates;
  readonly #open = new Map<string, Open>();
  readonly #letGo = new Set<string>();
  #taken = 0;

  constructor(folder: KeyFolder, places: PlaceIndex, states: ProjectionStates) {
    this.#folder = folder;
    this.#places = places;
    this.#states = states;
  }

  /** Takes the key's next event, as stored. */
  take(key: string, stored: RecordedEvent): void {
    const open = this.#open.get(key) ?? this.#begin(key, stored.position);
    if (!open) return;
    this.#taken += 1;
    open.position = stored.position;
    try {
      if (open.fold.take(this.#folder.interpreter.interpret(stored))) return;
    } catch {
      // Whoever reads the key comes to the same failure, and is told of it.
    }
    this.#open.delete(key);
    this.#letGo.add(key);
  }

  /** Between two commits: closes the folds when there are many. */
  rest(): void {
    if (this.#open.size >= OPEN_MAX || this.#taken >= TAKEN_MAX) this.settle();
  }

  /** Closes all folds and keeps what came of them. */
  settle(): void {
    const { absent, bytesOf } = this.#folder.folding;
    for (const [key, { fold, position }] of this.#open) {
      const known = this.#states.get(key);
      if (known && known.position >= position) continue;
      try {
        const state = fold.end();
        const bytes = state === absent ? 0 : bytesOf(state);
        const current = this.#places.last(key) === position;
        this.#states.keep(key, { state, position }, bytes, current);
      } catch {
        // As above.
      }
    }
    this.#open.clear();
    this.#taken = 0;
  }

  /** From the beginning, or from the state in the cache; undefined when events lie in between. */
  #begin(key: string, position: number): Open | undefined {
    if (this.#letGo.has(key)) return undefined;
    const { definition, folding } = this.#folder;
    const last = this.#places.last(key, position - 1);
    const known = last === 0 ? undefined : this.#states.get(key);
    if (last > 0 && (known?.position !== last || known.failure)) return undefined;
    const open = {
      fold: folding.open(definition, key, known ? known.state : folding.absent),
      position: last,
    };
    this.#open.set(key, open);
    return open;
  }
}
