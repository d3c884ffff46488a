/** The figures of an open log. */
import { deepFreeze } from './decode.js';
import type { LogState } from './state.js';
import type { Head } from './types.js';
import type { Writer } from './writer.js';

/** Figures of an open log. Counts are of this process since it opened the log, unless they say otherwise. */
export interface LogStats {
  readonly head: Head;
  /** Whether it takes appends: `read-only` as it was opened, `poisoned` when an earlier failure of the disk stopped the writer for good. */
  readonly mode: 'normal' | 'read-only' | 'poisoned';
  /** Of the whole log. */
  readonly segments: number;
  readonly queue: { readonly commits: number; readonly bytes: number };
  readonly groups: number;
  readonly commits: number;
  readonly conflicts: number;
  readonly repeats: number;
  /** Groups that others wrote before, so that they came to stand behind it. */
  readonly moved: number;
  /** Those of them whose decision held as it was, because what others had written touched nothing of it. */
  readonly rebased: number;
  readonly lockTimeouts: number;
  readonly writeErrors: number;
  /** Furthest that the clock stood behind the log, ms. */
  readonly skewMsMax: number;
  readonly anchors: number;
}

/** As of now. @param writer - left out for a log that is open for reading only */
export function logStats(state: LogState, writer?: Writer): LogStats {
  const counts = writer?.counts;
  return deepFreeze({
    head: state.head,
    mode: modeOf(writer),
    segments: state.segments.count,
    queue: writer?.waiting ?? { commits: 0, bytes: 0 },
    groups: counts?.groups ?? 0,
    commits: counts?.commits ?? 0,
    conflicts: counts?.conflicts ?? 0,
    repeats: counts?.repeats ?? 0,
    moved: counts?.moved ?? 0,
    rebased: counts?.rebased ?? 0,
    lockTimeouts: counts?.lockTimeouts ?? 0,
    writeErrors: counts?.writeErrors ?? 0,
    skewMsMax: counts?.skewMsMax ?? 0,
    anchors: counts?.anchors ?? 0,
  });
}

function modeOf(writer: Writer | undefined): LogStats['mode'] {
  if (!writer) return 'read-only';
  return writer.poison === undefined ? 'normal' : 'poisoned';
}
