/**
 * What a projection means, as simply as it can be said: every event in log order, one at a time. Knows nothing of postings, caches and portions,
 * so that it can be compared with what they give. Keeps the state of every key.
 */
import type { RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import { ABSENT, FoldFailure, fold } from '../projections/fold.js';
import type { EventInterpreter } from '../projections/ports.js';
import type { KeyFailure } from '../projections/states.js';
import { interpretedEvent } from './history.js';

/** One event folded into one key. Either state may be ABSENT. */
export interface FoldStep {
  readonly event: RecordedEvent;
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** A state (or ABSENT), or why there is none. */
export type FoldedKey = { readonly state: unknown } | { readonly failure: KeyFailure };

export const ABSENT_KEY: FoldedKey = Object.freeze({ state: ABSENT });

export class LeftFold {
  readonly projection: Projection;
  readonly #interpreter: EventInterpreter;
  readonly #types: ReadonlySet<string>;
  readonly #keys = new Map<string, FoldedKey>();
  #stop: KeyFailure | undefined;

  constructor(projection: Projection, interpreter: EventInterpreter) {
    this.projection = projection;
    this.#interpreter = interpreter;
    this.#types = new Set(projection.types);
  }

  /** Where it could not be said which keys an event belongs to. States are as of the commit before. */
  get stopped(): KeyFailure | undefined {
    return this.#stop;
  }

  /** Keys that have a state, and keys that are stopped. */
  get keys(): ReadonlyMap<string, FoldedKey> {
    return this.#keys;
  }

  /**
   * Folds a commit as a whole, and gives the steps in the order of its events. Where a key cannot be folded there are no steps for it, and
   * its state stays stopped.
   */
  take(commit: readonly RecordedEvent[]): FoldStep[] {
    if (this.#stop) return [];
    const changed = new Map<string, FoldedKey>();
    const steps: FoldStep[] = [];
    for (const event of commit) {
      if (!this.#types.has(event.type)) continue;
      const keys = this.#keysOf(event);
      if (!keys) return [];
      for (const key of keys) {
        const known = changed.get(key) ?? this.#keys.get(key) ?? ABSENT_KEY;
        if ('failure' in known) continue;
        const step = this.#fold(event, key, known.state);
        if ('failure' in step) changed.set(key, step);
        else {
          changed.set(key, { state: step.after });
          steps.push(step);
        }
      }
    }
    for (const [key, folded] of changed) {
      if ('state' in folded && folded.state === ABSENT) this.#keys.delete(key);
      else this.#keys.set(key, folded);
    }
    return steps.filter(({ key }) => !('failure' in (changed.get(key) as FoldedKey)));
  }

  /** Lets go of a key, and gives what was known of it. */
  release(key: string): FoldedKey {
    const folded = this.#keys.get(key) ?? ABSENT_KEY;
    this.#keys.delete(key);
    return folded;
  }

  #keysOf(stored: RecordedEvent): Iterable<string> | undefined {
    if (this.projection.keyIsStream) return [stored.stream];
    try {
      return new Set(this.projection.keysOf(this.#interpreter.interpret(stored)));
    } catch (cause) {
      this.#stop = { position: stored.position, event: stored.id, cause };
      return undefined;
    }
  }

  #fold(
    stored: RecordedEvent,
    key: string,
    before: unknown,
  ): FoldStep | { readonly failure: KeyFailure } {
    try {
      const event = interpretedEvent(this.#interpreter, stored);
      return { event, key, before, after: fold(this.projection, key, before, [event]) };
    } catch (error) {
      if (!(error instanceof FoldFailure)) throw error;
      return { failure: { position: stored.position, event: stored.id, cause: error.cause } };
    }
  }
}
