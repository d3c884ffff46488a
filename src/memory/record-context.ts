/** What a persona should know for a task. */

import { personaMark } from './filter-marks.js';
import { checkLimit, checkMembers, checkText, frozen } from './model.js';
import type { Candidate, MemoryIndex } from './recall-index.js';
import type { RecordState } from './record-state.js';
import { contentOf } from './record-texts.js';
import { type MemoryRecord, recordOf } from './record-view.js';
import { memoryName, quoted } from './text.js';

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

export interface ContextOptions {
  /** Of the text, in UTF-16 code units. Default 4000. */
  readonly maxChars?: number | undefined;
}

const CONTEXT_CHARS = 4000;
/** Results of tasks like the one at hand, the last ones. */
const RESULTS_MAX = 5;
/** More than fit any context. */
const MATCHES_MAX = 200;

/** A question for what a persona should know, checked. */
export class ContextQuestion {
  readonly #persona: string;
  readonly #task: string;
  readonly #maxChars: number;

  /** @throws TypeError */
  constructor(persona: string, task: string, options: ContextOptions) {
    checkText(persona, 'persona');
    checkText(task, 'task');
    checkMembers(options, 'the options', ['maxChars']);
    const { maxChars = CONTEXT_CHARS }: ContextOptions = options;
    checkLimit(maxChars, 'maxChars');
    this.#persona = persona;
    this.#task = task;
    this.#maxChars = maxChars;
  }

  /** What matches best first, with the last results of tasks like it; then what is important whatever the task. */
  answer(index: MemoryIndex, now: string): RecordContext {
    const found = this.#find(index, now);
    const shown = new Set(found.map(({ stream }) => stream));
    const important = [...index.important(now)]
      .filter((each) => this.#mayShow(each) && !shown.has(each.stream))
      .filter(({ state }) => (state as RecordState).task === undefined)
      .sort(byImportance);
    const quotations = [...found, ...important].map(({ stream, state }) => {
      const item = recordOf(stream, state as RecordState);
      const { section, key, task, actor, updatedAt: time } = item;
      const title = `[${memoryName(section)}] ${task === undefined ? memoryName(key) : 'result'}`;
      return { item, title, actor, time, text: contentOf(state as RecordState) };
    });
    return frozen(quoted(quotations, this.#maxChars));
  }

  #find(index: MemoryIndex, now: string): Candidate[] {
    const isLike = index.sharing(this.#task);
    const found = index.find(this.#task, {
      limit: MATCHES_MAX,
      now,
      models: ['records'],
      where: { anyOf: [[personaMark(undefined), personaMark(this.#persona)]] },
      // A result counts by its task, whatever came of it.
      accepts: ({ state }) => {
        const { task } = state as RecordState;
        return task === undefined || isLike(task);
      },
      confirms: (each) => this.#mayShow(each),
    });
    const results = found.filter(({ state }) => (state as RecordState).task !== undefined);
    const last = new Set(results.sort(byTime).slice(0, RESULTS_MAX));
    return found.filter((each) => (each.state as RecordState).task === undefined || last.has(each));
  }

  #mayShow({ model, facts: { persona } }: Candidate): boolean {
    return model === 'records' && (persona === undefined || persona === this.#persona);
  }
}

/** The last first. */
function byTime(one: Candidate, other: Candidate): number {
  const [a, b] = [one.state as RecordState, other.state as RecordState];
  return compare(b.updatedAt, a.updatedAt) || b.position - a.position;
}

function byImportance(one: Candidate, other: Candidate): number {
  const [{ importance: a = 0 }, { importance: b = 0 }] = [one.facts, other.facts];
  return b - a || byTime(one, other) || compare(one.stream, other.stream);
}

function compare(a: string, b: string): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}
