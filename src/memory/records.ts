/**
 * Records: keyed memories of any JSON value.
 *
 * One stream and one state for each key, `records/<key>`. A change stores what changed, as RFC 6902 patches of the value.
 */
import { invalidArgument, MemoryNotFoundError } from '../errors.js';
import { diff, type Entry, jsonValue } from '../store.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import { replaced } from './change.js';
import { type Filter, type Filters, filterOf } from './filters.js';
import type { Meter } from './meter.js';
import { checkLimit, checkMembers, checkText, frozen, Model, type ModelSettings } from './model.js';
import { newIds } from './new-id.js';
import { askedOf, type Hit, hitsOf, type RecallQuery } from './recall.js';
import { type ContextOptions, ContextQuestion, type RecordContext } from './record-context.js';
import { type RecordInput, type RecordOptions, storedOf } from './record-input.js';
import { isOver, type RecordState, type RecordStored, records } from './record-state.js';
import { factsOf, type MemoryRecord, recordOf } from './record-view.js';
import { lastOf } from './repeats.js';
import { checkWriteOptions } from './write-options.js';

/** Which records to list. */
export interface RecordListing {
  readonly filters?: Filters | undefined;
  /** Only keys behind this one: `next` of the page before. */
  readonly after?: string | undefined;
  /** Records at most. Default 100. */
  readonly limit?: number | undefined;
}

/** A page of records, by key in UTF-16 code units. */
export interface RecordPage {
  readonly items: readonly MemoryRecord[];
  /** There is more: give it as `after`. */
  readonly next?: string;
}

/** What a change makes of a value: it changes the draft, or returns what takes its place. */
export type RecordChange<Value> = (
  draft: Value,
  // biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement
) => Value | void;

const LIST_LIMIT = 100;
/** Events of these types in other streams, which only a program's own code can append, are no records. */
const ALL = { prefix: 'records/' } as const;

/** Keyed memories. An expired one is not there, for any call, and what is stored under its key begins anew. */
export class Records extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('records', access, settings, meter);
  }

  /**
   * Stores a value under a key, in place of everything that was stored there.
   *
   * @param key - at most 192 bytes without control characters
   * @param value - JSON
   * @throws TypeError; InvalidEventError with the path to what is not JSON; what appending throws
   */
  store(
    key: string,
    value: unknown,
    options: RecordOptions = {},
    write: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('store', async () =>
      this.access.run(this.#storing(key, value, options), write),
    );
  }

  /** {@link Records.store}, at once. */
  storeSync(
    key: string,
    value: unknown,
    options: RecordOptions = {},
    write: WriteOptions = {},
  ): Written {
    return this.measuredSync('store', () =>
      this.access.runSync(this.#storing(key, value, options), write),
    );
  }

  /** Stores several records as one commit: all of them or none. No key may stand twice in the list. Errors as {@link Records.store}. */
  storeMany(inputs: readonly RecordInput[], write: WriteOptions = {}): Promise<readonly Written[]> {
    return this.measured('storeMany', async () =>
      frozen(await this.access.runAll(this.#storingMany(inputs), write)),
    );
  }

  /** {@link Records.storeMany}, at once. */
  storeManySync(inputs: readonly RecordInput[], write: WriteOptions = {}): readonly Written[] {
    return this.measuredSync('storeMany', () =>
      frozen(this.access.runAllSync(this.#storingMany(inputs), write)),
    );
  }

  #storingMany(inputs: readonly RecordInput[]): Command<unknown>[] {
    if (!Array.isArray(inputs) || inputs.length === 0) {
      throw invalidArgument('storeMany takes a list of { key, value }, at least one');
    }
    const commands = inputs.map((input: RecordInput, index) => {
      if (typeof input !== 'object' || input === null) {
        throw invalidArgument(`records[${index}] must be { key, value }`);
      }
      const { key, value, ...options } = input;
      return this.#storing(key, value, options, `records[${index}].value`);
    });
    const twice = new Set<string>();
    for (const { stream } of commands) {
      if (twice.has(stream)) throw invalidArgument('no key may stand twice in one storeMany');
      twice.add(stream);
    }
    return commands as Command<unknown>[];
  }

  #storing(
    key: string,
    value: unknown,
    options: RecordOptions,
    path = 'value',
  ): Command<RecordState> {
    const stream = this.streamOf(key, 'the key');
    return storing(stream, storedOf(key, value, options, path));
  }

  /** The record; undefined when there is none, or it has expired. */
  get<Value = unknown>(key: string): Promise<MemoryRecord<Value> | undefined> {
    return this.measured('get', async () => {
      const stream = this.streamOf(key, 'the key');
      const state = await this.access.get(records, stream);
      return shown<Value>(stream, state, await this.access.now());
    });
  }

  /** {@link Records.get}, at once. */
  getSync<Value = unknown>(key: string): MemoryRecord<Value> | undefined {
    return this.measuredSync('get', () => {
      const stream = this.streamOf(key, 'the key');
      const state = this.access.getSync(records, stream);
      return shown<Value>(stream, state, this.access.nowSync());
    });
  }

  /**
   * Changes the value of a record: what the function does to the draft is stored, not the value again. When others wrote meanwhile the function is called
   * again, so it should do nothing else. The rest of the record, and when it expires, stay as they are.
   *
   * @throws MemoryNotFoundError; InvalidEventError with the path to what is not JSON; what the function throws; what appending throws
   */
  update<Value = unknown>(
    key: string,
    change: RecordChange<Value>,
    write: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('update', async () =>
      this.access.run(this.#updating(key, change as RecordChange<unknown>), write),
    );
  }

  /** {@link Records.update}, at once. */
  updateSync<Value = unknown>(
    key: string,
    change: RecordChange<Value>,
    write: WriteOptions = {},
  ): Written {
    return this.measuredSync('update', () =>
      this.access.runSync(this.#updating(key, change as RecordChange<unknown>), write),
    );
  }

  #updating(key: string, change: RecordChange<unknown>): Command<RecordState> {
    const stream = this.streamOf(key, 'the key');
    if (typeof change !== 'function') {
      throw invalidArgument('a change is a function that takes the draft of the value');
    }
    return {
      projection: records,
      stream,
      decide(state, now) {
        if (!state || isOver(state.expiresAt, now)) throw new MemoryNotFoundError(stream);
        const patches = diff(state.value, jsonValue(replaced(state.value, change), 'value'));
        return patches.length === 0 ? [] : [{ type: 'record.updated', data: { patches } }];
      },
      repeats: (events) => lastOf(events, stream, 'record.updated'),
    };
  }

  /** Deletes a record. `changed` is false when there is none. Its history stays. */
  delete(key: string, write: WriteOptions = {}): Promise<Written> {
    return this.measured('delete', async () => this.access.run(this.#deleting(key), write));
  }

  /** {@link Records.delete}, at once. */
  deleteSync(key: string, write: WriteOptions = {}): Written {
    return this.measuredSync('delete', () => this.access.runSync(this.#deleting(key), write));
  }

  #deleting(key: string): Command<RecordState> {
    const stream = this.streamOf(key, 'the key');
    return {
      projection: records,
      stream,
      decide: (state, now) =>
        !state || isOver(state.expiresAt, now) ? [] : [{ type: 'record.deleted', data: {} }],
      repeats: (events) => lastOf(events, stream, 'record.deleted'),
    };
  }

  /** The records that pass the filters, by key, a page at a time. */
  list(listing: RecordListing = {}): Promise<RecordPage> {
    return this.measured('list', async () => {
      const { collecting, range } = this.#listing(listing, await this.access.now());
      for await (const entry of this.access.entries(records, range)) {
        if (collecting.isFull(entry)) break;
      }
      return collecting.page();
    });
  }

  /** {@link Records.list}, at once. */
  listSync(listing: RecordListing = {}): RecordPage {
    return this.measuredSync('list', () => {
      const { collecting, range } = this.#listing(listing, this.access.nowSync());
      for (const entry of this.access.entriesSync(records, range)) {
        if (collecting.isFull(entry)) break;
      }
      return collecting.page();
    });
  }

  #listing(listing: RecordListing, now: string) {
    checkMembers(listing, 'a listing', ['filters', 'after', 'limit']);
    const { filters, after, limit = LIST_LIMIT }: RecordListing = listing;
    checkLimit(limit);
    const range = after === undefined ? ALL : { ...ALL, after: this.streamOf(after, 'after') };
    return { collecting: new Collecting(filterOf(filters), limit, now), range };
  }

  /**
   * Keeps the result of a task of a persona, for `getContext` of tasks like it: a record of its own, in the section `performance`.
   *
   * @param task - in words
   * @param result - JSON
   */
  storeResult(
    persona: string,
    task: string,
    result: unknown,
    write: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('storeResult', async () => {
      checkText(persona, 'persona');
      checkText(task, 'task');
      checkWriteOptions(write);
      const [id] = newIds(1, 'records', write.idempotencyKey);
      const stream = this.streamOf(`performance:${id}`, 'the key');
      const value = jsonValue(result, 'result');
      const stored = { value, section: 'performance', persona, task };
      return await this.access.run(storing(stream, stored), write);
    });
  }

  /**
   * The records that answer a question, best first, each with why it was found.
   * @param query - in words
   * @throws TypeError
   */
  recall(query: string, options: RecallQuery = {}): Promise<readonly Hit[]> {
    return this.measured('recall', async () => {
      const asked = askedOf(query, options, ['records']);
      return hitsOf(await this.access.recall(asked.models), asked, await this.access.now());
    });
  }

  /** {@link Records.recall}, at once. */
  recallSync(query: string, options: RecallQuery = {}): readonly Hit[] {
    return this.measuredSync('recall', () => {
      const asked = askedOf(query, options, ['records']);
      return hitsOf(this.access.recallSync(asked.models), asked, this.access.nowSync());
    });
  }

  /**
   * What a persona should know for a task: its own records and unowned ones that answer it, its last results of tasks like it, and what is of importance 0.8
   * and more. Never another persona's.
   * @throws TypeError
   */
  getContext(persona: string, task: string, options: ContextOptions = {}): Promise<RecordContext> {
    return this.measured('getContext', async () => {
      const question = new ContextQuestion(persona, task, options);
      return question.answer(await this.access.recall(['records']), await this.access.now());
    });
  }

  /** {@link Records.getContext}, at once. */
  getContextSync(persona: string, task: string, options: ContextOptions = {}): RecordContext {
    return this.measuredSync('getContext', () => {
      const question = new ContextQuestion(persona, task, options);
      return question.answer(this.access.recallSync(['records']), this.access.nowSync());
    });
  }
}

function storing(stream: string, stored: RecordStored): Command<RecordState> {
  return {
    projection: records,
    stream,
    decide: (state, now) =>
      state && !isOver(state.expiresAt, now) && isStored(state, stored)
        ? []
        : [{ type: 'record.stored', data: stored }],
    repeats: (events) => {
      const event = lastOf(events, stream, 'record.stored');
      return event && diff(event.data, stored).length === 0 ? event : undefined;
    },
  };
}

/** Whether storing it again would change nothing. A ttl begins anew, so that always does. */
function isStored(state: RecordState, stored: RecordStored): boolean {
  if (stored.ttlMs !== undefined) return false;
  const { createdAt: _, updatedAt: __, position: ___, actor: ____, ...content } = state;
  return diff(content, stored).length === 0;
}

function shown<Value>(
  stream: string,
  state: RecordState | undefined,
  now: string,
): MemoryRecord<Value> | undefined {
  if (!state || isOver(state.expiresAt, now)) return undefined;
  return recordOf<Value>(stream, state);
}

/** Takes entries in order until the page is full. */
class Collecting {
  readonly #filter: Filter;
  readonly #limit: number;
  readonly #now: string;
  readonly #items: MemoryRecord[] = [];
  #more = false;

  constructor(filter: Filter, limit: number, now: string) {
    this.#filter = filter;
    this.#limit = limit;
    this.#now = now;
  }

  /** Whether nothing more is wanted. One record too many says that there is a next page. */
  isFull([stream, state]: Entry<RecordState>): boolean {
    if (isOver(state.expiresAt, this.#now) || !this.#filter(factsOf(state))) return false;
    if (this.#items.length < this.#limit) {
      this.#items.push(recordOf(stream, state));
      return false;
    }
    this.#more = true;
    return true;
  }

  page(): RecordPage {
    const items = Object.freeze(this.#items);
    const last = items.at(-1);
    return Object.freeze(this.#more && last ? { items, next: last.key } : { items });
  }
}
