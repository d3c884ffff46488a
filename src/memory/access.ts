/**
 * What a model reads from and writes to: the open store, a transaction, or the store as of a moment. A model is written once against this, and no model
 * has another way in.
 */
import { RecollectError, StoreReadOnlyError } from '../errors.js';
import type {
  EntriesOptions,
  Entry,
  ExpectedVersion,
  NewEvent,
  Projection,
  RecordedEvent,
  Store,
  StoreView,
  Transaction,
} from '../store.js';
import { type Decided, isPassing, type Outcome, partsOf, usedBefore } from './decided.js';

/** Who, why and under which condition; always the last argument of a call that writes. */
export interface WriteOptions {
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Of the stream that is written. A conflict is then told, not tried again. */
  readonly expectedVersion?: ExpectedVersion | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
}

/** What became of a call that writes. */
export interface Written {
  /** Of what was written: its stream, such as `records/alice`. */
  readonly id: string;
  /** Of the commit; of the last one known when nothing was written, and 0 inside a transaction, whose commit is still to come. */
  readonly position: number;
  /** Of the stream afterwards. */
  readonly version: number;
  /** False when the call would have changed nothing: then no event was appended. */
  readonly changed: boolean;
  /** An earlier call with the same idempotency key answered. */
  readonly repeated: boolean;
}

/** Events for one stream, decided on its state. */
export interface Decision {
  readonly stream: string;
  readonly events: readonly NewEvent[];
}

/**
 * What a call wants to do to one key: from its state to events. Pure, because it is asked again when others wrote meanwhile. The key of the projection is
 * the stream.
 */
export interface Command<State> {
  readonly projection: Projection<State>;
  readonly stream: string;
  /** True: the events are right whatever others append meanwhile, so that no call ever waits for another. */
  readonly commutes?: boolean | undefined;
  /**
   * True: the same call gives other events on another state, such as a change by a function. An idempotency key that was used for events of the same types
   * on the same streams then counts as used by the same call.
   */
  readonly derived?: boolean | undefined;
  /** `now` is ISO 8601, of the store's clock. An empty list changes nothing. */
  decide(state: State | undefined, now: string): readonly NewEvent[];
}

export interface Access {
  /** ISO 8601: of the store's clock, or of the moment that is looked at. */
  now(): Promise<string>;
  nowSync(): string;
  get<State>(projection: Projection<State>, key: string): Promise<State | undefined>;
  getSync<State>(projection: Projection<State>, key: string): State | undefined;
  entries<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): AsyncIterable<Entry<State>>;
  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): Iterable<Entry<State>>;
  run<State>(command: Command<State>, options: WriteOptions): Promise<Written>;
  runSync<State>(command: Command<State>, options: WriteOptions): Written;
  /** Several commands on different streams as one commit. */
  runAll(commands: readonly Command<unknown>[], options: WriteOptions): Promise<readonly Written[]>;
  runAllSync(commands: readonly Command<unknown>[], options: WriteOptions): readonly Written[];
}

/** Others may write between reading and appending; then it is decided anew. */
const ATTEMPTS_MAX = 1000;

function unchanged(id: string, position: number, version: number): Written {
  return Object.freeze({ id, position, version, changed: false, repeated: false });
}

/** The open store. */
export class StoreAccess implements Access {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #context: WriteOptions;

  /** `context` is what calls get that say nothing else: the actor of `memory.as(actor)`. */
  constructor(store: Store, clock: () => number, context: WriteOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#context = context;
  }

  async now(): Promise<string> {
    return this.nowSync();
  }

  nowSync(): string {
    return new Date(this.#clock()).toISOString();
  }

  get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    return this.#store.get(projection, key);
  }

  getSync<State>(projection: Projection<State>, key: string): State | undefined {
    return this.#store.getSync(projection, key);
  }

  entries<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): AsyncIterable<Entry<State>> {
    return this.#store.entries(projection, options);
  }

  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): Iterable<Entry<State>> {
    return this.#store.entriesSync(projection, options);
  }

  async run<State>(command: Command<State>, options: WriteOptions): Promise<Written> {
    const [written] = await this.runAll([command as Command<unknown>], options);
    return written as Written;
  }

  runSync<State>(command: Command<State>, options: WriteOptions): Written {
    const [written] = this.runAllSync([command as Command<unknown>], options);
    return written as Written;
  }

  async runAll(
    commands: readonly Command<unknown>[],
    options: WriteOptions,
  ): Promise<readonly Written[]> {
    // Now, because the caller may use the object for something else while this waits.
    const { expectedVersion, ...context } = options;
    const commitOptions = { ...this.#context, ...withoutUndefined(context) };
    for (let attempt = 1; ; attempt += 1) {
      const decided: Decided[] = [];
      for (const command of commands) {
        // The version first: a state that is newer than it is found out when the commit is decided.
        const version = command.commutes ? 0 : await this.#store.version(command.stream);
        const state = await this.#store.get(command.projection, command.stream);
        decided.push(this.#decide(command, state, version));
      }
      const writing = decided.filter(({ events }) => events.length > 0);
      if (writing.length === 0) return decided.map((each) => this.#unchanged(each));
      try {
        const committed = await this.#store.commit(
          partsOf(writing, expectedVersion),
          commitOptions,
        );
        return decided.map((each) => this.#written(each, committed));
      } catch (error) {
        const position = usedBefore(error, writing);
        if (position !== undefined) {
          const events = await this.#store.readAll({ from: position, to: position }).toArray();
          return this.#answer(decided, writing, events, error);
        }
        if (!isPassing(error, expectedVersion) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  runAllSync(commands: readonly Command<unknown>[], options: WriteOptions): readonly Written[] {
    const { expectedVersion, ...context } = options;
    const commitOptions = { ...this.#context, ...withoutUndefined(context) };
    for (let attempt = 1; ; attempt += 1) {
      const decided: Decided[] = [];
      for (const command of commands) {
        const version = command.commutes ? 0 : this.#store.versionSync(command.stream);
        const state = this.#store.getSync(command.projection, command.stream);
        decided.push(this.#decide(command, state, version));
      }
      const writing = decided.filter(({ events }) => events.length > 0);
      if (writing.length === 0) return decided.map((each) => this.#unchanged(each));
      try {
        const committed = this.#store.commitSync(partsOf(writing, expectedVersion), commitOptions);
        return decided.map((each) => this.#written(each, committed));
      } catch (error) {
        const position = usedBefore(error, writing);
        if (position !== undefined) {
          const events = this.#store.readAllSync({ from: position, to: position }).toArray();
          return this.#answer(decided, writing, events, error);
        }
        if (!isPassing(error, expectedVersion) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  #decide(command: Command<unknown>, state: unknown, version: number): Decided {
    const { stream, commutes = false, derived = false } = command;
    const events = command.decide(state, this.nowSync());
    return { stream, events, version, commutes, derived };
  }

  /** The first answer to a call whose idempotency key was used by the commit of these events. @throws `refusal` when that was another call */
  #answer(
    decided: readonly Decided[],
    writing: readonly Decided[],
    events: readonly RecordedEvent[],
    refusal: unknown,
  ): readonly Written[] {
    const versions: Record<string, number> = Object.create(null);
    for (const { stream, version } of events) versions[stream] = version;
    const types = (stream: string) =>
      JSON.stringify(events.filter((event) => event.stream === stream).map(({ type }) => type));
    const same =
      Object.keys(versions).length === writing.length &&
      writing.every(
        (each) => types(each.stream) === JSON.stringify(each.events.map((e) => e.type)),
      );
    const [first] = events;
    if (!same || first === undefined) throw refusal;
    const outcome = { position: first.position, versions, repeated: true };
    return decided.map((each) => this.#written(each, outcome));
  }

  #unchanged({ stream, version }: Decided): Written {
    return unchanged(stream, this.#store.head.position, version);
  }

  #written({ stream, events, version }: Decided, committed: Outcome): Written {
    const { position, versions, repeated } = committed;
    if (events.length === 0) return unchanged(stream, position, version);
    return Object.freeze({
      id: stream,
      position,
      version: versions[stream] ?? version,
      changed: true,
      repeated,
    });
  }
}

function withoutUndefined(options: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** A transaction: what is written is committed at its end. It has no synchronous calls. */
export class TransactionAccess implements Access {
  readonly #transaction: Transaction;
  readonly #clock: () => number;

  constructor(transaction: Transaction, clock: () => number) {
    this.#transaction = transaction;
    this.#clock = clock;
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

  async run<State>(command: Command<State>, options: WriteOptions): Promise<Written> {
    const { stream, projection, commutes } = command;
    const transaction = this.#transaction;
    // An event that commutes must not make the transaction depend on the key.
    const state = commutes ? undefined : await transaction.get(projection, stream);
    const events = command.decide(state, this.nowSync());
    if (events.length === 0) {
      return unchanged(stream, 0, await transaction.version(stream));
    }
    const { expectedVersion } = options;
    transaction.append(stream, events, { expectedVersion });
    const version = commutes ? 0 : await transaction.version(stream);
    return Object.freeze({ id: stream, position: 0, version, changed: true, repeated: false });
  }

  runSync(): never {
    throw onlyAsynchronous();
  }

  async runAll(
    commands: readonly Command<unknown>[],
    options: WriteOptions,
  ): Promise<readonly Written[]> {
    const written: Written[] = [];
    for (const command of commands) written.push(await this.run(command, options));
    return written;
  }

  runAllSync(): never {
    throw onlyAsynchronous();
  }
}

function onlyAsynchronous(): RecollectError {
  return new RecollectError(
    'ASYNC_ONLY',
    'A transaction has no synchronous calls: use the asynchronous one, and await it.',
  );
}

/** The store as of a moment: reading only. */
export class ViewAccess implements Access {
  readonly #view: StoreView;
  readonly #time: () => Promise<string>;
  readonly #timeSync: () => string;

  /** The times are those of the moment, by which expiry is judged. */
  constructor(view: StoreView, time: () => Promise<string>, timeSync: () => string) {
    this.#view = view;
    this.#time = time;
    this.#timeSync = timeSync;
  }

  now(): Promise<string> {
    return this.#time();
  }

  nowSync(): string {
    return this.#timeSync();
  }

  get<State>(projection: Projection<State>, key: string): Promise<State | undefined> {
    return this.#view.get(projection, key);
  }

  getSync<State>(projection: Projection<State>, key: string): State | undefined {
    return this.#view.getSync(projection, key);
  }

  entries<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): AsyncIterable<Entry<State>> {
    return this.#view.entries(projection, options);
  }

  entriesSync<State>(
    projection: Projection<State>,
    options: EntriesOptions,
  ): Iterable<Entry<State>> {
    return this.#view.entriesSync(projection, options);
  }

  async run(): Promise<never> {
    throw isPast();
  }

  runSync(): never {
    throw isPast();
  }

  async runAll(): Promise<never> {
    throw isPast();
  }

  runAllSync(): never {
    throw isPast();
  }
}

function isPast(): StoreReadOnlyError {
  return new StoreReadOnlyError('the memory as of an earlier moment');
}
