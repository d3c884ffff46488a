/**
 * Writes the log of a new store from commits that were made before: salvage, restore and import stand on it.
 *
 * Invariants:
 * - positions and versions are given out here, contiguous from 1, whatever the commits had before;
 * - times never go back: a commit that claims an earlier time than the one before it gets that one's, and keeps its own as raw time;
 * - everything is written in a new directory beside the target and synced, and read back and verified before one rename
 *   publishes it. Until then nothing stands at the target; when the disk fails, nothing is left beside it either, as far as
 *   the disk allows, and the builder is of no more use.
 */
import { LimitExceededError, StoreAccessError, systemCode } from '../errors.js';
import { Beside } from './beside.js';
import { finishStore, newStoreId } from './create.js';
import type { CommitHead } from './decode.js';
import {
  closingLine,
  commitLine,
  commitStamp,
  groupTag,
  headerLine,
  SEAL_LINE_ROOM,
  sealGroup,
  writeText,
} from './encode.js';
import type { Environment } from './environment.js';
import { lineBytesMax, SALT_DIGITS } from './format.js';
import { isoTime } from './group.js';
import { ask, type Io } from './io.js';
import { idempotencyWindowDefault, segmentBytesDefault } from './limits.js';
import { listSegments, type Paths, pathsOf } from './paths.js';
import { firstSeal, type Place } from './place.js';
import { rereadLog } from './reread.js';
import type { Durability, StoreFacts } from './store-file.js';
import type { Head } from './types.js';
import { type VerifyProgress, type VerifyReport, verifyLog } from './verify.js';
import { writeAll } from './whole-file.js';

export interface BuildOptions {
  readonly durability?: Durability | undefined;
  readonly idempotencyWindow?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** A group is sealed once its lines are that long. */
  readonly groupBytes?: number | undefined;
}

export interface PublishOptions {
  /** Called now and then while the new log is verified. What it throws ends the building. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  /** Done right before the store gets its name. */
  readonly before?: (() => Io<void>) | undefined;
}

/** A commit as it was: its envelope without position and group. Versions are given out anew. */
export type BuildHead = Omit<CommitHead, 'p' | 'g'> & { readonly p?: number };

/** What the events carry: the text `,"d":[…]` with, if there is any, `,"m":[…]`, or values that are plain JSON. */
export type BuildPayload =
  | string
  | { readonly data: readonly unknown[]; readonly metadata?: readonly unknown[] | undefined };

/** How far a log was built and synced: what it takes to go on from there. */
export interface BuilderPoint {
  readonly store: StoreFacts;
  readonly place: Place;
  readonly events: number;
}

const GROUP_BYTES = 1024 * 1024;
const FIRST_BUFFER_BYTES = 64 * 1024;
const EMPTY_SALT = '0'.repeat(SALT_DIGITS);

export class LogBuilder {
  readonly store: StoreFacts;
  readonly #environment: Environment;
  readonly #beside: Beside;
  readonly #paths: Paths;
  readonly #segmentBytes: number;
  readonly #groupBytes: number;
  #versions = new Map<string, number>();
  #file: number | undefined;
  #place: Place;
  #time = '';
  #events = 0;
  #renumbered = false;
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  /** Bytes of the commit lines of the group that is being put together, and how many these are. */
  #filled = 0;
  #count = 0;
  #salt = EMPTY_SALT;
  #stamp = '';
  #stampTime = '';

  private constructor(
    environment: Environment,
    beside: Beside,
    options: BuildOptions,
    store?: StoreFacts,
  ) {
    this.#environment = environment;
    this.#beside = beside;
    this.#paths = pathsOf(beside.directory);
    this.#segmentBytes = options.segmentBytes ?? segmentBytesDefault;
    this.#groupBytes = options.groupBytes ?? GROUP_BYTES;
    this.store = store ?? {
      id: newStoreId(environment),
      created: isoTime(environment.clock()),
      durability: options.durability ?? 'sync',
      idempotencyWindow: options.idempotencyWindow ?? idempotencyWindowDefault,
    };
    this.#place = { segment: 1, offset: 0, position: 0, seal: firstSeal(this.store.id) };
  }

  /**
   * Begins a store that will stand at `target`, an absolute path.
   * @throws TypeError with code TARGET_EXISTS
   */
  static *begin(
    environment: Environment,
    target: string,
    options: BuildOptions = {},
  ): Io<LogBuilder> {
    return yield* LogBuilder.within(environment, yield* Beside.begin(environment, target), options);
  }

  /** Begins a store in a directory in which nothing but the lock file stands. */
  static *within(
    environment: Environment,
    beside: Beside,
    options: BuildOptions = {},
  ): Io<LogBuilder> {
    const builder = new LogBuilder(environment, beside, options);
    yield* builder.#orNothing(builder.#makeFiles());
    return builder;
  }

  /**
   * Goes on where `synced` was called. Reads the log again up to there, takes what is behind it away, and gives nothing when it is not what it was.
   */
  static *resume(
    environment: Environment,
    beside: Beside,
    point: BuilderPoint,
    options: BuildOptions = {},
  ): Io<LogBuilder | undefined> {
    const builder = new LogBuilder(environment, beside, options, point.store);
    const again = yield* rereadLog(builder.#paths, point.store.id, point.place);
    if (!again || again.events !== point.events) return undefined;
    builder.#place = point.place;
    builder.#events = again.events;
    builder.#time = again.time;
    builder.#versions = again.versions;
    yield* builder.#orNothing(builder.#cutBehind());
    return builder;
  }

  *#cutBehind(): Io<void> {
    const { segment, offset } = this.#place;
    for (const first of yield* listSegments(this.#paths)) {
      if (first > segment) yield* ask('remove', this.#paths.segment(first));
    }
    this.#file = yield* ask('open', this.#paths.segment(segment), 'write');
    yield* ask('truncate', this.#file, offset);
    yield* ask('sync', this.#file);
    yield* ask('syncDirectory', this.#paths.log);
  }

  /** Ends the group and makes all that was added durable where it is built. */
  *synced(): Io<BuilderPoint> {
    yield* this.seal();
    if (this.#file !== undefined) yield* ask('sync', this.#file);
    yield* ask('syncDirectory', this.#paths.log);
    yield* ask('syncDirectory', this.#paths.directory);
    return { store: this.store, place: this.#place, events: this.#events };
  }

  /** The last position added. */
  get position(): number {
    return this.#place.position + this.#count;
  }

  get events(): number {
    return this.#events;
  }

  /** Of the stream's last event so far, 0 when it has none. */
  version(stream: string): number {
    return this.#versions.get(stream) ?? 0;
  }

  /** True once a commit got another position or version than it had. */
  get renumbered(): boolean {
    return this.#renumbered;
  }

  /** Behind the last sealed group. */
  get head(): Head {
    const { position, seal } = this.#place;
    return Object.freeze({ position, time: this.#time === '' ? undefined : this.#time, seal });
  }

  /** Adds a commit behind those before; gives its position. @throws LimitExceededError when its line would be too long */
  *add(head: BuildHead, payload: BuildPayload): Io<number> {
    const position = this.position + 1;
    const time = head.t < this.#time ? this.#time : head.t;
    const rawTime = head.w ?? (time === head.t ? undefined : head.t);
    if (this.#count === 0) {
      this.#salt = this.#environment.randomBytes(SALT_DIGITS / 2).toString('hex');
      this.#stampTime = '';
    }
    if (this.#stampTime !== time || rawTime !== undefined) {
      const tag = groupTag(this.#place.position + 1, this.#salt);
      this.#stamp = commitStamp(tag, time, rawTime);
      this.#stampTime = rawTime === undefined ? time : '';
    }
    const { line, streams, lastVersions } = this.#line(position, head, payload);
    this.#reserve(line);
    this.#filled += writeText(this.#buffer, line, this.#filled);
    this.#count += 1;
    this.#time = time;
    this.#events += head.e.length;
    for (let part = 0; part < streams.length; part += 1) {
      this.#versions.set(streams[part] as string, lastVersions[part] as number);
    }
    if (head.p !== undefined && head.p !== position) this.#renumbered = true;
    if (this.#filled >= this.#groupBytes) yield* this.seal();
    return position;
  }

  /** The commit's line, its checksum still to be filled in, and where it brings the versions of its streams. */
  #line(
    position: number,
    head: BuildHead,
    payload: BuildPayload,
  ): { line: string; streams: string[]; lastVersions: number[] } {
    const streams: string[] = [];
    const firstVersions: number[] = [];
    const lastVersions: number[] = [];
    const parts: number[] = [];
    const types: string[] = [];
    for (const [stream, version, type, schemaVersion] of head.e) {
      let part = streams.indexOf(stream);
      if (part < 0) {
        part = streams.length;
        const before = this.#versions.get(stream) ?? 0;
        streams.push(stream);
        firstVersions.push(before + 1);
        lastVersions.push(before);
      }
      const given = (lastVersions[part] as number) + 1;
      lastVersions[part] = given;
      if (version !== given) this.#renumbered = true;
      const schema = schemaVersion === undefined || schemaVersion === 1 ? '' : `,${schemaVersion}`;
      parts.push(part);
      types.push(`,${JSON.stringify(type)}${schema}]`);
    }
    const text = { context: contextText(head), parts, types };
    const names = streams.map((stream) => JSON.stringify(stream));
    const line = commitLine(
      position,
      this.#stamp,
      text,
      payloadText(payload),
      names,
      firstVersions,
    );
    return { line, streams, lastVersions };
  }

  #reserve(line: string): void {
    let bytes = line.length * 3;
    if (this.#filled + bytes + SEAL_LINE_ROOM <= this.#buffer.length) return;
    bytes = Buffer.byteLength(line);
    if (bytes > lineBytesMax) {
      throw new LimitExceededError('lineBytesMax', lineBytesMax, bytes, 'the commit line');
    }
    const need = this.#filled + bytes + SEAL_LINE_ROOM;
    if (need <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * need);
    this.#buffer.copy(larger, 0, 0, this.#filled);
    this.#buffer = larger;
  }

  /** Ends the group here; the next commit begins a new one. */
  *seal(): Io<void> {
    if (this.#count > 0) yield* this.#orNothing(this.#sealGroup());
  }

  *#sealGroup(): Io<void> {
    if (this.#place.offset >= this.#segmentBytes) yield* this.#nextSegment();
    const group = {
      firstPosition: this.#place.position + 1,
      lastPosition: this.position,
      salt: this.#salt,
    };
    const { seal, length } = sealGroup(this.#buffer, this.#filled, this.#place.seal, group);
    yield* this.#write(this.#buffer.subarray(0, length));
    this.#place = { ...this.#place, position: group.lastPosition, seal };
    this.#filled = 0;
    this.#count = 0;
  }

  *#makeFiles(): Io<void> {
    for (const path of [this.#paths.log, this.#paths.index]) yield* ask('makeDirectory', path);
    yield* this.#openSegment();
  }

  *#nextSegment(): Io<void> {
    yield* this.#write(closingLine(this.#place.position, this.#place.seal));
    yield* this.#closeSegment();
    this.#place = { ...this.#place, segment: this.#place.position + 1, offset: 0 };
    yield* this.#openSegment();
  }

  *#openSegment(): Io<void> {
    const { segment, seal } = this.#place;
    this.#file = yield* ask('open', this.#paths.segment(segment), 'create');
    yield* this.#write(headerLine(segment, this.store.id, seal));
  }

  *#write(bytes: Buffer): Io<void> {
    if (this.#file === undefined) throw new Error('the builder has ended');
    yield* writeAll(this.#file, bytes, this.#place.offset);
    this.#place = { ...this.#place, offset: this.#place.offset + bytes.length };
  }

  *#closeSegment(): Io<void> {
    if (this.#file === undefined) return;
    yield* ask('sync', this.#file);
    const file = this.#file;
    this.#file = undefined;
    yield* ask('close', file);
  }

  /**
   * Ends the log, verifies what the disk now holds and puts the store at its target.
   * @throws TypeError with code TARGET_EXISTS
   */
  *publish(options: PublishOptions = {}): Io<VerifyReport> {
    yield* this.seal();
    return yield* this.#orNothing(this.#publish(options));
  }

  *#publish({ onProgress, before }: PublishOptions): Io<VerifyReport> {
    yield* this.#closeSegment();
    yield* ask('syncDirectory', this.#paths.log);
    yield* finishStore(this.#paths, this.store, this.#place);
    const report = yield* this.#verify(onProgress);
    if (before) yield* before();
    yield* this.#beside.publish();
    return report;
  }

  *#verify(onProgress: PublishOptions['onProgress']): Io<VerifyReport> {
    const options = { deep: true, onProgress };
    const report = yield* verifyLog(this.#paths, this.store, this.#place, options);
    if (report.ok && report.events === this.#events) return report;
    const { damage } = report;
    const what = damage
      ? `${damage.file} at byte ${damage.offset}: ${damage.problem}`
      : `${report.events} of ${this.#events} events`;
    const cause = new Error(`the new store does not read back as it was written (${what})`);
    const hint = 'Check the disk; nothing was left there.';
    throw new StoreAccessError(this.#beside.target, cause, hint);
  }

  /** Does a piece of work that leaves nothing of the builder when it fails. */
  *#orNothing<T>(work: Io<T>): Io<T> {
    try {
      return yield* work;
    } catch (error) {
      yield* this.discard();
      throw error;
    }
  }

  /** Gives up: closes and removes what was written. */
  *discard(): Io<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      if (file !== undefined) yield* ask('close', file);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
    yield* this.#beside.discard();
  }
}

const CONTEXT_KEYS = ['a', 'r', 'o', 'u', 'k'] as const;

function contextText(head: BuildHead): string {
  let text = '';
  for (const key of CONTEXT_KEYS) {
    if (head[key] !== undefined) text += `,"${key}":${JSON.stringify(head[key])}`;
  }
  return text;
}

function payloadText(payload: BuildPayload): string {
  if (typeof payload === 'string') return payload;
  const { data, metadata } = payload;
  const hasMetadata = metadata?.some((value) => value !== null && value !== undefined);
  const body = JSON.stringify(hasMetadata ? { d: data, m: metadata } : { d: data });
  return `,${body.slice(1, -1)}`;
}
