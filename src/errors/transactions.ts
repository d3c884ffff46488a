/** How a transaction ends when it does not commit. In each case nothing was written. */
import { quote, RecollectError } from './base.js';

/** A commit of somebody else that changed what a transaction had read. */
export interface MovedRead {
  readonly position: number;
  readonly actor?: string | undefined;
  readonly stream: string;
  /** The projection that was read, when it was one. */
  readonly projection?: string | undefined;
  /** The key, or the prefix, that was read from it. */
  readonly key?: string | undefined;
}

function told({ position, actor, stream, projection, key }: MovedRead): string {
  const who = actor === undefined ? '' : ` by ${quote(actor)}`;
  const read = projection === undefined ? '' : `, read through ${quote(projection)}`;
  const of = key === undefined ? '' : ` key ${quote(key)}`;
  return `position ${position}${who} wrote ${quote(stream)}${read}${of}`;
}

/** What a transaction read was changed before it could commit, at every attempt. */
export class TransactionConflictError extends RecollectError {
  /** How often the function ran. */
  readonly attempts: number;
  /** Who moved what, as of the last attempt. */
  readonly positions: readonly MovedRead[];

  constructor(attempts: number, positions: readonly MovedRead[]) {
    const [first] = positions;
    const more = positions.length > 1 ? ` (and ${positions.length - 1} more)` : '';
    const what = first ? `: ${told(first)}${more}` : '';
    super(
      'TRANSACTION_CONFLICT',
      `Nothing was written: what the transaction read was changed by others in each of ${attempts} attempts${what}. Run it again, read less in it, or raise retries.`,
    );
    this.attempts = attempts;
    this.positions = Object.freeze(positions.map((moved) => Object.freeze({ ...moved })));
  }
}

/** `tx.rollback(reason)` ended the transaction. */
export class TransactionRolledBackError extends RecollectError {
  readonly reason: string;

  constructor(reason: string) {
    super(
      'TRANSACTION_ROLLED_BACK',
      `Nothing was written: the transaction was rolled back by its own function (${quote(reason)}).`,
    );
    this.reason = reason;
  }
}

/** The function of a transaction did not end in time. */
export class TransactionTimeoutError extends RecollectError {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(
      'TRANSACTION_TIMEOUT',
      `Nothing was written: the transaction did not end within ${timeoutMs} ms. Wait for less in it, or raise timeoutMs.`,
    );
    this.timeoutMs = timeoutMs;
  }
}
