import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NewEvent, RecordedEvent } from '#src/log/types.js';
import type { Projection } from '#src/projections/define.js';
import { defineProjection } from '#src/store.js';
import { type Savepoint, WriteBuffer } from '#src/transaction/buffer.js';
import { OwnEvents } from '#src/transaction/own-events.js';
import type { TransactionSource } from '#src/transaction/source.js';
import { times } from '../support/runs.js';

const projection = defineProjection({
  name: 'names',
  version: 1,
  initial: {},
  on: { 'name.given': () => {} },
}) as Projection;

const event = { type: 'name.given', data: {} } satisfies NewEvent;

/** A store in which nothing stands, which counts what it is asked. */
function counting(): { source: TransactionSource; asked: { interpret: number; version: number } } {
  const asked = { interpret: 0, version: 0 };
  const source: Partial<TransactionSource> = {
    actor: undefined,
    time: () => '2026-01-01T00:00:00.000Z',
    interpret: (recorded) => {
      asked.interpret += 1;
      return recorded;
    },
    version: async () => {
      asked.version += 1;
      return 0;
    },
  };
  return { source: source as TransactionSource, asked };
}

describe('the own events of a transaction', () => {
  test('cost a read of one key what its stream has, however many others were written', async () => {
    const { source, asked } = counting();
    const buffer = new WriteBuffer();
    const own = new OwnEvents(source, buffer, {});
    for (let number = 0; number < 300; number += 1) {
      const stream = `names/${number}`;
      expect(await own.of(projection, stream, 0)).toEqual([]);
      buffer.add(stream, [event], 'any');
      const [read, ...others] = await own.of(projection, stream, 0);
      expect(read).toMatchObject({ id: `1.${number}`, stream, version: 1, last: true });
      expect(others).toEqual([]);
    }
    expect(asked).toEqual({ interpret: 300, version: 300 });
  });

  test('stand where the commit would have them, whatever was appended and taken back', async () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ stream: fc.nat(4), count: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.constant('savepoint' as const) },
      { weight: 1, arbitrary: fc.constant('back' as const) },
      { weight: 2, arbitrary: fc.record({ read: fc.nat(4) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const buffer = new WriteBuffer();
        const own = new OwnEvents(counting().source, buffer, {});
        let plain: string[] = [];
        const savepoints: { savepoint: Savepoint; events: number }[] = [];
        for (const each of steps) {
          if (each === 'savepoint') {
            savepoints.push({ savepoint: buffer.savepoint(), events: plain.length });
          } else if (each === 'back') {
            const last = savepoints.at(-1);
            if (!last) continue;
            buffer.rollbackTo(last.savepoint);
            plain = plain.slice(0, last.events);
          } else if ('read' in each) {
            const stream = `names/${each.read}`;
            const expected = recorded(plain).filter((one) => one.stream === stream);
            expect(await own.of(projection, stream, 6)).toEqual(expected);
          } else {
            const stream = `names/${each.stream}`;
            const events = Array.from({ length: each.count }, () => event);
            buffer.add(stream, events, 'any');
            plain.push(...events.map(() => stream));
          }
        }
        const all = [...(await own.byKey(projection, 6)).values()].flat();
        expect(all).toEqual(recorded(plain));
        expect(buffer.parts().map(({ stream }) => stream)).toEqual([...new Set(plain)]);
        for (const stream of new Set(plain)) {
          expect(buffer.count(stream)).toBe(plain.filter((one) => one === stream).length);
        }
      }),
      { numRuns: times(200) },
    );
  });
});

/** Events for these streams, grouped by stream, behind position 6. */
function recorded(streams: readonly string[]): Partial<RecordedEvent>[] {
  const grouped = [...new Set(streams)].flatMap((stream) =>
    streams.filter((one) => one === stream).map((_, own) => ({ stream, version: own + 1 })),
  );
  return grouped.map(({ stream, version }, index) => ({
    id: `7.${index}`,
    position: 7,
    index,
    last: index === grouped.length - 1,
    time: '2026-01-01T00:00:00.000Z',
    stream,
    version,
    schemaVersion: 1,
    ...event,
  }));
}
