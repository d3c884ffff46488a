/** What a writer counts, since it was made. */
import type { EndedCommits } from './acknowledge.js';

export interface WriterCounts extends EndedCommits {
  groups: number;
  /** Groups that others wrote before. */
  moved: number;
  /** Those of them whose decision held as it was. */
  rebased: number;
  /** Calls that waited too long for the lock. */
  lockTimeouts: number;
  writeErrors: number;
  /** Furthest that the clock stood behind the log, ms. */
  skewMsMax: number;
  anchors: number;
}

export function newCounts(): WriterCounts {
  return {
    groups: 0,
    commits: 0,
    conflicts: 0,
    repeats: 0,
    moved: 0,
    rebased: 0,
    lockTimeouts: 0,
    writeErrors: 0,
    skewMsMax: 0,
    anchors: 0,
  };
}
