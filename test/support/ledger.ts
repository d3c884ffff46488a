/**
 * What was asked of a log and what it answered, and so which logs may stand on the disk afterwards.
 *
 * A commit is known by its content: a number of its own in each event. So a commit that is lost, repeated, torn apart or put
 * into another's place is found whatever the log says about positions.
 *
 * The rules (`problemsOf`):
 * - positions, versions and times are in order and without gaps, every commit is whole and was asked for, none stands twice;
 * - what was acknowledged, or handed out by a read, stands where it was said to stand;
 * - what was said not to be written is not there, and never comes back;
 * - replayed in the order of the log, every accepted commit met its conditions, and every refusal is explained by the log
 *   as it stood at some moment of the call.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  IdempotencyKeyReusedError,
  OutcomeUnknownError,
  VersionConflictError,
} from '#src/errors.js';
import type {
  CommitPart,
  Committed,
  ExpectedVersion,
  NewEvent,
  RecordedEvent,
  StreamCheck,
} from '#src/log/types.js';

export interface PlannedPart {
  readonly stream: string;
  /** How many events. */
  readonly events: number;
  readonly expectedVersion?: ExpectedVersion;
}

/** A commit to be made. Plans with the same content are attempts at the same commit and differ in nothing. */
export interface CommitPlan {
  readonly content: number;
  readonly parts: readonly PlannedPart[];
  readonly checks?: readonly StreamCheck[];
  readonly key?: string;
  /** Further bytes in each event, so that groups reach over sectors and segments fill up. */
  readonly padding?: number;
}

type Outcome =
  /** No answer: the process died, or it was told that the outcome is unknown. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'durable'; readonly answer: Committed }
  /** A condition did not hold. */
  | { readonly kind: 'refused'; readonly error: VersionConflictError | IdempotencyKeyReusedError }
  /** Certainly not written. */
  | { readonly kind: 'not-written' };

export interface Attempt {
  readonly plan: CommitPlan;
  /** The last position known to anybody when the call began: the answer must rest on a log at least that long. */
  readonly after: number;
  outcome: Outcome;
}

/** A commit as it was read back. */
export interface LoggedCommit {
  readonly position: number;
  readonly time: string;
  readonly events: readonly RecordedEvent[];
}

type Verdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'repeated' | 'key-reused'; readonly position: number }
  | { readonly kind: 'conflict'; readonly failures: readonly unknown[] };

/** The events of a plan's part. */
export function eventsOf(plan: CommitPlan, part: number): NewEvent[] {
  const count = plan.parts[part]?.events ?? 0;
  const padding = 'x'.repeat(plan.padding ?? 0);
  return Array.from({ length: count }, (_, number) => ({
    type: 'test.happened',
    data: { content: plan.content, part, number, padding },
  }));
}

export function partsOf(plan: CommitPlan): CommitPart[] {
  return plan.parts.map((part, index) => ({
    stream: part.stream,
    events: eventsOf(plan, index),
    expectedVersion: part.expectedVersion,
  }));
}

export function contentOf(event: RecordedEvent): number {
  return (event.data as { content: number }).content;
}

/** Events in order, as commits. */
export function commitsOf(events: readonly RecordedEvent[]): LoggedCommit[] {
  const commits: { position: number; time: string; events: RecordedEvent[] }[] = [];
  for (const event of events) {
    const last = commits.at(-1);
    if (last?.position === event.position) last.events.push(event);
    else commits.push({ position: event.position, time: event.time, events: [event] });
  }
  return commits;
}

/** Later numbers than these are for commits that a check makes itself. */
const OWN_CONTENT = 1_000_000;

export class Ledger {
  readonly #window: number;
  #attempts: Attempt[] = [];
  /** Contents that were seen in the log, and where: they stay. */
  #stands = new Map<number, number>();
  /** Contents that were seen to be missing from it for good. */
  #gone = new Set<number>();
  #head = 0;
  #safe = 0;
  #own = OWN_CONTENT;

  constructor(idempotencyWindow = 100_000) {
    this.#window = idempotencyWindow;
  }

  clone(): Ledger {
    const copy = new Ledger(this.#window);
    copy.#attempts = this.#attempts.map((attempt) => ({ ...attempt }));
    copy.#stands = new Map(this.#stands);
    copy.#gone = new Set(this.#gone);
    copy.#head = this.#head;
    copy.#safe = this.#safe;
    copy.#own = this.#own;
    return copy;
  }

  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** The last position that anybody knows of. */
  get head(): number {
    return this.#head;
  }

  /** A content that no plan has. */
  newContent(): number {
    this.#own += 1;
    return this.#own;
  }

  begin(plan: CommitPlan): Attempt {
    const attempt: Attempt = { plan, after: this.#head, outcome: { kind: 'unknown' } };
    this.#attempts.push(attempt);
    return attempt;
  }

  acknowledged(attempt: Attempt, answer: Committed): void {
    attempt.outcome = { kind: 'durable', answer };
    this.#head = Math.max(this.#head, answer.position);
  }

  /** The commit was refused or failed with one of the library's own errors. */
  failed(attempt: Attempt, error: Error): void {
    if (error instanceof OutcomeUnknownError) return;
    const isRefusal =
      error instanceof VersionConflictError || error instanceof IdempotencyKeyReusedError;
    attempt.outcome = isRefusal ? { kind: 'refused', error } : { kind: 'not-written' };
  }

  /** Somebody was shown these commits: they must not vanish any more. */
  served(commits: readonly LoggedCommit[]): void {
    for (const { position, events } of commits) {
      const [first] = events;
      if (first) this.#stands.set(contentOf(first), position);
      this.#head = Math.max(this.#head, position);
    }
  }

  /** The log was opened for writing and this is all of it: what is not there is gone for good. */
  settle(commits: readonly LoggedCommit[]): void {
    this.served(commits);
    for (const { plan } of this.#attempts) {
      if (!this.#stands.has(plan.content)) this.#gone.add(plan.content);
    }
  }

  /** What stands up to this position was synced, whatever the durability of the store. */
  synced(position: number): void {
    this.#safe = Math.max(this.#safe, position);
  }

  /**
   * The machine lost its power under a store of durability `os`: only what was synced on purpose must still be there, and
   * of the rest what the log found standing now. Gives the ledger for that log.
   */
  afterLosing(commits: readonly LoggedCommit[]): { ledger: Ledger; problems: string[] } {
    const problems: string[] = [];
    const end = commits.at(-1)?.position ?? 0;
    if (end < this.#safe)
      problems.push(`the log ends at ${end}, but was synced up to ${this.#safe}`);
    const found = new Map<number, number>();
    for (const { position, events } of commits) {
      const [first] = events;
      if (first) found.set(contentOf(first), position);
    }
    const ledger = this.clone();
    for (const [content, position] of this.#stands) {
      if (position <= end && found.get(content) !== position) {
        problems.push(`commit ${content} stood at ${position}, and the log still reaches that far`);
      }
      if (!found.has(content)) ledger.#stands.delete(content);
    }
    ledger.#head = end;
    ledger.#attempts = this.#attempts
      .filter(({ outcome }) => outcome.kind !== 'refused')
      .map((attempt) => {
        const { outcome } = attempt;
        if (outcome.kind !== 'durable') return { ...attempt, after: 0 };
        const { position } = outcome.answer;
        if (position <= end && found.get(attempt.plan.content) !== position) {
          problems.push(`commit ${attempt.plan.content} was acknowledged at ${position}`);
        }
        const lost = position > end;
        return { ...attempt, after: 0, outcome: lost ? { kind: 'unknown' } : outcome };
      });
    return { ledger, problems };
  }

  /**
   * What is wrong with this log, given all that was said before. Nothing, if it is empty. With `isBehind` it may end anywhere.
   */
  problemsOf(commits: readonly LoggedCommit[], isBehind = false): string[] {
    const problems: string[] = [];
    const end = isBehind ? commits.length : Number.POSITIVE_INFINITY;
    const plans = new Map(this.#attempts.map(({ plan }) => [plan.content, plan]));
    const found = new Map<number, LoggedCommit>();
    const versions = new Map<string, number>();
    const keyed: { key: string; content: number; position: number }[] = [];
    const answers = this.#attempts.filter((attempt) => needsExplaining(attempt));
    const explained = new Set<Attempt>();

    const explain = (position: number): void => {
      for (const attempt of answers) {
        if (attempt.after > position || explained.has(attempt)) continue;
        const verdict = this.#verdict(attempt.plan, versions, keyed);
        if (explains(verdict, attempt)) explained.add(attempt);
      }
    };

    let position = 0;
    let time = '';
    explain(0);
    for (const commit of commits) {
      position += 1;
      const where = `position ${commit.position}`;
      if (commit.position !== position) {
        problems.push(`${where} stands where ${position} must stand`);
        return problems;
      }
      if (commit.time < time) problems.push(`${where}: its time ${commit.time} is before ${time}`);
      time = commit.time;
      const [first] = commit.events;
      const content = first ? contentOf(first) : -1;
      const plan = plans.get(content);
      if (!plan) {
        problems.push(`${where}: commit ${content} was never asked for`);
        return problems;
      }
      const earlier = found.get(content);
      if (earlier) problems.push(`${where}: commit ${content} stands at ${earlier.position} too`);
      found.set(content, commit);
      const verdict = this.#verdict(plan, versions, keyed);
      if (verdict.kind !== 'accepted') {
        problems.push(`${where}: commit ${content} had to be refused (${JSON.stringify(verdict)})`);
      }
      problems.push(...eventProblems(commit, plan, versions, where));
      if (plan.key !== undefined) keyed.push({ key: plan.key, content, position });
      explain(position);
    }

    for (const attempt of this.#attempts) {
      const { plan, outcome, after } = attempt;
      const commit = found.get(plan.content);
      if (outcome.kind === 'durable' && outcome.answer.position <= end) {
        problems.push(...answerProblems(plan, outcome.answer, commit));
        if (!outcome.answer.repeated && outcome.answer.position <= after) {
          problems.push(
            `commit ${plan.content} stands before what was acknowledged before it began`,
          );
        }
      }
      if (needsExplaining(attempt) && !explained.has(attempt) && !isBehind) {
        const answer = outcome.kind === 'refused' ? outcome.error.message : 'repeated';
        problems.push(
          `no moment of the log explains the answer to commit ${plan.content}: ${answer}`,
        );
      }
    }
    for (const content of this.#unwanted()) {
      const commit = found.get(content);
      if (commit)
        problems.push(`commit ${content} stands at ${commit.position}, but was not written`);
    }
    for (const [content, at] of this.#stands) {
      const now = found.get(content)?.position;
      if (now !== at && at <= end)
        problems.push(`commit ${content} stood at ${at} and stands at ${now} now`);
    }
    return problems;
  }

  /** Contents of which every attempt certainly failed, or which were missing before. */
  #unwanted(): Set<number> {
    const unwanted = new Set(this.#gone);
    const possible = new Set<number>();
    for (const { plan, outcome } of this.#attempts) {
      if (outcome.kind === 'unknown' || outcome.kind === 'durable') possible.add(plan.content);
      else unwanted.add(plan.content);
    }
    for (const content of possible) if (!this.#gone.has(content)) unwanted.delete(content);
    return unwanted;
  }

  /** The decision about a commit on the log as it stands: a second implementation, from the words of the documentation. */
  #verdict(
    plan: CommitPlan,
    versions: ReadonlyMap<string, number>,
    keyed: readonly { key: string; content: number; position: number }[],
  ): Verdict {
    if (plan.key !== undefined && this.#window > 0) {
      const known = keyed.slice(-this.#window).findLast(({ key }) => key === plan.key);
      if (known) {
        const { position } = known;
        return { kind: known.content === plan.content ? 'repeated' : 'key-reused', position };
      }
    }
    const failures: unknown[] = [];
    for (const { stream, expectedVersion = 'any' } of [...plan.parts, ...(plan.checks ?? [])]) {
      const actual = versions.get(stream) ?? 0;
      const expected = expectedVersion === 0 ? 'absent' : expectedVersion;
      const holds =
        expected === 'any' ||
        (expected === 'absent' && actual === 0) ||
        (expected === 'exists' && actual > 0) ||
        expected === actual;
      if (!holds) failures.push({ stream, expected, actual });
    }
    return failures.length > 0 ? { kind: 'conflict', failures } : { kind: 'accepted' };
  }
}

function needsExplaining({ outcome }: Attempt): boolean {
  return outcome.kind === 'refused' || (outcome.kind === 'durable' && outcome.answer.repeated);
}

function explains(verdict: Verdict, { outcome }: Attempt): boolean {
  if (outcome.kind === 'durable') {
    return verdict.kind === 'repeated' && verdict.position === outcome.answer.position;
  }
  if (outcome.kind !== 'refused') return false;
  const { error } = outcome;
  if (error instanceof IdempotencyKeyReusedError) {
    return verdict.kind === 'key-reused' && verdict.position === error.position;
  }
  return verdict.kind === 'conflict' && isDeepStrictEqual(verdict.failures, error.failures);
}

function eventProblems(
  { events }: LoggedCommit,
  plan: CommitPlan,
  versions: Map<string, number>,
  where: string,
): string[] {
  const problems: string[] = [];
  const expected = plan.parts.flatMap((part, index) =>
    eventsOf(plan, index).map((event) => ({ stream: part.stream, ...event })),
  );
  if (events.length !== expected.length) {
    return [`${where}: ${events.length} events of ${expected.length}`];
  }
  events.forEach((event, index) => {
    const version = (versions.get(event.stream) ?? 0) + 1;
    versions.set(event.stream, version);
    const { stream, type, data } = event;
    const asAsked = isDeepStrictEqual({ stream, type, data }, expected[index]);
    if (!asAsked) problems.push(`${where}: event ${index} is not what was appended`);
    if (event.version !== version) {
      problems.push(`${where}: ${stream} has version ${event.version} after ${version - 1}`);
    }
    if (event.index !== index || event.last !== (index === events.length - 1)) {
      problems.push(`${where}: event ${index} says it is number ${event.index}`);
    }
    if (event.idempotencyKey !== plan.key) {
      problems.push(`${where}: it has the key ${event.idempotencyKey}, not ${plan.key}`);
    }
  });
  return problems;
}

function answerProblems(
  plan: CommitPlan,
  answer: Committed,
  commit: LoggedCommit | undefined,
): string[] {
  const name = `commit ${plan.content}`;
  if (!commit) return [`${name} was acknowledged at ${answer.position} and is gone`];
  const { position, time } = commit;
  if (position !== answer.position) {
    return [`${name} was acknowledged at ${answer.position} and stands at ${position}`];
  }
  const versions: Record<string, number> = {};
  for (const event of commit.events) versions[event.stream] = event.version;
  if (time !== answer.time || !isDeepStrictEqual(versions, { ...answer.versions })) {
    return [`${name} was acknowledged with another time or other versions than it has`];
  }
  return [];
}
