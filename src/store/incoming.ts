/** Events on their way into the log: of declared types, as their schemas give them, with the version of their shape. */
import { InvalidEventError } from '../errors.js';
import { deepFreeze } from '../log/decode.js';
import { jsonText } from '../log/json.js';
import type { NewEvent } from '../log/types.js';
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
    const checked = (events as NewEvent[]).map((event, index) =>
      this.#event(event, `${path}[${index}]`),
    );
    if (!checked.some((event) => event instanceof Promise)) return checked as NewEvent[];
    return Promise.all(checked);
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
    if (data instanceof Promise) return data.then((value) => stored(event, value, version));
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

function checkObject(event: unknown, path: string): void {
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) return;
  throw new InvalidEventError(path, 'this is no event', 'Use { type, data }.');
}

function stored(event: NewEvent, data: unknown, version: number): NewEvent {
  if (data === event.data && (event.schemaVersion ?? 1) === version) return event;
  return { ...event, data, schemaVersion: version };
}
