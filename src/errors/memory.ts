/** Errors of the memory's models. */
import { quote, RecollectError } from './base.js';

/** What a call wanted to change is not there: never stored, deleted, or expired. Nothing was written. */
export class MemoryNotFoundError extends RecollectError {
  /** Of what was looked for, such as `records/alice`. */
  readonly id: string;

  constructor(id: string) {
    super('MEMORY_NOT_FOUND', `There is no ${quote(id)}, or no more. Store it first.`);
    this.id = id;
  }
}
