/** Snapshots of stores whose commits touch very many keys each: a commit is read and decoded a few times, not once for each of its keys. */
import { describe, expect, test } from 'vitest';
import { runSync } from '#src/log/io.js';
import type { RecordedEvent } from '#src/log/types.js';
import type { EventPlace } from '#src/projections/ports.js';
import { StoredEvents } from '#src/projections/stored-events.js';
import { defineProjection } from '#src/store.js';
import { openOn } from '../support/aging-store.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const COMMITS = 10;
const KEYS = 4000;

const totals = defineProjection({
  name: 'totals',
  version: 1,
  initial: { n: 0 },
  on: {
    added: (draft, { data }) => {
      draft.n += (data as { by: number }).by;
    },
  },
});

function event(position: number, index: number, bytes = 0): RecordedEvent {
  return {
    ...{ id: `${position}.${index}`, position, index, last: false, version: 1, schemaVersion: 1 },
    ...{ time: '2026-01-01T00:00:00.000Z', stream: `s/${index}`, type: 'added' },
    data: { text: 'x'.repeat(bytes) },
  };
}

/** Events of a log whose commits have a hundred events each. */
function storedEvents(bytes: number): StoredEvents {
  const commitAt = function* (_segment: number, offset: number) {
    return Array.from({ length: 100 }, (_, index) => event(offset, index, bytes));
  };
  const log = { position: 1000, commitAt };
  return new StoredEvents(log, (value) => JSON.stringify(value).length, 0);
}

const place = (position: number, index: number): EventPlace => {
  return { position, segment: 1, offset: position, index };
};

describe('a snapshot of commits with many keys', () => {
  test('reads each of them a few times', async () => {
    const disk = new SimulatedDisk();
    const options = { projections: [totals], segmentBytes: 1024 * 1024 };
    const writing = await openOn(disk, 'a', options);
    for (let commit = 0; commit < COMMITS; commit += 1) {
      // The keys of a commit lie far apart in the order of a snapshot.
      const parts = Array.from({ length: KEYS / COMMITS }, (_, index) => ({
        stream: `key/${index * COMMITS + commit}`,
        events: [{ type: 'added', data: { by: commit } }],
      }));
      await writing.commit(parts);
    }
    await writing.close();
    const store = await openOn(disk, 'b', options);
    const { parts } = await store.snapshot();
    expect(parts).toMatchObject([{ name: 'totals', keys: KEYS }]);
    const reads = disk.trace.filter(
      ({ process, method, path }) => process === 'b' && method === 'read' && /log.0+1\./.test(path),
    );
    expect(reads.length).toBeLessThan(6 * COMMITS);
    for (let commit = 0; commit < COMMITS; commit += 1) {
      const states = await Promise.all(
        [0, 1, 399].map((index) => store.get(totals, `key/${index * COMMITS + commit}`)),
      );
      expect(states).toEqual([{ n: commit }, { n: commit }, { n: commit }]);
    }
    await store.close();
  });
});

describe('events fetched at once', () => {
  test('are held without the others of their commits', () => {
    const fetched = runSync(
      new SimulatedDisk().process('a'),
      storedEvents(10).fetch([place(7, 3), place(5, 0), place(7, 99)]),
    );
    expect([...fetched.keys()].sort()).toEqual([5, 7]);
    expect(fetched.get(5)).toEqual({ 0: event(5, 0, 10) });
    expect(fetched.get(7)).toEqual({ 3: event(7, 3, 10), 99: event(7, 99, 10) });
  });

  test('are the fewer the larger they are', () => {
    const counts = [10, 10_000, 1_000_000].map((bytes) => {
      const events = storedEvents(bytes);
      runSync(new SimulatedDisk().process('a'), events.fetch([place(1, 0)]));
      return events.countMax;
    });
    const [small = 0, middle = 0, large = 0] = counts;
    expect(small).toBeGreaterThan(10_000);
    expect(middle).toBeLessThan(2000);
    expect(middle).toBeGreaterThan(large);
    expect(large).toBeLessThan(20);
    // Before anything is known of them.
    expect(storedEvents(10).countMax).toBeLessThan(20);
  });
});
