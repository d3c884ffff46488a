/** Events on their way into the log: of declared types, as their schemas give them, with the version of their shape. */
import { InvalidEventError } from '../errors.js';
import { deepFreeze } from '../log/decode.js';
import { jsonText } from '../log/json.js';
import type { CommitPart, NewEvent } from '../log/types.js';
import { abandon } from '../projections/shape.js';
import type { StoreSettings } from './options.js';

type Checked<T> = T | Promise<T>;

export class Incoming {
  readonly #settings: StoreSettings;
  readonly #eventBytes: number;

  constructor(settings: StoreSettings, eventBytes: number) {
    this.#settings = settings;
    this.#eventBytes = eventBytes;
  }

  /** The events to append: what was handed in when nothing is declared. A promise when a schema answers with one. */
  events(
    events: NewEvent | readonly NewEvent[],
    path = 'events',
  ): Checked<NewEvent | readonly NewEvent[]> {
    if (!this.#settings.typed) return events;
    if (!Array.isArray(events)) return this.#event(events as NewEvent, `${path}[0]`);
    return allOf(
      events as NewEvent[],
      (event, index) => this.#event(event, `${path}[${index}]`),
      (event, index) => this.#copy(event, `${path}[${index}]`),
    );
  }

  /** The same for the parts of a commit. */
  parts(parts: readonly CommitPart[]): Checked<readonly CommitPart[]> {
    if (!this.#settings.typed) return parts;
    return allOf(
      parts,
      (part, index) => {
        // What is no part is for the log to refuse.
        if (!isObject(part)) return part;
        const events = this.events(part.events, `parts[${index}].events`);
        if (!(events instanceof Promise)) return { ...part, events };
        const own = { ...part };
        return events.then((list) => ({ ...own, events: list }));
      },
      (part, index) => this.#copyPart(part, `parts[${index}].events`),
    );
  }

  #copyPart(part: CommitPart, path: string): CommitPart {
    if (!isObject(part)) return part;
    const { events } = part;
    if (!Array.isArray(events)) return { ...part, events: this.#copy(events as NewEvent, path) };
    const list = events as readonly NewEvent[];
    return { ...part, events: list.map((event, at) => this.#copy(event, `${path}[${at}]`)) };
  }

  /** {@link Incoming.parts}. @throws TypeError (`ASYNC_SCHEMA`) when a schema answers with a promise */
  partsSync(parts: readonly CommitPart[]): readonly CommitPart[] {
    if (!this.#settings.typed) return parts;
    return parts.map((part, index) =>
      isObject(part)
        ? { ...part, events: this.eventsSync(part.events, `parts[${index}].events`) }
        : part,
    );
  }

  /** @throws TypeError (`ASYNC_SCHEMA`) when a schema answers with a promise */
  eventsSync(
    events: NewEvent | readonly NewEvent[],
    path = 'events',
  ): NewEvent | readonly NewEvent[] {
    if (!this.#settings.typed) return events;
    if (!Array.isArray(events)) return this.#eventSync(events as NewEvent, `${path}[0]`);
    return (events as NewEvent[]).map((event, index) =>
      this.#eventSync(event, `${path}[${index}]`),
    );
  }

  /** A copy as it will be read back: what the caller does with its own object later changes nothing. */
  copy(event: NewEvent, path: string): Checked<NewEvent> {
    const checked = this.#settings.typed ? this.#event(event, path) : event;
    if (checked instanceof Promise) return checked.then((value) => this.#copy(value, path));
    return this.#copy(checked, path);
  }

  #copy(event: NewEvent, path: string): NewEvent {
    checkObject(event, path);
    const again = (value: unknown, member: string): unknown =>
      deepFreeze(JSON.parse(jsonText(value, `${path}.${member}`, this.#eventBytes)) as unknown);
    return Object.freeze({
      ...event,
      data: again(event.data, 'data'),
      ...(event.metadata === undefined ? {} : { metadata: again(event.metadata, 'metadata') }),
    });
  }

  #event(event: NewEvent, path: string): Checked<NewEvent> {
    const version = this.#versionOf(event, path);
    // A schema describes the newest shape.
    if (version !== this.#settings.interpreter.current(event.type)) return event;
    const data = this.#settings.schemas.check(event.type, event.data, path);
    if (data instanceof Promise) {
      // The schema has the data; the rest is still the caller's.
      const own = this.#copy({ ...event, data: null }, path);
      return data.then((value) => stored(own, value, version));
    }
    return stored(event, data, version);
  }

  #eventSync(event: NewEvent, path: string): NewEvent {
    const version = this.#versionOf(event, path);
    if (version !== this.#settings.interpreter.current(event.type)) return event;
    return stored(event, this.#settings.schemas.checkSync(event.type, event.data, path), version);
  }

  #versionOf(event: NewEvent, path: string): number {
    checkObject(event, path);
    const { interpreter } = this.#settings;
    return interpreter.versionFor(event.type, event.schemaVersion, path);
  }
}

/**
 * Each item checked; a promise when one of them takes time. What need not wait is copied then: its owner may change it meanwhile.
 * When one is refused at once, nobody will wait for those before it.
 */
function allOf<T>(
  items: readonly T[],
  check: (item: T, index: number) => Checked<T>,
  copy: (item: T, index: number) => T,
): Checked<readonly T[]> {
  const checked: Checked<T>[] = [];
  const promises = () => checked.filter((item) => item instanceof Promise);
  try {
    for (const [index, item] of items.entries()) checked.push(check(item, index));
    if (promises().length === 0) return checked as T[];
    return Promise.all(
      checked.map((item, index) => (item instanceof Promise ? item : copy(item, index))),
    );
  } catch (error) {
    for (const promise of promises()) abandon(promise);
    throw error;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkObject(event: unknown, path: string): void {
  if (isObject(event)) return;
  throw new InvalidEventError(path, 'this is no event', 'Use { type, data }.');
}

function stored(event: NewEvent, data: unknown, version: number): NewEvent {
  if (data === event.data && (event.schemaVersion ?? 1) === version) return event;
  return { ...event, data, schemaVersion: version };
}
