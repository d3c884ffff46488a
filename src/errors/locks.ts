/** Why a lock could not be had. In each case the caller does not hold it. */
import { quote, RecollectError } from './base.js';

/**
 * The lock was held by others for longer than the caller would wait. Of a store: nothing was written.
 */
export class LockTimeoutError extends RecollectError {
  /** The file of a lock between processes. */
  readonly file: string | undefined;
  /** The name of a lock within this process. */
  readonly resource: string | undefined;
  readonly timeoutMs: number;
  /** Process id of the last known holder, when known. */
  readonly pid: number | undefined;
  readonly host: string | undefined;
  /** Between processes: since when that process runs. Within one: since when the lock is held. When known. */
  readonly since: Date | undefined;
  readonly label: string | undefined;

  constructor(facts: {
    file?: string | undefined;
    resource?: string | undefined;
    timeoutMs: number;
    pid?: number | undefined;
    host?: string | undefined;
    since?: Date | undefined;
    label?: string | undefined;
    /** What is known when no process is, as part of a sentence. Default: `its holder is unknown`. */
    holder?: string | undefined;
    /** What the caller may do. Default: that of the store's own lock. */
    advice?: string | undefined;
  }) {
    const { file, resource, timeoutMs, advice = STORE_ADVICE } = facts;
    const label = facts.label === undefined ? '' : ` for ${quote(facts.label)}`;
    const what = file ?? (resource === undefined ? 'within this process' : quote(resource));
    super(
      'LOCK_TIMEOUT',
      `The lock ${what}${label} was not free within ${timeoutMs} ms: ${holderOf(facts)}. ${advice}`,
    );
    this.file = file;
    this.resource = resource;
    this.timeoutMs = timeoutMs;
    this.pid = facts.pid;
    this.host = facts.host;
    this.since = facts.since;
    this.label = facts.label;
  }
}

const STORE_ADVICE =
  'Nothing was written. Look at that process (is it stopped?) or raise lockTimeoutMs.';

function holderOf(facts: {
  pid?: number | undefined;
  host?: string | undefined;
  since?: Date | undefined;
  holder?: string | undefined;
}): string {
  if (facts.holder !== undefined) return facts.holder;
  if (facts.pid === undefined) return 'its holder is unknown';
  const since = facts.since?.toISOString() ?? 'an unknown time';
  return `last held by pid ${facts.pid} on ${quote(facts.host ?? 'this host')}, running since ${since}`;
}

/** One owner of a circle, and what it waits for. */
export interface DeadlockStep {
  /** Its label, or what was given as `owner`, or a number. */
  readonly owner: string;
  /** The lock that it waits for: its name, file, or label. */
  readonly resource: string;
  /** How it wants to have it. */
  readonly wants: 'read' | 'write' | 'shared' | 'exclusive';
  /** Who is in its way: the owner of the next step. */
  readonly heldBy: string;
  /** How that one has it; undefined when it waits as well and stands before. */
  readonly held: 'read' | 'write' | 'shared' | 'exclusive' | undefined;
}

/** Each of a circle of owners waits for the next; the youngest is told, so that the others can go on. */
export class DeadlockError extends RecollectError {
  /** From the one that is told to the one that waits for it. One step: it waits for itself. */
  readonly cycle: readonly DeadlockStep[];

  constructor(cycle: readonly DeadlockStep[], advice: string = DEADLOCK_ADVICE) {
    const told = cycle.slice(0, STEPS_TOLD).map(sentence);
    if (cycle.length > STEPS_TOLD) told.push(`and ${cycle.length - STEPS_TOLD} more`);
    super('DEADLOCK', `Waiting would never end: ${told.join('; ')}. ${advice}`);
    this.cycle = Object.freeze(cycle.map((step) => Object.freeze({ ...step })));
  }
}

const STEPS_TOLD = 4;
const DEADLOCK_ADVICE =
  'Take what you need in one call or always in the same order; or release all and try again.';

function sentence({ owner, resource, wants, heldBy, held }: DeadlockStep): string {
  const way = held === undefined ? `stands before it` : `holds it (${held})`;
  return `${quote(owner)} waits for ${quote(resource)} (${wants}), and ${quote(heldBy)} ${way}`;
}
