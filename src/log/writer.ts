/**
 * The single writer of an open log: all appends of this process wait here in one queue, in call order, and leave it in groups.
 * While a group is written, the next one is decided and encoded on top of it.
 *
 * Invariants:
 * - at most one group is being written, and at most one more is open; the open one stands on the one being written;
 * - when the log moved under a group, or a group failed, every decision that rested on it is made again;
 * - a commit is settled exactly once, and as durable only after the sync of the group that holds it.
 */
import fastq from 'fastq';
import { QueueFullError, RecollectError, StoreClosedError, StorePoisonedError } from '../errors.js';
import { acknowledge } from './acknowledge.js';
import { AnchorTimer } from './anchor-timer.js';
import type { AnchorLetter, Result, SegmentLetter } from './channel.js';
import type { Environment } from './environment.js';
import { errorOf } from './error-letter.js';
import { WRITE_LOCK } from './format.js';
import { Group, NotReady, type Waiting } from './group.js';
import { GroupBuffers } from './group-buffers.js';
import type { GroupRequest, GroupResult, MovedGroup } from './group-request.js';
import { runAsync, runSync } from './io.js';
import { onAbort } from './on-abort.js';
import { OwnThread, type StartThread } from './own-thread.js';
import type { Paths } from './paths.js';
import { type Place, samePlace } from './place.js';
import type { Section } from './section.js';
import type { LogState } from './state.js';
import { asStoreError } from './store-error.js';
import { Turns } from './turns.js';
import { WaitingLine } from './waiting-line.js';
import { lockTimeout } from './write-lock.js';
import { newCounts, type WriterCounts } from './writer-counts.js';

/** Handed over at once when the writer is idle: a large burst is then written in parts while the rest is still encoded. */
const EARLY_COMMITS = 128;
/** A small group waits until this many turns of the microtask queue brought no more, so that callers acknowledged together append together. */
const QUIET_TURNS = 4;
/** Look-ups of cold streams and keys made side by side. */
const LOOK_UPS = 64;
const RETRY_MS = 1;
/** A thread that takes longer to start is not waited for. */
const THREAD_START_MS = 500;
/** How long closing waits for the lock to move the anchor. What is durable stays so without it. */
const CLOSING_ANCHOR_MS = 200;

export interface WriterOptions {
  readonly paths: Paths;
  readonly lockFile: number;
  readonly lockTimeoutMs: number;
  readonly queueBytes: number;
  readonly idempotencyWindow: number;
  /** Makes the writer thread; left out where no other thread could open the files. */
  readonly startThread?: StartThread;
}

interface Flight {
  /** `undefined` when the log moved and its commits went back to the queue. */
  group: Group | undefined;
  readonly done: () => void;
}

type Outcome = Result | { readonly kind: 'thrown'; readonly error: unknown };

type Task =
  | { readonly kind: 'group'; readonly group: Group }
  | { readonly kind: 'anchor' }
  | { readonly kind: 'segment'; readonly deadline: number; readonly settle: Settle };

/** How an attempt to end the segment went. */
type Ended = Place | 'timeout' | 'interrupted';

interface Settle {
  readonly resolve: (ended: Ended) => void;
  readonly reject: (error: unknown) => void;
}

export class Writer {
  readonly #environment: Environment;
  readonly #options: WriterOptions;
  readonly #state: LogState;
  readonly #section: Section;
  readonly #line: fastq.queue<Task>;
  readonly #queue = new WaitingLine();
  #open: Group | undefined;
  #flight: Flight | undefined;
  #anchoring = false;
  readonly #thread: OwnThread;
  #scheduled = false;
  readonly #turns: Turns;
  #lookingUp = false;
  #readingOn = false;
  #sync = 0;
  #settling = false;
  #poison: unknown;
  #closing = false;
  #absorbFailure: unknown;
  readonly #anchorTimer: AnchorTimer;
  readonly #buffers: GroupBuffers;
  #idle: (() => void)[] = [];
  #bytes = 0;
  /** Commits ever taken into the queue. */
  #enqueued = 0;
  readonly counts: WriterCounts = newCounts();

  constructor(environment: Environment, options: WriterOptions, state: LogState, section: Section) {
    this.#environment = environment;
    this.#turns = new Turns(environment.monotonic);
    this.#options = options;
    this.#state = state;
    this.#section = section;
    this.#thread = new OwnThread(options.startThread, (error) => this.#threadDied(error));
    this.#buffers = new GroupBuffers(options.queueBytes, (buffer) =>
      this.#thread.started?.release(buffer),
    );
    this.#anchorTimer = new AnchorTimer(() => {
      if (!this.#closing) this.#line.push({ kind: 'anchor' });
    });
    this.#line = fastq((task: Task, done) => this.#work(task, () => done(null)), 1);
  }

  get poison(): unknown {
    return this.#poison;
  }

  /** Commits and bytes that wait or are being written. */
  get waiting(): { readonly commits: number; readonly bytes: number } {
    const open = (this.#open?.members.length ?? 0) + (this.#flight?.group?.members.length ?? 0);
    return { commits: this.#queue.length + open, bytes: this.#bytes };
  }

  /** @throws StoreClosedError, StorePoisonedError, QueueFullError */
  check(bytes: number): void {
    if (this.#closing) throw new StoreClosedError();
    if (this.#poison !== undefined) throw new StorePoisonedError(this.#poison);
    if (this.#bytes + bytes > 2 * this.#options.queueBytes && this.#bytes > 0) {
      throw new QueueFullError(2 * this.#options.queueBytes, this.#bytes + bytes);
    }
  }

  /** Takes a commit into the queue. Its outcome comes through the callbacks. */
  enqueue(waiting: Waiting): void {
    this.#bytes += waiting.commit.bytesMax;
    this.#queue.push(waiting);
    this.#enqueued += 1;
    if (waiting.signal) this.#listen(waiting, waiting.signal);
    if (this.#sync > 0) return;
    if (this.#flight) {
      this.#fill();
      // A long run of callers keeps this thread from its event loop; the disk must not stand idle meanwhile.
      if ((this.#open?.members.length ?? 0) >= EARLY_COMMITS) this.#thread.started?.poll();
    } else if (this.#queue.length >= EARLY_COMMITS) {
      this.#start();
    } else {
      this.#schedule();
    }
  }

  #listen(waiting: Waiting, signal: AbortSignal): void {
    waiting.settled = onAbort(signal, () => this.#aborted(waiting));
  }

  /** Settles the commit before it returns: drains what waits, in order, and writes on this thread. */
  enqueueSync(waiting: Waiting, isSettled: () => boolean): void {
    if (this.#settling || this.#sync > 0) {
      throw new RecollectError(
        'REENTRANT_SYNC_CALL',
        'A synchronous append was made from inside another one, such as from the function passed as clock. Append asynchronously there.',
      );
    }
    this.#sync += 1;
    try {
      this.#bytes += waiting.commit.bytesMax;
      this.#queue.push(waiting);
      while (!isSettled()) this.#stepSync();
    } finally {
      this.#sync -= 1;
      if (this.#hasWork()) this.#schedule();
      else this.#maybeIdle();
    }
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#hasWork() || this.#flight || this.#anchoring) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
        if (this.#hasWork()) this.#schedule();
      });
    }
  }

  drainSync(): void {
    this.#sync += 1;
    try {
      while (this.#hasWork() || this.#flight || this.#anchoring) this.#stepSync();
    } finally {
      this.#sync -= 1;
      this.#maybeIdle();
    }
  }

  /**
   * Ends the segment that is being written, unless it holds no commit, when what was handed over before is written. Gives where the log stands
   * then, which this process does not know yet. An attempt that a synchronous caller interrupted may be made again.
   * @param deadline - how long to wait for the lock; without a writer thread one attempt is made
   */
  async endSegment(deadline: number): Promise<Ended> {
    await this.#threadStarted();
    return await new Promise((resolve, reject) => {
      this.#line.push({ kind: 'segment', deadline, settle: { resolve, reject } });
    });
  }

  /** Waits a little for the thread, so that this one need not wait for the disk. */
  async #threadStarted(): Promise<void> {
    const until = this.#environment.monotonic() + THREAD_START_MS;
    const isWorthIt = () => !this.#closing && this.#poison === undefined && !this.#thread.ready();
    while (isWorthIt() && this.#thread.started && this.#environment.monotonic() < until) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** {@link Writer.endSegment}, at once. */
  endSegmentSync(deadline: number): Ended {
    this.#sync += 1;
    try {
      while (this.#flight || this.#anchoring) this.#stepSync();
      if (this.#poison !== undefined) throw new StorePoisonedError(this.#poison);
      return this.#section.endSegment({ deadline });
    } finally {
      if (this.#section.poison !== undefined) this.#poison ??= this.#section.poison;
      this.#sync -= 1;
      if (this.#hasWork()) this.#schedule();
      else this.#maybeIdle();
    }
  }

  /** Refuses new commits, writes those that wait, moves the anchor, ends the thread. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.drain();
    this.#anchorTimer.stop();
    if (this.#anchorTimer.isWanted && this.#poison === undefined) {
      await new Promise<void>((resolve) => {
        this.#line.push({ kind: 'anchor' }, () => resolve());
      });
    }
    await this.#thread.started?.close();
  }

  closeSync(): void {
    this.#closing = true;
    this.drainSync();
    this.#anchorTimer.stop();
    this.anchorNow(Math.min(CLOSING_ANCHOR_MS, this.#options.lockTimeoutMs));
    // A `close` that was waiting goes on behind this, when the files are closed.
    this.#anchorTimer.done();
    this.#thread.started?.closeSync();
  }

  /** Moves the anchor on this thread if anything was written since; best effort. */
  anchorNow(timeoutMs: number): void {
    const { isWanted } = this.#anchorTimer;
    if (!isWanted || this.#poison !== undefined || this.#flight || this.#anchoring) return;
    try {
      const outcome = this.#section.anchor({ deadline: this.#environment.monotonic() + timeoutMs });
      if (outcome === 'done') this.#anchorTimer.done();
    } catch {
      // The log itself is durable; only the time in which a cut could pass unseen grows.
    }
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || this.#open !== undefined;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#awaitQuiet(this.#enqueued, 0);
  }

  #awaitQuiet(enqueued: number, quietTurns: number): void {
    queueMicrotask(() => {
      if (quietTurns < QUIET_TURNS && !this.#flight) {
        const quiet = this.#enqueued === enqueued;
        this.#awaitQuiet(this.#enqueued, quiet ? quietTurns + 1 : 0);
        return;
      }
      const start = () => {
        this.#scheduled = false;
        this.#start();
      };
      // With a thread, its answers come with turns of the event loop.
      if (!this.#thread.started && this.#turns.isDue) setImmediate(start);
      else start();
    });
  }

  /** Decides and encodes what waits into the open group, as far as it fits and can be decided without a read. */
  #fill(): void {
    const below = this.#flight?.group;
    // A read may have brought in what others wrote since the open group was begun: its positions are then taken.
    const { position } = this.#state.place;
    if (this.#open && !this.#flight && this.#open.firstPosition !== position + 1) {
      this.#requeueOpen();
    }
    this.#open = this.#fillGroup(this.#open, below);
    const next = this.#queue.first;
    if (next && this.#sync === 0 && (!this.#open || this.#open.hasRoomFor(next.commit))) {
      this.#lookUp();
    }
  }

  /** The same for any group; stops at the first commit that does not fit or takes a read, which stays in the queue. */
  #fillGroup(open: Group | undefined, below: Group | undefined): Group | undefined {
    let group = open;
    for (let waiting = this.#queue.first; waiting; waiting = this.#queue.first) {
      if (waiting.signal?.aborted) {
        this.#queue.shift();
        this.#fail(waiting, waiting.signal.reason);
        continue;
      }
      group ??= this.#newGroup(below);
      // Also the first one: a group that is decided again has the buffer of one that may have been given up since.
      if (!group.hasRoomFor(waiting.commit)) break;
      try {
        group.add(waiting);
        this.#queue.shift();
      } catch (error) {
        if (error instanceof NotReady) break;
        this.#queue.shift();
        this.#fail(waiting, error);
      }
    }
    if (group?.members.length !== 0) return group;
    this.#buffers.giveBack(group.buffer);
    return undefined;
  }

  #newGroup(below: Group | undefined, buffer?: Buffer): Group {
    const group = new Group(
      buffer ?? this.#buffers.take(this.#queue.first?.commit.bytesMax ?? 0),
      below ? below.end : this.#state.end,
      below ?? this.#state,
      this.#environment.clock(),
      this.#environment.randomBytes,
      this.#options.idempotencyWindow,
    );
    if (group.skewMs > this.counts.skewMsMax) this.counts.skewMsMax = group.skewMs;
    return group;
  }

  /** Puts the members of the open group back to where they waited. */
  #requeueOpen(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    this.#queue.putBack(open.members);
    this.#buffers.giveBack(open.buffer);
  }

  /** Hands the open group over to be written, if nothing else is. */
  #start(): void {
    if (this.#flight || this.#sync > 0 || this.#readingOn || this.#anchoring) return;
    this.#fill();
    const group = this.#open;
    if (!group || group.members.length === 0) {
      this.#maybeIdle();
      return;
    }
    this.#open = undefined;
    this.#line.push({ kind: 'group', group });
  }

  #maybeIdle(): void {
    if (this.#hasWork() || this.#flight || this.#anchoring) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #work(task: Task, done: () => void): void {
    if (task.kind === 'anchor') this.#writeAnchor(done);
    else if (task.kind === 'segment') this.#endSegment(task.deadline, task.settle, done);
    else this.#write(task.group, done);
  }

  #write(group: Group, done: () => void): void {
    this.#flight = { group, done };
    const request = this.#request(group);
    const moved = (bytes: Buffer, place: Place) => this.#decideAgain(bytes, place);
    const thread = this.#thread.ready();
    if (thread) {
      const letter = thread.letter(request, this.#deadline(group));
      thread.submit(letter, { moved, done: (result) => this.#settle(result) });
      if (this.#open === undefined) this.#fill();
      return;
    }
    // No thread (yet): this thread writes, but it does not wait for the lock here.
    this.#settle(this.#writeHere(request, this.#environment.monotonic(), moved));
  }

  #request(group: Group): GroupRequest {
    return {
      base: this.#state.place,
      buffer: group.buffer,
      bytes: group.bytes,
      firstPosition: group.firstPosition,
      lastPosition: group.lastPosition,
      salt: group.salt,
      rebase: group.rebaseFacts,
    };
  }

  #deadline(group: Group): number {
    return group.members.reduce(
      (earliest, { deadline }) => Math.min(earliest, deadline),
      Number.MAX_VALUE,
    );
  }

  #writeHere(
    request: GroupRequest,
    deadline: number,
    moved: (bytes: Buffer, place: Place) => GroupRequest | undefined,
  ): Outcome {
    try {
      return this.#section.write(request, { deadline }, moved);
    } catch (error) {
      return { kind: 'thrown', error };
    }
  }

  /** A request that was in flight may or may not have been done. */
  #threadDied(error: Error): void {
    if (!this.#flight && !this.#anchoring) return;
    this.#poison ??= error;
    try {
      // Its descriptor is this process's: the kernel would keep the lock as long as the process lives.
      this.#environment.disk.unlock(this.#options.lockFile, WRITE_LOCK);
    } catch {
      // Then it was not held.
    }
  }

  /** Others wrote: takes that over and decides the group again on top of it. Never throws: the lock is held. */
  #decideAgain(bytes: Buffer, place: Place): GroupRequest | undefined {
    const flight = this.#flight;
    if (!flight?.group) return undefined;
    this.counts.moved += 1;
    try {
      const base = place.offset - bytes.length;
      this.#state.absorb(bytes, base);
    } catch (error) {
      this.#absorbFailure = error;
      return undefined;
    }
    if (!samePlace(place, this.#state.place)) return undefined;
    const before = flight.group;
    this.#requeueOpen();
    this.#queue.putBack(before.members);
    const group = this.#fillGroup(this.#newGroup(undefined, before.buffer), undefined);
    if (!group) {
      // All of it waits in the queue again, or was given up.
      flight.group = undefined;
      return undefined;
    }
    flight.group = group;
    return this.#request(group);
  }

  #settle(result: Outcome): void {
    const flight = this.#flight;
    if (!flight) return;
    this.#flight = undefined;
    this.#settling = true;
    try {
      this.#settleGroup(flight.group, result);
    } finally {
      this.#settling = false;
    }
    flight.done();
    if (this.#sync === 0) this.#startWhenFull();
  }

  /** A large group goes at once; a small one waits for those who were just acknowledged. */
  #startWhenFull(): void {
    const open = this.#open?.members.length ?? 0;
    if (open + this.#queue.length >= EARLY_COMMITS) this.#start();
    else this.#schedule();
  }

  #settleGroup(group: Group | undefined, result: Outcome): void {
    switch (result.kind) {
      case 'written':
        if (group) this.#written(group, result);
        return;
      case 'moved':
        this.#requeueAll(group);
        this.#readOn(result.place);
        return;
      case 'timeout':
      case 'interrupted':
        this.#requeueAll(group);
        this.#lockNotTaken();
        return;
      case 'failed': {
        const error = errorOf(result.error, this.#options.paths.directory);
        if (result.poisoned) this.#poison ??= error;
        this.#failed(group, error);
        return;
      }
      case 'thrown':
        this.#poison ??= this.#section.poison;
        this.#failed(group, result.error);
        return;
      default:
        this.#failed(group, new Error('the writer thread answered another question'));
    }
  }

  #written(group: Group, result: Extract<GroupResult, { kind: 'written' }>): void {
    const { moved } = result;
    if (moved) {
      this.counts.moved += 1;
      this.counts.rebased += 1;
      this.#follow(group, moved);
    }
    const wrote = group.lastPosition >= group.firstPosition;
    if (wrote) this.#state.committed(group, result.place, result.start, result.closed);
    // Behind a group that was moved, others' commits stand that the open one was not decided on.
    if (moved) this.#requeueOpen();
    else this.#open?.rebase(this.#state);
    if (wrote) {
      this.counts.groups += 1;
      this.#anchorTimer.want();
    }
    for (const waiting of group.members) this.#acknowledge(waiting, group.time);
    this.#buffers.giveBack(group.buffer);
  }

  /** Takes over what others wrote before the group that was moved behind it. */
  #follow(group: Group, { others, offset, firstPosition, bytes, time }: MovedGroup): void {
    const end = firstPosition - 1;
    group.moved(firstPosition, bytes, time);
    // A read may have come here first.
    if (this.#state.place.position < end) this.#state.absorb(others, offset);
  }

  #acknowledge(waiting: Waiting, time: string): void {
    this.#bytes -= waiting.commit.bytesMax;
    waiting.settled?.();
    acknowledge(waiting, time, this.counts);
  }

  #fail(waiting: Waiting, error: unknown): void {
    this.#bytes -= waiting.commit.bytesMax;
    waiting.settled?.();
    waiting.failed(error);
  }

  /** The group's commits, and those of the open group that stood on it, wait again. */
  #requeueAll(group: Group | undefined): void {
    this.#requeueOpen();
    if (!group) return;
    this.#queue.putBack(group.members);
    this.#buffers.giveBack(group.buffer);
  }

  /** The lock was not taken in time, or somebody asked to stop waiting: those whose time is over are told, the others wait on. */
  #lockNotTaken(): void {
    const now = this.#environment.monotonic();
    const { lockFile, paths } = this.#options;
    for (const late of this.#queue.takeLate(now)) {
      this.counts.lockTimeouts += 1;
      this.#fail(late, lockTimeout(this.#environment, lockFile, paths.lock, late.timeoutMs));
    }
    if (this.#sync > 0 || !this.#hasWork()) return;
    if (this.#thread.isReady) return;
    // Nobody waits for the lock on another thread: look again soon.
    this.#readingOn = true;
    setTimeout(() => {
      this.#readingOn = false;
      this.#start();
    }, RETRY_MS);
  }

  #failed(group: Group | undefined, error: unknown): void {
    this.counts.writeErrors += 1;
    this.#requeueOpen();
    if (group) this.#buffers.giveBack(group.buffer);
    for (const waiting of group?.members ?? []) this.#fail(waiting, error);
    if (this.#poison === undefined) return;
    for (const waiting of this.#queue.takeAll()) {
      this.#fail(waiting, new StorePoisonedError(this.#poison));
    }
  }

  /** Others wrote more than could be handed over under the lock: reads it without the lock, then tries again. */
  #readOn(place: Place): void {
    const failure = this.#absorbFailure;
    this.#absorbFailure = undefined;
    if (failure !== undefined) {
      this.#failAll(failure);
      return;
    }
    if (this.#sync > 0) {
      try {
        runSync(this.#environment.disk, this.#state.readOn(place));
      } catch (error) {
        this.#failAll(this.#told(error));
      }
      return;
    }
    this.#readingOn = true;
    runAsync(this.#environment.disk, this.#state.readOn(place))
      .catch((error: unknown) => this.#failAll(this.#told(error)))
      .finally(() => {
        this.#readingOn = false;
        this.#start();
      });
  }

  /** The error that callers know for one that the disk threw. */
  #told(error: unknown): unknown {
    return asStoreError(error, this.#options.paths.directory);
  }

  #failAll(error: unknown): void {
    this.#requeueOpen();
    for (const waiting of this.#queue.takeAll()) this.#fail(waiting, error);
  }

  /** Reads what the next commits need, then goes on. */
  #lookUp(): void {
    if (this.#lookingUp) return;
    this.#lookingUp = true;
    const next = this.#queue.firstOf(LOOK_UPS);
    const lookUps = next.map((waiting) =>
      runAsync(this.#environment.disk, this.#state.lookUp(waiting)).catch((error: unknown) => {
        // It may have been aborted meanwhile, or have become ready without this.
        if (this.#queue.remove(waiting)) this.#fail(waiting, this.#told(error));
      }),
    );
    void Promise.all(lookUps).then(() => {
      this.#lookingUp = false;
      if (this.#flight) this.#fill();
      else this.#start();
    });
  }

  #aborted(waiting: Waiting): void {
    if (this.#flight?.group?.members.includes(waiting)) {
      this.#thread.started?.interrupt();
      return;
    }
    if (this.#open?.members.includes(waiting)) this.#requeueOpen();
    if (this.#queue.remove(waiting)) this.#fail(waiting, waiting.signal?.reason);
    if (this.#hasWork()) this.#schedule();
    else this.#maybeIdle();
  }

  /** One step of a synchronous caller: ends what is in flight, or writes the next group, on this thread. */
  #stepSync(): void {
    if (this.#flight || this.#anchoring) {
      // A wait for the lock is given up to this thread; what is past that point ends on its own.
      this.#thread.started?.interrupt();
      this.#thread.started?.settleSync();
      return;
    }
    if (this.#poison !== undefined) {
      this.#failAll(new StorePoisonedError(this.#poison));
      return;
    }
    this.#fill();
    const group = this.#open;
    if (!group) {
      const first = this.#queue.first;
      if (!first) return;
      try {
        runSync(this.#environment.disk, this.#state.lookUp(first));
      } catch (error) {
        this.#queue.shift();
        this.#fail(first, this.#told(error));
      }
      return;
    }
    this.#open = undefined;
    this.#flight = { group, done: () => {} };
    const request = this.#request(group);
    const moved = (bytes: Buffer, place: Place) => this.#decideAgain(bytes, place);
    this.#settle(this.#writeHere(request, this.#deadline(group), moved));
  }

  #endSegment(deadline: number, { resolve, reject }: Settle, done: () => void): void {
    const finish = (settle: () => void) => {
      this.#anchoring = false;
      done();
      settle();
      if (this.#sync === 0) this.#start();
    };
    if (this.#poison !== undefined || this.#closing) {
      const { poison } = this;
      const error = poison === undefined ? new StoreClosedError() : new StorePoisonedError(poison);
      finish(() => reject(error));
      return;
    }
    if (this.#sync > 0) {
      finish(() => resolve('interrupted'));
      return;
    }
    this.#anchoring = true;
    const thread = this.#thread.ready();
    if (!thread) {
      try {
        const ended = this.#section.endSegment({ deadline: this.#environment.monotonic() });
        finish(() => resolve(ended));
      } catch (error) {
        if (this.#section.poison !== undefined) this.#poison ??= this.#section.poison;
        finish(() => reject(error));
      }
      return;
    }
    const letter: SegmentLetter = { kind: 'segment', deadline };
    thread.submit(letter, {
      moved: () => undefined,
      done: (result) => {
        if (result.kind === 'ended') finish(() => resolve(result.place));
        else if (result.kind === 'failed') {
          const error = errorOf(result.error, this.#options.paths.directory);
          if (result.poisoned) this.#poison ??= error;
          finish(() => reject(error));
        } else finish(() => resolve(result.kind === 'timeout' ? 'timeout' : 'interrupted'));
      },
    });
  }

  #writeAnchor(done: () => void): void {
    const finish = (outcome: string) => {
      this.#anchoring = false;
      if (outcome === 'done') {
        this.counts.anchors += 1;
        this.#anchorTimer.done();
      } else if (this.#poison === undefined && !this.#closing) {
        this.#anchorTimer.want();
      }
      done();
      if (this.#sync === 0) this.#start();
    };
    if (this.#poison !== undefined || this.#sync > 0) {
      if (this.#poison === undefined) this.#anchorTimer.want();
      done();
      return;
    }
    this.#anchoring = true;
    const timeoutMs = this.#closing ? Math.min(CLOSING_ANCHOR_MS, this.#options.lockTimeoutMs) : 0;
    const deadline = this.#environment.monotonic() + timeoutMs;
    const thread = this.#thread.ready();
    if (thread) {
      const letter: AnchorLetter = { kind: 'anchor', deadline };
      thread.submit(letter, {
        moved: () => undefined,
        done: (result) => {
          if (result.kind === 'failed' && result.poisoned) {
            this.#poison ??= errorOf(result.error, this.#options.paths.directory);
          }
          finish(result.kind);
        },
      });
      return;
    }
    try {
      finish(this.#section.anchor({ deadline }));
    } catch {
      if (this.#section.poison !== undefined) this.#poison ??= this.#section.poison;
      finish('failed');
    }
  }
}
