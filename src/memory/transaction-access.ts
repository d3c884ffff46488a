/** What a model reads from and writes to inside a transaction. */
import { invalidArgument, RecollectError } from '../errors.js';
import type { EntriesOptions, Entry, Projection, Transaction } from '../store.js';
import {
  type Access,
  type Command,
  unchanged,
  type WriteOptions,
  type Written,
  withoutUndefined,
} from './access.js';
import { checkDemands, strictest } from './conditions.js';
import type { ModelDefinition } from './model-definition.js';
import type { Plan } from './plan.js';
import { MemoryIndex } from './recall-index.js';
import { turns } from './turns.js';
import { checkWriteOptions } from './write-options.js';

/** A transaction: what is written is committed at its end. It has no synchronous calls. */
export class TransactionAccess implements Access {
  readonly #transaction: Transaction;
  readonly #clock: () => number;
  readonly #definitions: readonly ModelDefinition[];
  readonly #language: string;

  /** The definitions and the language are for what can be found. */
  constructor(
    transaction: Transaction,
    clock: () => number,
    definitions: readonly ModelDefinition[],
    language: string,
  ) {
    this.#transaction = transaction;
    this.#clock = clock;
    this.#definitions = definitions;
    this.#language = language;
  }

  async now(): Promise<string> {
    return this.nowSync();
  }

  nowSync(): string {
    return new Date(this.#clock()).toISOString();
  }

  get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    return this.#transaction.get(projection, key);
  }

  getSync(): never {
    throw onlyAsynchronous();
  }

  entries<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): AsyncIterable<Entry<State>> {
    return this.#transaction.entries(projection, options);
  }

  entriesSync(): never {
    throw onlyAsynchronous();
  }

  /** Made anew each time, of every state that the transaction sees; all of them are conditions of its commit. */
  async recall(models?: readonly string[]): Promise<MemoryIndex> {
    const index = new MemoryIndex(this.#definitions, this.#language);
    for (const { name, projection } of this.#definitions) {
      if (models?.includes(name) === false) continue;
      for await (const [stream, state] of this.#transaction.entries(projection, {
        prefix: `${name}/`,
      })) {
        index.putState(stream, state);
      }
    }
    return index;
  }

  recallSync(): never {
    throw onlyAsynchronous();
  }

  async run<State>(command: Command<State>, options: WriteOptions): Promise<Written> {
    const { stream, projection, commutes } = command;
    const transaction = this.#transaction;
    checkWithinTransaction(options);
    // An event that commutes must not make the transaction depend on the key.
    const version = commutes ? 0 : await transaction.version(stream);
    const state = commutes ? undefined : await transaction.get(projection, stream);
    const events = command.decide(state, this.nowSync());
    const expectedVersion = command.expectedVersion ?? options.expectedVersion;
    if (events.length === 0) {
      checkDemands([{ stream, version, expectedVersion }]);
      return unchanged(stream, 0, version);
    }
    // Of isolation read-committed nothing that was read is a condition by itself, and a change must not be made of what others have changed.
    const condition = commutes ? expectedVersion : strictest(version, expectedVersion);
    transaction.append(stream, events, { expectedVersion: condition });
    const after = commutes ? 0 : version + events.length;
    return Object.freeze({
      id: stream,
      position: 0,
      version: after,
      changed: true,
      repeated: false,
    });
  }

  runSync(): never {
    throw onlyAsynchronous();
  }

  async runAll(
    commands: readonly Command<unknown>[],
    options: WriteOptions,
  ): Promise<readonly Written[]> {
    const written: Written[] = [];
    for (const command of commands) {
      if (written.length > 0) await this.#rest();
      written.push(await this.run(command, options));
    }
    return written;
  }

  runAllSync(): never {
    throw onlyAsynchronous();
  }

  async runPlan<State, Result>(plan: Plan<State, Result>, options: WriteOptions): Promise<Result> {
    checkWithinTransaction(options);
    const { projection, streams } = plan;
    const versions = new Map<string, number>();
    const states = new Map<string, State | undefined>();
    // What a transaction has read is a condition of its commit; of isolation read-committed only where it writes.
    for (const stream of streams) {
      if (versions.size > 0) await this.#rest();
      versions.set(stream, await this.#transaction.version(stream));
      states.set(stream, await this.#transaction.get(projection, stream));
    }
    const { decisions, result } = plan.decide(states, this.nowSync());
    for (const { stream, events } of decisions) {
      if (events.length === 0) continue;
      const version = versions.get(stream);
      const expectedVersion =
        version === undefined ? undefined : strictest(version, options.expectedVersion);
      this.#transaction.append(stream, events, { expectedVersion });
    }
    return result;
  }

  /** Who lost hurries: others would write in its turns again. */
  #rest(): Promise<void> | undefined {
    return this.#transaction.attempt === 1 ? turns.rest() : undefined;
  }

  runPlanSync(): never {
    throw onlyAsynchronous();
  }
}

/** One commit has one actor, one reason, one idempotency key. */
function checkWithinTransaction(options: WriteOptions): void {
  checkWriteOptions(options);
  const { expectedVersion: _, ...others } = options;
  const [member] = Object.keys(withoutUndefined(others));
  if (member === undefined) return;
  throw invalidArgument(`${member} belongs to the whole transaction: give it to transaction(…)`);
}

function onlyAsynchronous(): RecollectError {
  return new RecollectError(
    'ASYNC_ONLY',
    'A transaction has no synchronous calls: use the asynchronous one, and await it.',
  );
}
