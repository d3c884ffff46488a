/** What is known of a user, ranked by the words that it shares with a query. */
import type { Access } from './access.js';
import { type Episode, episodeEntries } from './episodes.js';
import { sharedWords, wordsOf } from './words.js';

export interface UserHit {
  /** Of the event by which it was remembered, or of the episode. */
  readonly id: string;
  /** `memory` for what `remember` kept, else the kind of the episode. */
  readonly kind: string;
  readonly text: string;
  /** ISO 8601. */
  readonly at: string;
  /** From 0 to 1. */
  readonly score: number;
}

export class UserSearch {
  readonly #query: ReadonlySet<string>;
  readonly #hits: UserHit[] = [];

  constructor(query: string) {
    this.#query = wordsOf(query);
  }

  take(candidate: Omit<UserHit, 'score'>): void {
    const score = sharedWords(this.#query, candidate.text);
    if (score > 0) this.#hits.push(Object.freeze({ ...candidate, score }));
  }

  async takeEpisodes(access: Access, userId: string): Promise<void> {
    for await (const [, episode] of episodeEntries(access)) {
      if (!episode?.participants.includes(userId)) continue;
      const { id, at, kind = 'episode' } = episode;
      this.take({ id, kind, text: textOf(episode), at });
    }
  }

  /** The best first, of equals the newest. */
  best(limit: number): readonly UserHit[] {
    this.#hits.sort((a, b) => b.score - a.score || (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
    return Object.freeze(this.#hits.slice(0, limit));
  }
}

function textOf({ text, response }: Episode): string {
  return response === undefined ? text : `${text}\n${response}`;
}
