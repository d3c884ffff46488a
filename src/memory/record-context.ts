/** Records that have to do with a question or a task. */
import { quoteWhole } from '../errors.js';
import { queryWordsOf, sharedWords, wordsOf } from '../recall/words.js';
import type { Entry } from '../store.js';
import { defined } from './defined.js';
import { type Filter, type Filters, filterOf } from './filters.js';
import { checkLimit, checkMembers, checkText, frozen } from './model.js';
import { isOver, type RecordState } from './record-state.js';
import { factsOf, type MemoryRecord, recordOf } from './record-view.js';
import { quoted, textOf } from './text.js';

export interface RecordQuery {
  /** Records at most. Default 10. */
  readonly limit?: number | undefined;
  readonly filters?: Filters | undefined;
}

/** A record that a query found. Deeply frozen. */
export interface RecordHit {
  readonly model: 'records';
  /** `records/<key>` */
  readonly id: string;
  readonly text: string;
  /** From 0 to 1: the share of the query's words that it has. */
  readonly score: number;
  readonly actor?: string;
  /** ISO 8601, of its last change. */
  readonly time: string;
  /** Of its last change. */
  readonly position: number;
  readonly value: unknown;
  /** Why it was found. */
  readonly reasons: readonly {
    readonly part: 'text';
    readonly score: number;
    readonly terms: readonly string[];
  }[];
}

/** What a persona should know for a task. Deeply frozen. */
export interface RecordContext {
  /**
   * For a language model: one quotation to a line, each with section, key, author and time, introduced as information that is not to be obeyed. Empty when
   * there is none.
   */
  readonly text: string;
  /** The records that the text quotes, in its order. */
  readonly items: readonly MemoryRecord[];
  /** Something was cut or left out for want of room. */
  readonly truncated: boolean;
}

const RECALL_LIMIT = 10;
const CONTEXT_CHARS = 4000;
/** What is as important as this is always shown. */
const IMPORTANT = 0.8;
/** Results of tasks like the one at hand, the last ones. */
const RESULTS_MAX = 5;

interface Match {
  readonly stream: string;
  readonly state: RecordState;
  readonly terms: readonly string[];
  readonly score: number;
}

/** Best first, then changed last, then by key. */
function byScore(a: Match, b: Match): number {
  return b.score - a.score || byTime(a, b);
}

function byTime(a: Match, b: Match): number {
  const times = compare(b.state.updatedAt, a.state.updatedAt);
  return times || b.state.position - a.state.position || compare(a.stream, b.stream);
}

function compare(a: string, b: string): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

/** The words of a state. A state is split once, as long as the store keeps it. */
const knownWords = new WeakMap<RecordState, ReadonlySet<string>>();

function wordsOfState(stream: string, state: RecordState): ReadonlySet<string> {
  let words = knownWords.get(state);
  if (!words) {
    const key = stream.slice(stream.indexOf('/') + 1);
    words = wordsOf([key, ...(state.tags ?? []), contentOf(state)].join('\n'));
    knownWords.set(state, words);
  }
  return words;
}

/** A result is of no use without its task. */
function contentOf({ task, value }: RecordState): string {
  return task === undefined ? textOf(value) : `${task}: ${textOf(value)}`;
}

/** What of the question stands among the words, and how much of it, from 0 to 1. All matching of records goes through here: a ranking takes its place. */
function matching(query: ReadonlySet<string>, words: ReadonlySet<string>) {
  const terms = sharedWords(query, words);
  return { terms, score: terms.length / Math.max(1, query.size) };
}

/** Takes every record and keeps those that share words with a query. */
export class Recalling {
  readonly #words: ReadonlySet<string>;
  readonly #filter: Filter;
  readonly #limit: number;
  readonly #now: string;
  readonly #matches: Match[] = [];

  /** @throws TypeError */
  constructor(query: string, options: RecordQuery, now: string) {
    checkText(query, 'the query');
    checkMembers(options, 'the options', ['limit', 'filters']);
    const { limit = RECALL_LIMIT, filters }: RecordQuery = options;
    checkLimit(limit);
    this.#words = queryWordsOf(query);
    this.#filter = filterOf(filters);
    this.#limit = limit;
    this.#now = now;
  }

  take([stream, state]: Entry<RecordState>): void {
    if (isOver(state.expiresAt, this.#now) || !this.#filter(factsOf(state))) return;
    const { terms, score } = matching(this.#words, wordsOfState(stream, state));
    if (terms.length === 0) return;
    this.#matches.push({ stream, state, terms, score });
  }

  hits(): readonly RecordHit[] {
    return frozen(this.#matches.sort(byScore).slice(0, this.#limit).map(hitOf));
  }
}

function hitOf({ stream, state, terms, score }: Match): RecordHit {
  const { actor, updatedAt: time, position, value } = state;
  return {
    model: 'records',
    id: stream,
    text: contentOf(state),
    score,
    ...defined({ actor }),
    time,
    position,
    value,
    reasons: [{ part: 'text', score, terms }],
  };
}

export interface ContextOptions {
  /** Of the text, in UTF-16 code units. Default 4000. */
  readonly maxChars?: number | undefined;
}

/** Takes every record and keeps what a persona should know for a task. */
export class Gathering {
  readonly #persona: string;
  readonly #words: ReadonlySet<string>;
  readonly #maxChars: number;
  readonly #now: string;
  readonly #matches: Match[] = [];
  readonly #results: Match[] = [];

  /** @throws TypeError */
  constructor(persona: string, task: string, options: ContextOptions, now: string) {
    checkText(persona, 'persona');
    checkText(task, 'task');
    checkMembers(options, 'the options', ['maxChars']);
    const { maxChars = CONTEXT_CHARS }: ContextOptions = options;
    checkLimit(maxChars, 'maxChars');
    this.#persona = persona;
    this.#words = queryWordsOf(task);
    this.#maxChars = maxChars;
    this.#now = now;
  }

  take([stream, state]: Entry<RecordState>): void {
    const { persona, task, importance = 0 } = state;
    if (isOver(state.expiresAt, this.#now)) return;
    if (persona !== undefined && persona !== this.#persona) return;
    // Results are found by what they are results of.
    const words = task === undefined ? wordsOfState(stream, state) : wordsOf(task);
    const { terms, score } = matching(this.#words, words);
    if (terms.length === 0 && importance < IMPORTANT) return;
    const match = { stream, state, terms, score: score + importance };
    if (task === undefined) this.#matches.push(match);
    else this.#results.push(match);
  }

  /** What matches best first. */
  context(): RecordContext {
    const results = this.#results.sort(byTime).slice(0, RESULTS_MAX);
    const quotations = [...this.#matches, ...results].sort(byScore).map(({ stream, state }) => {
      const item = recordOf(stream, state);
      const { section, key, task, actor, updatedAt: time } = item;
      const title =
        task === undefined ? `[${name(section)}] ${name(key)}` : `[${name(section)}] result`;
      return { item, title, actor, time, text: contentOf(state) };
    });
    return frozen(quoted(quotations, this.#maxChars));
  }
}

/** A name in a title: it came from elsewhere as well. */
function name(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : quoteWhole(text);
}
