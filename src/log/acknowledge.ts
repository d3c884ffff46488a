/** What each commit of a group is told once the group is durable. */
import { IdempotencyKeyReusedError, VersionConflictError } from '../errors.js';
import type { Waiting } from './group.js';
import { CommitBlocked } from './guard.js';

/** How many ended in which way. */
export interface EndedCommits {
  commits: number;
  conflicts: number;
  repeats: number;
}

/** @param time - of the group; counts the commit in `counts` */
export function acknowledge(waiting: Waiting, time: string, counts: EndedCommits): void {
  const { commit, decision } = waiting;
  switch (decision.kind) {
    case 'accepted':
      counts.commits += 1;
      waiting.durable(waiting.position, time, decision.firstVersions, false);
      break;
    case 'repeated': {
      counts.repeats += 1;
      const { earlier } = decision;
      const firstVersions = earlier.lastVersions.map(
        (last, index) => last - (commit.counts[index] as number) + 1,
      );
      waiting.durable(earlier.position, earlier.time, firstVersions, true);
      break;
    }
    case 'key-reused': {
      const key = commit.idempotencyKey ?? '';
      waiting.failed(new IdempotencyKeyReusedError(key, decision.position));
      break;
    }
    case 'blocked':
      counts.conflicts += 1;
      waiting.failed(new CommitBlocked(decision.events));
      break;
    case 'conflict':
      counts.conflicts += 1;
      waiting.failed(new VersionConflictError(decision.failures));
      break;
  }
}
