/** What this process knows of the durable log: its end, the versions of streams, keys. Moves only along whole, proven groups. */
import { HistoryPrunedError, type StoreDamagedError } from '../errors.js';
import { commitAt } from './commits-at.js';
import { sameAsRecorded } from './content.js';
import type { Environment } from './environment.js';
import {
  type FoundCommit,
  type Group,
  type GroupBase,
  type GroupStart,
  NotReady,
  type Waiting,
} from './group.js';
import { GuardProgress } from './guard.js';
import type { Io } from './io.js';
import type { Paths } from './paths.js';
import { type Place, samePlace } from './place.js';
import { RecentBytes } from './recent-bytes.js';
import { readRemains } from './remains.js';
import { damagedError } from './repair.js';
import { readAll, withSegment } from './segment-bytes.js';
import { TailIndex } from './segment-index.js';
import type { FoundKey, Segments } from './segments.js';
import type { StoreFacts } from './store-file.js';
import type { Head, RecordedEvent } from './types.js';
import type { CommitRef } from './walk.js';
import { SegmentProblem, SegmentWalker } from './walk.js';

const READ_ON_BYTES = 1024 * 1024;

export interface StateStart {
  readonly place: Place;
  readonly time: string;
}

export class LogState implements GroupBase {
  readonly segments: Segments;
  readonly #environment: Environment;
  readonly #paths: Paths;
  readonly #store: StoreFacts;
  #place: Place;
  #time: string;
  #recent: RecentBytes | undefined;
  readonly #advanced = new Set<() => void>();
  #rotated: () => void = () => {};

  constructor(
    environment: Environment,
    paths: Paths,
    store: StoreFacts,
    segments: Segments,
    start: StateStart,
  ) {
    this.#environment = environment;
    this.#paths = paths;
    this.#store = store;
    this.segments = segments;
    this.#place = start.place;
    this.#time = start.time;
  }

  /** Called whenever the head moved. Gives the call that ends this. */
  onAdvance(advanced: () => void): () => void {
    this.#advanced.add(advanced);
    return () => {
      this.#advanced.delete(advanced);
    };
  }

  #tellAdvanced(): void {
    for (const advanced of this.#advanced) advanced();
  }

  /** Keeps the bytes of the last groups from now on. Whoever reads on behind the head needs no file for them. */
  keepRecent(bytesMax?: number): void {
    this.#recent ??= new RecentBytes(bytesMax);
  }

  /** The bytes of the last groups, if somebody asked to have them kept. */
  get recent(): RecentBytes | undefined {
    return this.#recent;
  }

  /** Called whenever a segment was closed: its index file can be written. */
  onRotate(rotated: () => void): void {
    this.#rotated = rotated;
  }

  get place(): Place {
    return this.#place;
  }

  /** Time of the last commit, `''` when there is none. */
  get time(): string {
    return this.#time;
  }

  get head(): Head {
    const { position, seal } = this.#place;
    return Object.freeze({ position, time: this.#time === '' ? undefined : this.#time, seal });
  }

  /** What a new group builds on. */
  get end(): GroupStart {
    return { position: this.#place.position, keyed: this.segments.keyed, time: this.#time };
  }

  version(stream: string): number {
    const known = this.segments.versionNow(stream);
    if (known === undefined) throw new NotReady();
    return known;
  }

  earlier(waiting: Waiting): FoundCommit | undefined {
    const key = waiting.commit.idempotencyKey;
    if (key === undefined || !this.segments.mayHaveKeyNow(key)) return undefined;
    const inTail = this.segments.keyInTail(key);
    // Forgotten, and nothing older can be remembered.
    const window = this.#store.idempotencyWindow;
    if (inTail && this.segments.keyed - inTail.ordinal >= window) return undefined;
    const { lookedUp } = waiting;
    if (!lookedUp || lookedUp.tail !== this.segments.tail.first) throw new NotReady();
    if (inTail && inTail.position !== lookedUp.earlier?.position) throw new NotReady();
    return lookedUp.earlier;
  }

  blocking(waiting: Waiting): readonly RecordedEvent[] {
    const progress = this.#guardProgress(waiting);
    if (!progress) return [];
    if (!progress.askNow()) throw new NotReady();
    return progress.found;
  }

  #guardProgress(waiting: Waiting): GuardProgress | undefined {
    const { guard } = waiting.commit;
    if (!guard) return undefined;
    waiting.guardProgress ??= new GuardProgress(guard, this);
    return waiting.guardProgress;
  }

  /** Reads what deciding the commit takes. */
  *lookUp(waiting: Waiting): Io<void> {
    const { commit } = waiting;
    for (const stream of commit.streams) yield* this.#lookUpVersion(stream);
    for (const { stream } of commit.conditions) yield* this.#lookUpVersion(stream);
    const progress = this.#guardProgress(waiting);
    if (progress) yield* progress.ask();
    const key = commit.idempotencyKey;
    if (key === undefined || !this.segments.mayHaveKeyNow(key)) return;
    const tail = this.segments.tail.first;
    const found = yield* this.segments.findKey(key);
    const events = found && (yield* this.#commitUnlessDropped(found));
    if (!found || !events) {
      waiting.lookedUp = { tail, earlier: undefined };
      return;
    }
    const versions = new Map(events.map((event) => [event.stream, event.version]));
    const [first] = events;
    waiting.lookedUp = {
      tail,
      earlier: {
        position: found.position,
        time: first?.time ?? '',
        lastVersions: commit.streams.map((stream) => versions.get(stream) ?? 0),
        sameContent: sameAsRecorded(commit, events),
        ordinal: found.ordinal,
      },
    };
  }

  /** A key's commit; `undefined` when another process dropped it, which was not known here yet: its key is forgotten. */
  *#commitUnlessDropped({ segment, offset }: FoundKey): Io<readonly RecordedEvent[] | undefined> {
    try {
      return yield* commitAt(this, segment, offset);
    } catch (error) {
      if (error instanceof HistoryPrunedError) return undefined;
      throw error;
    }
  }

  *#lookUpVersion(stream: string): Io<void> {
    if (this.segments.versionNow(stream) === undefined) yield* this.segments.version(stream);
  }

  /** Takes over a group of this process that became durable, its lines beginning at `start`. */
  committed(group: Group, place: Place, start: number, closed: Place | undefined): void {
    // A read may have found the group in the log before the writer told of it.
    if (this.#place.position >= place.position) return;
    // Likewise a read that went on after the segment was changed, before the group was written there.
    if (closed && this.#place.segment !== place.segment) this.#rotate(closed);
    const { tail } = this.segments;
    for (const { commit, decision, position, offset } of group.members) {
      if (decision.kind !== 'accepted') continue;
      const { streams, counts, idempotencyKey } = commit;
      tail.add(
        position,
        start + offset,
        group.time,
        streams,
        decision.firstVersions,
        counts,
        idempotencyKey,
      );
    }
    this.#recent?.add({
      segment: place.segment,
      offset: start,
      first: group.firstPosition,
      last: group.lastPosition,
      buffer: group.buffer,
      start: 0,
      end: group.bytes,
    });
    this.#place = place;
    this.#time = group.end.time;
    this.#tellAdvanced();
  }

  #rotate(closed: Place): void {
    this.segments.rotate(new TailIndex(closed.position + 1), closed);
    this.#rotated();
  }

  /**
   * Takes over whole groups that others wrote: `bytes` stand in the current segment from `offset` on, and may begin before the place
   * this process knows. Half a group at their end is left for the next time.
   * @throws StoreDamagedError
   */
  absorb(bytes: Buffer, offset: number): { closed: boolean } {
    const known = this.#place;
    const skip = known.offset - offset;
    if (skip < 0 || skip > bytes.length) return { closed: false };
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end <= skip) return { closed: false };
    const walker = new SegmentWalker(
      { place: known, time: this.#time, storeId: this.#store.id },
      { group: (commits, _seal, place) => this.#takeOver(commits, place) },
    );
    try {
      walker.feed(bytes, skip, end, known.offset);
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      const file = this.#paths.segment(known.segment);
      const { offset: at, position, message } = error;
      throw damagedError(this.#paths.directory, { file, offset: at, position, problem: message });
    } finally {
      if (!samePlace(known, this.#place)) {
        this.#keep(known, bytes, skip);
        this.#tellAdvanced();
      }
    }
    return { closed: walker.closed };
  }

  /** Keeps what others wrote from `known` to the place that is known now, the bytes at `start`. */
  #keep(known: Place, bytes: Buffer, start: number): void {
    this.#recent?.add({
      segment: known.segment,
      offset: known.offset,
      first: known.position + 1,
      last: this.#place.position,
      buffer: bytes,
      start,
      end: start + this.#place.offset - known.offset,
    });
  }

  #takeOver(commits: readonly CommitRef[], place: Place): void {
    const { tail } = this.segments;
    for (const { head, offset } of commits) {
      tail.addHead(head, offset);
      this.#time = head.t;
    }
    this.#place = place;
  }

  /** Reads on until this process knows the log up to `target`, which is proven. */
  *readOn(target: Place): Io<void> {
    let span = READ_ON_BYTES;
    while (this.#place.position < target.position || this.#place.segment < target.segment) {
      const from = this.#place;
      const last = from.segment === target.segment;
      const want = span;
      let bytes: Buffer;
      try {
        bytes = yield* withSegment(this.#paths, from.segment, function* (source): Io<Buffer> {
          const size = last ? target.offset : yield* source.size();
          const read = Buffer.allocUnsafe(Math.max(0, Math.min(want, size - from.offset)));
          return read.subarray(0, yield* readAll(source, read, from.offset));
        });
      } catch (error) {
        if (last || !(error instanceof HistoryPrunedError)) throw error;
        yield* this.#skipDropped(from);
        continue;
      }
      // While the bytes were read, a group of this process may have taken the same way.
      if (!samePlace(from, this.#place)) continue;
      const { closed } = this.absorb(bytes, from.offset);
      if (closed) yield* this.#enterNext();
      else if (samePlace(from, this.#place)) {
        if (bytes.length < span) throw this.#short(from, target);
        span *= 2;
      } else span = READ_ON_BYTES;
    }
  }

  /** Another process dropped the segment before this one had read it: what is left of it tells where it ended. */
  *#skipDropped(from: Place): Io<void> {
    const facts = yield* readRemains(this.#paths, from.segment);
    if (!samePlace(from, this.#place)) return;
    const { last: position, seal, lastTime } = facts;
    this.segments.skip(facts);
    this.#place = { segment: position + 1, offset: 0, position, seal };
    this.#time = lastTime;
    this.#rotated();
    yield* this.segments.letGo();
  }

  *#enterNext(): Io<void> {
    const closed = this.#place;
    const first = closed.position + 1;
    const path = this.#paths.segment(first);
    let header: Buffer;
    try {
      header = yield* withSegment(this.#paths, first, function* (source): Io<Buffer> {
        const bytes = Buffer.alloc(512);
        const count = yield* readAll(source, bytes, 0);
        return bytes.subarray(0, bytes.subarray(0, count).indexOf(0x0a) + 1);
      });
    } catch (error) {
      if (!(error instanceof HistoryPrunedError) || !samePlace(closed, this.#place)) throw error;
      // It begins where the closed one ends; reading on finds out how far it is gone.
      this.#rotate(closed);
      this.#place = { segment: first, offset: 0, position: closed.position, seal: closed.seal };
      return;
    }
    if (!samePlace(closed, this.#place)) return;
    const place = { segment: first, offset: 0, position: closed.position, seal: closed.seal };
    const walker = new SegmentWalker({ place, time: this.#time, storeId: this.#store.id }, {});
    try {
      walker.feed(header, 0, header.length, 0);
    } catch (error) {
      if (!(error instanceof SegmentProblem)) throw error;
      const { offset, position, message } = error;
      const facts = { file: path, offset, position, problem: message };
      throw damagedError(this.#paths.directory, facts);
    }
    this.#rotate(closed);
    this.#place = walker.place;
    yield* this.segments.letGo();
  }

  #short(place: Place, target: Place): StoreDamagedError {
    return damagedError(this.#paths.directory, {
      file: this.#paths.segment(place.segment),
      offset: place.offset,
      position: place.position + 1,
      problem: `the log ends here, but position ${target.position} was durable`,
    });
  }

  get environment(): Environment {
    return this.#environment;
  }
}
