/**
 * Writes segments as docs/FORMAT.md has them, group by group, without a writer, and keeps a plain list of what it wrote: the model
 * that reading is compared with.
 */
import type { Disk } from '#src/log/disk.js';
import {
  closingLine,
  commitStamp,
  finishedLine,
  groupTag,
  headerLine,
  SEAL_LINE_ROOM,
  sealGroup,
} from '#src/log/encode.js';
import { writeFully } from '#src/log/io.js';
import { type Paths, pathsOf } from '#src/log/paths.js';
import { firstSeal, type Place } from '#src/log/place.js';
import { TailIndex } from '#src/log/segment-index.js';
import type { RecordedEvent } from '#src/log/types.js';
import type { SeededRandom } from './random.js';

export const STORE_ID = '6b1f6b52-6f0e-4c1e-9d3a-0b8a52a1c001';

export interface WrittenEvent {
  readonly stream: string;
  readonly type?: string;
  readonly data?: unknown;
}

export interface WrittenCommit {
  readonly events: readonly WrittenEvent[];
  readonly idempotencyKey?: string | undefined;
}

/** A commit as it was written, and where. */
export interface CommitRecord {
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
  readonly key: string | undefined;
  readonly events: readonly RecordedEvent[];
}

export class SegmentWriter {
  readonly disk: Disk;
  readonly paths: Paths;
  readonly records: CommitRecord[] = [];
  readonly versions = new Map<string, number>();
  /** Indexes of the closed segments as they were when they were closed, and their seals. */
  readonly closed: { readonly tail: TailIndex; readonly seal: string }[] = [];
  tail = new TailIndex(1);
  place: Place = { segment: 1, offset: 0, position: 0, seal: firstSeal(STORE_ID) };
  #file: number;

  constructor(disk: Disk, directory = '/store') {
    this.disk = disk;
    this.paths = pathsOf(directory);
    for (const path of [this.paths.directory, this.paths.log, this.paths.index]) {
      disk.makeDirectory(path);
    }
    this.#file = this.#begin();
  }

  /** All events written, in log order. */
  get events(): RecordedEvent[] {
    return this.records.flatMap(({ events }) => [...events]);
  }

  /** Writes the commits as one group. */
  group(commits: readonly WrittenCommit[]): void {
    const firstPosition = this.place.position + 1;
    const lastPosition = this.place.position + commits.length;
    const salt = firstPosition.toString(16).padStart(32, '0').split('').reverse().join('');
    const time = new Date(Date.UTC(2024, 0, 1) + firstPosition * 1000).toISOString();
    const stamp = commitStamp(groupTag(firstPosition, salt), time, undefined);
    const lines: Buffer[] = [];
    let offset = this.place.offset;
    commits.forEach((commit, index) => {
      const position = firstPosition + index;
      const line = this.#commit(commit, position, stamp, time, offset);
      lines.push(line);
      offset += line.length;
    });
    const bytes = offset - this.place.offset;
    const buffer = Buffer.concat([...lines, Buffer.alloc(SEAL_LINE_ROOM)]);
    const facts = { firstPosition, lastPosition, salt };
    const { seal, length } = sealGroup(buffer, bytes, this.place.seal, facts);
    writeFully(this.disk, this.#file, buffer.subarray(0, length), this.place.offset);
    const { segment } = this.place;
    this.place = { segment, offset: this.place.offset + length, position: lastPosition, seal };
  }

  /** Ends the segment and begins the next one. */
  close(): void {
    const { position, seal } = this.place;
    writeFully(this.disk, this.#file, closingLine(position, seal), this.place.offset);
    this.disk.close(this.#file);
    this.closed.push({ tail: this.tail, seal });
    this.tail = new TailIndex(position + 1);
    this.place = { segment: position + 1, offset: 0, position, seal };
    this.#file = this.#begin();
  }

  #begin(): number {
    const { segment, seal } = this.place;
    const file = this.disk.open(this.paths.segment(segment), 'create');
    const header = headerLine(segment, STORE_ID, seal);
    writeFully(this.disk, file, header, 0);
    this.place = { ...this.place, offset: header.length };
    return file;
  }

  #commit(
    commit: WrittenCommit,
    position: number,
    stamp: string,
    time: string,
    offset: number,
  ): Buffer {
    const { idempotencyKey: key } = commit;
    const events = commit.events.map((event, index): RecordedEvent => {
      const version = (this.versions.get(event.stream) ?? 0) + 1;
      this.versions.set(event.stream, version);
      return {
        id: `${position}.${index}`,
        position,
        index,
        last: index === commit.events.length - 1,
        time,
        stream: event.stream,
        version,
        type: event.type ?? 'happened',
        schemaVersion: 1,
        data: event.data ?? null,
        ...(key === undefined ? {} : { idempotencyKey: key }),
      };
    });
    const context = key === undefined ? '' : `,"k":${JSON.stringify(key)}`;
    const parts = events.map((event) => [event.stream, event.version, event.type] as const);
    const data = JSON.stringify(events.map((event) => event.data));
    const line = finishedLine(
      `{"p":${position}${stamp}${context},"e":${JSON.stringify(parts)},"d":${data}`,
    );
    const segment = this.place.segment;
    this.records.push({ position, segment, offset, bytes: line.length, key, events });
    const keyed = key === undefined ? {} : { k: key };
    this.tail.addHead({ p: position, g: '', t: time, e: parts, ...keyed }, offset);
    return line;
  }
}

const TYPES = ['user.named', 'user.left', 'counter.added', 'happened'];

/** A commit of one or several events, of few busy streams or many quiet ones, often with a key that was mostly not used before. */
export function randomCommit(random: SeededRandom, position: number): WrittenCommit {
  const events = Array.from({ length: random.chance(0.8) ? 1 : 1 + random.below(5) }, () => ({
    stream: randomStream(random),
    type: random.pick(TYPES),
    data: { text: 'é'.repeat(random.below(40)), number: random.below(1000), list: [null, {}] },
  }));
  const idempotencyKey = random.chance(0.3)
    ? `key-${random.chance(0.8) ? position : random.below(position + 1)}`
    : undefined;
  return { events, idempotencyKey };
}

export function randomStream(random: SeededRandom): string {
  if (random.chance(0.5)) return `users/${random.below(5)}`;
  // Beyond the basic plane, where UTF-16 code units and code points sort differently.
  return random.pick([`notes/${random.below(300)}`, `\u{1f600}/${random.below(9)}`, `\uffee/0`]);
}

/** Fills segments with groups of random commits; the last segment stays open. */
export function writeRandomLog(
  writer: SegmentWriter,
  random: SeededRandom,
  segments: number,
  groupsInEach: number,
): void {
  for (let segment = 1; segment <= segments; segment += 1) {
    for (let group = 0; group < groupsInEach; group += 1) {
      const first = writer.place.position + 1;
      const count = 1 + random.below(12);
      writer.group(
        Array.from({ length: count }, (_, index) => randomCommit(random, first + index)),
      );
    }
    if (segment < segments) writer.close();
  }
}
