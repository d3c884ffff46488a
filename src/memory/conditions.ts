/** What callers demand of the version of a stream, and what a decision on a version needs. */
import { VersionConflictError, type VersionFailure } from '../errors.js';
import type { ExpectedVersion, StreamCheck } from '../store.js';

/**
 * What must hold for events that were decided on a version: that version, whatever weaker condition the caller set. A condition that does not hold is handed
 * on, so that an idempotency key still answers first, unless others could make it hold meanwhile, for a decision on what was there before.
 * @throws VersionConflictError
 */
export function conditionOf(
  stream: string,
  version: number,
  expectedVersion: ExpectedVersion | undefined,
): ExpectedVersion {
  const condition = strictest(version, expectedVersion);
  const least = condition === 'exists' ? 1 : condition;
  if (typeof least === 'number' && version < least) throw conflict(stream, version, condition);
  return condition;
}

/** {@link conditionOf} where nobody can make it hold meanwhile. */
export function strictest(
  version: number,
  expectedVersion: ExpectedVersion | undefined,
): ExpectedVersion {
  if (expectedVersion === undefined || expectedVersion === 'any') return version;
  return expectedVersion === 'exists' && version > 0 ? version : expectedVersion;
}

/** A demand on a stream that nothing is written to, because nothing would change. */
export interface Demand {
  readonly stream: string;
  readonly version: number;
  readonly expectedVersion: ExpectedVersion | undefined;
}

/** The same for a commit that writes elsewhere: where nothing would change, that must still be so when it is written. */
export function checksOf(demands: readonly Demand[]): StreamCheck[] {
  return demands.map(({ stream, version, expectedVersion }) => ({
    stream,
    expectedVersion: strictest(version, expectedVersion),
  }));
}

/** @throws VersionConflictError */
export function checkDemands(demands: readonly Demand[]): void {
  const failures: VersionFailure[] = [];
  for (const { stream, version, expectedVersion = 'any' } of demands) {
    if (!holds(version, expectedVersion)) failures.push(failure(stream, version, expectedVersion));
  }
  if (failures.length > 0) throw new VersionConflictError(failures);
}

function holds(version: number, expected: ExpectedVersion): boolean {
  if (expected === 'any') return true;
  if (expected === 'exists') return version > 0;
  return version === (expected === 'absent' ? 0 : expected);
}

function failure(stream: string, actual: number, expected: ExpectedVersion): VersionFailure {
  const demanded = expected === 0 ? 'absent' : expected;
  return { stream, expected: demanded as VersionFailure['expected'], actual };
}

function conflict(stream: string, version: number, expected: ExpectedVersion) {
  return new VersionConflictError([failure(stream, version, expected)]);
}
