/**
 * One lock file, as this thread uses it. Whoever asks first takes a turn among those of this thread, in the order of lock-queue.ts, then polls
 * for the kernel's lock: so there is one who polls for each file, and circles of owners are found for files as well.
 *
 * Invariants:
 * - each acquisition opens the file anew, because the kernel's lock belongs to the opened descriptor, and dies with it;
 * - what was locked is the file that stands at the path: one that was deleted or replaced meanwhile is let go and opened again;
 * - nothing but a lock file is ever written to;
 * - a synchronous call waits for no turn: it cannot wait for anybody of its own thread, and is told so at once. What it gets counts as a turn
 *   where that is free, so that others of its thread wait in line.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DeadlockError, LockTimeoutError, StoreAccessError } from '../errors.js';
import { nextToken } from './fence.js';
import { GivenTokens } from './given-tokens.js';
import type { Holder } from './holder.js';
import type { Lease } from './lease.js';
import { lastHolder, sign, thisProcess } from './lock-content.js';
import { type Held, LockQueue } from './lock-queue.js';
import { rangesCanBeLocked, tryLock, unlock } from './native-lock.js';
import type { Party } from './owner.js';
import { pause } from './pause.js';
import { RealFenceFile } from './real-fence-file.js';
import { type LockRequest, toldTimeoutMs } from './request.js';
import { nextPause, pollLock } from './wait.js';
import type { Mode } from './wait-for.js';

/** Far beyond any content: locks are mandatory on Windows. */
const RANGE = rangesCanBeLocked ? { offset: 2 ** 40, length: 1 } : { offset: 0, length: 0 };

export type FileLockKind = 'shared' | 'exclusive';

const modes = { shared: 'read', exclusive: 'write' } as const;

/** What this thread does with one file. */
interface Place {
  readonly key: string;
  /** By which it was first asked for. */
  readonly path: string;
  readonly queue: LockQueue;
  readonly leases: Set<FileLease>;
}

const places = new Map<string, Place>();

/** Of so many files the highest token is remembered one by one: at some 200 bytes each. */
const TOKEN_FILES_MAX = 10_000;
const tokens = new GivenTokens(TOKEN_FILES_MAX);

/** The same for all paths that lead to a file: its directory may be reached through symbolic links. What is no directory, opening the file tells. */
function keyOf(path: string): string {
  try {
    return join(realpathSync.native(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

function placeOf(path: string): Place {
  const key = keyOf(path);
  const known = places.get(key);
  if (known) return known;
  const place: Place = {
    key,
    path,
    queue: new LockQueue({
      name: path,
      kinds: { read: 'shared', write: 'exclusive' },
      timeoutError: (_queue, mode, timeoutMs) => waitedHereError(place, mode, timeoutMs),
      idle: () => forgetIdle(place),
    }),
    leases: new Set(),
  };
  places.set(key, place);
  return place;
}

function forgetIdle(place: Place): void {
  const isIdle = place.queue.isIdle && place.leases.size === 0;
  if (isIdle && places.get(place.key) === place) places.delete(place.key);
}

class FileLease implements Lease {
  readonly kind: FileLockKind;
  readonly label: string | undefined;
  readonly token: number | undefined;
  readonly #place: Place;
  readonly #turn: Held;
  #file: number | undefined;

  constructor(facts: {
    place: Place;
    file: number;
    kind: FileLockKind;
    label: string | undefined;
    token: number | undefined;
    turn: Held;
  }) {
    this.#place = facts.place;
    this.#file = facts.file;
    this.#turn = facts.turn;
    this.kind = facts.kind;
    this.label = facts.label;
    this.token = facts.token;
    this.#place.leases.add(this);
  }

  get ownerName(): string | undefined {
    return this.#turn.owner?.name;
  }

  get released(): boolean {
    return this.#file === undefined;
  }

  release(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      try {
        unlock(file, RANGE.offset, RANGE.length);
      } finally {
        // Closing releases, too: the lock cannot outlive its descriptor.
        closeSync(file);
      }
    } finally {
      this.#place.leases.delete(this);
      this.#turn.release();
      forgetIdle(this.#place);
    }
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** A turn among those of this thread. */
interface Turn {
  readonly place: Place;
  readonly turn: Held;
}

export interface LockFileFacts {
  /** Absolute. */
  readonly path: string;
  readonly label: string | undefined;
  readonly fencing: boolean;
}

export class LockFile {
  readonly #path: string;
  readonly #label: string | undefined;
  readonly #fencing: boolean;

  constructor({ path, label, fencing }: LockFileFacts) {
    this.#path = path;
    this.#label = label;
    this.#fencing = fencing;
  }

  async acquire(kind: FileLockKind, request: LockRequest, party: Party): Promise<Lease> {
    const deadline = performance.now() + request.timeoutMs;
    const label = request.label ?? this.#label;
    const place = placeOf(this.#path);
    const turn = await place.queue.acquire(modes[kind], { ...request, label }, party);
    try {
      return await this.#poll(kind, request, deadline, label, { place, turn });
    } catch (error) {
      turn.release();
      throw error;
    }
  }

  acquireSync(kind: FileLockKind, request: LockRequest, party: Party): Lease {
    const label = request.label ?? this.#label;
    this.#checkHeldHere(kind, request, label, party);
    const file = this.#pollSync(kind, request, performance.now() + request.timeoutMs);
    const place = placeOf(this.#path);
    const turn = place.queue.join(modes[kind], { ...request, label }, party);
    try {
      return this.#lease(kind, file, label, { place, turn });
    } catch (error) {
      turn.release();
      throw error;
    }
  }

  /** A descriptor of the file, which is made when it is missing. @throws StoreAccessError */
  open(): number {
    const { O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
    try {
      return openSync(this.#path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    } catch (error) {
      throw new StoreAccessError(this.#path, error);
    }
  }

  /** Whether nobody holds it, and who held it alone last. */
  status(): { readonly free: boolean; readonly lastHolder: Holder | undefined } {
    const file = this.open();
    try {
      const free = tryLock(file, RANGE.offset, RANGE.length, 'exclusive');
      return { free, lastHolder: lastHolder(file) };
    } finally {
      closeSync(file);
    }
  }

  /** The lease is made in the moment in which the kernel's lock is taken, so that a synchronous call never meets the one without the other. */
  async #poll(
    kind: FileLockKind,
    request: LockRequest,
    deadline: number,
    label: string | undefined,
    turn: Turn,
  ): Promise<Lease> {
    for (;;) {
      const file = this.open();
      let taken = false;
      try {
        let pauseMs = 0;
        while (!tryLock(file, RANGE.offset, RANGE.length, kind)) {
          request.signal?.throwIfAborted();
          if (performance.now() >= deadline)
            throw heldElsewhereError(this.#path, file, kind, toldTimeoutMs(request));
          pauseMs = nextPause(pauseMs, Math.random());
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
        taken = this.#stands(file);
      } finally {
        if (!taken) closeSync(file);
      }
      if (taken) return this.#lease(kind, file, label, turn);
    }
  }

  #pollSync(kind: FileLockKind, request: LockRequest, deadline: number): number {
    for (;;) {
      const file = this.open();
      let taken = false;
      try {
        const wait = {
          tryLock: () => tryLock(file, RANGE.offset, RANGE.length, kind),
          pause,
          now: () => performance.now(),
          random: Math.random,
        };
        if (pollLock(wait, deadline) !== 'taken') {
          throw heldElsewhereError(this.#path, file, kind, toldTimeoutMs(request));
        }
        taken = this.#stands(file);
        if (taken) return file;
      } finally {
        if (!taken) closeSync(file);
      }
    }
  }

  /** Somebody may have deleted the file while it was waited for: a lock on it would exclude nobody who comes later. */
  #stands(file: number): boolean {
    const opened = this.#told(() => fstatSync(file));
    if (!opened.isFile()) {
      throw new StoreAccessError(this.#path, new Error('it is no plain file'));
    }
    const standing = this.#told(() => statSync(this.#path, { throwIfNoEntry: false }));
    return standing !== undefined && isSameFile(opened, standing);
  }

  /** Closes the descriptor when there will be no lease. */
  #lease(
    kind: FileLockKind,
    file: number,
    label: string | undefined,
    { place, turn }: Turn,
  ): Lease {
    try {
      let token: number | undefined;
      if (kind === 'exclusive') {
        sign(this.#path, file, label);
        if (this.#fencing) token = this.#token(file, place);
      }
      return new FileLease({ place, file, kind, label, token, turn });
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  #token(file: number, { key }: Place): number {
    const token = nextToken(new RealFenceFile(this.#path, file), { highest: tokens.highest(key) });
    tokens.given(key, token);
    return token;
  }

  /** Of its own thread a synchronous call need not wait for anybody: nobody could release anything meanwhile. */
  #checkHeldHere(
    kind: FileLockKind,
    request: LockRequest,
    label: string | undefined,
    party: Party,
  ): void {
    const leases = places.get(keyOf(this.#path))?.leases ?? [];
    for (const lease of leases) {
      if (kind === 'shared' && lease.kind === 'shared') continue;
      if (request.timeoutMs === 0) {
        throw timeoutError(this.#path, toldTimeoutMs(request), {
          ...thisProcess(),
          label: lease.label ?? '',
        });
      }
      const step = {
        owner: label ?? party.waiting?.name ?? 'a synchronous call',
        resource: this.#path,
        wants: kind,
        heldBy: lease.label ?? 'a lease of the same thread',
        held: lease.kind,
      };
      throw new DeadlockError(
        [step],
        'A synchronous call stops its thread, in which the lock is held: use the asynchronous one.',
      );
    }
  }

  #told<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw new StoreAccessError(this.#path, error);
    }
  }
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** For one who waited for its turn in this thread: whoever has it may still poll for a file that others hold. */
function waitedHereError({ path, leases }: Place, mode: Mode, timeoutMs: number): LockTimeoutError {
  const [lease] = leases;
  if (lease !== undefined) {
    const label = lease.label ?? lease.ownerName ?? '';
    return timeoutError(path, timeoutMs, { ...thisProcess(), label });
  }
  let file: number;
  try {
    file = openSync(path, constants.O_RDWR);
  } catch {
    return timeoutError(path, timeoutMs, undefined);
  }
  try {
    return heldElsewhereError(path, file, mode === 'read' ? 'shared' : 'exclusive', timeoutMs);
  } finally {
    closeSync(file);
  }
}

/** For one who polled, with the descriptor that has no lock. */
function heldElsewhereError(
  path: string,
  file: number,
  kind: FileLockKind,
  timeoutMs: number,
): LockTimeoutError {
  // Only who holds it alone signs: the last one who did need not be in the way now.
  if (kind === 'exclusive' && tryLock(file, RANGE.offset, RANGE.length, 'shared')) {
    return timeoutError(path, timeoutMs, undefined, 'it is shared by others');
  }
  return timeoutError(path, timeoutMs, lastHolder(file));
}

function timeoutError(
  path: string,
  timeoutMs: number,
  holder: Holder | undefined,
  told?: string,
): LockTimeoutError {
  return new LockTimeoutError({
    file: path,
    timeoutMs,
    pid: holder?.pid,
    host: holder?.host,
    since: holder ? new Date(holder.startedAt) : undefined,
    label: holder?.label === '' ? undefined : holder?.label,
    holder: told,
    advice: 'Look at that process (is it stopped?) or raise timeoutMs.',
  });
}
