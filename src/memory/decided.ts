/** What commands were decided to append, and under which condition it may be. */
import { IdempotencyKeyReusedError, VersionConflictError } from '../errors.js';
import type { ExpectedVersion, NewEvent } from '../store.js';

/** What is to be appended, with the versions that it was decided on. */
export interface Decided {
  readonly stream: string;
  readonly events: readonly NewEvent[];
  readonly version: number;
  readonly commutes: boolean;
  readonly derived: boolean;
}

/** What is known of a commit once it stands. */
export interface Outcome {
  readonly position: number;
  readonly versions: Readonly<Record<string, number>>;
  readonly repeated: boolean;
}

/** A part of a commit for each stream. @throws VersionConflictError */
export function partsOf(
  decided: readonly Decided[],
  expectedVersion: ExpectedVersion | undefined,
): { stream: string; events: readonly NewEvent[]; expectedVersion: ExpectedVersion }[] {
  return decided.map((each) => ({
    stream: each.stream,
    events: each.events,
    expectedVersion: each.commutes
      ? (expectedVersion ?? 'any')
      : conditionOf(each, expectedVersion),
  }));
}

/**
 * What must hold for events that were decided on a version: that version, whatever weaker condition the caller set. A condition that does not hold is handed
 * on, so that an idempotency key still answers first, unless others could make it hold meanwhile, for a decision on what was there before.
 * @throws VersionConflictError
 */
function conditionOf(
  { stream, version }: Decided,
  expectedVersion: ExpectedVersion | undefined,
): ExpectedVersion {
  if (expectedVersion === undefined || expectedVersion === 'any') return version;
  const least = expectedVersion === 'exists' ? 1 : expectedVersion;
  if (typeof least === 'number' && version < least) {
    const expected = expectedVersion as number | 'exists';
    throw new VersionConflictError([{ stream, expected, actual: version }]);
  }
  return expectedVersion === 'exists' ? version : expectedVersion;
}

/** The position of the commit that used the idempotency key, when it may have been this very call. */
export function usedBefore(error: unknown, writing: readonly Decided[]): number | undefined {
  if (!(error instanceof IdempotencyKeyReusedError)) return undefined;
  return writing.every(({ derived }) => derived) ? error.position : undefined;
}

/** Whether others wrote meanwhile, and the caller's own condition has nothing against that. */
export function isPassing(error: unknown, expectedVersion: ExpectedVersion | undefined): boolean {
  if (!(error instanceof VersionConflictError)) return false;
  if (expectedVersion === undefined || expectedVersion === 'any') return true;
  return expectedVersion === 'exists' && !error.failures.some((each) => each.expected === 'exists');
}
