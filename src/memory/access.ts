/**
 * What a model reads from and writes to: the open store, a transaction (transaction-access.ts), or the store as of a moment (view-access.ts). A model
 * is written once against this, and no model has another way in.
 */
import { IdempotencyKeyReusedError, VersionConflictError } from '../errors.js';
import type {
  Committed,
  EntriesOptions,
  Entry,
  ExpectedVersion,
  IndexDefinition,
  NewEvent,
  Projection,
  RecordedEvent,
  Store,
  Turns,
} from '../store.js';
import { checkDemands, checksOf, conditionOf, type Demand } from './conditions.js';
import { Lanes } from './lanes.js';
import { carryOut, carryOutSync, type Plan } from './plan.js';
import type { MemoryIndex } from './recall-index.js';
import { asRepeated, changedNothing, refusalOf, repeatedEvent } from './repeats.js';
import { latest } from './store-time.js';
import { turns } from './turns.js';
import { checkWriteOptions } from './write-options.js';

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

/**
 * What a call wants to do to one key: from its state to events. Pure, because it is asked again when others wrote meanwhile. The key of the projection is
 * the stream.
 */
export interface Command<State> {
  readonly projection: Projection<State>;
  readonly stream: string;
  /** True: the events are right whatever others append meanwhile, so that no call ever waits for another. */
  readonly commutes?: boolean | undefined;
  /** Demanded of the stream whatever the call demands, which then is meant for another stream of the same commit. */
  readonly expectedVersion?: ExpectedVersion | undefined;
  /**
   * True: the same call gives other events on another state, such as a change by a function. An idempotency key that was used for events of the same types
   * on the same streams then counts as used by the same call.
   */
  readonly derived?: boolean | undefined;
  /** `now` is ISO 8601, of the store's clock. An empty list changes nothing. */
  decide(state: State | undefined, now: string): readonly NewEvent[];
  /**
   * For calls that give other events when they are made again, such as one that holds a time or a new id, or that would change nothing the second time.
   * Asked when the idempotency key stands in the log: gives the event by which that commit did the same, undefined when it did not.
   */
  repeats?(events: readonly RecordedEvent[]): RecordedEvent | undefined;
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
  /** What can be found of the models named, or of all. */
  recall(models?: readonly string[]): Promise<MemoryIndex>;
  recallSync(models?: readonly string[]): MemoryIndex;
  run<State>(command: Command<State>, options: WriteOptions): Promise<Written>;
  runSync<State>(command: Command<State>, options: WriteOptions): Written;
  /** Several commands on different streams as one commit. */
  runAll(commands: readonly Command<unknown>[], options: WriteOptions): Promise<readonly Written[]>;
  runAllSync(commands: readonly Command<unknown>[], options: WriteOptions): readonly Written[];
  /** One commit, or none when the plan has no events. */
  runPlan<State, Result>(plan: Plan<State, Result>, options: WriteOptions): Promise<Result>;
  runPlanSync<State, Result>(plan: Plan<State, Result>, options: WriteOptions): Result;
}

/** Others may write between reading and appending; then it is decided anew. */
const ATTEMPTS_MAX = 1000;

/** @internal */
export function unchanged(id: string, position: number, version: number): Written {
  return Object.freeze({ id, position, version, changed: false, repeated: false });
}

/** What is to be appended, with the version that it was decided on. */
interface Decided {
  readonly command: Command<unknown>;
  readonly events: readonly NewEvent[];
  readonly version: number;
}

/** By store, whoever the actor is. */
const lanesOf = new WeakMap<Store, Lanes>();

/** The open store. */
export class StoreAccess implements Access {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #context: WriteOptions;
  readonly #recall: IndexDefinition<MemoryIndex>;
  readonly #lanes: Lanes;

  /** `context` is what calls get that say nothing else: the actor of `memory.as(actor)`. */
  constructor(
    store: Store,
    clock: () => number,
    context: WriteOptions,
    recall: IndexDefinition<MemoryIndex>,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#context = context;
    this.#recall = recall;
    this.#lanes = lanesOf.get(store) ?? new Lanes();
    lanesOf.set(store, this.#lanes);
  }

  async now(): Promise<string> {
    return this.nowSync();
  }

  nowSync(): string {
    return latest(this.#clock(), this.#store.head.time);
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

  recall(): Promise<MemoryIndex> {
    return this.#store.index(this.#recall);
  }

  recallSync(): MemoryIndex {
    return this.#store.indexSync(this.#recall);
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
    checkWriteOptions(options);
    let lane: string | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Who lost hurries: others would write in its turns again.
        return await (lane === undefined
          ? this.#attempt(commands, options, turns)
          : this.#lanes.run(lane, () => this.#attempt(commands, options)));
      } catch (error) {
        if (!isConflict(error, options) || attempt === ATTEMPTS_MAX) throw error;
        lane = error.failures[0]?.stream;
      }
    }
  }

  async #attempt(
    commands: readonly Command<unknown>[],
    options: WriteOptions,
    resting?: Turns,
  ): Promise<readonly Written[]> {
    const decided: Decided[] = [];
    try {
      for (const command of commands) {
        if (decided.length > 0) await resting?.rest();
        // The version first: a state that is newer than it is found out when the commit is decided.
        const version = command.commutes ? 0 : await this.#store.version(command.stream);
        const state = await this.#store.get(command.projection, command.stream);
        decided.push(this.#decide(command, state, version));
      }
    } catch (error) {
      const position = await this.#positionOf(options);
      if (position === undefined) throw error;
      const refusal = refusalOf(commands, options.idempotencyKey ?? '', position) ?? error;
      return await this.#repeated(commands, decided, position, refusal);
    }
    const writing = decided.filter(({ events }) => events.length > 0);
    if (writing.length === 0) {
      const position = await this.#positionOf(options);
      if (position === undefined) return this.#nothing(decided, options);
      const error = new IdempotencyKeyReusedError(options.idempotencyKey as string, position);
      return await this.#repeated(commands, decided, position, error);
    }
    try {
      const parts = this.#parts(writing, options);
      const context = { ...this.#options(options), checks: checksOf(demandsOf(decided, options)) };
      const committed = await this.#store.commit(parts, context);
      return decided.map((each) => this.#written(each, committed));
    } catch (error) {
      if (!(error instanceof IdempotencyKeyReusedError)) throw error;
      return await this.#repeated(commands, decided, error.position, error);
    }
  }

  async #positionOf({ idempotencyKey }: WriteOptions): Promise<number | undefined> {
    if (idempotencyKey === undefined) return undefined;
    return await this.#store.positionOf(idempotencyKey);
  }

  /** The calls as of the commit that has their idempotency key. @throws the error when that commit did something else */
  async #repeated(
    commands: readonly Command<unknown>[],
    decided: readonly Decided[],
    position: number,
    error: unknown,
  ): Promise<readonly Written[]> {
    const events = await this.#store.readAll({ from: position, to: position }).toArray();
    const before = this.#store.at(position - 1);
    const answers: Written[] = [];
    for (const [index, command] of commands.entries()) {
      const { stream, projection } = command;
      const event = repeatedEvent({ command, events, own: decided[index]?.events });
      if (event) answers.push(asRepeated(event));
      else if (changedNothing(command, await before.get(projection, stream), events)) {
        answers.push(unchanged(stream, position, await before.version(stream)));
      } else throw error;
    }
    if (!answers.some(({ repeated }) => repeated)) throw error;
    return answers;
  }

  runAllSync(commands: readonly Command<unknown>[], options: WriteOptions): readonly Written[] {
    checkWriteOptions(options);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return this.#attemptSync(commands, options);
      } catch (error) {
        if (!isConflict(error, options) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }

  #attemptSync(commands: readonly Command<unknown>[], options: WriteOptions): readonly Written[] {
    const decided: Decided[] = [];
    try {
      for (const command of commands) {
        const version = command.commutes ? 0 : this.#store.versionSync(command.stream);
        const state = this.#store.getSync(command.projection, command.stream);
        decided.push(this.#decide(command, state, version));
      }
    } catch (error) {
      const position = this.#positionOfSync(options);
      if (position === undefined) throw error;
      const refusal = refusalOf(commands, options.idempotencyKey ?? '', position) ?? error;
      return this.#repeatedSync(commands, decided, position, refusal);
    }
    const writing = decided.filter(({ events }) => events.length > 0);
    if (writing.length === 0) {
      const position = this.#positionOfSync(options);
      if (position === undefined) return this.#nothing(decided, options);
      const error = new IdempotencyKeyReusedError(options.idempotencyKey as string, position);
      return this.#repeatedSync(commands, decided, position, error);
    }
    try {
      const parts = this.#parts(writing, options);
      const context = { ...this.#options(options), checks: checksOf(demandsOf(decided, options)) };
      const committed = this.#store.commitSync(parts, context);
      return decided.map((each) => this.#written(each, committed));
    } catch (error) {
      if (!(error instanceof IdempotencyKeyReusedError)) throw error;
      return this.#repeatedSync(commands, decided, error.position, error);
    }
  }

  #positionOfSync({ idempotencyKey }: WriteOptions): number | undefined {
    return idempotencyKey === undefined ? undefined : this.#store.positionOfSync(idempotencyKey);
  }

  #repeatedSync(
    commands: readonly Command<unknown>[],
    decided: readonly Decided[],
    position: number,
    error: unknown,
  ): readonly Written[] {
    const events = this.#store.readAllSync({ from: position, to: position }).toArray();
    const before = this.#store.at(position - 1);
    const answers = commands.map((command, index) => {
      const { stream, projection } = command;
      const event = repeatedEvent({ command, events, own: decided[index]?.events });
      if (event) return asRepeated(event);
      if (!changedNothing(command, before.getSync(projection, stream), events)) throw error;
      return unchanged(stream, position, before.versionSync(stream));
    });
    if (!answers.some(({ repeated }) => repeated)) throw error;
    return answers;
  }

  /** @throws VersionConflictError when what the caller demanded does not hold, although nothing would change */
  #nothing(decided: readonly Decided[], options: WriteOptions): readonly Written[] {
    checkDemands(demandsOf(decided, options));
    const { position } = this.#store.head;
    return decided.map(({ command, version }) => unchanged(command.stream, position, version));
  }

  runPlan<State, Result>(plan: Plan<State, Result>, options: WriteOptions): Promise<Result> {
    return carryOut(plan, this.#place(options));
  }

  runPlanSync<State, Result>(plan: Plan<State, Result>, options: WriteOptions): Result {
    return carryOutSync(plan, this.#place(options));
  }

  #place(options: WriteOptions) {
    checkWriteOptions(options);
    const { expectedVersion } = options;
    const context = this.#options(options);
    return { store: this.#store, now: () => this.nowSync(), expectedVersion, context };
  }

  #decide(command: Command<unknown>, state: unknown, version: number): Decided {
    return { command, events: command.decide(state, this.nowSync()), version };
  }

  #parts(decided: readonly Decided[], options: WriteOptions) {
    return decided.map(({ command, events, version }) => {
      const { stream, commutes } = command;
      const demanded = command.expectedVersion ?? options.expectedVersion;
      if (commutes) return { stream, events, expectedVersion: demanded ?? ('any' as const) };
      return { stream, events, expectedVersion: conditionOf(stream, version, demanded) };
    });
  }

  #options({ expectedVersion: _, ...options }: WriteOptions): WriteOptions {
    return { ...this.#context, ...withoutUndefined(options) };
  }

  #written(
    { command: { stream }, events, version }: Decided,
    { position, versions, repeated }: Committed,
  ): Written {
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

/** What is demanded of the streams to which nothing is written. */
function demandsOf(decided: readonly Decided[], options: WriteOptions): Demand[] {
  const silent = decided.filter(({ command, events }) => events.length === 0 && !command.commutes);
  return silent.map(({ command: { stream, expectedVersion }, version }) => ({
    stream,
    version,
    expectedVersion: expectedVersion ?? options.expectedVersion,
  }));
}

/** @internal */
export function withoutUndefined(options: WriteOptions): WriteOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Whether others wrote meanwhile, and the caller's own condition has nothing against that. */
function isConflict(
  error: unknown,
  { expectedVersion }: WriteOptions,
): error is VersionConflictError {
  if (!(error instanceof VersionConflictError)) return false;
  if (expectedVersion === undefined || expectedVersion === 'any') return true;
  return expectedVersion === 'exists' && !error.failures.some((each) => each.expected === 'exists');
}
