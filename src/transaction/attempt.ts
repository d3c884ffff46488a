/** One run of a transaction's function: what it reads, what it is going to append, and the commit of it. */
import {
  checkOptionNames,
  invalidArgument,
  type MovedRead,
  optionNames,
  RecollectError,
  TransactionRolledBackError,
  VersionConflictError,
  type VersionFailure,
} from '../errors.js';
import { CommitBlocked } from '../log/guard.js';
import { checkName, checkNotOwn } from '../log/names.js';
import { checkExpected } from '../log/payload.js';
import type {
  CommitContext,
  CommitPart,
  ExpectedVersion,
  NewEvent,
  RecordedEvent,
  StreamCheck,
} from '../log/types.js';
import type { Projection } from '../projections/define.js';
import type { AsyncEntries, EntriesOptions, Entry } from '../projections/types.js';
import { type Savepoint, WriteBuffer } from './buffer.js';
import { merged } from './merge.js';
import { OwnEvents } from './own-events.js';
import { ReadSet } from './reads.js';
import type { TransactionSource } from './source.js';

export type Level = 'serializable' | 'snapshot' | 'read-committed';

export interface AttemptParts {
  readonly source: TransactionSource;
  readonly level: Level;
  readonly context: CommitContext;
}

/** Waits while others are in front of it for that key; gives the call that ends the turn, or undefined when nobody is there. */
export type Queue = (projection: string, key: string) => Promise<() => void> | undefined;

const APPEND_OPTIONS = optionNames<Pick<CommitPart, 'expectedVersion'>>({ expectedVersion: true });

export class Attempt {
  /** From 1. */
  readonly number: number;
  #position: number;
  readonly #source: TransactionSource;
  readonly #level: Level;
  readonly #context: CommitContext;
  readonly #buffer = new WriteBuffer();
  readonly #reads: ReadSet;
  /** Versions that were read, without the transaction's own writes. */
  readonly #versions = new Map<string, number>();
  /** Of isolation `read-committed`, where each look may see another one: what the function was told of each stream. */
  readonly #told = new Map<string, Set<number>>();
  /** Streams whose condition is what the caller demanded, and nothing that was read. */
  readonly #demanded = new Set<string>();
  readonly #own: OwnEvents;
  #ended = false;
  /** For an attempt that may still choose its position: nothing was read, and its function was not told. */
  #queue: Queue | undefined;
  #queueing: Promise<void> | undefined;
  #leave: (() => void) | undefined;
  #isTold = false;
  #rolledBack: TransactionRolledBackError | undefined;

  constructor(
    { source, level, context }: AttemptParts,
    position: number,
    number: number,
    queue?: Queue,
  ) {
    this.#source = source;
    this.#level = level;
    this.#context = context;
    this.#position = position;
    this.number = number;
    if (level === 'serializable') this.#queue = queue;
    this.#reads = new ReadSet((event) => source.interpret(event));
    this.#own = new OwnEvents(source, this.#buffer, context);
  }

  /** Reads are as of it. */
  get position(): number {
    return this.#position;
  }

  /** The same for its function: from now on it cannot be another one. */
  get toldPosition(): number {
    this.#queue = undefined;
    this.#isTold = true;
    return this.#position;
  }

  /** Whether it waited its turn, which nobody else has until it leaves. */
  get isInTurn(): boolean {
    return this.#leave !== undefined;
  }

  get isEmpty(): boolean {
    return this.#buffer.size === 0;
  }

  /** Names of the keys and prefixes that the commit rests on, and of streams, whose versions it rests on, with the projection left empty. */
  *conditions(): Generator<readonly [projection: string, key: string]> {
    if (this.#level === 'serializable') {
      yield* this.#reads.names();
      for (const stream of this.#versions.keys()) yield ['', stream];
    }
    if (this.#level === 'snapshot') {
      for (const { stream } of this.#buffer.parts()) yield ['', stream];
    }
  }

  async get(projection: Projection, key: string): Promise<unknown> {
    this.#check();
    this.#source.checkGet(projection, key);
    this.#awaitTurn(projection.name, key);
    this.#reads.key(projection, key);
    const position = await this.#readAt();
    return await this.#state(
      projection,
      key,
      position,
      await this.#own.of(projection, key, position),
    );
  }

  entries(projection: Projection, options: EntriesOptions = {}): AsyncEntries<unknown> {
    this.#check();
    this.#source.checkEntries(projection, options);
    const range = { ...options };
    this.#reads.range(projection, range.prefix ?? '', range.after);
    const sequence = () => this.#entries(projection, range);
    return {
      [Symbol.asyncIterator]: sequence,
      toArray: async () => {
        const list: Entry[] = [];
        for await (const entry of sequence()) list.push(entry);
        return Object.freeze(list);
      },
    };
  }

  async version(stream: string): Promise<number> {
    this.#check();
    checkName(stream, 'stream');
    this.#awaitTurn('', stream);
    const below = await this.#versionBelow(stream);
    const version = below + this.#buffer.count(stream);
    if (this.#level === 'read-committed') this.#tell(stream, version);
    return version;
  }

  #tell(stream: string, version: number): void {
    const told = this.#told.get(stream);
    if (told) told.add(version);
    else this.#told.set(stream, new Set([version]));
  }

  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options: { readonly expectedVersion?: ExpectedVersion | undefined } = {},
  ): void {
    this.#check();
    checkName(stream, 'stream');
    checkNotOwn(stream, 'stream');
    checkOptionNames(options, APPEND_OPTIONS, 'append in a transaction');
    const expectedVersion = checkExpected(options.expectedVersion, 'expectedVersion');
    const list = Array.isArray(events) ? (events as readonly NewEvent[]) : [events as NewEvent];
    if (list.length === 0) {
      throw invalidArgument('the list of events is empty; append at least one');
    }
    const prepared: (NewEvent | Promise<NewEvent>)[] = [];
    try {
      for (const [index, event] of list.entries()) {
        prepared.push(this.#source.prepare(event, `events[${index}]`));
      }
    } catch (error) {
      // This call takes none of them, so nobody waits for those before the wrong one.
      for (const event of prepared) if (event instanceof Promise) event.catch(() => {});
      throw error;
    }
    this.#buffer.add(stream, prepared, expectedVersion);
  }

  savepoint(): Savepoint {
    this.#check();
    return this.#buffer.savepoint();
  }

  rollbackTo(savepoint: Savepoint): void {
    this.#check();
    this.#buffer.rollbackTo(savepoint);
  }

  rollback(reason: string): never {
    this.#check();
    this.#rolledBack = new TransactionRolledBackError(String(reason));
    throw this.#rolledBack;
  }

  /** Waits until everything appended is checked. @throws TransactionRolledBackError also when the function caught it */
  async settle(): Promise<void> {
    if (this.#rolledBack) throw this.#rolledBack;
    await this.#buffer.settle();
  }

  /** From now on the calls of its function are refused. */
  end(): void {
    this.#ended = true;
  }

  /** The next one may have its turn. */
  leave(): void {
    this.#ended = true;
    this.#leave?.();
  }

  /**
   * Before the first read, where others who lost over the key queue: behind them and as of then the attempt does what it would have to do again
   * otherwise.
   */
  #awaitTurn(projection: string, key: string): void {
    const turn = this.#queue?.(projection, key);
    this.#queue = undefined;
    if (!turn) return;
    const take = async () => {
      const leave = await turn;
      if (this.#ended) leave();
      else {
        this.#leave = leave;
        // Asked for while it waits, it has been told already.
        const head = await this.#source.head();
        if (!this.#isTold) this.#position = head;
      }
    };
    this.#queueing = take();
    // Told to those who wait for it.
    this.#queueing.catch(() => {});
  }

  /** @throws CommitBlocked, VersionConflictError, and what appending throws */
  async commit(signal: AbortSignal): Promise<void> {
    const parts = await this.#conditionedParts();
    const written = new Set(parts.map(({ stream }) => stream));
    const checks: StreamCheck[] = [];
    if (this.#level === 'serializable') {
      for (const [stream, expectedVersion] of this.#versions) {
        if (!written.has(stream)) checks.push({ stream, expectedVersion });
      }
    }
    const guard = this.#level === 'serializable' ? this.#reads.guard(this.position) : undefined;
    await this.#source.commit(parts, { ...this.#context, checks, signal }, guard);
  }

  /** Who changed what the commit rested on; undefined when the error is no such conflict. */
  async moved(error: unknown): Promise<MovedRead[] | undefined> {
    if (error instanceof CommitBlocked) {
      return error.events.map((event) => {
        const { position, actor, stream } = event;
        return this.#reads.moved(event) ?? { position, actor, stream };
      });
    }
    if (!(error instanceof VersionConflictError)) return undefined;
    const moved: MovedRead[] = [];
    for (const failure of error.failures) {
      if (!(await this.#wasMet(failure))) return undefined;
      moved.push(await this.#source.mover(failure));
    }
    return moved;
  }

  /** Not met as of the position that was read either: no run could meet it, and it is the caller's own demand. */
  async #wasMet({ stream, expected }: VersionFailure): Promise<boolean> {
    // A demand of what the function was told rests on a look, and the next run looks again.
    const version = expected === 'absent' ? 0 : expected;
    if (version !== 'exists' && this.#told.get(stream)?.has(version)) return true;
    if (!this.#demanded.has(stream)) return this.#versions.has(stream);
    const before = await this.#source.version(stream, this.position);
    if (expected === 'absent') return before === 0;
    return expected === 'exists' ? before > 0 : before === expected;
  }

  /** @throws VersionConflictError when what the caller demanded does not hold for what was read */
  async #conditionedParts(): Promise<CommitPart[]> {
    const parts: CommitPart[] = [];
    const unmet: VersionFailure[] = [];
    for (const { stream, events } of this.#buffer.parts()) {
      const demand = this.#buffer.demandOf(stream);
      const reads = this.#level === 'snapshot' || demand === 'several';
      const read = this.#level === 'serializable' && this.#versions.has(stream);
      if (reads || read) {
        // What was read holds what was demanded, or nothing does.
        const expectedVersion = await this.#versionBelow(stream);
        this.#versions.set(stream, expectedVersion);
        unmet.push(...this.#buffer.unmet(stream, expectedVersion));
        parts.push({ stream, events, expectedVersion });
      } else {
        this.#demanded.add(stream);
        parts.push({ stream, events, expectedVersion: demand as ExpectedVersion });
      }
    }
    if (unmet.length > 0) {
      for (const { stream } of unmet) this.#versions.delete(stream);
      throw new VersionConflictError(unmet);
    }
    return parts;
  }

  #check(): void {
    if (this.#rolledBack) throw this.#rolledBack;
    if (!this.#ended) return;
    throw new RecollectError(
      'TRANSACTION_ENDED',
      'The transaction has ended: use its calls only inside its function, and await them.',
    );
  }

  async #readAt(): Promise<number> {
    this.#queue = undefined;
    if (this.#queueing) await this.#queueing;
    return this.#level === 'read-committed' ? await this.#source.head() : this.position;
  }

  async #versionBelow(stream: string): Promise<number> {
    if (this.#level === 'read-committed') {
      return await this.#source.version(stream, await this.#source.head());
    }
    const known = this.#versions.get(stream);
    if (known !== undefined) return known;
    await this.#readAt();
    const version = await this.#source.version(stream, this.position);
    this.#versions.set(stream, version);
    return version;
  }

  /** The key's state as of the position, with the transaction's own events that change it on top. */
  async #state(
    projection: Projection,
    key: string,
    position: number,
    own: readonly RecordedEvent[] = [],
  ): Promise<unknown> {
    const below = await this.#source.state(projection, key, position);
    return own.length === 0 ? below : this.#source.fold(projection, key, below, own);
  }

  async *#entries(
    projection: Projection,
    { prefix = '', after, limit = Number.POSITIVE_INFINITY }: EntriesOptions,
  ): AsyncGenerator<Entry, void> {
    this.#check();
    const position = await this.#readAt();
    const own = await this.#own.byKey(projection, position);
    const touched = [...own.keys()].filter(
      (key) => key.startsWith(prefix) && (after === undefined || key > after),
    );
    const below = this.#source.entries(projection, { prefix, after }, position);
    const state = (key: string) => this.#state(projection, key, position, own.get(key));
    let given = 0;
    if (limit === 0) return;
    for await (const entry of merged(below, new Set(touched), state)) {
      this.#check();
      yield entry;
      given += 1;
      if (given >= limit) return;
    }
  }
}
