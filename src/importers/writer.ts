/** Writes items: each batch is one commit over all models, together with how far the import has come. */
import {
  excerpt,
  IdempotencyKeyReusedError,
  StoreAccessError,
  VersionConflictError,
} from '../errors.js';
import type { ImportMark } from '../memory/import-events.js';
import type { Memory } from '../memory/memory.js';
import type { RecordInput } from '../memory/record-input.js';
import type { TransactionMemory } from '../memory/transaction-memory.js';
import type { ImportedUser, ImportItem } from './item.js';
import type { Ledger } from './ledger.js';
import type { ImportSettings } from './options.js';

const RETRIES = 1000;
const TIMEOUT_MS = 120_000;
/** Names that are known to be there: looking them up again would cost more than the item. */
const SEEN_MAX = 20_000;
const TOPICS_MAX = 50;

/** Names seen lately. */
class Seen {
  readonly #names = new Set<string>();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  add(names: Iterable<string>): void {
    for (const name of names) this.#names.add(name);
    // Asking once more harms nothing.
    if (this.#names.size > SEEN_MAX) this.#names.clear();
  }
}

export class Writer {
  readonly #memory: Memory;
  readonly #ledger: Ledger;
  readonly #settings: ImportSettings;
  readonly #entities = new Seen();
  readonly #sites = new Seen();
  readonly #users = new Seen();

  constructor(memory: Memory, ledger: Ledger, settings: ImportSettings) {
    this.#memory = memory;
    this.#ledger = ledger;
    this.#settings = settings;
  }

  /** @throws StoreAccessError when another import of the same source writes; what the memory's calls throw */
  async write(
    items: readonly ImportItem[],
    mark: ImportMark,
    finished: boolean,
    idempotencyKey: string,
  ): Promise<void> {
    const { actor, reason } = this.#settings;
    const { stream, version } = this.#ledger;
    const event = this.#ledger.event(mark, finished);
    try {
      await this.#memory.transaction(
        async (transaction) => {
          await this.#bring(transaction, items);
          transaction.engine.append(stream, event, { expectedVersion: version });
        },
        // Every change is conditional on what it was decided on anyway, and nothing else is decided here.
        {
          isolation: 'read-committed',
          retries: RETRIES,
          timeoutMs: TIMEOUT_MS,
          idempotencyKey,
          actor,
          reason,
        },
      );
    } catch (error) {
      if (!isTaken(error, stream)) throw error;
      const cause = new Error('another import of it is under way', { cause: error });
      const hint = 'Wait for that one to end, or let them share the work: give each its part.';
      throw new StoreAccessError(`${excerpt(mark.source)} cannot be imported`, cause, hint);
    }
    this.#ledger.advance();
    this.#remember(items);
  }

  /** What is decided on what is there comes first, and what only adds last. */
  async #bring(memory: TransactionMemory, items: readonly ImportItem[]): Promise<void> {
    await this.#people(memory, items);
    await this.#hosts(memory, items);
    await this.#records(memory, items);
    await this.#graph(memory, items);
    const sessions = new Map<string, ImportItem[]>();
    for (const item of items) {
      const { episode, message } = item.content;
      if (episode) {
        const at = episode.at ?? item.at;
        await memory.episodes.record(at === undefined ? episode : { ...episode, at });
      }
      if (message) {
        sessions.set(message.session, [...(sessions.get(message.session) ?? []), item]);
      }
    }
    for (const [conversationId, said] of sessions) {
      const data = said.flatMap(({ content }) => content.message?.data ?? []);
      await memory.conversations.store({ conversationId, memoryType: 'long-term', data });
    }
  }

  async #people(memory: TransactionMemory, items: readonly ImportItem[]): Promise<void> {
    const users = new Map<string, { user: ImportedUser; topics: Set<string> }>();
    for (const { content } of items) {
      const { user } = content;
      if (!user || this.#knowsUser(user)) continue;
      const known = users.get(user.id) ?? { user, topics: new Set() };
      for (const topic of user.topics) known.topics.add(topic);
      users.set(user.id, known);
    }
    for (const { user, topics } of users.values()) {
      await memory.users.changeContext(user.id, (draft) => {
        draft.preferences['name'] ??= user.name;
        if (user.email !== '') draft.preferences['email'] ??= user.email;
        const room = Math.max(0, TOPICS_MAX - draft.topics.length);
        const news = [...topics].filter((topic) => !draft.topics.includes(topic));
        draft.topics.push(...news.slice(0, room));
      });
    }
  }

  #knowsUser(user: ImportedUser): boolean {
    return userNames(user).every((name) => this.#users.has(name));
  }

  async #hosts(memory: TransactionMemory, items: readonly ImportItem[]): Promise<void> {
    const hosts = new Set(items.flatMap(({ content }) => content.sites ?? []));
    for (const host of hosts) {
      this.#settings.signal?.throwIfAborted();
      if (!this.#sites.has(host)) await memory.sites.getOrCreateProfile(`https://${host}`);
    }
  }

  async #records(memory: TransactionMemory, items: readonly ImportItem[]): Promise<void> {
    const records = new Map<string, RecordInput>();
    for (const { content } of items) {
      if (content.record) records.set(content.record.key, content.record);
    }
    if (records.size > 0) await memory.records.storeMany([...records.values()]);
  }

  async #graph(memory: TransactionMemory, items: readonly ImportItem[]): Promise<void> {
    const own = items.flatMap(({ content }) => content.entity ?? []);
    const shared = items
      .flatMap(({ content }) => content.shared ?? [])
      .filter(({ name }) => !this.#entities.has(name));
    const entities = [...own, ...shared];
    if (entities.length > 0) {
      const created = await memory.graph.createEntities(entities);
      const isNew = new Set(created.map(({ name }) => name));
      // Of a name that stands twice the first entity was created.
      const lacking = own.filter(
        ({ name, observations }) => !isNew.delete(name) && observations.length > 0,
      );
      if (lacking.length > 0) {
        await memory.graph.addObservations(
          lacking.map(({ name, observations }) => ({ entityName: name, contents: observations })),
        );
      }
    }
    const relations = items.flatMap(({ content }) => content.relations ?? []);
    if (relations.length > 0) await memory.graph.createRelations(relations);
  }

  #remember(items: readonly ImportItem[]): void {
    for (const { content } of items) {
      this.#entities.add((content.shared ?? []).map(({ name }) => name));
      this.#sites.add(content.sites ?? []);
      if (content.user) this.#users.add(userNames(content.user));
    }
  }
}

function userNames({ id, topics }: ImportedUser): string[] {
  return [id, ...topics].map((part, index) => (index === 0 ? id : JSON.stringify([id, part])));
}

/** Whether somebody else has brought what was to be brought. */
function isTaken(error: unknown, stream: string): boolean {
  if (error instanceof IdempotencyKeyReusedError) return true;
  if (!(error instanceof VersionConflictError)) return false;
  return error.failures.some((failure) => failure.stream === stream);
}
