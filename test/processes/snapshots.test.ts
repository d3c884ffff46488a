/** Processes that are killed while they make a snapshot, and three writers that go on meanwhile. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '#src/store.js';
import { Program, until } from '../support/programs.js';
import { SeededRandom } from '../support/random.js';
import { seed, timeoutMs, times } from '../support/runs.js';
import {
  byStream,
  byWriter,
  options,
  type SnapshottingTask,
} from '../support/snapshotting-process.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';

const WRITERS = ['one', 'two', 'three'];
const KILLS = times(5);

function start(directory: string, name: string, work: SnapshottingTask['work']): Program {
  const task: SnapshottingTask = { directory, name, work };
  return new Program('./snapshotting-process.mjs', { task });
}

/** What a writer was told: its numbers, each with the position it got. */
function acknowledged(output: string): (readonly [number: number, position: number])[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('acknowledged '))
    .map((line) => line.split(' ').slice(1).map(Number) as [number, number]);
}

interface Count {
  readonly n: number;
  readonly sum: number;
}

function added(counts: Map<string, Count>, key: string, number: number): void {
  const { n, sum } = counts.get(key) ?? { n: 0, sum: 0 };
  counts.set(key, { n: n + 1, sum: sum + number });
}

test('a process killed while it makes a snapshot leaves a store that three writers go on with', {
  timeout: timeoutMs,
}, async () => {
  const directory = join(temporaryDirectory(), 'store');
  const random = new SeededRandom(10 + seed);
  const writers = WRITERS.map((name) => start(directory, name, 'append'));
  for (const writer of writers) await writer.line('acknowledged 20 ');
  for (let kill = 0; kill < KILLS; kill += 1) {
    const maker = start(directory, 'maker', 'snapshot');
    // Whatever the one before left: it opens, and every other time makes one or two before it is killed.
    await maker.line(`began ${1 + (kill % 3)}`);
    await new Promise((resolve) => setTimeout(resolve, random.below(40)));
    maker.kill('SIGKILL');
    const { signal, errors } = await maker.ended;
    expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
  }
  for (const writer of writers) writer.tell('stop');
  await until(() => writers.every(({ running }) => !running));

  const store = await openStore(directory, options);
  const events = await store.readAll().toArray();
  const [streams, writersOf] = [new Map<string, Count>(), new Map<string, Count>()];
  for (const { stream, data } of events) {
    const { writer, number } = data as { writer: string; number: number };
    added(streams, stream, number);
    added(writersOf, writer, number);
  }
  for (const [index, writer] of writers.entries()) {
    const { code, errors, output } = await writer.ended;
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const told = acknowledged(output);
    expect(told.length).toBeGreaterThan(50);
    for (const [number, position] of told) {
      expect(events[position - 1]?.data).toEqual({ writer: WRITERS[index], number });
    }
    // Each exactly once: nobody else writes under that name.
    expect(writersOf.get(WRITERS[index] as string)?.n).toBe(told.length);
  }
  const sorted = (counts: Map<string, Count>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const expectStates = async (read: typeof store) => {
    expect(await read.entries(byStream).toArray()).toEqual(sorted(streams));
    expect(await read.entries(byWriter).toArray()).toEqual(sorted(writersOf));
    for (const [key, count] of streams) {
      expect(await read.get(byStream, key)).toEqual(count);
      expect(await read.version(key)).toBe(count.n);
    }
    const middle = events.length >> 1;
    const before = events.slice(0, middle).filter(({ stream }) => stream === 'one/1');
    expect((await read.at(middle).get(byStream, 'one/1'))?.n ?? 0).toBe(before.length);
  };
  await expectStates(store);
  expect((await store.snapshot()).position).toBe(events.length);
  expect((await store.verify()).ok).toBe(true);
  await store.close();
  const again = await openStore(directory, options);
  expect(again.stats().projections.map(({ position }) => position)).toEqual([
    events.length,
    events.length,
  ]);
  await expectStates(again);
  await again.close();
  const left = readdirSync(directory, { recursive: true }).map(String);
  expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
