/** Finding memories by words, across all models or in one of them, and handing them on as text. */
import { invalidArgument, ModeUnavailableError, quote } from '../errors.js';
import type { Part } from '../recall/document.js';
import type { Access } from './access.js';
import { defined } from './defined.js';
import { whereOf } from './filter-where.js';
import { type Filters, filterOf } from './filters.js';
import { checkLimit, checkMembers, checkText, frozen } from './model.js';
import type { Candidate, FindOptions, Found, MemoryIndex } from './recall-index.js';
import type { RecallModel } from './recall-model.js';
import { memoryName, quoted } from './text.js';

/** Why a memory was found. */
export interface HitReason {
  /**
   * `text`: words of its own. `neighbour`: words of the turns beside it. `session`: what the whole session is about. `speaker`: who is named said it. `date`:
   * it is of a time that is asked for. `importance`, `recency`: among equals.
   */
  readonly part: Part;
  /** What that added; below 0 when it took away. */
  readonly score: number;
  /** Words of the question. */
  readonly terms?: readonly string[];
}

/** A memory that a question found. Deeply frozen. */
export interface Hit {
  /** The model that it is of, such as `records`. */
  readonly model: string;
  /** What it is a part of, and which: `records/<key>`, `episodes/<id>`, `conversations/<id>/<type>/<item>`, `users/<id>/<event>`, `sites/<host>/<fact>`. */
  readonly id: string;
  readonly text: string;
  /** The sum of the reasons; above 0. Scores of different questions cannot be compared. */
  readonly score: number;
  /** Who stored or changed it last. */
  readonly actor?: string;
  /** ISO 8601: when it was stored or changed last; of an episode, when it happened. */
  readonly time: string;
  /** Of the commit that changed it last; 0 inside a transaction where that is not known. */
  readonly position: number;
  /** Of a record its value, of an item its data. */
  readonly value?: unknown;
  readonly reasons: readonly HitReason[];
}

/** How a question is asked of one model. */
export interface RecallQuery {
  /** Memories at most. Default 10. */
  readonly limit?: number | undefined;
  /** Asked before ranking. */
  readonly filters?: Filters | undefined;
}

/** How a question is asked of the whole memory. */
export interface RecallOptions extends RecallQuery {
  /** Names of the models. Default: all. */
  readonly models?: readonly string[] | undefined;
  /** `text`, by words, is the only one. Default `text`. */
  readonly mode?: 'text' | (string & {}) | undefined;
}

export interface RecallTextOptions extends RecallOptions {
  /** Of the text, in UTF-16 code units. Default 4000. */
  readonly maxChars?: number | undefined;
}

const LIMIT = 10;
/** As many as may fit. */
const TEXT_LIMIT = 50;
const TEXT_CHARS = 4000;
const MODES: readonly string[] = ['text'];

/** A question, checked. */
export interface Asked {
  readonly query: string;
  readonly limit: number;
  readonly passing: Pick<FindOptions, 'where' | 'accepts' | 'confirms'>;
  readonly models: readonly string[] | undefined;
}

/** @throws TypeError */
export function askedOf(query: string, options: RecallQuery, models: readonly string[]): Asked {
  checkText(query, 'the query');
  checkMembers(options, 'the options', ['limit', 'filters']);
  const { limit = LIMIT, filters }: RecallQuery = options;
  checkLimit(limit);
  return { query, limit, passing: filters === undefined ? {} : passing(filters), models };
}

function passing(filters: Filters): Asked['passing'] {
  const filter = filterOf(filters);
  const asks = ({ facts }: Candidate) => filter(facts);
  const { where, isWhole } = whereOf(filters);
  return isWhole ? { where, confirms: asks } : { where, accepts: asks };
}

/** The found memories as they are shown. */
export function hitsOf(index: MemoryIndex, asked: Asked, now: string): readonly Hit[] {
  const { query, limit, passing: conditions, models } = asked;
  const found = index.find(query, { limit, now, models, ...conditions });
  return frozen(found.map((each) => hitOf(each, index.recallOf(each.model))));
}

export function hitOf(found: Found, recall: RecallModel): Hit {
  const { model, facts, part, state, score, reasons } = found;
  const { actor, time, position = 0 } = facts;
  const value = recall.value?.(part, state);
  return {
    model,
    id: shownId(found),
    text: shownText(found, recall),
    score,
    ...defined({ actor }),
    time,
    position,
    ...defined({ value }),
    reasons,
  };
}

export function shownId({ stream, part }: Candidate): string {
  return part.name === '' ? stream : `${stream}/${part.name}`;
}

function shownText({ stream, part, state }: Candidate, recall: RecallModel): string {
  return recall.shown?.(part, state, stream) ?? recall.text(part, state, stream).text;
}

/** The calls of a memory that go across its models. */
export class Recalling {
  readonly #access: Access;
  readonly #names: readonly string[];

  /** @param names - of the models that can be asked */
  constructor(access: Access, names: readonly string[]) {
    this.#access = access;
    this.#names = names;
  }

  async recall(query: string, options: RecallOptions): Promise<readonly Hit[]> {
    const asked = this.#asked(query, options, ['limit', 'filters', 'models', 'mode'], LIMIT);
    return hitsOf(await this.#access.recall(asked.models), asked, await this.#access.now());
  }

  recallSync(query: string, options: RecallOptions): readonly Hit[] {
    const asked = this.#asked(query, options, ['limit', 'filters', 'models', 'mode'], LIMIT);
    return hitsOf(this.#access.recallSync(asked.models), asked, this.#access.nowSync());
  }

  async recallText(query: string, options: RecallTextOptions): Promise<string> {
    const { asked, maxChars } = this.#askedForText(query, options);
    const index = await this.#access.recall(asked.models);
    return textOfHits(hitsOf(index, asked, await this.#access.now()), maxChars);
  }

  recallTextSync(query: string, options: RecallTextOptions): string {
    const { asked, maxChars } = this.#askedForText(query, options);
    const index = this.#access.recallSync(asked.models);
    return textOfHits(hitsOf(index, asked, this.#access.nowSync()), maxChars);
  }

  #askedForText(query: string, options: RecallTextOptions) {
    const members = ['limit', 'filters', 'models', 'mode', 'maxChars'];
    const asked = this.#asked(query, options, members, TEXT_LIMIT);
    const { maxChars = TEXT_CHARS } = options;
    checkLimit(maxChars, 'maxChars');
    return { asked, maxChars };
  }

  /** @throws TypeError, ModeUnavailableError */
  #asked(query: string, options: RecallOptions, members: readonly string[], limit: number): Asked {
    checkText(query, 'the query');
    checkMembers(options, 'the options', members);
    const { limit: most = limit, filters, models, mode = 'text' }: RecallOptions = options;
    if (typeof mode !== 'string') throw invalidArgument("mode must be a text, such as 'text'");
    if (!MODES.includes(mode)) throw new ModeUnavailableError(mode, MODES);
    const asked = askedOf(query, { limit: most, filters }, this.#names);
    return { ...asked, models: models === undefined ? undefined : this.#checked(models) };
  }

  #checked(models: unknown): readonly string[] {
    if (!Array.isArray(models)) throw invalidArgument('models must be a list of names of models');
    for (const name of models) {
      if (this.#names.includes(name as string)) continue;
      const given = typeof name === 'string' ? `, not ${quote(name)}` : '';
      throw invalidArgument(`models must be among ${this.#names.join(', ')}${given}`);
    }
    return [...models] as readonly string[];
  }
}

/** Hits as quotations, one to a line, each with what it is, author and time. */
function textOfHits(hits: readonly Hit[], maxChars: number): string {
  const quotations = hits.map((item) => ({
    item,
    title: `[${item.model}] ${memoryName(item.id.slice(item.id.indexOf('/') + 1))}`,
    actor: item.actor,
    time: item.time,
    text: item.text,
  }));
  return quoted(quotations, maxChars).text;
}
