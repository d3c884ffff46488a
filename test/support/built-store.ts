/** Small stores made by the log builder, whose bytes a test can damage in any way it likes. */

import { firstAnchor } from '#src/log/anchor.js';
import type { Disk } from '#src/log/disk.js';
import { checksumLine, sealLine, sealOf } from '#src/log/encode.js';
import type { Environment } from '#src/log/environment.js';
import { ask, type Io, runSync } from '#src/log/io.js';
import { LogBuilder } from '#src/log/log-builder.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { listSegments, type Paths, pathsOf } from '#src/log/paths.js';
import { firstSeal, type Place } from '#src/log/place.js';
import type { StoreFacts } from '#src/log/store-file.js';
import { type VerifyOptions, type VerifyReport, verifyLog } from '#src/log/verify.js';
import { removeTree, writeWhole } from '#src/log/whole-file.js';
import { ManualClock } from './clock.js';
import { SeededRandom } from './random.js';

export function environmentFor(disk: Disk, seed = 1): Environment {
  const random = new SeededRandom(seed);
  const clock = new ManualClock();
  return {
    disk,
    clock: clock.now,
    monotonic: clock.now,
    randomBytes: (count) => random.bytes(count),
    writer: { pid: 1, host: 'test', startedAt: 0 },
  };
}

/** What a commit says, without its position and versions. */
export interface CommitContent {
  readonly time: string;
  readonly context: Readonly<Record<string, string>>;
  readonly events: readonly {
    readonly stream: string;
    readonly type: string;
    readonly schemaVersion: number;
    readonly data: unknown;
    readonly metadata: unknown;
  }[];
}

const STREAMS = ['users/anna', 'users/bo', 'notes/ä "quoted"', 'x'];

/** A commit of its own kind for every number: one to three events, with and without everything that may be left out. */
export function contentOf(number: number): CommitContent {
  const context: Record<string, string> = {};
  if (number % 2 === 0) context['a'] = 'agent';
  if (number % 3 === 0) context['r'] = 'because\nof "it"';
  if (number % 4 === 0) context['o'] = `c-${number}`;
  if (number % 5 === 0) context['u'] = `u-${number}`;
  if (number % 2 === 1) context['k'] = `key-${number}`;
  const events = Array.from({ length: 1 + (number % 3) }, (_, index) => ({
    stream: STREAMS[(number + index) % STREAMS.length] as string,
    type: index === 0 ? 'added' : 'named',
    schemaVersion: 1 + (number % 2),
    data: { number, index, text: 'ü{"p":1,"g":"', list: [1, [2], { deep: null }] } as unknown,
    metadata: number % 3 === 1 && index === 0 ? { source: 'test' } : null,
  }));
  return { time: new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString(), context, events };
}

/** Adds a commit of that content. */
export function addTo(builder: LogBuilder, { time, context, events }: CommitContent): Io<number> {
  return builder.add(
    {
      t: time,
      ...context,
      e: events.map(({ stream, type, schemaVersion }) => [stream, 0, type, schemaVersion]),
    },
    { data: events.map((event) => event.data), metadata: events.map((event) => event.metadata) },
  );
}

export interface BuildPlan {
  /** Commits in each group. */
  readonly groups: readonly number[];
  readonly segmentBytes?: number;
  readonly directory?: string;
  readonly disk?: Disk;
  readonly seed?: number;
}

export interface Line {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export class BuiltStore {
  readonly disk: Disk;
  readonly environment: Environment;
  readonly paths: Paths;
  readonly store: StoreFacts;
  /** The end of the log as it was built. */
  place: Place;

  constructor(plan: BuildPlan) {
    this.disk = plan.disk ?? new MemoryDisk();
    this.environment = environmentFor(this.disk, plan.seed);
    this.paths = pathsOf(plan.directory ?? '/store');
    const { directory } = this.paths;
    const { segmentBytes = 1024 * 1024 } = plan;
    const builder = this.run(LogBuilder.begin(this.environment, directory, { segmentBytes }));
    let number = 0;
    for (const commits of plan.groups) {
      for (let count = 0; count < commits; count += 1) {
        number += 1;
        this.run(addTo(builder, contentOf(number)));
      }
      this.run(builder.seal());
    }
    this.run(builder.publish());
    this.store = builder.store;
    const { position, seal } = builder.head;
    const segment = this.segments.at(-1) as number;
    const offset = this.bytes(this.paths.segment(segment)).length;
    this.place = { segment, offset, position, seal };
  }

  run<T>(work: Io<T>): T {
    return runSync(this.disk, work);
  }

  get segments(): number[] {
    return this.run(listSegments(this.paths));
  }

  bytes(path: string): Buffer {
    return readBytes(this.disk, path);
  }

  put(path: string, bytes: Buffer | string): void {
    this.run(writeWhole(path, Buffer.from(bytes)));
  }

  remove(path: string): void {
    this.run(removeTree(path));
  }

  lines(segment: number): Line[] {
    return linesOf(this.bytes(this.paths.segment(segment)));
  }

  /** Replaces the lines of a segment. */
  putLines(segment: number, lines: readonly string[]): void {
    this.put(this.paths.segment(segment), lines.join(''));
  }

  /** Changes the lines of the only segment and makes all checksums and seals fit again, and the anchor. */
  forge(edit: (text: string, index: number) => string): void {
    this.forgeBytes((line, index) => {
      const text = line.toString('utf8');
      const edited = edit(text, index);
      return edited === text ? line : Buffer.from(edited);
    });
  }

  /** {@link forge}, with bytes that need not be text. */
  forgeBytes(edit: (line: Buffer, index: number) => Buffer): void {
    let seal = firstSeal(this.store.id);
    let group: Buffer[] = [];
    const out: Buffer[] = [];
    const whole = this.bytes(this.paths.segment(1));
    for (const [index, line] of this.lines(1).entries()) {
      let bytes = edit(whole.subarray(line.start, line.end), index);
      if (line.text.startsWith('{"p":')) {
        checksumLine(bytes, 0, bytes.length);
        group.push(bytes);
      } else if (line.text.startsWith('{"seal":')) {
        const facts = JSON.parse(line.text) as { p: number; n: number; salt: string };
        const lines = Buffer.concat(group);
        seal = sealOf(seal, lines, facts.salt);
        const firstPosition = facts.p - facts.n + 1;
        const sealed = { firstPosition, lastPosition: facts.p, salt: facts.salt };
        bytes = sealLine(seal, sealed, lines.length);
        group = [];
      }
      out.push(bytes);
    }
    const bytes = Buffer.concat(out);
    this.put(this.paths.segment(1), bytes);
    this.place = { ...this.place, offset: bytes.length, seal };
    this.put(this.paths.anchor, firstAnchor(this.place));
  }

  verify(options: VerifyOptions = {}): VerifyReport {
    return this.run(verifyLog(this.paths, this.store, this.place, options));
  }
}

export function linesOf(bytes: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found + 1;
    lines.push({ start, end, text: bytes.toString('utf8', start, end) });
    start = end;
  }
  return lines;
}

export function readBytes(disk: Disk, path: string): Buffer {
  return runSync(
    disk,
    (function* (): Io<Buffer> {
      const file = yield* ask('open', path, 'read');
      try {
        const bytes = Buffer.alloc(yield* ask('size', file));
        let filled = 0;
        while (filled < bytes.length) {
          const left = bytes.length - filled;
          filled += yield* ask('read', file, bytes, filled, left, filled);
        }
        return bytes;
      } finally {
        yield* ask('close', file);
      }
    })(),
  );
}

/** All commits of a store, read without the log's own code, with the positions and versions they have. */
export function commitsOf(
  disk: Disk,
  paths: Paths,
): { position: number; versions: number[]; content: CommitContent }[] {
  const segments = runSync(disk, listSegments(paths));
  return segments
    .flatMap((first) => linesOf(readBytes(disk, paths.segment(first))))
    .filter(({ text }) => text.startsWith('{"p":'))
    .map(({ text }) => {
      const {
        p,
        t,
        g: _,
        c: __,
        e,
        d,
        m,
        ...context
      } = JSON.parse(text) as {
        p: number;
        g: string;
        c: string;
        t: string;
        e: [string, number, string, number?][];
        d: unknown[];
        m?: unknown[];
      };
      const events = e.map(([stream, , type, schemaVersion = 1], index) => {
        return { stream, type, schemaVersion, data: d[index], metadata: m?.[index] ?? null };
      });
      const versions = e.map(([, version]) => version);
      return { position: p, versions, content: { time: t, context, events } };
    });
}
