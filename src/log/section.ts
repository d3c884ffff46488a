/**
 * The critical section: from lock to unlock, on one thread, without a return to an event loop that runs user code. There is no
 * second implementation: the writer thread and every synchronous call run this one.
 *
 * Invariants (docs/FORMAT.md, "Writing a group"):
 * - bytes are written only at a place that is proven durable and is the true end of the log;
 * - the mark moves only behind bytes that a sync by this descriptor, begun after they were written, made durable;
 * - a group that cannot be written is cut off again, and the cut is durable, before anyone else may write;
 * - after a failed sync nothing is ever written or acknowledged through this section again.
 */
import {
  OutcomeUnknownError,
  StoreDamagedError,
  StoreMovedError,
  StorePoisonedError,
} from '../errors.js';
import { closingLine, sealGroup } from './encode.js';
import type { Environment } from './environment.js';
import { type ExamineOptions, placeStands } from './examine.js';
import {
  type GroupRequest,
  type GroupResult,
  MOVED_BYTES_MAX,
  type Moved,
  type MovedGroup,
} from './group-request.js';
import { runSync, SyncFailure, syncDirectory, syncFile, writeFully } from './io.js';
import { readLayout } from './layout.js';
import { OwnAnchor } from './own-anchor.js';
import { OwnMark } from './own-mark.js';
import type { Paths } from './paths.js';
import { type Place, samePlace } from './place.js';
import { type Rebased, rebase } from './rebase.js';
import { createSegment, damagedError, proveEnd, type Repaired } from './repair.js';
import { SectionFiles } from './section-files.js';
import { asStoreError } from './store-error.js';
import type { StoreFacts } from './store-file.js';
import { SegmentProblem } from './walk.js';
import { type LockPatience, WriteLock } from './write-lock.js';

export interface SectionOptions {
  readonly paths: Paths;
  readonly store: StoreFacts;
  readonly segmentBytes: number;
  /** Shown to others who wait for the lock. */
  readonly label: string;
}

export class Section {
  readonly #environment: Environment;
  readonly #options: SectionOptions;
  readonly #lock: WriteLock;
  readonly #lockInode: number;
  readonly #examine: ExamineOptions;
  #poison: unknown;
  readonly #files: SectionFiles;
  readonly #mark: OwnMark;
  readonly #anchor: OwnAnchor;

  /** `lockFile` is this writer's own descriptor of the lock file, `lockInode` the inode it was opened as. */
  constructor(
    environment: Environment,
    options: SectionOptions,
    lockFile: number,
    lockInode: number,
  ) {
    this.#environment = environment;
    this.#options = options;
    this.#lockInode = lockInode;
    this.#lock = new WriteLock(environment, lockFile, options.label);
    const { disk, writer } = environment;
    this.#mark = new OwnMark(disk, lockFile, lockInode, writer);
    this.#files = new SectionFiles(disk, options.paths);
    this.#anchor = new OwnAnchor(disk, this.#files);
    this.#examine = { laterGroupsProve: options.store.durability === 'sync' };
  }

  /** Why this section stopped for good, if it did. */
  get poison(): unknown {
    return this.#poison;
  }

  /**
   * Takes the lock, proves the end of the log, and moves the anchor there.
   * @throws StoreDamagedError, StoreFullError, StoreAccessError
   */
  prove(patience: LockPatience): Repaired | 'timeout' | 'interrupted' {
    const taken = this.#acquire(patience);
    if (taken !== 'taken') return taken;
    try {
      this.#checkMoved();
      const mark = this.#marked();
      let from: Place;
      if (mark) {
        this.#checkStands(mark, this.#options.paths.lock);
        from = mark;
      } else {
        from = this.#anchored();
      }
      const proven = this.#prove(from, () => this.#checkSound(from));
      this.#syncLog(proven.place);
      this.#mark.write(proven.place);
      this.#anchor.move(proven.place);
      return proven;
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#release(false);
    }
  }

  /**
   * Makes a group durable.
   * @throws StoreFullError, StoreAccessError, StoreDamagedError, StoreMovedError: nothing was written, it is safe to try again.
   * @throws OutcomeUnknownError: writing began, and the section is poisoned.
   */
  write(request: GroupRequest, patience: LockPatience, moved: Moved): GroupResult {
    if (this.#poison !== undefined) throw new StorePoisonedError(this.#poison);
    let current = request;
    let sealed = this.#seal(current);
    let othersWrote = false;
    let movedGroup: MovedGroup | undefined;
    /** Moves the group behind what others wrote, or has it decided again; false when no new decision came. */
    const follow = (place: Place): boolean => {
      othersWrote = true;
      const others = this.#between(current.base, place);
      const rebased = others && this.#rebase(current, others, place);
      if (rebased) {
        const { time, ...lines } = rebased;
        const { offset } = current.base;
        const { firstPosition, bytes } = lines;
        movedGroup = { others, offset, firstPosition, bytes, time };
        current = { ...current, ...lines, base: place, rebase: undefined };
      } else {
        const next = others && moved(others, place);
        if (!next) return false;
        current = next;
      }
      sealed = this.#seal(current);
      return true;
    };
    const taken = this.#acquire(patience);
    if (taken !== 'taken') return { kind: taken };
    try {
      this.#checkMoved();
      let place = this.#end();
      while (!samePlace(place, current.base)) {
        if (!follow(place)) return { kind: 'moved', place };
      }
      if (sealed.length === 0) return { kind: 'written', place, start: place.offset };
      let closed: Place | undefined;
      if (place.offset >= this.#options.segmentBytes) {
        closed = place;
        place = this.#nextSegment(place);
      }
      const start = place.offset;
      const after = this.#append(place, current, sealed);
      return {
        kind: 'written',
        place: after,
        start,
        ...(closed ? { closed } : {}),
        ...(movedGroup ? { moved: movedGroup } : {}),
      };
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#release(othersWrote);
    }
  }

  /**
   * Ends the segment that is being written, unless it holds no commit, so that the next group begins another. Gives where the log stands then.
   * Errors as {@link Section.write}.
   */
  endSegment(patience: LockPatience): Place | 'timeout' | 'interrupted' {
    if (this.#poison !== undefined) throw new StorePoisonedError(this.#poison);
    const taken = this.#acquire(patience);
    if (taken !== 'taken') return taken;
    try {
      this.#checkMoved();
      const place = this.#end();
      return place.position < place.segment ? place : this.#nextSegment(place);
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#release(false);
    }
  }

  /** Moves the anchor to the proven end of the log. */
  anchor(patience: LockPatience): 'done' | 'timeout' | 'interrupted' {
    const taken = this.#acquire(patience);
    if (taken !== 'taken') return taken;
    try {
      this.#checkMoved();
      const place = this.#end();
      if (this.#options.store.durability === 'os') {
        this.#beforeSync();
        this.#syncLog(place);
        this.#mark.write(place);
      }
      this.#anchor.move(place);
      return 'done';
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#release(false);
    }
  }

  /** Closes the files it opened; the lock file is the caller's. */
  close(): void {
    this.#files.close();
  }

  /** @throws StoreAccessError */
  #acquire(patience: LockPatience): 'taken' | 'timeout' | 'interrupted' {
    try {
      return this.#lock.acquire(patience);
    } catch (error) {
      throw this.#told(error);
    }
  }

  /**
   * What was done under the lock stands, whatever becomes of the lock. Who cannot give it back must not write on: poisoned, its owner
   * closes it, and the lock goes with the descriptor.
   */
  #release(othersWrote: boolean): void {
    try {
      this.#lock.release(othersWrote);
    } catch (error) {
      this.#poison ??= error;
    }
  }

  /** The proven end of the log, proving it if the last writer could not. */
  #end(): Place {
    const mark = this.#marked();
    if (!mark) {
      const { place } = this.#proveAndMark(this.#anchored());
      return place;
    }
    const size = this.#environment.disk.size(this.#files.segment(mark.segment));
    if (size === mark.offset) return placeOf(mark);
    if (size < mark.offset) {
      throw this.#damaged(
        mark,
        size,
        `the file ends at byte ${size}, but it was durable up to byte ${mark.offset}`,
      );
    }
    return this.#proveAndMark(placeOf(mark)).place;
  }

  #proveAndMark(from: Place): Repaired {
    const proven = this.#prove(from);
    this.#syncLog(proven.place);
    this.#mark.write(proven.place);
    return proven;
  }

  #prove(from: Place, beforeCut: () => void = () => {}): Repaired {
    const { paths, store } = this.#options;
    return proveEnd(this.#environment, paths, store.id, from, this.#examine, {
      beforeCut,
      // Not earlier: a damaged store is left as it is, its mark too.
      beforeChange: () => this.#beforeSync(),
    });
  }

  /** What stands before a torn end must be sound, or nothing is cut off: a damaged log is left as it is. */
  #checkSound(to: Place): void {
    const { paths, store } = this.#options;
    runSync(this.#environment.disk, readLayout(paths, store, to, false));
  }

  /** The mark, if it holds; and signs the lock. One read for both. */
  #marked(): Place | undefined {
    const place = this.#mark.read();
    this.#lock.sign(this.#mark.holder);
    return place;
  }

  /** The place from which to prove when no mark helps. */
  #anchored(): Place {
    const { disk } = this.#environment;
    const { paths } = this.#options;
    const anchor = this.#anchor.read();
    if (!anchor) {
      throw new StoreDamagedError({
        directory: paths.directory,
        file: paths.anchor,
        offset: 0,
        problem: 'neither slot of the anchor is whole',
      });
    }
    this.#checkStands(anchor, paths.anchor);
    // Whoever made the store or its last segment may have died before the entry was durable.
    syncDirectory(disk, paths.directory);
    syncDirectory(disk, paths.log);
    return placeOf(anchor);
  }

  #checkStands(place: Place, toldBy: string): void {
    const { paths, store } = this.#options;
    const problem = runSync(this.#environment.disk, placeStands(paths, place, store.id));
    if (problem) throw this.#damaged(place, place.offset, `${problem} (told by ${toldBy})`);
  }

  #damaged(place: Place, offset: number, problem: string): StoreDamagedError {
    const { paths } = this.#options;
    return damagedError(paths.directory, {
      file: paths.segment(place.segment),
      offset,
      position: place.position,
      problem,
    });
  }

  /** What others wrote between two places, or `undefined` when it is too much or in several segments. */
  #between(base: Place, place: Place): Buffer | undefined {
    if (place.segment < base.segment || place.position < base.position) {
      throw this.#damaged(place, place.offset, 'the log is shorter than it was');
    }
    const bytes = place.offset - base.offset;
    if (place.segment !== base.segment || bytes > MOVED_BYTES_MAX) return undefined;
    if (bytes <= 0) throw this.#damaged(place, place.offset, 'the log is not what it was');
    const buffer = Buffer.allocUnsafe(bytes);
    const file = this.#files.segment(place.segment);
    let filled = 0;
    while (filled < bytes) {
      const count = this.#environment.disk.read(
        file,
        buffer,
        filled,
        bytes - filled,
        base.offset + filled,
      );
      if (count === 0) throw this.#damaged(place, base.offset + filled, 'the file is too short');
      filled += count;
    }
    return buffer;
  }

  #rebase(request: GroupRequest, others: Buffer, place: Place): Rebased | undefined {
    if (!request.rebase) return undefined;
    try {
      return rebase(request, request.rebase, others, place, this.#options.store.id);
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      throw this.#damaged({ ...place, position: error.position }, error.offset, error.message);
    }
  }

  #seal(request: GroupRequest): { seal: string; length: number } {
    if (request.firstPosition !== request.base.position + 1) {
      throw new Error(
        `a group at ${request.firstPosition} was decided on ${request.base.position}`,
      );
    }
    if (request.lastPosition < request.firstPosition) return { seal: '', length: 0 };
    return sealGroup(request.buffer, request.bytes, request.base.seal, request);
  }

  #append(place: Place, group: GroupRequest, sealed: { seal: string; length: number }): Place {
    const { disk } = this.#environment;
    const file = this.#files.segment(place.segment);
    try {
      writeFully(disk, file, group.buffer.subarray(0, sealed.length), place.offset);
    } catch (error) {
      this.#cutBack(file, place, error);
      throw error;
    }
    const after: Place = {
      segment: place.segment,
      offset: place.offset + sealed.length,
      position: group.lastPosition,
      seal: sealed.seal,
    };
    try {
      if (this.#options.store.durability === 'sync') disk.sync(file);
      this.#mark.write(after);
    } catch (error) {
      throw this.#poisoned(error);
    }
    return after;
  }

  /** Ends the segment and begins the next one. A crash in between leaves a closed segment, and whoever comes next goes on from there. */
  #nextSegment(place: Place): Place {
    const { disk } = this.#environment;
    const { paths, store } = this.#options;
    const file = this.#files.segment(place.segment);
    const line = closingLine(place.position, place.seal);
    try {
      writeFully(disk, file, line, place.offset);
    } catch (error) {
      this.#cutBack(file, place, error);
      throw error;
    }
    this.#beforeSync();
    syncFile(disk, file);
    const closed = { ...place, offset: place.offset + line.length };
    const next = createSegment(disk, paths, store.id, closed);
    this.#mark.write(next);
    this.#anchor.move(next);
    return next;
  }

  /** Takes back what a failed write left behind a place. When that fails too, nobody knows what stands there. */
  #cutBack(file: number, place: Place, because: unknown): void {
    const { disk } = this.#environment;
    try {
      disk.truncate(file, place.offset);
      this.#beforeSync();
      disk.sync(file);
      if (this.#options.store.durability === 'os') this.#mark.write(place);
    } catch (error) {
      this.#forgetMark();
      throw this.#poisoned(
        new AggregateError([because, error], 'a failed write could not be cut off'),
      );
    }
  }

  /**
   * The file ends where the mark says, but that end is not durable: without a mark, whoever comes next proves all anew from the anchor before
   * it writes there. Best effort, since this disk fails.
   */
  #forgetMark(): void {
    try {
      this.#mark.erase();
    } catch {
      // Then the mark stands; the cut is as durable as this disk makes it.
    }
  }

  #poisoned(cause: unknown): OutcomeUnknownError {
    this.#poison = cause;
    return new OutcomeUnknownError(cause);
  }

  /** Durability `os` leaves written groups unsynced; before an anchor names them they must be synced. */
  #syncLog(place: Place): void {
    syncFile(this.#environment.disk, this.#files.segment(place.segment));
  }

  /**
   * To be called before a sync. With durability `os` the mark says what was written; once a sync of that failed, the kernel counts the pages
   * as clean, and no later sync would write them. Without a mark, whoever comes next writes all again that stands behind the anchor.
   */
  #beforeSync(): void {
    if (this.#options.store.durability === 'sync') return;
    this.#mark.erase();
  }

  /** The place the anchor was last moved to by this section. */
  get anchored(): Place | undefined {
    return this.#anchor.last;
  }

  #checkMoved(): void {
    const { paths } = this.#options;
    const facts = this.#environment.disk.facts(paths.lock);
    if (facts?.inode !== this.#lockInode) throw new StoreMovedError(paths.directory);
  }

  /** A system error as one of ours; others as they are. A failed sync stops this section for good. */
  #told(error: unknown): unknown {
    if (error instanceof SyncFailure) {
      this.#poison = error.cause;
      return asStoreError(error.cause, this.#options.paths.directory);
    }
    return asStoreError(error, this.#options.paths.directory);
  }
}

function placeOf(place: Place): Place {
  const { segment, offset, position, seal } = place;
  return { segment, offset, position, seal };
}
