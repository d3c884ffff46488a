/**
 * Circles in the wait-for graph of all locks of this thread. A waiter waits for those who hold what it wants, and such a holder cannot
 * release it before all that it waits for itself, inside its work too, is there. (The graph and the choice of a victim are those of
 * Gray and Reuter, Transaction Processing, section 7.11; found when the circle closes, so that nothing has to look for it later.)
 */
import { DeadlockError, type DeadlockStep } from '../errors.js';
import type { Contended, Holding, Mode, Owning, Waiting } from './wait-for.js';

/** A waiter, and what keeps it waiting: the next of the circle, by what it holds, or by standing before when it holds nothing. */
export interface Link {
  readonly waiter: Waiting;
  readonly held: Holding | undefined;
}

/** The circle that the waiter closes, beginning with it, if there is one. */
export function findCycle(start: Waiting): readonly Link[] | undefined {
  const seen = new Set<Waiting>([start]);
  const path: Link[] = [];
  // Depth first, without recursion: a circle may be long.
  const trail = [{ waiter: start, ways: waysFrom(start) }];
  for (let last = trail.at(-1); last !== undefined; last = trail.at(-1)) {
    const way = last.ways.next();
    if (way.done) {
      trail.pop();
      path.pop();
      continue;
    }
    const { held, next } = way.value;
    const link: Link = { waiter: last.waiter, held };
    if (next === start) return [...path, link];
    if (seen.has(next)) continue;
    seen.add(next);
    path.push(link);
    trail.push({ waiter: next, ways: waysFrom(next) });
  }
  return undefined;
}

interface Way {
  readonly held: Holding | undefined;
  readonly next: Waiting;
}

/** What keeps the waiter waiting, each with a waiter that this waits for in turn. */
function* waysFrom(waiter: Waiting): Generator<Way, undefined> {
  for (const held of waiter.queue.holdersInTheWay(waiter)) {
    for (const next of held.owner?.waits ?? []) yield { held, next };
  }
  const before = waiter.queue.waiterInTheWay(waiter);
  if (before !== undefined) yield { held: undefined, next: before };
  return undefined;
}

/** Who began last, of those who have an owner: by the age of the outermost owner, then by when it began to wait. */
export function youngestOf(cycle: readonly Link[]): Waiting {
  const candidates = cycle.map(({ waiter }) => waiter).filter(({ asker }) => asker !== undefined);
  return candidates.reduce((one, other) => (isYounger(other, one) ? other : one));
}

function isYounger(one: Waiting, other: Waiting): boolean {
  const age = one.asker?.age ?? 0;
  const otherAge = other.asker?.age ?? 0;
  return age === otherAge ? one.number > other.number : age > otherAge;
}

/** The error of the one that is told, whose circle begins with itself. */
export function cycleError(cycle: readonly Link[], victim: Waiting): DeadlockError {
  const first = cycle.findIndex(({ waiter }) => waiter === victim);
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)];
  const steps = turned.map(({ waiter, held }, index): DeadlockStep => {
    const { waiter: next } = turned[(index + 1) % turned.length] as Link;
    return {
      owner: nameOf(waiter.asker, waiter.label),
      resource: waiter.queue.name,
      wants: waiter.queue.kindOf(waiter.mode),
      heldBy: nameOf(next.asker, next.label),
      held: held?.queue.kindOf(held.mode),
    };
  });
  return new DeadlockError(steps);
}

/** For an owner that asks for what it holds, itself or around it: it would wait for itself. */
export function reentryError(
  queue: Contended,
  mode: Mode,
  asker: Owning | undefined,
  held: Holding,
): DeadlockError {
  const step: DeadlockStep = {
    owner: nameOf(asker, undefined),
    resource: queue.name,
    wants: queue.kindOf(mode),
    heldBy: nameOf(held.owner, held.label),
    held: queue.kindOf(held.mode),
  };
  const isUpgrade = mode === 'write' && held.mode === 'read';
  return new DeadlockError([step], isUpgrade ? UPGRADE : REENTRY);
}

const UPGRADE =
  'A lock to read cannot become one to write while it is held: take it to write from the start, or release it, take it to write and look again.';
const REENTRY =
  'A lock is not taken twice: do the inner work without it, or hand on the lease. Work that nobody waits for inside is another owner: give it one, such as { owner: {} }.';

function nameOf(owner: Owning | undefined, label: string | undefined): string {
  return label ?? owner?.name ?? 'somebody without an owner';
}
