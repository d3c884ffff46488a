/** What a stored event means to this program: its data in the newest shape that the program knows. */
import { InvalidEventError, quote, UnknownSchemaVersionError } from '../errors.js';
import type { RecordedEvent } from '../log/types.js';
import type { Events } from './events.js';
import { chainsOf, type UpcasterChain, upcast } from './upcast.js';

const NO_CHAIN: UpcasterChain = [];

export class Interpreter {
  /** Of every declared type. Its newest version is one more than its chain is long. */
  readonly #chains: Map<string, UpcasterChain>;

  /**
   * A type is declared when it stands in `events` or has upcasters.
   * @throws TypeError for upcasters of the wrong shape, with a gap, or of a type that `events` does not have
   */
  constructor(events?: Events, upcasters?: unknown) {
    const chains = chainsOf(upcasters, events);
    this.#chains = new Map(chains);
    for (const type of events?.types ?? []) {
      if (!chains.has(type)) this.#chains.set(type, NO_CHAIN);
    }
  }

  /** The schema version that new events of the type get, and that all of them have once read. */
  current(type: string): number {
    return (this.#chains.get(type)?.length ?? 0) + 1;
  }

  /**
   * The schema version that a new event is stored with: the current one when none is given. An earlier one is taken, so that a test or
   * a migration can write what upcasters are for; a later one would be an event that this program cannot read.
   * @throws InvalidEventError
   */
  versionFor(type: string, schemaVersion: number | undefined, path: string): number {
    const current = this.current(type);
    if (schemaVersion === undefined) return current;
    if (schemaVersion > current && this.#chains.has(type)) {
      throw new InvalidEventError(
        `${path}.schemaVersion`,
        `the newest version of ${quote(type)} is ${current}, not ${schemaVersion}`,
        'Leave it out, or add the upcasters that lead to it.',
      );
    }
    return schemaVersion;
  }

  /**
   * The event with data of the newest version: itself when that is what it has, else a deeply frozen copy.
   * @throws UnknownSchemaVersionError for a declared type that is newer; UpcastFailedError
   */
  interpret(event: RecordedEvent): RecordedEvent {
    const chain = this.#chains.get(event.type);
    if (chain === undefined || event.schemaVersion === chain.length + 1) return event;
    const known = chain.length + 1;
    const { type, schemaVersion, position } = event;
    if (schemaVersion > known) {
      throw new UnknownSchemaVersionError({ type, schemaVersion, known, position });
    }
    return Object.freeze({ ...event, schemaVersion: known, data: upcast(chain, event) });
  }
}
