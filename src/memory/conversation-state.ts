/** What is stored of one memory of a conversation, and how events make it. */
import { current, type Draft } from 'immer';
import { defineEvents, defineProjection, event, type Projection, removed } from '../store.js';
import { defined } from './defined.js';
import { after } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { isOver } from './record-state.js';
import { type Reverted, reverted } from './revert.js';

/** A message of a conversation. */
export interface Message {
  /** Such as `user` or `assistant`. */
  readonly role: string;
  /** JSON; mostly text. */
  readonly content: unknown;
}

/** What one item holds. */
export type ItemData = string | Message;

/** An item as it is kept. */
export interface StoredItem {
  readonly data: ItemData;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly actor?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** A life of its own, ms; without it the item lives as long as the memory that it is in. */
  readonly ttlMs?: number;
  readonly expiresAt?: string;
}

/** Items stored by one call. */
export interface ConversationStored {
  readonly items: readonly { readonly id: string; readonly data: ItemData }[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly ttlMs?: number;
  /** Of working memory: how long it lives from now on, ms, unless it was to live longer. */
  readonly livesMs?: number;
}

/** One item changed. */
export interface ConversationUpdated {
  readonly id: string;
  readonly data: ItemData;
  /** In place of what was there. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly ttlMs?: number;
  readonly livesMs?: number;
}

/**
 * The state of one memory of a conversation. Items lie in pages, each filled once, so that one more item costs a copy of its page and not of all items, and
 * an item keeps its place as long as it is there.
 */
export interface ConversationState {
  /** Items that were ever stored; says which page the next one goes to. */
  readonly stored: number;
  /** By number, then by id. None is empty. */
  readonly pages: Readonly<Record<string, Readonly<Record<string, StoredItem>>>>;
  /** Of working memory: how long it lives after each store and update, ms. */
  readonly livesMs?: number;
  /** Of working memory: when all that has no life of its own is over. */
  readonly expiresAt?: string;
  /** Before this no item with a life of its own is over. */
  readonly soonest?: string;
}

const PAGE = 64;

/** What a fresh working memory holds: a text for each section, to be updated under these ids. */
export const SECTIONS: ReadonlyMap<string, string> = new Map(
  ['user context', 'conversation flow', 'current focus', 'interaction tone'].map((section) => [
    section.replace(' ', '-'),
    section,
  ]),
);

const events = defineEvents({
  'conversation.stored': event<ConversationStored>(),
  'conversation.updated': event<ConversationUpdated>(),
  /** Without an id all items. */
  'conversation.deleted': event<{ readonly id?: string }>(),
  'conversation.reverted': event<Reverted>(),
});

type StateDraft = Draft<ConversationState>;

/** When an item is over; undefined for one that stays. */
export function endOf(item: StoredItem, state: ConversationState): string | undefined {
  return item.expiresAt ?? state.expiresAt;
}

/** The item, unless it is over. */
export function itemOf(state: ConversationState, id: string, now: string): StoredItem | undefined {
  const page = pageOf(state, id);
  const item = page === undefined ? undefined : state.pages[page]?.[id];
  return item && !isOver(endOf(item, state), now) ? item : undefined;
}

/** All items that are not over, in the order in which they were stored. */
export function itemsOf(
  state: ConversationState,
  now: string,
): (readonly [id: string, item: StoredItem])[] {
  const items = Object.values(state.pages).flatMap((page) => Object.entries(page));
  return items.filter(([, item]) => !isOver(endOf(item, state), now));
}

function pageOf(state: ConversationState | StateDraft, id: string): string | undefined {
  return Object.keys(state.pages).find((page) => Object.hasOwn(state.pages[page] ?? {}, id));
}

function isEmpty(draft: StateDraft): boolean {
  return Object.keys(draft.pages).length === 0;
}

function put(draft: StateDraft, id: string, item: StoredItem): void {
  const number = String(Math.floor(draft.stored / PAGE));
  draft.stored += 1;
  const page = draft.pages[number];
  if (page) page[id] = item as Draft<StoredItem>;
  else draft.pages[number] = { [id]: item as Draft<StoredItem> };
}

function drop(draft: StateDraft, page: string, id: string): void {
  const items = draft.pages[page];
  if (!items) return;
  delete items[id];
  if (Object.keys(items).length === 0) delete draft.pages[page];
}

/** Lets go of what is over, so that nothing grows that nobody sees. Looks at the items only when one may be. */
function prune(draft: StateDraft, time: string): void {
  const ended = isOver(draft.expiresAt, time);
  if (!ended && !isOver(draft.soonest, time)) return;
  const before = current(draft) as ConversationState;
  delete draft.soonest;
  for (const [page, items] of Object.entries(before.pages)) {
    for (const [id, item] of Object.entries(items)) {
      if (isOver(endOf(item, before), time)) drop(draft, page, id);
      else noteEnd(draft, item.expiresAt);
    }
  }
  if (!ended) return;
  delete draft.expiresAt;
  delete draft.livesMs;
}

function noteEnd(draft: StateDraft, expiresAt: string | undefined): void {
  if (expiresAt === undefined) return;
  if (draft.soonest === undefined || expiresAt < draft.soonest) draft.soonest = expiresAt;
}

/** Begins the life of working memory anew. */
function restart(draft: StateDraft, time: string, livesMs: number | undefined): void {
  if (livesMs === undefined) return;
  draft.livesMs = Math.max(livesMs, draft.livesMs ?? 0);
  draft.expiresAt = after(time, draft.livesMs);
}

function lifeOf(time: string, ttlMs: number | undefined) {
  return ttlMs === undefined ? {} : { ttlMs, expiresAt: after(time, ttlMs) };
}

function updated(
  before: StoredItem,
  { data: change, time, actor }: { data: ConversationUpdated; time: string; actor?: string },
): StoredItem {
  const { data, metadata = before.metadata, ttlMs = before.ttlMs } = change;
  const { createdAt } = before;
  const rest = { ...defined({ metadata, actor }), ...lifeOf(time, ttlMs) };
  return { data, createdAt, updatedAt: time, ...rest };
}

/** A state that patches made, with what goes with all of it: no page is filled twice, and undoing something does not shorten the life of the rest. */
function settled(state: ConversationState, before: ConversationState): ConversationState {
  const { stored, pages } = state;
  const lives = before.stored > 0 ? before : state;
  const ends = Object.values(pages)
    .flatMap((page) => Object.values(page))
    .flatMap(({ expiresAt }) => expiresAt ?? []);
  const { livesMs, expiresAt } = lives;
  return {
    stored: Math.max(stored, before.stored),
    pages,
    ...defined({ livesMs, expiresAt, soonest: ends.sort()[0] }),
  };
}

function newItem({ time, actor }: { time: string; actor?: string }) {
  return { ...defined({ actor }), createdAt: time, updatedAt: time };
}

/** By stream. */
export const conversations: Projection<ConversationState> = defineProjection({
  name: 'conversations',
  version: 1,
  events,
  initial: (): ConversationState => ({ stored: 0, pages: {} }),
  on: {
    'conversation.stored': (draft, e) => {
      const { items, metadata, ttlMs, livesMs } = e.data;
      prune(draft, e.time);
      if (livesMs !== undefined && isEmpty(draft)) {
        for (const [id, section] of SECTIONS) {
          put(draft, id, { data: freshText(section), metadata: { section }, ...newItem(e) });
        }
      }
      restart(draft, e.time, livesMs);
      const life = lifeOf(e.time, ttlMs);
      noteEnd(draft, life.expiresAt);
      for (const { id, data } of items) {
        put(draft, id, { data, ...defined({ metadata }), ...life, ...newItem(e) });
      }
    },
    'conversation.updated': (draft, e) => {
      const { id, livesMs } = e.data;
      prune(draft, e.time);
      const page = pageOf(draft, id);
      // It may have come to its end while the event was on its way.
      if (page === undefined) return isEmpty(draft) ? removed : undefined;
      const item = updated(current(draft).pages[page]?.[id] as StoredItem, e);
      noteEnd(draft, item.expiresAt);
      (draft.pages[page] as Record<string, StoredItem>)[id] = item;
      restart(draft, e.time, livesMs);
      return undefined;
    },
    'conversation.deleted': (draft, e) => {
      const { id } = e.data;
      if (id === undefined) return removed;
      prune(draft, e.time);
      const page = pageOf(draft, id);
      if (page !== undefined) drop(draft, page, id);
      return isEmpty(draft) ? removed : undefined;
    },
    'conversation.reverted': (draft, e) => {
      const before = current(draft) as ConversationState;
      const state = reverted(isEmpty(draft) ? undefined : before, e.data.patches);
      if (state === removed || Object.keys(state.pages).length === 0) return removed;
      return settled(state, before);
    },
  },
});

/** What a section says before anything is put there. */
export function freshText(section: string): string {
  return `${section.charAt(0).toUpperCase()}${section.slice(1)}: nothing yet.`;
}

/** The model as the memory takes it in. */
export const conversationsModel: ModelDefinition = {
  name: 'conversations',
  events,
  projection: conversations,
  opposites: {
    'conversation.stored': 'conversation.reverted',
    'conversation.updated': 'conversation.reverted',
    'conversation.deleted': 'conversation.reverted',
    'conversation.reverted': 'conversation.reverted',
  },
  bookkeeping: ['/stored', '/livesMs', '/expiresAt', '/soonest'],
  expiries: (state) => {
    const { pages, expiresAt } = state as ConversationState;
    const items = Object.values(pages).flatMap((page) => Object.values(page));
    return items.map((item) => item.expiresAt ?? expiresAt);
  },
};
