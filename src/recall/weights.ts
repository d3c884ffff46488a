/** How much each part counts. Round numbers that follow from what they mean; docs/RECALL.md says why, and what each is worth. */

/** Robertson and Zaragoza: how soon more of the same word stops counting, and how much long texts are held back. */
export const K1 = 1.2;
export const B = 0.75;

/** How many turns away a neighbour may be. */
export const WINDOW = 2;

/** What the words of a neighbour count, by its distance: what was said, and what was asked. A question's words belong to its answer. */
export const NEIGHBOURS: readonly {
  readonly distance: number;
  readonly said: number;
  readonly asked: number;
}[] = [
  { distance: -2, said: 0.15, asked: 0.3 },
  { distance: -1, said: 0.3, asked: 0.6 },
  { distance: 1, said: 0.3, asked: 0.3 },
  { distance: 2, said: 0.15, asked: 0.15 },
];

/** What words count in the turn that asks with them. */
export const OWN_ASKED = 0.75;

/** A session's score against that of a turn. */
export const SESSION = 0.2;

/** What a speaker's name counts as a word of a turn: whoever is addressed by it is not who speaks. */
export const MENTION = 0.25;
/** Turns of who is named count three quarters more. */
export const SPEAKER = 0.75;

/** Turns that say a time, when the question asks for one. */
export const WHEN = 0.5;
/** Turns of the day that the question names, or that speak of it; less for months and years. */
export const DATE = 1;

/** Of importance 1. */
export const IMPORTANCE = 0.25;
/** Of the newest document; half of it 30 days before that. */
export const RECENCY = 0.05;
export const RECENCY_HALF_MS: number = 30 * 24 * 60 * 60 * 1000;
