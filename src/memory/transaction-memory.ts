/** The models inside a transaction. */
import type { Transaction } from '../store.js';
import type { Meter } from './meter.js';
import { Models } from './models.js';
import type { MemorySettings } from './options.js';
import { TransactionAccess } from './transaction-access.js';

/** The models, reading as of one position plus what the transaction wrote. What they write is committed together at its end. They have no synchronous calls. */
export class TransactionMemory extends Models {
  /** The transaction of the store below: savepoints, `rollback`, and your own events. */
  readonly engine: Transaction;

  /** @internal Made by `memory.transaction`. */
  constructor(
    transaction: Transaction,
    clock: () => number,
    settings: MemorySettings,
    meter: Meter,
  ) {
    const { definitions, language } = settings;
    super(new TransactionAccess(transaction, clock, definitions, language), settings, meter);
    this.engine = transaction;
  }
}
