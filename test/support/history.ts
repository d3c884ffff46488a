/**
 * Whether some order explains every answer of a log that several callers used at once (linearizability).
 *
 * The order of accepted commits is that of their positions. Every other answer, a refusal or a read, saw the log as it stood
 * behind some position: its point. The rules:
 * - what was answered before something else was called comes before it, whoever called;
 * - what one opener appended comes in the order of its calls, also while answers are still out;
 * - an accepted commit met its conditions where it stands; a refusal or a read is right about the log at its point.
 *
 * Points are given out in call order, each as early as it can be: the bounds from before only grow, so if any choice
 * explains everything, this one does.
 */
import { isDeepStrictEqual } from 'node:util';
import { IdempotencyKeyReusedError, VersionConflictError } from '#src/errors.js';
import type { Committed, RecordedEvent } from '#src/log/types.js';
import { type CommitPlan, commitsOf, contentOf } from './ledger.js';

export type Answer =
  | { readonly kind: 'durable'; readonly answer: Committed }
  | { readonly kind: 'refused'; readonly error: unknown }
  /** A read of the whole log: how many commits it gave. */
  | { readonly kind: 'read'; readonly commits: number }
  /** A read of one stream. */
  | { readonly kind: 'version'; readonly stream: string; readonly version: number };

interface Call {
  readonly opener: number;
  /** Absent for reads. */
  readonly plan: CommitPlan | undefined;
  readonly calledAt: number;
  answeredAt: number;
  answer: Answer | undefined;
}

/** The log behind a position. */
interface State {
  readonly versions: ReadonlyMap<string, number>;
  readonly keyed: readonly {
    readonly key: string;
    readonly content: number;
    readonly position: number;
  }[];
}

export class History {
  readonly #window: number;
  readonly #calls: Call[] = [];
  #now = 0;

  constructor(idempotencyWindow: number) {
    this.#window = idempotencyWindow;
  }

  /** Notes a call; what it gives takes the answer. */
  called(opener: number, plan?: CommitPlan): (answer: Answer) => void {
    const call: Call = {
      opener,
      plan,
      calledAt: this.#tick(),
      answeredAt: Number.POSITIVE_INFINITY,
      answer: undefined,
    };
    this.#calls.push(call);
    return (answer) => {
      call.answer = answer;
      call.answeredAt = this.#tick();
    };
  }

  #tick(): number {
    this.#now += 1;
    return this.#now;
  }

  /** What no order explains; `events` is the log as it stands in the end. */
  problems(events: readonly RecordedEvent[]): string[] {
    const commits = commitsOf(events);
    const states = this.#statesOf(commits);
    const problems: string[] = [];
    const accepted = new Map<number, Call>();
    for (const call of this.#calls) {
      if (!call.answer) problems.push(`${nameOf(call)} was never answered`);
      const position = positionOf(call);
      if (position === undefined) continue;
      if (accepted.has(position)) problems.push(`two commits were accepted at ${position}`);
      accepted.set(position, call);
      const [first] = commits[position - 1]?.events ?? [];
      if (!first || contentOf(first) !== call.plan?.content) {
        problems.push(`${nameOf(call)} was accepted at ${position} and does not stand there`);
      }
    }
    for (const { position } of commits) {
      if (!accepted.has(position)) problems.push(`nobody was told of the commit at ${position}`);
    }
    if (problems.length > 0) return problems;

    const points = new Map<Call, number>();
    for (const call of this.#calls) {
      const low = this.#lowest(call, points);
      const position = positionOf(call);
      if (position !== undefined) {
        points.set(call, position);
        if (position <= low) {
          problems.push(
            `${nameOf(call)} stands at ${position}, but what came before it saw ${low}`,
          );
        }
        const wrong = this.#mismatch(call, states, position - 1);
        if (wrong) problems.push(`${nameOf(call)} was accepted at ${position}: ${wrong}`);
        continue;
      }
      const high = Math.min(this.#highest(call, accepted), commits.length);
      let point = low;
      while (point <= high && this.#mismatch(call, states, point)) point += 1;
      if (point > high) {
        const last = this.#mismatch(call, states, Math.min(low, high));
        problems.push(
          `nothing from ${low} to ${high} explains the answer to ${nameOf(call)}: ${last}`,
        );
      }
      points.set(call, Math.min(point, high));
    }
    return problems;
  }

  /** The point of whatever certainly came before. */
  #lowest(call: Call, points: ReadonlyMap<Call, number>): number {
    let low = 0;
    for (const [other, point] of points) if (comesBefore(other, call)) low = Math.max(low, point);
    return low;
  }

  /** The last point before any commit that certainly came later. */
  #highest(call: Call, accepted: ReadonlyMap<number, Call>): number {
    let high = Number.POSITIVE_INFINITY;
    for (const [position, other] of accepted) {
      if (comesBefore(call, other)) high = Math.min(high, position - 1);
    }
    return high;
  }

  #statesOf(commits: ReturnType<typeof commitsOf>): State[] {
    const states: State[] = [{ versions: new Map(), keyed: [] }];
    for (const { position, events } of commits) {
      const before = states.at(-1) as State;
      const versions = new Map(before.versions);
      for (const { stream } of events) versions.set(stream, (versions.get(stream) ?? 0) + 1);
      const key = events[0]?.idempotencyKey;
      const content = events[0] ? contentOf(events[0]) : -1;
      const keyed =
        key === undefined ? before.keyed : [...before.keyed, { key, content, position }];
      states.push({ versions, keyed });
    }
    return states;
  }

  /** Why the answer is not that of this log; nothing when it is. */
  #mismatch({ plan, answer }: Call, states: readonly State[], index: number): string | undefined {
    const state = states[index];
    if (!state || !answer) return 'there is no such place';
    const { versions, keyed } = state;
    if (answer.kind === 'version') {
      const version = versions.get(answer.stream) ?? 0;
      return version === answer.version ? undefined : `the version was ${version}`;
    }
    if (answer.kind === 'read') {
      return answer.commits === index ? undefined : `the log had ${index} commits`;
    }
    if (!plan) return 'it is no read';
    const { key, content } = plan;
    const remembered = this.#window === 0 ? [] : keyed.slice(-this.#window);
    const earlier = remembered.findLast((commit) => commit.key === key);
    const told = answer.kind === 'durable' ? answer.answer : answer.error;
    if (key !== undefined && earlier) {
      if (earlier.content !== content) {
        const right =
          told instanceof IdempotencyKeyReusedError && told.position === earlier.position;
        return right ? undefined : `its key stood at ${earlier.position} with other content`;
      }
      const right =
        answer.kind === 'durable' &&
        answer.answer.repeated &&
        answer.answer.position === earlier.position;
      return right ? undefined : `its key stood at ${earlier.position}`;
    }
    const failures = [...plan.parts, ...(plan.checks ?? [])].flatMap(
      ({ stream, expectedVersion = 'any' }) => {
        const actual = versions.get(stream) ?? 0;
        const expected = expectedVersion === 0 ? 'absent' : expectedVersion;
        const holds =
          expected === 'any' ||
          (expected === 'absent' ? actual === 0 : false) ||
          (expected === 'exists' ? actual > 0 : false) ||
          expected === actual;
        return holds ? [] : [{ stream, expected, actual }];
      },
    );
    if (failures.length > 0) {
      const right =
        told instanceof VersionConflictError && isDeepStrictEqual([...told.failures], failures);
      return right ? undefined : `conditions failed: ${JSON.stringify(failures)}`;
    }
    if (answer.kind !== 'durable' || answer.answer.repeated) return 'it had to be accepted';
    const expected = Object.fromEntries(
      plan.parts.map(({ stream, events }) => [stream, (versions.get(stream) ?? 0) + events]),
    );
    const right = isDeepStrictEqual({ ...answer.answer.versions }, expected);
    return right ? undefined : `its versions had to be ${JSON.stringify(expected)}`;
  }
}

function positionOf({ answer }: Call): number | undefined {
  if (answer?.kind !== 'durable' || answer.answer.repeated) return undefined;
  return answer.answer.position;
}

/** Whether the log had to look at one before the other. Reads do not wait in the queue of their opener. */
function comesBefore(one: Call, other: Call): boolean {
  if (one.answeredAt < other.calledAt) return true;
  return one.opener === other.opener && !!one.plan && !!other.plan && one.calledAt < other.calledAt;
}

function nameOf({ opener, plan, answer, calledAt }: Call): string {
  const what = plan ? `commit ${plan.content} of opener ${opener}` : `a ${answer?.kind ?? 'read'}`;
  return `${what} (call ${calledAt})`;
}
