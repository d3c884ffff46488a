/** Calls that are decided on several streams at once, and written as one commit. */
import { VersionConflictError } from '../errors.js';
import type { ExpectedVersion, NewEvent, Projection, Store } from '../store.js';
import { turns } from './turns.js';

/** Events for one stream. */
export interface PlannedEvents {
  readonly stream: string;
  readonly events: readonly NewEvent[];
}

/** What is to be appended, and what the call answers when it stands in the log. */
export interface Planned<Result> {
  readonly decisions: readonly PlannedEvents[];
  readonly result: Result;
}

/**
 * What a call wants to do that is decided on several streams. Pure, because it is asked again when one of them was written meanwhile. The key of the
 * projection is the stream.
 */
export interface Plan<State, Result> {
  readonly projection: Projection<State>;
  /** What is decided on. Nobody may have written to any of them before the commit. */
  readonly streams: readonly string[];
  /** Events may go to other streams too: they must then be right whatever others append there. */
  decide(states: ReadonlyMap<string, State | undefined>, now: string): Planned<Result>;
}

/** Where a plan is carried out. */
interface Place {
  readonly store: Store;
  readonly now: () => string;
  /** Of the streams that the plan decides on. A conflict is then told, not tried again. */
  readonly expectedVersion: ExpectedVersion | undefined;
  readonly context: object;
}

const ATTEMPTS_MAX = 1000;

export async function carryOut<State, Result>(
  plan: Plan<State, Result>,
  place: Place,
): Promise<Result> {
  const { projection, streams } = plan;
  const { store } = place;
  for (let attempt = 1; ; attempt += 1) {
    const versions = new Map<string, number>();
    const states = new Map<string, State | undefined>();
    for (const stream of streams) {
      // Who lost hurries: others would write in its turns again.
      if (attempt === 1 && versions.size > 0) await turns.rest();
      // The version first: a state that is newer than it is found out when the commit is decided.
      versions.set(stream, await store.version(stream));
      states.set(stream, await store.get(projection, stream));
    }
    const { decisions, result } = plan.decide(states, place.now());
    const { parts, checks } = conditions(decisions, versions, place.expectedVersion);
    if (parts.length === 0) return result;
    try {
      await store.commit(parts, { ...place.context, checks });
      return result;
    } catch (error) {
      if (!isPassing(error, place) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** {@link carryOut}, at once. */
export function carryOutSync<State, Result>(plan: Plan<State, Result>, place: Place): Result {
  const { projection, streams } = plan;
  const { store } = place;
  for (let attempt = 1; ; attempt += 1) {
    const versions = new Map<string, number>();
    const states = new Map<string, State | undefined>();
    for (const stream of streams) {
      versions.set(stream, store.versionSync(stream));
      states.set(stream, store.getSync(projection, stream));
    }
    const { decisions, result } = plan.decide(states, place.now());
    const { parts, checks } = conditions(decisions, versions, place.expectedVersion);
    if (parts.length === 0) return result;
    try {
      store.commitSync(parts, { ...place.context, checks });
      return result;
    } catch (error) {
      if (!isPassing(error, place) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

function isPassing(error: unknown, { expectedVersion }: Place): boolean {
  return expectedVersion === undefined && error instanceof VersionConflictError;
}

/** What a plan appends, on condition that nothing that it was decided on has changed. */
function conditions(
  decisions: readonly PlannedEvents[],
  versions: ReadonlyMap<string, number>,
  expectedVersion: ExpectedVersion | undefined,
) {
  const parts = decisions
    .filter(({ events }) => events.length > 0)
    .map(({ stream, events }) => {
      const version = versions.get(stream);
      const expected = version === undefined ? ('any' as const) : (expectedVersion ?? version);
      return { stream, events, expectedVersion: expected };
    });
  const written = new Set(parts.map(({ stream }) => stream));
  const checks = [...versions]
    .filter(([stream]) => !written.has(stream))
    .map(([stream, version]) => ({ stream, expectedVersion: version }));
  return { parts, checks };
}
