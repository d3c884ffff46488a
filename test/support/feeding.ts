/** Logs of small segments and what a feed hands out of them, for the tests of reading what is derived from a log. */
import { expect, onTestFinished } from 'vitest';
import type { LogOptions, RecordedEvent } from '#src/index.js';
import type { Disk } from '#src/log/disk.js';
import { realEnvironment } from '#src/log/environment.js';
import type { FeedCommit, LogFeed } from '#src/log/feed.js';
import { writeFully } from '#src/log/io.js';
import type { Log } from '#src/log/log.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { pathsOf } from '#src/log/paths.js';
import { SeededRandom } from './random.js';

export const SEGMENT_BYTES = 4096;
export const DIRECTORY = '/log';

/** What was handed out. */
export interface Seen {
  readonly position: number;
  readonly time: string;
  readonly segment: number;
  readonly offset: number;
  readonly parts: readonly (readonly [string, number, string, number])[];
  readonly events: readonly RecordedEvent[];
}

export function seen(commit: FeedCommit): Seen {
  const { position, time, segment, offset, count } = commit;
  const parts = Array.from(
    { length: count },
    (_, index) =>
      [
        commit.stream(index),
        commit.version(index),
        commit.type(index),
        commit.schemaVersion(index),
      ] as const,
  );
  return { position, time, segment, offset, parts, events: commit.events() };
}

export function commitsOf(log: Log): RecordedEvent[][] {
  const commits: RecordedEvent[][] = [];
  for (const event of log.readAllSync()) {
    if (event.index === 0) commits.push([]);
    commits.at(-1)?.push(event);
  }
  return commits;
}

export function closing(log: Log): Log {
  onTestFinished(() => log.closeSync());
  return log;
}

export function onMemory(disk: Disk, options: LogOptions = {}): Log {
  const environment = realEnvironment(disk);
  return closing(
    openLogOnSync(environment, DIRECTORY, { segmentBytes: SEGMENT_BYTES, ...options }),
  );
}

/** Commits of one event or several, with and without what may be left out. */
export function fill(log: Log, commits: number, random = new SeededRandom(commits)): void {
  for (let number = 0; number < commits; number += 1) {
    const parts = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      stream: `${random.pick(['users', 'notes/ä', 'say "hi"'])}/${index}/${random.below(9)}`,
      events: Array.from({ length: 1 + random.below(2) }, () => ({
        type: random.pick(['added', 'removed', 'umbenannt/ß']),
        data: { text: 'ü'.repeat(random.below(40)), list: [1, { deep: null }, '],"m":['] },
        ...(random.chance(0.3) ? { metadata: { by: ['test'] } } : {}),
        ...(random.chance(0.3) ? { schemaVersion: 2 + random.below(3) } : {}),
      })),
    }));
    const context = random.chance(0.5)
      ? { actor: 'agent', reason: 'so "it"\nis', correlationId: 'c', causationId: 'u' }
      : {};
    const key = random.chance(0.3) ? { idempotencyKey: `key-${random.below(1e9)}` } : {};
    log.commitSync(parts, { ...context, ...key });
  }
}

/** Everything from where the feed stands to the head. */
export function drain(log: Log, feed: LogFeed): Seen[] {
  const all: Seen[] = [];
  log.internals.runSync(feed.advance((commit) => all.push(seen(commit))));
  return all;
}

export function expectCommits(all: readonly Seen[], log: Log, after = 0): void {
  const expected = commitsOf(log).slice(after);
  expect(all.map(({ events }) => events)).toEqual(expected);
  for (const { position, time, parts, events } of all) {
    expect(events.map((event) => event.position)).toEqual(events.map(() => position));
    expect(time).toBe(events[0]?.time);
    expect(parts).toEqual(events.map((e) => [e.stream, e.version, e.type, e.schemaVersion]));
  }
}

export function damage(disk: Disk, segment: number, at: number): void {
  const file = disk.open(pathsOf(DIRECTORY).segment(segment), 'write');
  const byte = Buffer.alloc(1);
  disk.read(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeFully(disk, file, byte, at);
  disk.close(file);
}
