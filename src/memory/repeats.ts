/** Calls that are made again with the idempotency key of an earlier one: what the earlier one answered. */
import { IdempotencyKeyReusedError } from '../errors.js';
import type { NewEvent, RecordedEvent } from '../store.js';

/** What a command says of being made again. */
interface Repeatable {
  readonly stream: string;
  decide(state: unknown, now: string): readonly NewEvent[];
  readonly derived?: boolean | undefined;
  repeats?(events: readonly RecordedEvent[]): RecordedEvent | undefined;
}

/** Events with the key, and what the call would append now. */
export interface Repeat {
  readonly command: Repeatable;
  /** Of the commit that has the key. */
  readonly events: readonly RecordedEvent[];
  /** Undefined when the call can no longer be decided, such as a change of what was deleted since. */
  readonly own: readonly NewEvent[] | undefined;
}

/** The event by which the commit did what the call wants; undefined when it did not. */
export function repeatedEvent({ command, events, own }: Repeat): RecordedEvent | undefined {
  const { stream, derived } = command;
  if (command.repeats) return command.repeats(events);
  if (own === undefined) return undefined;
  // It would change nothing now, so that what it wants is what stands there.
  if (own.length === 0) return lastOf(events, stream);
  return derived ? lastLike(events, stream, own) : undefined;
}

/** What calls are told that can say whether they used the key themselves, and did not. */
export function refusalOf(
  commands: readonly Repeatable[],
  idempotencyKey: string,
  position: number,
): IdempotencyKeyReusedError | undefined {
  if (commands.some(({ repeats }) => repeats === undefined)) return undefined;
  return new IdempotencyKeyReusedError(idempotencyKey, position);
}

/** Whether the call had nothing to change, of several in one commit, when the commit was written. `before` is the state right before it. */
export function changedNothing(
  command: Repeatable,
  before: unknown,
  events: readonly RecordedEvent[],
): boolean {
  const [first] = events;
  if (!first) return false;
  try {
    return command.decide(before, first.time).length === 0;
  } catch {
    return false;
  }
}

/** What a call answers that was made before, as a writing call answers. */
interface Repeated {
  readonly id: string;
  readonly position: number;
  readonly version: number;
  readonly changed: true;
  readonly repeated: true;
}

export function asRepeated({ stream: id, position, version }: RecordedEvent): Repeated {
  return Object.freeze({ id, position, version, changed: true, repeated: true });
}

/** The stream's last event of the commit, if it is of that type. */
export function lastOf(
  events: readonly RecordedEvent[],
  stream: string,
  type?: string,
): RecordedEvent | undefined {
  const last = events.findLast((event) => event.stream === stream);
  return type === undefined || last?.type === type ? last : undefined;
}

/** The last of the stream's events, when they are of the same types as those that the same call gives now. */
function lastLike(
  events: readonly RecordedEvent[],
  stream: string,
  own: readonly NewEvent[],
): RecordedEvent | undefined {
  const stood = events.filter((event) => event.stream === stream);
  const same =
    stood.length === own.length && stood.every(({ type }, index) => type === own[index]?.type);
  return same ? stood.at(-1) : undefined;
}
