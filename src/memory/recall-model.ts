/** How a model's states become texts that can be found: what a model declares to be part of recall. */
import type { Facts } from './facts.js';

/** One text of a state. */
export interface RecallText {
  readonly text: string;
  /** A key, name or title; its words count more than those of the text. */
  readonly title?: string | undefined;
  /** The conversation that it is a turn of. */
  readonly session?: string | undefined;
  readonly speaker?: string | undefined;
  /** Among its session it stays where it was when it was first stored. Default: by time. */
  readonly keepsPlace?: boolean | undefined;
}

/** What is known of a text beside its words. Times are ISO 8601. */
export interface RecallFacts extends Facts {
  /** Of its last change; known from the log unless that is not read, as inside a transaction. */
  readonly position?: number | undefined;
  /** Keys of what it concerns, such as `users/anna`. */
  readonly concerns?: readonly string[] | undefined;
}

/** A text of a state, before anything is read of it. */
export interface RecallPart {
  /** Its name within the state, the empty text when the state is one text. */
  readonly name: string;
  /** As long as it is the same object, or an equal text, neither the text nor its facts have changed. */
  readonly source: unknown;
}

/**
 * Declared by a model. Pure: the same state always gives the same.
 */
export interface RecallModel<State = unknown> {
  /** The texts of a state. */
  parts(state: State, stream: string): Iterable<RecallPart>;
  /** Names of the parts that an event may have changed, added or taken away; left out, or undefined: any. */
  touched?(
    event: { readonly type: string; readonly data: unknown; readonly time: string },
    before: State | undefined,
  ): Iterable<string> | undefined;
  /** One part, when `touched` names it. Needed with `touched`. */
  part?(state: State, name: string): RecallPart | undefined;
  text(part: RecallPart, state: State, stream: string): RecallText;
  facts(part: RecallPart, state: State, stream: string): RecallFacts;
  /** When a text of its own end is over, ISO 8601; undefined where it ends with its state, or never. It changes with the source alone. */
  endOf?(part: RecallPart): string | undefined;
  /** When all texts without an end of their own are over. */
  sharedEnd?(state: State): string | undefined;
  /** Left out: never. `now` is ISO 8601. */
  isOver?(part: RecallPart, state: State, now: string): boolean;
  /** Out of use: found only by whoever asks for such. Left out: never. */
  isRetired?(state: State): boolean;
  /** What a hit shows as its text. Default: the text that is searched. */
  shown?(part: RecallPart, state: State, stream: string): string;
  /** What a hit shows as its value. */
  value?(part: RecallPart, state: State): unknown;
}

/** For a model whose state is one text. */
export function oneText(state: unknown): readonly RecallPart[] {
  return [{ name: '', source: state }];
}

export const NO_FACTS: Facts = Object.freeze({
  tags: Object.freeze([]),
  section: undefined,
  persona: undefined,
  actor: undefined,
  session: undefined,
  importance: undefined,
  time: '',
  metadata: Object.freeze({}),
});
