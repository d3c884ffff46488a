/** The snapshots that there are of one projection or index, and which of them can be used. */
import { join } from 'node:path';
import { HistoryPrunedError, StoreDamagedError } from '../errors.js';
import type { Io } from '../log/io.js';
import type { Paths } from '../log/paths.js';
import { readRemains } from '../log/remains.js';
import type { Segments } from '../log/segments.js';
import {
  type Identity,
  identityBeginning,
  listSnapshots,
  snapshotName,
  snapshotPositions,
} from '../log/snapshot-files.js';
import { SortedProblem } from '../log/sorted-format.js';
import type { SortedFile } from '../log/sorted-read.js';
import { checkIdentity } from './snapshot.js';

/** Where snapshots lie, and the log that they were made of. */
export interface ShelfPlace {
  readonly paths: Paths;
  readonly storeId: string;
  readonly segments: Segments;
  /** Names in `snapshots/` before the end of the log was proven. */
  readonly snapshotsAtOpening: readonly string[];
}

export class Shelf {
  readonly identity: Identity;
  readonly #place: ShelfPlace;
  /** Newest first. */
  #positions: readonly number[];
  /** Those in which something was found wrong. */
  readonly #broken = new Set<number>();
  /** Those that an index was loaded from in this process, or that it wrote and could load as far as is known. */
  readonly #proven = new Set<number>();
  #failed = false;
  /** Those that the log bears out. */
  readonly #checked = new Map<number, SortedFile>();

  constructor(place: ShelfPlace, identity: Identity) {
    this.identity = identity;
    this.#place = place;
    this.#positions = snapshotPositions(place.snapshotsAtOpening, identityBeginning(identity));
  }

  /** Positions of the snapshots that are known, newest first, without those that are broken. */
  get positions(): readonly number[] {
    return this.#positions.filter((position) => !this.#broken.has(position));
  }

  pathOf(position: number): string {
    return join(this.#place.paths.snapshots, snapshotName(this.identity, position));
  }

  /** Looks again which there are. */
  *look(): Io<void> {
    this.#positions = snapshotPositions(
      yield* listSnapshots(this.#place.paths),
      identityBeginning(this.identity),
    );
  }

  /** A snapshot was written at that position. */
  *added(position: number): Io<void> {
    this.#broken.delete(position);
    this.#proven.delete(position);
    this.#checked.delete(position);
    yield* this.#place.segments.sorted.forget(this.pathOf(position));
    yield* this.look();
  }

  /** What was saved there can be loaded. */
  prove(position: number): void {
    this.#proven.add(position);
  }

  isProven(position: number): boolean {
    return this.#proven.has(position);
  }

  /** What was saved there cannot be loaded: from now on it counts as missing, and nothing is taken on trust. */
  failNow(position: number): void {
    this.#failed = true;
    this.#forget(position);
  }

  /** Something that was saved could not be loaded. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  #forget(position: number): void {
    this.#broken.add(position);
    this.#proven.delete(position);
    this.#checked.delete(position);
  }

  /** Something is wrong with that one: from now on it counts as missing. */
  *lose(position: number): Io<void> {
    this.#forget(position);
    yield* this.#place.segments.sorted.forget(this.pathOf(position));
  }

  /**
   * The newest snapshot at or before that position that can be used.
   * @param head - what the log has reached
   * @throws StoreDamagedError when one is right in itself, and the log is not as it says
   */
  *newest(to: number, head: number): Io<SortedFile | undefined> {
    for (const position of this.positions) {
      // Others may have made it since this process looked at the log.
      if (position > to && (position <= head || !this.#wasThereAtOpening(position))) continue;
      const known = this.#checked.get(position);
      if (known) return known;
      try {
        const file = yield* this.open(position);
        yield* this.#check(file, head);
        this.#checked.set(position, file);
        return file;
      } catch (error) {
        if (!(error instanceof SortedProblem)) throw error;
        yield* this.lose(position);
      }
    }
    return undefined;
  }

  #wasThereAtOpening(position: number): boolean {
    return this.#place.snapshotsAtOpening.includes(snapshotName(this.identity, position));
  }

  /** @throws SortedProblem */
  *open(position: number): Io<SortedFile> {
    const { segments, storeId } = this.#place;
    const file = yield* segments.sorted.open(this.pathOf(position));
    checkIdentity(file, this.identity, storeId, position);
    return file;
  }

  /** The log must have been there when the snapshot was made. */
  *#check({ header, path }: SortedFile, head: number): Io<void> {
    const { paths, segments } = this.#place;
    const { position, seal } = header;
    const { directory } = paths;
    if (position > head) {
      const problem = `the log ends at position ${head}, but ${path} was made at position ${position}`;
      const first = segments.tail.first;
      throw new StoreDamagedError({
        directory,
        file: paths.segment(first),
        offset: 0,
        position: head + 1,
        problem,
      });
    }
    const first = yield* segments.segmentOf(position);
    const isEnd = first < segments.tail.first && (yield* segments.lastOf(first)) === position;
    if (isEnd && (yield* this.#sealOf(first)) === seal) return;
    const problem = `the seal at position ${position} is not the one that ${path} was made at`;
    throw new StoreDamagedError({
      directory,
      file: paths.segment(first),
      offset: 0,
      position,
      problem,
    });
  }

  /** Of a dropped segment its remains tell: the snapshot stands for what it held. */
  *#sealOf(first: number): Io<string> {
    const { paths, segments } = this.#place;
    try {
      return (yield* segments.closingOf(first)).seal;
    } catch (error) {
      if (!(error instanceof HistoryPrunedError)) throw error;
      return (yield* readRemains(paths, first)).seal;
    }
  }
}
