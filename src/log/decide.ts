/**
 * The decision: whether a commit is accepted, and with which versions. One pure function, shared by every place a log can live.
 * It sees the streams and keys as they stand right before the commit; the caller records what was accepted and asks for the next one.
 */

import type { VersionFailure } from '../errors.js';
import type { CommitGuard } from './guard.js';
import type { Condition } from './payload.js';
import type { RecordedEvent } from './types.js';

/** What a commit asks for, without its data. */
export interface Proposal {
  readonly streams: readonly string[];
  readonly counts: readonly number[];
  readonly conditions: readonly Condition[];
  readonly idempotencyKey: string | undefined;
  readonly guard: CommitGuard | undefined;
}

/** An earlier commit with the same idempotency key, inside the window. */
export interface EarlierCommit {
  readonly position: number;
  readonly time: string;
  /** Last version of each stream it wrote, in the order of its streams. */
  readonly lastVersions: readonly number[];
  /** Whether it holds the same events for the same streams. */
  readonly sameContent: boolean;
}

/** The log right before the commit. */
export interface LogView {
  /** A stream's version, 0 when absent. */
  version(stream: string): number;
  /** The commit that used the proposal's key, if it is within the window. */
  earlier(idempotencyKey: string): EarlierCommit | undefined;
  /** The events behind the position that the proposal's guard names, which stand in its way. */
  blocking(guard: CommitGuard): readonly RecordedEvent[];
}

export type Decision =
  | { readonly kind: 'accepted'; readonly firstVersions: readonly number[] }
  | { readonly kind: 'repeated'; readonly earlier: EarlierCommit }
  | { readonly kind: 'key-reused'; readonly position: number }
  | { readonly kind: 'blocked'; readonly events: readonly RecordedEvent[] }
  | { readonly kind: 'conflict'; readonly failures: readonly VersionFailure[] };

export function decide(proposal: Proposal, log: LogView): Decision {
  const { idempotencyKey } = proposal;
  if (idempotencyKey !== undefined) {
    const earlier = log.earlier(idempotencyKey);
    if (earlier) {
      return earlier.sameContent
        ? { kind: 'repeated', earlier }
        : { kind: 'key-reused', position: earlier.position };
    }
  }
  const { conditions, streams, guard } = proposal;
  let failures: VersionFailure[] | undefined;
  for (let index = 0; index < conditions.length; index += 1) {
    const { stream, expected } = conditions[index] as Condition;
    if (expected === 'any') continue;
    const actual = log.version(stream);
    if (holds(expected, actual)) continue;
    failures ??= [];
    failures.push({ stream, expected, actual });
  }
  if (failures) return { kind: 'conflict', failures };
  if (guard) {
    const events = log.blocking(guard);
    if (events.length > 0) return { kind: 'blocked', events };
  }
  // Not by map or push: most commits are for one stream, and this is decided for each.
  const firstVersions = [log.version(streams[0] as string) + 1];
  for (let index = 1; index < streams.length; index += 1) {
    firstVersions.push(log.version(streams[index] as string) + 1);
  }
  return { kind: 'accepted', firstVersions };
}

function holds(expected: number | 'absent' | 'exists', actual: number): boolean {
  if (expected === 'absent') return actual === 0;
  if (expected === 'exists') return actual > 0;
  return actual === expected;
}
