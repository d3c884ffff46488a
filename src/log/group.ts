/** A group being put together: commits decided one after the other, accepted ones encoded behind one another into one buffer. */
import { sameContent } from './content.js';
import { type Decision, decide, type EarlierCommit, type LogView } from './decide.js';
import { decodeEvents } from './decode.js';
import {
  commitLine,
  commitStamp,
  groupTag,
  payloadOf,
  SEAL_LINE_ROOM,
  writeCommitLine,
} from './encode.js';
import { SALT_DIGITS } from './format.js';
import type { CommitGuard, GuardProgress } from './guard.js';
import { groupBytesMax } from './limits.js';
import type { Condition, EncodedCommit } from './payload.js';
import { lineGrowth, type RebaseFacts, SKEW_MS_MAX } from './rebase.js';
import type { RecordedEvent } from './types.js';

/** A commit that waits for its group, and what was decided about it. Mutable, one object per commit: this is the hot path. */
export abstract class Waiting {
  readonly commit: EncodedCommit;
  /** On the monotonic clock, ms. */
  readonly deadline: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Stops listening to the signal; called when the outcome is known. */
  settled: (() => void) | undefined = undefined;
  /** What was looked up about its key, and in which segment the log ended then; void once that segment is closed. */
  lookedUp: { readonly tail: number; readonly earlier: FoundCommit | undefined } | undefined =
    undefined;
  /** How far its guard was asked along the durable log. */
  guardProgress: GuardProgress | undefined = undefined;
  /** As its group decided last; void when the group is decided again. */
  decision: Decision = UNDECIDED;
  position = 0;
  /** Of its line in the group's buffer. */
  offset = 0;

  constructor(
    commit: EncodedCommit,
    deadline: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.commit = commit;
    this.deadline = deadline;
    this.timeoutMs = timeoutMs;
    this.signal = signal;
  }

  /** Told once: it stands in the log. First versions are in the order of the commit's streams. */
  abstract durable(
    position: number,
    time: string,
    firstVersions: readonly number[],
    repeated: boolean,
  ): void;

  /** Told once instead: it was refused or failed. */
  abstract failed(error: unknown): void;
}

const UNDECIDED: Decision = { kind: 'conflict', failures: [] };

/** An earlier commit with the same key, and its number among all commits with a key, from 1. */
export interface FoundCommit extends EarlierCommit {
  readonly ordinal: number;
}

/** Thrown when a commit cannot be decided without reading a file first. Never leaves the log. */
export class NotReady extends Error {}

/**
 * The log as the next commit of a group sees it, below the group itself: the durable log, or the group that is being written.
 * Both calls throw `NotReady` when the answer takes a read.
 */
export interface GroupBase {
  version(stream: string): number;
  /** The last commit with the key of the one that waits. */
  earlier(waiting: Waiting): FoundCommit | undefined;
  /** What stands in the way of the one that waits, by its guard. */
  blocking(waiting: Waiting): readonly RecordedEvent[];
}

export interface GroupStart {
  readonly position: number;
  /** Keyed commits of the log before the group. */
  readonly keyed: number;
  /** Time of the last commit before, `''` when there is none. */
  readonly time: string;
}

export class Group implements GroupBase {
  #firstPosition: number;
  readonly salt: string;
  readonly buffer: Buffer;
  readonly members: Waiting[] = [];
  readonly #start: GroupStart;
  #base: GroupBase;
  readonly #versions = new Map<string, number>();
  readonly #keys = new Map<string, { readonly member: Waiting; readonly ordinal: number }>();
  readonly #window: number;
  #time: string;
  readonly #stamp: string;
  #lastPosition: number;
  #bytes = 0;
  #keyed = 0;
  readonly #skewMs: number;
  readonly #clock: string;

  constructor(
    buffer: Buffer,
    start: GroupStart,
    base: GroupBase,
    now: number,
    randomBytes: (count: number) => Buffer,
    idempotencyWindow: number,
  ) {
    this.buffer = buffer;
    this.#window = idempotencyWindow;
    this.#firstPosition = start.position + 1;
    this.#lastPosition = start.position;
    this.#start = start;
    this.#base = base;
    this.salt = randomBytes(SALT_DIGITS / 2).toString('hex');
    const raw = isoTime(now);
    this.#clock = raw;
    const behind = raw < start.time;
    this.#time = behind ? start.time : raw;
    this.#skewMs = behind ? Date.parse(start.time) - now : 0;
    const tag = groupTag(this.firstPosition, this.salt);
    this.#stamp = commitStamp(tag, this.#time, this.#skewMs > SKEW_MS_MAX ? raw : undefined);
  }

  get firstPosition(): number {
    return this.#firstPosition;
  }

  get lastPosition(): number {
    return this.#lastPosition;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get time(): string {
    return this.#time;
  }

  /** How far the clock stood behind the log, ms; 0 when it did not. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** What the group after this one builds on. */
  get end(): GroupStart {
    const wrote = this.#lastPosition >= this.firstPosition;
    return {
      position: this.#lastPosition,
      keyed: this.#start.keyed + this.#keyed,
      time: wrote ? this.#time : this.#start.time,
    };
  }

  /** What moving it without a new decision takes; `undefined` when that cannot be, because a refusal or a condition rests on more than what it writes. */
  get rebaseFacts(): RebaseFacts | undefined {
    if (!this.#movable || this.#skewMs > SKEW_MS_MAX) return undefined;
    return { before: this.#start.time, time: this.#time, clock: this.#clock };
  }

  /** It was written behind what others wrote, with these positions and that time. */
  moved(firstPosition: number, bytes: number, time: string): void {
    const shift = firstPosition - this.#firstPosition;
    let growth = 0;
    for (const member of this.members) {
      const before = member.position;
      member.position += shift;
      member.offset += growth;
      growth += lineGrowth(before, member.position, this.#firstPosition, firstPosition);
    }
    this.#firstPosition = firstPosition;
    this.#lastPosition += shift;
    this.#bytes = bytes;
    this.#time = time;
  }

  /** Whether the commit fits. The first one always must: the buffer was chosen for it. */
  hasRoomFor(commit: EncodedCommit): boolean {
    const end = this.#bytes + commit.bytesMax;
    if (this.#bytes > 0 && end > groupBytesMax) return false;
    return end + SEAL_LINE_ROOM <= this.buffer.length;
  }

  /** A stream's version behind this group. */
  version(stream: string): number {
    return this.#versions.get(stream) ?? this.#base.version(stream);
  }

  /** The group below became durable: from now on the log itself is what this one stands on. */
  rebase(base: GroupBase): void {
    this.#base = base;
  }

  earlier(waiting: Waiting): FoundCommit | undefined {
    const key = waiting.commit.idempotencyKey;
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (!known) return this.#base.earlier(waiting);
    const { member, ordinal } = known;
    return {
      position: member.position,
      time: this.#time,
      lastVersions: lastVersions(member),
      sameContent: sameContent(member.commit, waiting.commit),
      ordinal,
    };
  }

  blocking(waiting: Waiting): readonly RecordedEvent[] {
    const { guard } = waiting.commit;
    const below = this.#base.blocking(waiting);
    if (!guard || below.length > 0 || !this.#moves(guard)) return below;
    const found: RecordedEvent[] = [];
    for (const member of this.members) {
      if (member.decision.kind !== 'accepted' || member.position <= guard.after) continue;
      const events = this.#eventsOf(member).filter(({ type }) => guard.types.has(type));
      found.push(...events.filter((event) => guard.blocks(event)));
    }
    return found;
  }

  /** Whether the group has events that the guard may be about. */
  #moves({ streams }: CommitGuard): boolean {
    if (!streams) return true;
    for (const stream of streams) if (this.#versions.has(stream)) return true;
    return false;
  }

  /** A member's events as they will stand in the log; guards are asked about them before they do. */
  #eventsOf(member: Waiting): readonly RecordedEvent[] {
    const known = this.#events.get(member);
    if (known) return known;
    const { commit, decision, position } = member;
    if (decision.kind !== 'accepted') return [];
    // Not from the buffer: whoever writes the group may be moving its lines at this moment.
    const { text, streamTexts } = commit;
    const { firstVersions } = decision;
    const line = Buffer.from(
      commitLine(position, this.#stamp, text, payloadOf(text), streamTexts, firstVersions),
    );
    const events = decodeEvents(line, 0, line.length);
    this.#events.set(member, events);
    return events;
  }

  /** The log right before the commit that is being decided. */
  readonly #view: LogView = {
    version: (stream) => this.version(stream),
    earlier: () => {
      const found = this.#deciding && this.earlier(this.#deciding);
      const keyedBefore = this.#start.keyed + this.#keyed;
      return found && keyedBefore - found.ordinal < this.#window ? found : undefined;
    },
    blocking: () => (this.#deciding ? this.blocking(this.#deciding) : []),
  };
  #deciding: Waiting | undefined;
  #movable = true;
  readonly #events = new Map<Waiting, readonly RecordedEvent[]>();

  /**
   * Decides the commit on what stands before it and, when it is accepted, writes its line.
   * @throws NotReady, with nothing changed
   */
  add(waiting: Waiting): void {
    const { commit } = waiting;
    this.#deciding = waiting;
    const decision = decide(commit, this.#view);
    waiting.decision = decision;
    this.members.push(waiting);
    if (decision.kind !== 'accepted') {
      this.#movable = false;
      return;
    }
    if (restsOnMore(commit)) this.#movable = false;
    const position = this.#lastPosition + 1;
    const { firstVersions } = decision;
    const { text, streamTexts } = commit;
    const offset = this.#bytes;
    waiting.position = position;
    waiting.offset = offset;
    this.#bytes += writeCommitLine(
      this.buffer,
      offset,
      position,
      this.#stamp,
      text,
      streamTexts,
      firstVersions,
    );
    this.#lastPosition = position;
    const { streams, counts } = commit;
    for (let index = 0; index < streams.length; index += 1) {
      const last = (firstVersions[index] as number) + (counts[index] as number) - 1;
      this.#versions.set(streams[index] as string, last);
    }
    if (commit.idempotencyKey !== undefined) {
      this.#keyed += 1;
      const ordinal = this.#start.keyed + this.#keyed;
      this.#keys.set(commit.idempotencyKey, { member: waiting, ordinal });
    }
  }
}

/** Whether a condition or the guard is about anything but the streams that the commit writes. */
function restsOnMore({ conditions, streams, guard }: EncodedCommit): boolean {
  if (guard && !isAboutOnly(guard, streams)) return true;
  // Those of its own streams stand in the order of the streams.
  let own = 0;
  for (let index = 0; index < conditions.length; index += 1) {
    const { stream } = conditions[index] as Condition;
    while (own < streams.length && streams[own] !== stream) own += 1;
    if (own === streams.length) return true;
  }
  return false;
}

/** Last version of each stream that an accepted commit writes. */
export function lastVersions(waiting: Waiting): number[] {
  const { decision, commit } = waiting;
  if (decision.kind !== 'accepted') return [];
  return decision.firstVersions.map((first, index) => first + (commit.counts[index] as number) - 1);
}

const YEAR_10000 = 253_402_300_800_000;
let lastNow = Number.NaN;
let lastIso = '';

/** ISO 8601 in exactly 24 characters; a clock beyond what they can say is taken as the nearest moment that they can. */
export function isoTime(now: number): string {
  if (now === lastNow) return lastIso;
  const finite = Number.isFinite(now) ? now : 0;
  lastIso = new Date(Math.min(YEAR_10000 - 1, Math.max(0, finite))).toISOString();
  lastNow = now;
  return lastIso;
}

function isAboutOnly({ streams: about }: CommitGuard, streams: readonly string[]): boolean {
  if (!about || about.size > streams.length) return false;
  const written = new Set(streams);
  for (const stream of about) if (!written.has(stream)) return false;
  return true;
}
