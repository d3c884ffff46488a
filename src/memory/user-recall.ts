/** What is known of a user that answers a question. */
import type { Episode } from './episodes.js';
import { concernMark } from './filter-marks.js';
import { frozen } from './model.js';
import { type Hit, hitOf } from './recall.js';
import type { Candidate, MemoryIndex } from './recall-index.js';

export interface UserHit extends Hit {
  /** `memory` for what `remember` kept, `context` for preferences and topics, else the kind of the episode. */
  readonly kind: string;
  /** ISO 8601. The same as `time`. */
  readonly at: string;
}

export interface UserAsked {
  readonly stream: string;
  readonly userId: string;
  readonly query: string;
  readonly limit: number;
}

export function userHits(
  index: MemoryIndex,
  { stream, userId, query, limit }: UserAsked,
  now: string,
): readonly UserHit[] {
  const confirms = (candidate: Candidate) =>
    candidate.model === 'users'
      ? candidate.stream === stream
      : episodeOf(candidate).participants.includes(userId);
  const models = ['users', 'episodes'];
  const where = { marks: [concernMark(stream)] };
  const found = index.find(query, { limit, now, models, where, confirms });
  return frozen(
    found.map((each) => {
      const hit = hitOf(each, index.recallOf(each.model));
      return { ...hit, kind: kindOf(each), at: hit.time };
    }),
  );
}

function episodeOf({ state }: Candidate): Episode {
  return state as Episode;
}

function kindOf(candidate: Candidate): string {
  if (candidate.model === 'episodes') return episodeOf(candidate).kind ?? 'episode';
  return candidate.part.name === '' ? 'context' : 'memory';
}
