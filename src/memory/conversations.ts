/**
 * Conversations: what an agent keeps of a conversation while it goes on (`working`), for a while (`short-term`) and for good (`long-term`).
 *
 * One stream and one state for each of the three, `conversations/<conversationId>/<memoryType>`. Storing never waits for others who store.
 *
 * A conversation's working memory lives as one: each store and update begins its life of 12 h (`workingTtlMs`) anew, for all of it. What is stored with
 * a `ttlMs` of its own lives just that long, from when it was stored or updated last. The first store into a working memory that is empty or over also
 * puts four texts into it, to be updated under their ids `user-context`, `conversation-flow`, `current-focus` and `interaction-tone`.
 */
import { invalidArgument, MemoryNotFoundError } from '../errors.js';
import { diff, jsonValue } from '../store.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import { ConversationSearch, type Kept } from './conversation-search.js';
import {
  type ConversationState,
  type ConversationStored,
  type ConversationUpdated,
  conversations,
  endOf,
  type ItemData,
  itemOf,
  itemsOf,
  type StoredItem,
} from './conversation-state.js';
import { defined } from './defined.js';
import { checkMetadata, type Facts, type Filters, filterOf } from './filters.js';
import type { Meter } from './meter.js';
import {
  checkDurationMs,
  checkLimit,
  checkMembers,
  checkText,
  frozen,
  Model,
  type ModelSettings,
} from './model.js';
import { newIds } from './new-id.js';
import { lastOf } from './repeats.js';
import { checkWriteOptions } from './write-options.js';

/** All there are. */
export const MEMORY_TYPES = ['working', 'short-term', 'long-term'] as const;

/** How long a conversation's memory is meant to be kept. Only `working` expires on its own. */
export type MemoryType = (typeof MEMORY_TYPES)[number];

/** One memory of one conversation. */
export interface ConversationMemory {
  /** At most about 170 bytes without control characters. */
  readonly conversationId: string;
  readonly memoryType: MemoryType;
}

export interface ConversationStoring extends ConversationMemory {
  /** At least one. Each becomes an item. */
  readonly data: readonly ItemData[];
  /** JSON, for each of the items. `tags`, `section`, `persona` and `importance` in it can be filtered by. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** How long the items live, ms. Default: as long as their working memory, or until they are deleted. */
  readonly ttlMs?: number | undefined;
}

export interface ConversationRetrieving extends ConversationMemory {
  /** Only items that answer it by their words, who said them or when, as recall ranks them. Default: all, those changed last first. */
  readonly query?: string | undefined;
  /** Items at most. Default 5. */
  readonly limit?: number | undefined;
  /** `session` is the conversation's id; `tags`, `section`, `persona` and `importance` are those of an item's metadata. */
  readonly filters?: Filters | undefined;
}

export interface ConversationUpdating extends ConversationMemory {
  readonly id: string;
  readonly data: ItemData;
  /** In place of the item's. Default: it keeps what it has. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** How long the item lives from now on, ms. Default: what it was stored with begins anew. */
  readonly ttlMs?: number | undefined;
}

export interface ConversationDeleting extends ConversationMemory {
  /** Default: all items. */
  readonly id?: string | undefined;
}

/** What became of storing items. */
export interface ItemsWritten extends Written {
  /** One for each of the data, in their order. They never change. */
  readonly ids: readonly string[];
}

/** An item of a conversation. Deeply frozen. */
export interface ConversationItem {
  readonly id: string;
  readonly data: ItemData;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Who stored or changed it last. */
  readonly actor?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt?: string;
}

const RETRIEVE_LIMIT = 5;

/** Items of conversations. Those that expired are not there, for any call. */
export class Conversations extends Model {
  readonly #search: ConversationSearch;

  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('conversations', access, settings, meter);
    this.#search = new ConversationSearch(settings.language);
  }

  /**
   * Stores items.
   * @throws TypeError when there is no data, or it is of another kind; InvalidEventError with the path to what is not JSON; what appending throws
   */
  store(storing: ConversationStoring, write: WriteOptions = {}): Promise<ItemsWritten> {
    return this.measured('store', async () => {
      const { ids, command } = this.#storing(storing, write);
      return withIds(await this.access.run(command, write), ids);
    });
  }

  /** {@link Conversations.store}, at once. */
  storeSync(storing: ConversationStoring, write: WriteOptions = {}): ItemsWritten {
    return this.measuredSync('store', () => {
      const { ids, command } = this.#storing(storing, write);
      return withIds(this.access.runSync(command, write), ids);
    });
  }

  #storing(storing: ConversationStoring, write: WriteOptions) {
    checkWriteOptions(write);
    checkMembers(storing, 'what to store', [...MEMORY, 'data', 'metadata', 'ttlMs']);
    const { data, memoryType, metadata, ttlMs }: ConversationStoring = storing;
    const stream = this.#stream(storing);
    if (!Array.isArray(data) || data.length === 0) {
      throw invalidArgument('data must be a list of texts or { role, content }, at least one');
    }
    const ids = newIds(data.length, stream, write.idempotencyKey);
    const items = ids.map((id, index) => ({
      id,
      data: checkedData(data[index], `data[${index}]`),
    }));
    const livesMs = this.#livesMs(memoryType, ttlMs);
    const stored: ConversationStored = { items, ...described(metadata, ttlMs), ...livesMs };
    const command: Command<ConversationState> = {
      projection: conversations,
      stream,
      commutes: true,
      decide: () => [{ type: 'conversation.stored', data: stored }],
    };
    return { ids, command };
  }

  /** The items that pass the filters; none when the conversation is unknown or they expired. */
  retrieve(retrieving: ConversationRetrieving): Promise<readonly ConversationItem[]> {
    return this.measured('retrieve', async () => {
      const { stream, choose } = this.#retrieving(retrieving);
      return choose(await this.access.get(conversations, stream), await this.access.now());
    });
  }

  /** {@link Conversations.retrieve}, at once. */
  retrieveSync(retrieving: ConversationRetrieving): readonly ConversationItem[] {
    return this.measuredSync('retrieve', () => {
      const { stream, choose } = this.#retrieving(retrieving);
      return choose(this.access.getSync(conversations, stream), this.access.nowSync());
    });
  }

  #retrieving(retrieving: ConversationRetrieving) {
    checkMembers(retrieving, 'what to retrieve', [...MEMORY, 'query', 'limit', 'filters']);
    const { conversationId, query, limit = RETRIEVE_LIMIT, filters } = retrieving;
    const stream = this.#stream(retrieving);
    checkLimit(limit);
    if (query !== undefined) checkText(query, 'query');
    const filter = filterOf(filters);
    const choose = (state: ConversationState | undefined, now: string) => {
      const live = state ? itemsOf(state, now) : [];
      const passed = live.filter(([, item]) => filter(factsOf(conversationId, item)));
      const newest = newestFirst(passed);
      const chosen =
        query === undefined ? newest : this.#search.rank(stream, live, newest, query, now);
      const shown = chosen.slice(0, limit).map(([id, item]) => shownItem(id, item, state));
      return frozen(shown) as readonly ConversationItem[];
    };
    return { stream, choose };
  }

  /**
   * Puts other data into an item, whose id stays.
   * @throws MemoryNotFoundError when it is not there, or no more; errors as {@link Conversations.store}
   */
  update(updating: ConversationUpdating, write: WriteOptions = {}): Promise<Written> {
    return this.measured('update', async () => this.access.run(this.#updating(updating), write));
  }

  /** {@link Conversations.update}, at once. */
  updateSync(updating: ConversationUpdating, write: WriteOptions = {}): Written {
    return this.measuredSync('update', () => this.access.runSync(this.#updating(updating), write));
  }

  #updating(updating: ConversationUpdating): Command<ConversationState> {
    checkMembers(updating, 'an update', [...MEMORY, 'id', 'data', 'metadata', 'ttlMs']);
    const { id, memoryType, metadata, ttlMs }: ConversationUpdating = updating;
    const stream = this.#stream(updating);
    checkText(id, 'id');
    const data = checkedData(updating.data, 'data');
    const given = described(metadata, ttlMs);
    return {
      projection: conversations,
      stream,
      decide: (state, now) => {
        const item = state && itemOf(state, id, now);
        if (!item) throw new MemoryNotFoundError(`${stream}/${id}`);
        const lives = this.#livesMs(memoryType, ttlMs ?? item.ttlMs);
        const change: ConversationUpdated = { id, data, ...given, ...lives };
        return changesNothing(item, change) ? [] : [{ type: 'conversation.updated', data: change }];
      },
      repeats(events) {
        const event = lastOf(events, stream, 'conversation.updated');
        if (!event) return undefined;
        const { livesMs: _, ...change } = event.data as ConversationUpdated;
        return diff(change, { id, data, ...given }).length === 0 ? event : undefined;
      },
    };
  }

  /** Deletes an item, or all items of a type. `changed` is false when there is none. */
  delete(deleting: ConversationDeleting, write: WriteOptions = {}): Promise<Written> {
    return this.measured('delete', async () => this.access.run(this.#deleting(deleting), write));
  }

  /** {@link Conversations.delete}, at once. */
  deleteSync(deleting: ConversationDeleting, write: WriteOptions = {}): Written {
    return this.measuredSync('delete', () => this.access.runSync(this.#deleting(deleting), write));
  }

  #deleting(deleting: ConversationDeleting): Command<ConversationState> {
    checkMembers(deleting, 'what to delete', [...MEMORY, 'id']);
    const { id }: ConversationDeleting = deleting;
    const stream = this.#stream(deleting);
    if (id !== undefined) checkText(id, 'id');
    return {
      projection: conversations,
      stream,
      decide(state, now) {
        if (!state) return [];
        const there = id === undefined ? itemsOf(state, now).length > 0 : itemOf(state, id, now);
        return there ? [{ type: 'conversation.deleted', data: defined({ id }) }] : [];
      },
      repeats(events) {
        const event = lastOf(events, stream, 'conversation.deleted');
        return event && diff(event.data, defined({ id })).length === 0 ? event : undefined;
      },
    };
  }

  #stream({ conversationId, memoryType }: ConversationMemory): string {
    if (!MEMORY_TYPES.includes(memoryType)) {
      throw invalidArgument(`memoryType must be one of ${MEMORY_TYPES.join(', ')}`);
    }
    checkText(conversationId, 'conversationId');
    return this.streamOf(`${conversationId}/${memoryType}`, 'conversationId with the memory type');
  }

  #livesMs(memoryType: MemoryType, ttlMs: number | undefined): { readonly livesMs?: number } {
    return memoryType === 'working' ? { livesMs: ttlMs ?? this.settings.workingTtlMs } : {};
  }
}

const MEMORY = ['conversationId', 'memoryType'] as const;

function withIds(written: Written, ids: readonly string[]): ItemsWritten {
  return frozen({ ids: [...ids], ...written });
}

/** @throws TypeError, InvalidEventError */
function checkedData(data: unknown, path: string): ItemData {
  if (typeof data === 'string') {
    checkText(data, path);
  } else {
    checkMembers(data, `${path} (a text, or { role, content })`, ['role', 'content']);
    checkText(data['role'], `${path}.role`);
  }
  return jsonValue(data, path) as ItemData;
}

/** @throws TypeError, InvalidEventError */
function described(metadata: unknown, ttlMs: unknown) {
  if (ttlMs !== undefined) checkDurationMs(ttlMs, 'ttlMs');
  if (metadata === undefined) return defined({ ttlMs });
  checkMetadata(metadata, 'metadata');
  const copy = jsonValue(metadata, 'metadata') as Readonly<Record<string, unknown>>;
  return { metadata: copy, ...defined({ ttlMs }) };
}

/** Where a life begins anew, something changes. */
function changesNothing(item: StoredItem, change: ConversationUpdated): boolean {
  const { data, metadata = item.metadata, ttlMs = item.ttlMs, livesMs } = change;
  if (ttlMs !== undefined || livesMs !== undefined) return false;
  return diff([item.data, item.metadata], [data, metadata]).length === 0;
}

/** Those changed last first; of several at once those stored last. */
function newestFirst(items: readonly Kept[]): Kept[] {
  return items.toReversed().sort(([, a], [, b]) => compare(b.updatedAt, a.updatedAt));
}

function compare(a: string, b: string): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

function shownItem(id: string, item: StoredItem, state: ConversationState | undefined) {
  const { data, metadata = {}, actor, createdAt, updatedAt } = item;
  const expiresAt = state && endOf(item, state);
  return { id, data, metadata, createdAt, updatedAt, ...defined({ actor, expiresAt }) };
}

function factsOf(session: string, { metadata = {}, actor, updatedAt: time }: StoredItem): Facts {
  const { tags, section, persona, importance } = metadata;
  return {
    tags: Array.isArray(tags) ? tags : [],
    section: typeof section === 'string' ? section : undefined,
    persona: typeof persona === 'string' ? persona : undefined,
    actor,
    session,
    importance: typeof importance === 'number' ? importance : undefined,
    time,
    metadata,
  };
}
