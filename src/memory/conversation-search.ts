/** Items of one conversation that answer a question. Nothing but the items is read, so that asking depends on no other conversation. */
import { RecallIndex } from '../recall/recall-index.js';
import { queryWordsOf, sharedWords, wordsOf } from '../recall/words.js';
import type { StoredItem } from './conversation-state.js';
import { textOf } from './text.js';

export type Kept = readonly [id: string, item: StoredItem];

interface Known {
  readonly index: RecallIndex;
  /** As they were indexed, and the place of each among all. */
  readonly items: Map<string, { readonly item: StoredItem; readonly order: number }>;
  /** Items that were ever indexed. */
  count: number;
}

/** Conversations whose items stay indexed. */
const KNOWN_MAX = 8;

export class ConversationSearch {
  readonly #language: string;
  /** By stream, the one that was asked last behind the others. */
  readonly #known = new Map<string, Known>();

  constructor(language: string) {
    this.#language = language;
  }

  /**
   * Those that have a word of the question, or of whose speaker or time it asks, as recall ranks them. Of a question of function words alone those that
   * share more of these come first.
   * @param all - every item that there is, in the order in which they were stored: they are what an item stands among
   * @param chosen - those that may be given, of equals the best first
   * @param now - ISO 8601
   */
  rank(
    stream: string,
    all: readonly Kept[],
    chosen: readonly Kept[],
    query: string,
    now: string,
  ): readonly Kept[] {
    const { index } = this.#indexed(stream, all);
    if (index.termsOf(query).size === 0) return byFunctionWords(chosen, query);
    const scores = new Map<string, number>();
    for (const { id, score, reasons } of index.search(query, {
      limit: all.length,
      now: Date.parse(now),
    })) {
      const has = (part: string) => reasons.some((reason) => reason.part === part);
      // What others around it say is a reason to place it higher, and none to give it.
      if (has('text') || !(has('neighbour') || has('session'))) scores.set(id, score);
    }
    return chosen
      .filter(([id]) => scores.has(id))
      .sort(([one], [other]) => (scores.get(other) as number) - (scores.get(one) as number));
  }

  #indexed(stream: string, all: readonly Kept[]): Known {
    const before = this.#known.get(stream);
    const known = before && update(before, all) ? before : indexed(this.#language, all);
    this.#known.delete(stream);
    this.#known.set(stream, known);
    const [oldest = stream] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX) this.#known.delete(oldest);
    return known;
  }
}

function indexed(language: string, all: readonly Kept[]): Known {
  const known = { index: new RecallIndex(language), items: new Map(), count: 0 };
  update(known, all);
  return known;
}

/** Brings what is indexed to the items that there are. False when these stand in another order now, so that all has to be indexed anew. */
function update(known: Known, all: readonly Kept[]): boolean {
  const ids = new Set(all.map(([id]) => id));
  for (const id of known.items.keys()) {
    if (ids.has(id)) continue;
    known.items.delete(id);
    known.index.delete(id);
  }
  let last = -1;
  for (const [id, item] of all) {
    const before = known.items.get(id);
    const order = before?.order ?? known.count++;
    if (order < last) return false;
    last = order;
    if (before?.item === item) continue;
    known.items.set(id, { item, order });
    known.index.put({ id, order, ...documentOf(item) });
  }
  return true;
}

function documentOf({ data, metadata = {}, updatedAt }: StoredItem) {
  const { tags, importance } = metadata;
  return {
    text: typeof data === 'string' ? data : textOf(data.content),
    speaker: typeof data === 'string' ? undefined : data.role,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    session: 'this',
    time: Date.parse(updatedAt),
    importance: typeof importance === 'number' ? Math.min(1, Math.max(0, importance)) : undefined,
  };
}

/** Of as many words as well those that come first. */
function byFunctionWords(items: readonly Kept[], query: string): readonly Kept[] {
  const words = queryWordsOf(query);
  const textIn = ({ data }: StoredItem) => (typeof data === 'string' ? data : textOf(data.content));
  return items
    .map((kept) => ({ kept, shared: sharedWords(words, wordsOf(textIn(kept[1]))).length }))
    .filter(({ shared }) => shared > 0)
    .sort((a, b) => b.shared - a.shared)
    .map(({ kept }) => kept);
}
