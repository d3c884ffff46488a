/** Items of conversations as texts that can be found. */
import {
  type ConversationState,
  type ConversationStored,
  endOf,
  freshText,
  SECTIONS,
  type StoredItem,
} from './conversation-state.js';
import { NO_FACTS, type RecallModel, type RecallPart } from './recall-model.js';
import { isOver } from './record-state.js';
import { textOf } from './text.js';

/** The conversation that a stream is of. */
function conversationOf(stream: string): string {
  return stream.slice('conversations/'.length, stream.lastIndexOf('/'));
}

function itemOf({ source }: RecallPart): StoredItem {
  return source as StoredItem;
}

/** A section that says nothing yet. */
function isFresh(name: string, { data }: StoredItem): boolean {
  const section = SECTIONS.get(name);
  return section !== undefined && data === freshText(section);
}

function ends({ expiresAt, soonest }: ConversationState, time: string): boolean {
  return isOver(expiresAt, time) || isOver(soonest, time);
}

export const conversationTexts: RecallModel<ConversationState> = {
  *parts({ pages }) {
    for (const page of Object.values(pages)) {
      for (const [name, source] of Object.entries(page)) {
        if (!isFresh(name, source)) yield { name, source };
      }
    }
  },
  touched({ type, data, time }, before) {
    // What is over is let go of together with any other change, and the first one makes sections.
    if (!before || ends(before, time)) return undefined;
    if (type === 'conversation.stored')
      return (data as ConversationStored).items.map(({ id }) => id);
    const { id } = data as { readonly id?: string };
    const alone = type === 'conversation.updated' || type === 'conversation.deleted';
    return alone && id !== undefined ? [id] : undefined;
  },
  part({ pages }, name) {
    const page = Object.values(pages).findLast((each) => Object.hasOwn(each, name));
    const source = page?.[name];
    return source && !isFresh(name, source) ? { name, source } : undefined;
  },
  text(part, _, stream) {
    const { data } = itemOf(part);
    // A section is no turn: nothing was said before or after it.
    const session = SECTIONS.has(part.name) ? undefined : conversationOf(stream);
    const turn = { session, keepsPlace: true };
    if (typeof data === 'string') return { text: data, ...turn };
    return { text: textOf(data.content), speaker: data.role, ...turn };
  },
  endOf: (part) => itemOf(part).expiresAt,
  sharedEnd: ({ expiresAt }) => expiresAt,
  isOver: (part, state, now) => isOver(endOf(itemOf(part), state), now),
  facts(part, _, stream) {
    const { metadata = {}, actor, updatedAt: time } = itemOf(part);
    const { tags, section, persona, importance } = metadata;
    return {
      ...NO_FACTS,
      tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
      section: typeof section === 'string' ? section : undefined,
      persona: typeof persona === 'string' ? persona : undefined,
      actor,
      session: conversationOf(stream),
      importance: typeof importance === 'number' ? importance : undefined,
      time,
      metadata,
    };
  },
  value: (part) => itemOf(part).data,
};
