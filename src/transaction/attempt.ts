/** One run of a transaction's function: what it reads, what it is going to append, and the commit of it. */
import {
  invalidArgument,
  type MovedRead,
  RecollectError,
  TransactionRolledBackError,
  VersionConflictError,
} from '../errors.js';
import { CommitBlocked } from '../log/guard.js';
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
import { ReadSet } from './reads.js';
import type { TransactionSource } from './source.js';

type Level = 'serializable' | 'snapshot' | 'read-committed';

export class Attempt {
  readonly attempt: number;
  readonly #source: TransactionSource;
  readonly #level: Level;
  readonly #position: number;
  readonly #buffer = new WriteBuffer();
  readonly #reads: ReadSet;
  /** Versions that were read, without the transaction's own writes. */
  readonly #versions = new Map<string, number>();
  #provisional: readonly RecordedEvent[] | undefined;
  #ended = false;

  constructor(source: TransactionSource, level: Level, position: number, attempt: number) {
    this.#source = source;
    this.#level = level;
    this.#position = position;
    this.attempt = attempt;
    this.#reads = new ReadSet((event) => source.interpret(event));
  }

  get position(): number {
    return this.#position;
  }

  get isEmpty(): boolean {
    return this.#buffer.size === 0;
  }

  async get(projection: Projection, key: string): Promise<unknown> {
    this.#check();
    this.#reads.key(projection, key);
    return await this.#state(projection, key, await this.#readAt());
  }

  entries(projection: Projection, options: EntriesOptions = {}): AsyncEntries<unknown> {
    this.#check();
    this.#reads.prefix(projection, options.prefix ?? '');
    const sequence = () => this.#entries(projection, options);
    return {
      [Symbol.asyncIterator]: sequence,
      toArray: async () => {
        const list: Entry[] = [];
        for await (const entry of sequence()) list.push(entry);
        return list;
      },
    };
  }

  async version(stream: string): Promise<number> {
    this.#check();
    await this.settle();
    const own = this.#buffer.parts().find((part) => part.stream === stream)?.events.length ?? 0;
    return (await this.#versionBelow(stream)) + own;
  }

  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options: { readonly expectedVersion?: ExpectedVersion | undefined } = {},
  ): void {
    this.#check();
    if (typeof stream !== 'string') throw invalidArgument('the stream must be a name');
    const list = Array.isArray(events) ? (events as readonly NewEvent[]) : [events as NewEvent];
    if (list.length === 0)
      throw invalidArgument('the list of events is empty; append at least one');
    const prepared = list.map((event, index) => this.#source.prepare(event, `events[${index}]`));
    for (const event of prepared) this.#buffer.add(stream, event, options.expectedVersion);
    this.#provisional = undefined;
  }

  savepoint(): Savepoint {
    this.#check();
    return this.#buffer.savepoint();
  }

  rollbackTo(savepoint: Savepoint): void {
    this.#check();
    this.#buffer.rollbackTo(savepoint);
    this.#provisional = undefined;
  }

  rollback(reason: string): never {
    this.#check();
    throw new TransactionRolledBackError(String(reason));
  }

  /** Waits until everything appended is checked. */
  async settle(): Promise<void> {
    await this.#buffer.settle();
  }

  /** From now on its calls are refused. */
  end(): void {
    this.#ended = true;
  }

  /** @throws CommitBlocked, VersionConflictError, and what appending throws */
  async commit(context: CommitContext, signal: AbortSignal | undefined): Promise<void> {
    const parts = await this.#conditionedParts();
    const written = new Set(parts.map(({ stream }) => stream));
    const checks: StreamCheck[] = [];
    if (this.#level === 'serializable') {
      for (const [stream, expectedVersion] of this.#versions) {
        if (!written.has(stream)) checks.push({ stream, expectedVersion });
      }
    }
    const guard = this.#level === 'serializable' ? this.#reads.guard(this.#position) : undefined;
    await this.#source.commit(parts, { ...context, checks, signal }, guard);
  }

  /** Who changed what the commit rested on; empty when the error is no such conflict. */
  async moved(error: unknown): Promise<MovedRead[]> {
    if (error instanceof CommitBlocked) {
      return error.events.flatMap((event) => this.#reads.moved(event) ?? []);
    }
    if (!(error instanceof VersionConflictError)) return [];
    const moved: MovedRead[] = [];
    for (const failure of error.failures) {
      // Not met as of the position that was read either: no run could meet it, and it is the caller's own demand.
      const before = await this.#source.version(failure.stream, this.#position);
      const { expected } = failure;
      const met =
        expected === 'absent'
          ? before === 0
          : expected === 'exists'
            ? before > 0
            : before === expected;
      if (!met) return [];
      moved.push(await this.#source.mover(failure));
    }
    return moved;
  }

  async #conditionedParts(): Promise<CommitPart[]> {
    const parts: CommitPart[] = [];
    for (const part of this.#buffer.parts()) {
      const { stream, events, expectedVersion } = part;
      const known = this.#versions.get(stream);
      if (expectedVersion !== undefined && expectedVersion !== 'any') {
        parts.push({ stream, events, expectedVersion });
      } else if (this.#level === 'snapshot') {
        parts.push({ stream, events, expectedVersion: await this.#versionBelow(stream) });
      } else if (this.#level === 'serializable' && known !== undefined) {
        parts.push({ stream, events, expectedVersion: known });
      } else {
        parts.push({ stream, events });
      }
    }
    return parts;
  }

  #check(): void {
    if (!this.#ended) return;
    throw new RecollectError(
      'TRANSACTION_ENDED',
      'The transaction has ended: use its calls only inside its function, and await them.',
    );
  }

  async #readAt(): Promise<number> {
    return this.#level === 'read-committed' ? await this.#source.head() : this.#position;
  }

  async #versionBelow(stream: string): Promise<number> {
    if (this.#level === 'read-committed') {
      return await this.#source.version(stream, await this.#source.head());
    }
    const known = this.#versions.get(stream);
    if (known !== undefined) return known;
    const version = await this.#source.version(stream, this.#position);
    this.#versions.set(stream, version);
    return version;
  }

  /** The key's state as of the position, with the transaction's own events on top. */
  async #state(projection: Projection, key: string, position: number): Promise<unknown> {
    const below = await this.#source.state(projection, key, position);
    const own = (await this.#own()).filter(
      (event) =>
        projection.handlerOf(event.type) !== undefined &&
        this.#keysOf(projection, event).includes(key),
    );
    return own.length === 0 ? below : this.#source.fold(projection, key, below, own);
  }

  #keysOf(projection: Projection, event: RecordedEvent): readonly string[] {
    return projection.keyIsStream ? [event.stream] : projection.keysOf(event);
  }

  async #own(): Promise<readonly RecordedEvent[]> {
    if (this.#buffer.size === 0) return [];
    await this.settle();
    if (this.#provisional) return this.#provisional;
    // Not through the reads: what only numbers the own events is no condition.
    const versions = new Map<string, number>();
    for (const { stream } of this.#buffer.parts()) {
      versions.set(stream, await this.#source.version(stream, this.#position));
    }
    this.#provisional = this.#buffer.provisional(this.#position, this.#source.time(), versions);
    return this.#provisional;
  }

  async *#entries(projection: Projection, options: EntriesOptions): AsyncGenerator<Entry, void> {
    const { prefix = '', after, limit = Number.POSITIVE_INFINITY } = options;
    const position = await this.#readAt();
    const touched = new Set<string>();
    for (const event of await this.#own()) {
      if (projection.handlerOf(event.type) === undefined) continue;
      for (const key of this.#keysOf(projection, event)) {
        if (key.startsWith(prefix) && (after === undefined || key > after)) touched.add(key);
      }
    }
    const own = [...touched].sort((a, b) => (a < b ? -1 : 1));
    let given = 0;
    let next = 0;
    const ownEntry = async (key: string): Promise<Entry | undefined> => {
      const state = await this.#state(projection, key, position);
      return state === undefined ? undefined : [key, state];
    };
    for await (const entry of this.#source.entries(projection, { prefix, after }, position)) {
      for (; next < own.length && (own[next] as string) < entry[0]; next += 1) {
        const mine = await ownEntry(own[next] as string);
        if (!mine) continue;
        if (given >= limit) return;
        yield mine;
        given += 1;
      }
      if (given >= limit) return;
      let current: Entry | undefined = entry;
      if (own[next] === entry[0]) {
        current = await ownEntry(entry[0]);
        next += 1;
      }
      if (!current) continue;
      yield current;
      given += 1;
    }
    for (; next < own.length && given < limit; next += 1) {
      const mine = await ownEntry(own[next] as string);
      if (!mine) continue;
      yield mine;
      given += 1;
    }
  }
}
