/** Holds what a store gives, synchronously, against a plain fold. */
import { expect } from 'vitest';
import { ProjectionFailedError } from '#src/errors.js';
import type { Entry, Projection, Store, StoreView } from '#src/store.js';
import {
  counter,
  type Folded,
  listedOf,
  PlainFold,
  sum,
  type Told,
  tagged,
  toldBy,
} from './snapshots.js';

interface Range {
  prefix?: string;
  after?: string;
  limit?: number;
}

type Readable = Pick<Store, 'getSync' | 'entriesSync'> | Pick<StoreView, 'getSync' | 'entriesSync'>;

function listed(store: Readable, projection: Projection, range: Range) {
  const entries: Entry[] = [];
  try {
    for (const entry of store.entriesSync(projection, range)) entries.push(entry);
  } catch (error) {
    if (!(error instanceof ProjectionFailedError)) throw error;
    return { entries, stoppedAt: error.position };
  }
  return { entries };
}

const RANGES: readonly Range[] = [
  {},
  { limit: 3 },
  { prefix: 'a/' },
  { prefix: 'a/', after: 'a/1', limit: 4 },
  { after: 'b/3' },
  { prefix: 'tag', limit: 2 },
];

function expectStates(
  store: Readable,
  projection: Projection,
  states: ReadonlyMap<string, Folded>,
  ranges: readonly Range[],
): void {
  for (const key of [...states.keys(), 'nobody']) {
    const told = toldBy(() => store.getSync(projection, key));
    expect([key, told]).toEqual([key, states.get(key) ?? { state: undefined }]);
  }
  for (const range of ranges) {
    expect([range, listed(store, projection, range)]).toEqual([range, listedOf(states, range)]);
  }
}

/** Everything that can be asked of it, now and as of these positions. */
export function expectFold(
  store: Store,
  told: readonly Told[],
  positions: readonly number[] = [],
): void {
  const fold = new PlainFold(told);
  const head = told.length;
  expect(store.head.position).toBe(head);
  expectStates(store, counter as Projection, fold.counters(head), RANGES);
  expectStates(store, tagged as Projection, fold.tags(head), RANGES);
  expect(store.indexSync(sum).total).toBe(fold.total(head));
  for (const position of positions) {
    const view = store.at(position);
    expectStates(view, counter as Projection, fold.counters(position), RANGES.slice(0, 4));
    expectStates(view, tagged as Projection, fold.tags(position), RANGES.slice(0, 2));
  }
}

/** Versions of streams, and the events of some keys, as they were appended. */
export function expectLog(store: Store, told: readonly Told[]): void {
  const versions = new Map<string, number>();
  for (const { stream } of told) versions.set(stream, (versions.get(stream) ?? 0) + 1);
  for (const [stream, version] of versions)
    expect([stream, store.versionSync(stream)]).toEqual([stream, version]);
  expect(store.versionSync('nobody/1')).toBe(0);
}

/** The histories of these keys: each event once, in order, and their patches make the state. */
export function expectHistories(store: Store, told: readonly Told[], from = 1): void {
  const fold = new PlainFold(told);
  const states = fold.counters(told.length);
  for (const key of [...states.keys()].slice(0, 4)) {
    const expected = told
      .map(({ stream }, index) => ({ stream, position: index + 1 }))
      .filter(({ stream, position }) => stream === key && position >= from)
      .map(({ position }) => position);
    const stopped = states.get(key) as Folded;
    const positions: number[] = [];
    const failed = toldBy(() => {
      for (const { event } of store.historySync(counter, key, { from }))
        positions.push(event.position);
    });
    if ('stoppedAt' in stopped) {
      expect(failed).toEqual(stopped);
      expect(positions).toEqual(expected.filter((position) => position < stopped.stoppedAt));
    } else expect(positions).toEqual(expected);
  }
}
