/** Which events a reader asked for: by stream and by type, each an exact name or a prefix that ends in `*`. */
import { invalidArgument } from '../errors.js';
import type { CommitHead } from './decode.js';
import type { RecordedEvent } from './types.js';

export class NameFilter {
  readonly #names = new Set<string>();
  readonly #prefixes: string[] = [];

  /** @throws TypeError when it is not a list of strings */
  constructor(patterns: readonly string[], option: string) {
    if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === 'string')) {
      throw invalidArgument(`${option} must be a list of names`);
    }
    for (const pattern of patterns) {
      if (pattern.endsWith('*')) this.#prefixes.push(pattern.slice(0, -1));
      else this.#names.add(pattern);
    }
  }

  matches(name: string): boolean {
    return this.#names.has(name) || this.#prefixes.some((prefix) => name.startsWith(prefix));
  }

  /** The names, or `undefined` when there are prefixes among them. */
  get exact(): readonly string[] | undefined {
    return this.#prefixes.length > 0 ? undefined : [...this.#names];
  }
}

export class EventFilter {
  readonly streams: NameFilter | undefined;
  readonly types: NameFilter | undefined;

  constructor(streams: readonly string[] | undefined, types: readonly string[] | undefined) {
    this.streams = streams && new NameFilter(streams, 'streams');
    this.types = types && new NameFilter(types, 'types');
  }

  /** Whether a commit holds any event asked for. */
  matchesAny(head: CommitHead): boolean {
    return head.e.some(([stream, , type]) => this.#matches(stream, type));
  }

  /** The events asked for. */
  of(events: RecordedEvent[]): RecordedEvent[] {
    if (this.isOpen) return events;
    return events.filter(({ stream, type }) => this.#matches(stream, type));
  }

  /** True when every event was asked for. */
  get isOpen(): boolean {
    return !this.streams && !this.types;
  }

  #matches(stream: string, type: string): boolean {
    return (this.streams?.matches(stream) ?? true) && (this.types?.matches(type) ?? true);
  }
}
