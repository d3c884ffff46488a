/** A small store in memory that is damaged and made whole again as often as a test likes. */
import { expect } from 'vitest';
import { StoreDamagedError } from '#src/errors.js';
import { type Anchor, encodeSlot } from '#src/log/anchor.js';
import type { Log } from '#src/log/log.js';
import { type StoreReport, verifyStoreOnSync } from '#src/log/maintenance.js';
import { bootDigits, encodeMark } from '#src/log/mark.js';
import { openLogOnSync } from '#src/log/open-log.js';
import type { Place } from '#src/log/place.js';
import type { RecordedEvent, Recovery } from '#src/log/types.js';
import { type BuildPlan, BuiltStore, linesOf } from './built-store.js';

/** Power loss takes or keeps this many bytes at once. */
export const SECTOR = 512;
export const everyBit: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];

/** A commit line or seal in the specimen as it was made. */
export interface SpecimenLine {
  readonly segment: number;
  readonly start: number;
  readonly end: number;
  /** Position of the last commit of the group it belongs to; of the one before for headers. */
  readonly group: number;
  /** Where that group begins. */
  readonly groupStart: number;
}

export interface SpecimenPlan extends BuildPlan {
  /** True: the mark of the last writer stands, as on a machine that was not restarted. Default false. */
  readonly marked?: boolean;
  /** How many groups the anchor, and the mark if there is one, have seen. Default: all. */
  readonly provenGroups?: number;
}

export class Specimen {
  readonly built: BuiltStore;
  readonly events: readonly RecordedEvent[];
  readonly lines: readonly SpecimenLine[];
  /** Behind each group, the first being before any. */
  readonly groupEnds: readonly Place[];
  /** The place up to which the log is proven. */
  readonly proven: Place;
  readonly marked: boolean;
  readonly #files = new Map<string, Buffer>();

  constructor(plan: SpecimenPlan) {
    this.built = new BuiltStore(plan);
    this.marked = plan.marked ?? false;
    const { paths } = this.built;
    this.lines = this.built.segments.flatMap((segment) => this.#linesOf(segment));
    this.groupEnds = this.#groupEnds();
    this.proven = this.groupEnds[plan.provenGroups ?? plan.groups.length] as Place;
    this.built.remove(paths.index);
    this.built.disk.makeDirectory(paths.index);
    const log = this.open();
    this.events = log.readAllSync().toArray();
    log.closeSync();
    this.#forgetWhatIsNotProven();
    for (const path of this.#paths()) this.#files.set(path, this.built.bytes(path));
  }

  open(options: { readOnly?: boolean } = {}): Log {
    const { environment, paths } = this.built;
    return openLogOnSync(environment, paths.directory, { create: false, ...options });
  }

  /** All that verifying the store tells, as the command line would. */
  verify(): StoreReport {
    return verifyStoreOnSync(this.built.environment, {
      paths: this.built.paths,
      create: undefined,
      readOnly: true,
      lockTimeoutMs: 0,
      segmentBytes: 2 ** 20,
      label: '',
      allowSharedDirectory: false,
      allowFileSystem: false,
    });
  }

  /** Puts every file back as it was made, and takes away those that came later. */
  restore(): void {
    for (const path of this.#paths()) if (!this.#files.has(path)) this.built.remove(path);
    for (const [path, bytes] of this.#files) this.built.put(path, bytes);
  }

  /** What stands on the disk now; without the mark and the anchor, which say what is known and not what was. */
  content(): Map<string, Buffer> {
    const { lock, anchor, index } = this.built.paths;
    const paths = this.#paths().filter(
      (path) => path !== lock && path !== anchor && !path.startsWith(index),
    );
    return new Map(paths.map((path) => [path, this.built.bytes(path)]));
  }

  /** Paths of the files that are not what they were when `content` was asked. */
  changes(before: ReadonlyMap<string, Buffer>): string[] {
    const now = this.content();
    const paths = new Set([...before.keys(), ...now.keys()]);
    return [...paths].filter((path) => {
      const [old, young] = [before.get(path), now.get(path)];
      return !old || !young || !old.equals(young);
    });
  }

  /** The bytes of a segment as it was made. */
  original(segment: number): Buffer {
    return Buffer.from(this.#files.get(this.built.paths.segment(segment)) as Buffer);
  }

  get lastSegment(): number {
    return this.built.place.segment;
  }

  /** Where the header of a segment ends. */
  headerEnd(segment: number): number {
    return this.lineAt(segment, 0).end;
  }

  /** Events of the commits up to that position. */
  eventsUpTo(position: number): readonly RecordedEvent[] {
    return this.events.filter((event) => event.position <= position);
  }

  /** Position of the last group that stands before a byte. */
  wholeBefore(segment: number, offset: number): number {
    const before = this.groupEnds.findLast(
      (place) => place.segment < segment || (place.segment === segment && place.offset <= offset),
    );
    return before?.position ?? 0;
  }

  /** The line that holds the byte. */
  lineAt(segment: number, offset: number): SpecimenLine {
    const line = this.lines.find(
      (line) => line.segment === segment && offset >= line.start && offset < line.end,
    );
    if (!line) throw new RangeError(`no line holds byte ${offset} of segment ${segment}`);
    return line;
  }

  #paths(): string[] {
    const { disk, paths } = this.built;
    return [paths.directory, paths.log, paths.index]
      .flatMap((directory) => disk.list(directory).map((name) => `${directory}/${name}`))
      .filter((path) => disk.facts(path)?.kind === 'file');
  }

  #linesOf(segment: number): SpecimenLine[] {
    let group = segment - 1;
    let groupStart = 0;
    const pending: { start: number; end: number }[] = [];
    const lines: SpecimenLine[] = [];
    for (const { start, end, text } of linesOf(
      this.built.bytes(this.built.paths.segment(segment)),
    )) {
      if (text.startsWith('{"p":')) {
        if (pending.length === 0) groupStart = start;
        pending.push({ start, end });
      } else if (text.startsWith('{"seal":')) {
        group = (JSON.parse(text) as { p: number }).p;
        for (const line of [...pending, { start, end }]) {
          lines.push({ segment, ...line, group, groupStart });
        }
        pending.length = 0;
      } else lines.push({ segment, start, end, group, groupStart: start });
    }
    return lines;
  }

  #groupEnds(): Place[] {
    const { paths, place, segments } = this.built;
    const ends: Place[] = [];
    for (const segment of segments) {
      for (const { start, end, text } of linesOf(this.built.bytes(paths.segment(segment)))) {
        if (!text.startsWith('{"seal":') && !(segment === 1 && start === 0)) continue;
        const { p = 0, seal } = JSON.parse(text) as { p?: number; seal: string };
        ends.push({ segment, offset: end, position: p, seal });
      }
    }
    expect(ends.at(-1)).toEqual(place);
    return ends;
  }

  /** Anchor and mark as they stood when only the proven groups were known. */
  #forgetWhatIsNotProven(): void {
    const { built, proven } = this;
    const { disk, environment, paths } = built;
    const anchor: Anchor = { ...proven, counter: 2 };
    const slots = [anchor, { ...anchor, counter: 1 }].map(encodeSlot);
    built.put(paths.anchor, Buffer.concat(slots));
    const boot = bootDigits(disk.bootId());
    const inode = disk.facts(paths.lock)?.inode ?? 0;
    const mark = encodeMark({ ...proven, boot, inode, writer: environment.writer });
    built.put(paths.lock, this.marked ? mark : '');
  }
}

/** The error of opening for writing; nothing when it opens, which it is then closed again. */
export function openingFails(specimen: Specimen): StoreDamagedError | undefined {
  let log: Log;
  try {
    log = specimen.open();
  } catch (error) {
    if (error instanceof StoreDamagedError) return error;
    throw error;
  }
  log.closeSync();
  return undefined;
}

/** What a reader gets before the damage stops it, and what it was told at opening. */
export function readWhatStands(specimen: Specimen): {
  events: RecordedEvent[];
  stopped: boolean;
  recovery: Recovery;
  verified: boolean;
} {
  const log = specimen.open({ readOnly: true });
  const events: RecordedEvent[] = [];
  let stopped = false;
  try {
    for (const event of log.readAllSync()) events.push(event);
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error;
    stopped = true;
  }
  const verified = log.verifySync().ok;
  const { recovery } = log;
  log.closeSync();
  return { events, stopped, recovery, verified };
}

/** The bytes with one bit changed. */
export function flip(bytes: Buffer, offset: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[offset] = (flipped[offset] as number) ^ (1 << bit);
  return flipped;
}
