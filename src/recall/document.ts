/** What the ranking takes in and gives back. */

/** A text to be found. Only `id` and `text` are needed. */
export interface RecallDocument {
  /** Its own in the index. */
  readonly id: string;
  readonly text: string;
  /** A title, name or key: its words count three times. */
  readonly title?: string | undefined;
  /** Their words count twice. */
  readonly tags?: readonly string[] | undefined;
  /** The conversation, or the part of one, that it is a turn of. */
  readonly session?: string | undefined;
  /** Its place in the session. Default: by time. */
  readonly order?: number | undefined;
  readonly speaker?: string | undefined;
  /** When it was said or changed, ms since 1970. */
  readonly time?: number | undefined;
  /** From 0 to 1. */
  readonly importance?: number | undefined;
}

/** The parts of a score. All but `text` can be switched off. */
export const PARTS = [
  'text',
  'neighbour',
  'session',
  'speaker',
  'date',
  'importance',
  'recency',
] as const;

export type Part = (typeof PARTS)[number];

/** What a part added to a score; below 0 when it took something away. */
export interface Reason {
  readonly part: Part;
  readonly score: number;
  /** Of `text`: the terms of the question that the document has. Of `neighbour`: those that the turns beside it have. */
  readonly terms?: readonly string[];
}

/** A document that a question found. */
export interface Ranked {
  readonly id: string;
  /** The sum of its reasons; above 0. Scores of different questions cannot be compared. */
  readonly score: number;
  readonly reasons: readonly Reason[];
}

export interface SearchOptions {
  /** Documents at most. Default 10. */
  readonly limit?: number | undefined;
  /** Only documents that it accepts. Asked for those alone that would come among the best. */
  readonly accepts?: ((id: string) => boolean) | undefined;
  /** Parts that count beside `text`. Default: all. */
  readonly parts?: readonly Part[] | undefined;
  /** What `last week` in the question refers to, ms since 1970. Default: the time of the newest document, to which recency refers always. */
  readonly now?: number | undefined;
}
