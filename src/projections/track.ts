/** Projections and indexes that stand at the same position of the log, and the feed that brings them on together. */
import { RecollectError, StoreClosedError } from '../errors.js';
import { type Io, rest } from '../log/io.js';
import type { Consume, Feed, FeedCommit, LogSource, Runtime } from './ports.js';

/** Somebody who waits for a member to be readable. */
interface Waiter {
  readonly member: Runtime;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Events routed at once: between two portions others have their turn. A commit is not divided. */
const PORTION_EVENTS_MAX = 256;

export class Track {
  readonly #log: LogSource;
  readonly #feed: Feed;
  readonly #members: Runtime[] = [];
  readonly #consume: Consume = (commit) => void this.#route(commit);
  readonly #consumePortion: Consume = (commit) => this.#routePortion(commit);
  /** A member that was saved and is not loaded yet, alone on its track: nothing is routed before. */
  readonly unloaded: Runtime | undefined;
  /** How far loading it has come, if somebody began. */
  loading: Io<void> | undefined;
  /** Whether it is on its way right now, and cannot be gone on with by anybody else. */
  isLoading = false;
  #portionEvents = 0;
  #routing = false;
  #closed = false;
  /** Where it began. */
  readonly start: number;
  #ready: boolean;
  /** It is brought on in the background although it is ready: too much waits. */
  draining = false;
  /** What stopped building it. */
  problem: unknown;
  #waiters: Waiter[] = [];

  constructor(log: LogSource, start: number, ready: boolean, unloaded?: Runtime) {
    this.#log = log;
    this.unloaded = unloaded;
    this.#feed = log.feed(start);
    this.start = start;
    this.#ready = ready;
  }

  /** Near enough to the head that a reader brings it the rest of the way. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Somebody waits for it to be ready. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** Resolves when the member's track is ready, also when it is another one by then; rejects with what stops it, or with StoreClosedError. */
  wait(member: Runtime): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ member, resolve, reject }));
  }

  /** It is ready from now on. */
  arrive(): void {
    this.#ready = true;
    this.problem = undefined;
    for (const { resolve } of this.#leaveWaiters()) resolve();
  }

  /** It does not go on until somebody asks for one of its members. */
  stop(problem: unknown): void {
    this.problem = problem;
    this.draining = false;
    for (const { reject } of this.#leaveWaiters()) reject(problem);
  }

  #leaveWaiters(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }

  get position(): number {
    return this.#feed.position;
  }

  /** Commits that wait. */
  get lag(): number {
    return this.#log.position - this.#feed.position;
  }

  get members(): readonly Runtime[] {
    return this.#members;
  }

  /** @param runtime - one that stands where this track does */
  add(runtime: Runtime): void {
    if (runtime.position !== this.position) {
      throw new Error(`${runtime.name} is at ${runtime.position}, not at ${this.position}`);
    }
    this.#members.push(runtime);
  }

  /** Whether the other one's members can go on with this track. */
  takes(other: Track): boolean {
    return other.members.every(({ position }) => position === this.position);
  }

  /** Gives up its members to whoever takes them. */
  leave(): Runtime[] {
    return this.#members.splice(0);
  }

  /** Gives up its members: whoever waits for one of them waits for the track that it is given, and what could be read still can. */
  moveTo(trackFor: (member: Runtime) => Track): void {
    const waiters = this.#leaveWaiters();
    for (const member of this.leave()) {
      const next = trackFor(member);
      // One that could be read must not wait again; whoever reads it brings it the rest of the way.
      if (this.#ready && !next.#ready) next.arrive();
      const own = waiters.filter((waiter) => waiter.member === member);
      if (next.#ready) for (const { resolve } of own) resolve();
      else next.#waiters.push(...own);
    }
  }

  /**
   * @param work - whether members work on all that is routed to them, or only on what they would have too much of
   * @throws StoreDamagedError, StoreClosedError
   */
  *advance(to: number = this.#log.position, work: 'settle' | 'relieve' = 'settle'): Io<void> {
    this.#checkCalm();
    // Without members there is nothing to do any more: they may go to another track meanwhile.
    while (this.#feed.position < to && (this.#members.length > 0 || this.#closed)) {
      this.#portionEvents = 0;
      yield* this.#feed.advance(this.#consumePortion, to);
      // It may be that others take them to another track meanwhile.
      for (const member of [...this.#members]) {
        const working = member[work]?.();
        if (working) yield* working;
      }
      if (this.#feed.position < to) yield* rest();
      this.#checkCalm();
    }
  }

  /** True when it is at the head. */
  advanceNow(): boolean {
    return this.#advanceNow(this.#consume);
  }

  /** {@link Track.advanceNow}, a portion at most. */
  advancePortion(): boolean {
    this.#portionEvents = 0;
    return this.#advanceNow(this.#consumePortion);
  }

  #advanceNow(consume: Consume): boolean {
    this.#checkCalm();
    const to = this.#log.position;
    if (this.#feed.position >= to) return true;
    return this.#feed.advanceNow(consume, to) && this.#feed.position >= to;
  }

  close(): void {
    this.#closed = true;
    for (const { reject } of this.#leaveWaiters()) reject(new StoreClosedError());
    for (const member of this.leave()) member.close();
  }

  /** A key function or an index that reads the store would see it half routed. */
  #checkCalm(): void {
    if (!this.#routing) return;
    throw new RecollectError(
      'REENTRANT_SYNC_CALL',
      'The key function of a projection, or an index, read the store that it belongs to. Read before or after.',
    );
  }

  #routePortion(commit: FeedCommit): void {
    this.#portionEvents += commit.count;
    if (this.#route(commit) || this.#portionEvents >= PORTION_EVENTS_MAX) this.#feed.pause();
  }

  /** True when a member did more than take it. */
  #route(commit: FeedCommit): boolean {
    if (this.#closed) throw new StoreClosedError();
    let isWorked = false;
    this.#routing = true;
    try {
      for (const member of this.#members) {
        // One before it failed at this commit when it came first.
        if (member.position >= commit.position) continue;
        if (member.position !== commit.position - 1) {
          throw new Error(
            `${member.name} is at ${member.position}, commit ${commit.position} came`,
          );
        }
        if (member.route(commit)) isWorked = true;
      }
    } finally {
      this.#routing = false;
    }
    return isWorked;
  }
}
