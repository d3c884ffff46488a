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
  /** Its place where order and time are those of another turn as well. Default: by id. */
  readonly sequence?: number | undefined;
  readonly speaker?: string | undefined;
  /** When it was said or changed, ms since 1970. */
  readonly time?: number | undefined;
  /** From 0 to 1. */
  readonly importance?: number | undefined;
  /** What it ends with. Lives have ends; see `endLife` of the index. */
  readonly life?: string | undefined;
  /** What `where` of a search asks for; of any form, compared as they are. */
  readonly marks?: readonly string[] | undefined;
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

/** Which documents may be found: conditions that all must hold. */
export interface Where {
  /** It has all of these marks. */
  readonly marks?: readonly string[] | undefined;
  /** It has at least one mark of each list. */
  readonly anyOf?: readonly (readonly string[])[] | undefined;
  /** No importance counts as 0. */
  readonly minImportance?: number | undefined;
  /** Its time is this or later, ms since 1970; what has no time does not count. */
  readonly since?: number | undefined;
  /** Its time is this or earlier; what has no time counts. */
  readonly until?: number | undefined;
}

export interface SearchOptions {
  /** Documents at most. Default 10. */
  readonly limit?: number | undefined;
  /** Only documents that are not over by then, ms since 1970. Default: all. */
  readonly livingAt?: number | undefined;
  /** Only documents for which this holds. Cheap for any share of the documents. */
  readonly where?: Where | undefined;
  /** Only documents that it accepts. Asked for those alone that would come among the best; where few are accepted, of most that have a word. */
  readonly accepts?: ((id: string) => boolean) | undefined;
  /** Says whether `where` truly holds, which looks at marks by their hashes. Asked for those alone that would be given. */
  readonly confirms?: ((id: string) => boolean) | undefined;
  /** Parts that count beside `text`. Default: all. */
  readonly parts?: readonly Part[] | undefined;
  /** What `last week` in the question refers to, ms since 1970. Default: the time of the newest document, to which recency refers always. */
  readonly now?: number | undefined;
}
