/**
 * What the models hold: counted once, then kept up with what was appended, so that asking again costs what has changed.
 *
 * Invariants:
 * - what is held is true at `#position` at least: a state that was newer when it was read is read again with the events that made it so;
 * - a count takes effect at its end, at once, and only if no other one came further meanwhile.
 */
import { setImmediate } from 'node:timers/promises';
import { ProjectionFailedError } from '../errors.js';
import type { Entry, Store } from '../store.js';
import type { ModelDefinition } from './model-definition.js';

/** What one model holds. */
export interface ModelStatus {
  /** What reading calls can return now. */
  readonly items: number;
  /** Stored, and not returned any more because it has expired. */
  readonly expired: number;
  /** Of the states of both, as JSON text. */
  readonly bytes: number;
}

/** What one key adds to its model. */
interface Share {
  readonly bytes: number;
  /** Items that never expire. */
  readonly lasting: number;
  /** When each of the others does, ms since 1970. */
  readonly ends: readonly number[];
}

/** What the keys of a model add up to. */
interface Sum {
  bytes: number;
  lasting: number;
  /** By key. */
  readonly ending: Map<string, readonly number[]>;
}

/** What a count found; undefined for a key that is absent. */
interface Found {
  readonly shares: Map<string, Share | undefined>;
  /** Keys that cannot be read. */
  readonly failed: Set<string>;
}

/** Fewer commits than this are always followed one by one. */
const COMMITS_MIN = 1000;
/** How long counting keeps the thread at a time, ms. */
const SLICE_MS = 5;
const NO_ENDS: readonly number[] = [];

export class Census {
  readonly #store: Store;
  readonly #definitions: ReadonlyMap<string, ModelDefinition>;
  #position: number | undefined;
  readonly #shares = new Map<string, Share>();
  readonly #sums = new Map<string, Sum>();
  readonly #failed = new Set<string>();
  #counting: Promise<void> | undefined;

  constructor(store: Store, definitions: readonly ModelDefinition[]) {
    this.#store = store;
    this.#definitions = new Map(definitions.map((definition) => [definition.name, definition]));
    this.#clear();
  }

  /** Counts what is not counted yet, in slices that leave the thread to others. */
  async update(): Promise<void> {
    await this.#store.refresh();
    while (this.#counting) await this.#counting.catch(() => {});
    this.#counting = this.#count();
    try {
      await this.#counting;
    } finally {
      this.#counting = undefined;
    }
  }

  async #count(): Promise<void> {
    const { position } = this.#store.head;
    if (this.#position === position) return;
    const slices = new Slices();
    const found: Found = { shares: new Map(), failed: new Set() };
    const since = this.#followedFrom(position);
    if (since === undefined) {
      for (const definition of this.#definitions.values()) {
        for (let after: string | undefined | null; after !== null; ) {
          try {
            for await (const entry of this.#store.entries(...rangeOf(definition, after))) {
              note(found, definition, entry);
              await slices.rest();
            }
            after = null;
          } catch (error) {
            after = behind(found, definition, error);
          }
        }
      }
    } else {
      const keys = new Set<string>();
      for await (const { stream } of this.#store.readAll({ from: since + 1, to: position })) {
        keys.add(stream);
        await slices.rest();
      }
      for (const key of keys) {
        const definition = this.#modelOf(key);
        if (!definition) continue;
        try {
          note(found, definition, [key, await this.#store.get(definition.projection, key)]);
        } catch (error) {
          behind(found, definition, error);
        }
        await slices.rest();
      }
    }
    this.#take(position, since, found);
  }

  /** {@link Census.update}, at once. */
  updateSync(): void {
    this.#store.refreshSync();
    const { position } = this.#store.head;
    if (this.#position === position) return;
    const found: Found = { shares: new Map(), failed: new Set() };
    const since = this.#followedFrom(position);
    if (since === undefined) {
      for (const definition of this.#definitions.values()) {
        for (let after: string | undefined | null; after !== null; ) {
          try {
            for (const entry of this.#store.entriesSync(...rangeOf(definition, after))) {
              note(found, definition, entry);
            }
            after = null;
          } catch (error) {
            after = behind(found, definition, error);
          }
        }
      }
    } else {
      const keys = new Set<string>();
      for (const { stream } of this.#store.readAllSync({ from: since + 1, to: position })) {
        keys.add(stream);
      }
      for (const key of keys) {
        const definition = this.#modelOf(key);
        if (!definition) continue;
        try {
          note(found, definition, [key, this.#store.getSync(definition.projection, key)]);
        } catch (error) {
          behind(found, definition, error);
        }
      }
    }
    this.#take(position, since, found);
  }

  /** Whether there are keys that cannot be read. */
  get failed(): boolean {
    return this.#failed.size > 0;
  }

  /** By the model's name; expiry is judged at a time in ms since 1970. */
  models(now: number): Readonly<Record<string, ModelStatus>> {
    const models: Record<string, ModelStatus> = {};
    for (const [name, { bytes, lasting, ending }] of this.#sums) {
      let expired = 0;
      let running = 0;
      for (const ends of ending.values()) {
        for (const end of ends) {
          if (end <= now) expired += 1;
          else running += 1;
        }
      }
      models[name] = { items: lasting + running, expired, bytes };
    }
    return models;
  }

  /** From where commits are followed; undefined when counting everything anew is less work. */
  #followedFrom(position: number): number | undefined {
    const since = this.#position;
    if (since === undefined) return undefined;
    return position - since <= Math.max(COMMITS_MIN, this.#shares.size) ? since : undefined;
  }

  #modelOf(key: string): ModelDefinition | undefined {
    return this.#definitions.get(categoryOf(key));
  }

  #take(position: number, since: number | undefined, { shares, failed }: Found): void {
    if (this.#position !== undefined && this.#position >= position) return;
    if (since === undefined) this.#clear();
    for (const [key, share] of shares) {
      this.#failed.delete(key);
      this.#put(key, share);
    }
    for (const key of failed) {
      this.#failed.add(key);
      this.#put(key, undefined);
    }
    this.#position = position;
  }

  #put(key: string, share: Share | undefined): void {
    const sum = this.#sums.get(categoryOf(key));
    if (!sum) return;
    const before = this.#shares.get(key);
    sum.bytes += (share?.bytes ?? 0) - (before?.bytes ?? 0);
    sum.lasting += (share?.lasting ?? 0) - (before?.lasting ?? 0);
    if (share && share.ends.length > 0) sum.ending.set(key, share.ends);
    else sum.ending.delete(key);
    if (share) this.#shares.set(key, share);
    else this.#shares.delete(key);
  }

  #clear(): void {
    this.#shares.clear();
    this.#failed.clear();
    for (const name of this.#definitions.keys()) {
      this.#sums.set(name, { bytes: 0, lasting: 0, ending: new Map() });
    }
  }
}

/** Gives the thread to others every few milliseconds. */
class Slices {
  #begun = performance.now();

  async rest(): Promise<void> {
    if (performance.now() - this.#begun < SLICE_MS) return;
    await setImmediate();
    this.#begun = performance.now();
  }
}

function categoryOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}

function rangeOf({ name, projection }: ModelDefinition, after: string | undefined) {
  return [projection, { prefix: `${name}/`, after }] as const;
}

function note({ shares }: Found, { expiries }: ModelDefinition, [key, state]: Entry): void {
  if (state === undefined) {
    shares.set(key, undefined);
    return;
  }
  const bytes = Buffer.byteLength(JSON.stringify(state));
  const items = expiries?.(state) ?? [undefined];
  const ends = items.filter((expiry) => expiry !== undefined).map((expiry) => Date.parse(expiry));
  const lasting = items.length - ends.length;
  shares.set(key, { bytes, lasting, ends: ends.length === 0 ? NO_ENDS : ends });
}

/** The key that cannot be read, behind which counting goes on; null when it is all of the model. How the rest is doing is told all the same. */
function behind({ failed }: Found, { name }: ModelDefinition, error: unknown): string | null {
  if (!(error instanceof ProjectionFailedError)) throw error;
  failed.add(error.key ?? `${name}/`);
  return error.key ?? null;
}
