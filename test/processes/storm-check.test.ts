/** The comparison at the end of a storm finds every kind of difference. */
import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '#src/index.js';
import { type Heard, stormProblems } from '../support/storm-check.js';
import { stormCommit } from '../support/storm-plan.mjs';
import type { Acknowledged } from '../support/writing-process.mjs';

interface Storm {
  heard: Heard[];
  events: RecordedEvent[];
}

/** Two writers, sixteen commits each, all acknowledged. */
function faultless(): Storm {
  const heard: Heard[] = [];
  const events: RecordedEvent[] = [];
  const versions = new Map<string, number>();
  let position = 0;
  for (let number = 1; number <= 16; number += 1) {
    for (const writer of ['ann', 'bob']) {
      const { parts, idempotencyKey, counts } = stormCommit(writer, number);
      const expected = counts ? (versions.get('counters/all') ?? 0) : undefined;
      const after = position;
      position += 1;
      const time = new Date(1_700_000_000_000 + position).toISOString();
      const planned = parts.flatMap(({ stream, events: list }) =>
        [list].flat().map(({ type, data }) => ({ stream, type, data })),
      );
      const told: Record<string, number> = {};
      planned.forEach(({ stream, type, data }, index) => {
        const version = (versions.get(stream) ?? 0) + 1;
        versions.set(stream, version);
        told[stream] = version;
        events.push({
          id: `${position}.${index}`,
          position,
          index,
          last: index === planned.length - 1,
          time,
          stream,
          version,
          type,
          schemaVersion: 1,
          data,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        });
      });
      const kind = 'acknowledged';
      const report = {
        kind,
        number,
        after,
        expected,
        position,
        time,
        versions: told,
        repeated: false,
      } as const;
      heard.push({ writer, report });
    }
  }
  return { heard, events };
}

/** What is found once the storm was changed like this. */
function found(change: (storm: Storm) => void): string {
  const storm = faultless();
  change(storm);
  return stormProblems(storm.heard, storm.events).join('\n');
}

function changeReport(storm: Storm, position: number, changed: Partial<Acknowledged>): void {
  storm.heard = storm.heard.map((heard) =>
    heard.report.kind === 'acknowledged' && heard.report.position === position
      ? { ...heard, report: { ...heard.report, ...changed } }
      : heard,
  );
}

function changeEvents(storm: Storm, position: number, changed: Partial<RecordedEvent>): void {
  storm.events = storm.events.map((event) =>
    event.position === position ? { ...event, ...changed } : event,
  );
}

describe('the comparison of what writers were told with what stands', () => {
  test('finds nothing when all is well', () => {
    expect(found(() => {})).toBe('');
  });

  test('finds an acknowledged commit that is lost', () => {
    expect(found(({ events }) => events.pop())).toContain(
      'bob/16 was acknowledged at 32 and is lost',
    );
  });

  test('finds a commit that stands twice', () => {
    const twice = found(({ events }) => {
      const last = events.at(-1) as RecordedEvent;
      events.push({ ...last, id: '33.0', position: 33, version: last.version + 1 });
    });
    expect(twice).toContain('bob/16 stands twice, at 32 and 33');
  });

  test.each([
    [15, 30, ''],
    [15, 29, 'bob/15 stands twice, at 30 and 34'],
    // It has no key.
    [16, 32, 'bob/16 stands twice, at 32 and 34'],
  ])(
    'lets commit %i with a key stand again once all up to %i was dropped',
    (number, lastPosition, problem) => {
      const twice = found(({ events }) => {
        const before = events.at(-1) as RecordedEvent;
        const again = events.find(({ data }) => {
          const note = data as { writer: string; number: number };
          return note.writer === 'bob' && note.number === number;
        }) as RecordedEvent;
        const version = events.filter(({ stream }) => stream === again.stream).length + 1;
        const note = { stream: '$store/retention', type: '$retention.dropped', version: 1 };
        const data = { lastPosition };
        events.push({ ...before, ...note, data, id: '33.0', position: 33 });
        events.push({ ...again, id: '34.0', position: 34, version, time: before.time });
      });
      expect(twice).toBe(problem);
    },
  );

  test('finds a commit that stands elsewhere than it was told', () => {
    expect(found((storm) => changeReport(storm, 5, { position: 6 }))).toContain(
      'ann/3 was acknowledged at 6 and stands at 5',
    );
  });

  test('finds a commit with another time or other versions than it was told', () => {
    expect(found((storm) => changeReport(storm, 5, { time: '' }))).toContain(
      'ann/3 was acknowledged',
    );
    expect(found((storm) => changeReport(storm, 5, { versions: {} }))).toContain(
      'ann/3 has other versions than it was told',
    );
  });

  test('finds a refused commit that stands', () => {
    const stands = found((storm) => {
      const { heard } = storm;
      heard.push({ writer: 'bob', report: { kind: 'refused', number: 16 } });
    });
    expect(stands).toContain('bob/16 was not written and stands at 32');
  });

  test('allows a commit of unknown outcome to stand', () => {
    const unknown = found(({ heard }) => {
      const report = { kind: 'failed', number: 16, code: 'OUTCOME_UNKNOWN', message: '' } as const;
      heard.pop();
      heard.push({ writer: 'bob', report });
    });
    expect(unknown).toBe('');
  });

  test('finds a commit that was put before what its writer knew already', () => {
    expect(found((storm) => changeReport(storm, 5, { after: 9 }))).toContain(
      'ann/3 stands at 5, before what its writer knew, 9',
    );
  });

  test('finds a commit that was accepted although its condition did not hold', () => {
    expect(found((storm) => changeReport(storm, 17, { expected: 7 }))).toContain(
      'ann/9 was accepted on another version than it expected',
    );
  });

  test('finds changed content, a gap, a wrong version, a time that goes back, half a commit', () => {
    expect(found((storm) => changeEvents(storm, 4, { type: 'other' }))).toContain(
      'is not what was appended',
    );
    expect(found(({ events }) => events.splice(3, 1))).toContain('came where 4.0 must come');
    expect(found((storm) => changeEvents(storm, 4, { version: 9 }))).toContain(
      'has version 9 at 4.0',
    );
    expect(found((storm) => changeEvents(storm, 4, { time: '2001' }))).toContain('time goes back');
    const half = found((storm) => {
      storm.events = storm.events.filter(({ position, last }) => position !== 6 || !last);
    });
    expect(half).toContain('came where 6.2 must come');
  });
});
