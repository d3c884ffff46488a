/** What a transaction's function is given: the calls that are meant for it, and none of those that run it. */
import type { ExpectedVersion, NewEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { AsyncEntries, EntriesOptions } from '../projections/types.js';
import type { Attempt } from './attempt.js';
import type { Savepoint } from './buffer.js';

export class Handle {
  readonly attempt: number;
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
    this.attempt = attempt.number;
    Object.freeze(this);
  }

  get position(): number {
    return this.#attempt.toldPosition;
  }

  get(projection: Projection, key: string): Promise<unknown> {
    return this.#attempt.get(projection, key);
  }

  entries(projection: Projection, options?: EntriesOptions): AsyncEntries<unknown> {
    return this.#attempt.entries(projection, options);
  }

  version(stream: string): Promise<number> {
    return this.#attempt.version(stream);
  }

  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options?: { readonly expectedVersion?: ExpectedVersion | undefined },
  ): void {
    this.#attempt.append(stream, events, options);
  }

  savepoint(): Savepoint {
    return this.#attempt.savepoint();
  }

  rollbackTo(savepoint: Savepoint): void {
    this.#attempt.rollbackTo(savepoint);
  }

  rollback(reason: string): never {
    return this.#attempt.rollback(reason);
  }
}
