/** Arguments that are refused: each with a typed error, and with nothing written. */
import { describe, expect, test } from 'vitest';
import { InvalidEventError, type NewEvent } from '#src/index.js';
import { unstorable } from '../support/unstorable.js';
import type { MakePlace } from './suite.js';
import {
  bothWays,
  type Calls,
  counted,
  expectEmpty,
  expectFailure,
  expectInvalidArgument,
  places,
} from './support.js';

const one = counted(1);
const half = 'half \ud800 pair';

/** Names that are refused wherever a name is asked for. */
const badNames: readonly (readonly [string, unknown])[] = [
  ['an empty text', ''],
  ['a control character', 'a\u0007b'],
  ['a line feed', 'a\n'],
  ['a zero byte', '\0'],
  ['the control character DEL', 'a\u007f'],
  ['a C1 control character', 'a\u009b'],
  ['half a surrogate pair', half],
  ['null', null],
  ['a number', 7],
  ['an object', {}],
  ['a String object', Object('name')],
];

const contextNames = ['actor', 'correlationId', 'causationId', 'idempotencyKey'] as const;

/** Anything at all: what a caller without types could pass. */
const any = (value: unknown) => value as never;

const invalidCalls: readonly (readonly [string, (log: Calls) => unknown])[] = [
  ['an undefined stream', (log) => log.append(any(undefined), one)],
  ['an empty list of events', (log) => log.append('a/1', [])],
  ['a part with an empty list of events', (log) => log.commit([{ stream: 'a/1', events: [] }])],
  ['an empty list of parts', (log) => log.commit([])],
  ['parts that are no list', (log) => log.commit(any({ stream: 'a/1', events: one }))],
  ['no parts', (log) => log.commit(any(undefined))],
  ['a part that is null', (log) => log.commit([any(null)])],
  ['a part that is a text', (log) => log.commit([any('a/1')])],
  [
    'one stream in two parts',
    (log) =>
      log.commit([
        { stream: 'a/1', events: one },
        { stream: 'b/1', events: one },
        { stream: 'a/1', events: one },
      ]),
  ],
  [
    'a check of a stream that is written',
    (log) =>
      log.commit([{ stream: 'a/1', events: one }], {
        checks: [{ stream: 'a/1', expectedVersion: 'absent' }],
      }),
  ],
  [
    'checks that are no list',
    (log) => log.commit([{ stream: 'a/1', events: one }], { checks: any({}) }),
  ],
  [
    'checks that are a text',
    (log) => log.commit([{ stream: 'a/1', events: one }], { checks: any('b') }),
  ],
  [
    'a check that is null',
    (log) => log.commit([{ stream: 'a/1', events: one }], { checks: [any(null)] }),
  ],
  [
    'a check without a stream',
    (log) =>
      log.commit([{ stream: 'a/1', events: one }], { checks: [any({ expectedVersion: 1 })] }),
  ],
  ['options that are null', (log) => log.append('a/1', one, any(null))],
  ['options that are a text', (log) => log.append('a/1', one, any('exists'))],
  [
    'commit options that are null',
    (log) => log.commit([{ stream: 'a/1', events: one }], any(null)),
  ],
  ['a signal that is none', (log) => log.append('a/1', one, { signal: any({}) })],
  ['a signal that is null', (log) => log.append('a/1', one, { signal: any(null) })],
  [
    'a signal that only looks aborted',
    (log) => log.append('a/1', one, { signal: any({ aborted: true }) }),
  ],
  ['a reason that is no text', (log) => log.append('a/1', one, { reason: any(7) })],
  ['a reason with half a surrogate pair', (log) => log.append('a/1', one, { reason: half })],
  ['an event type that is missing', (log) => log.append('a/1', any({ data: 1 }))],
  ['a schema version of 0', (log) => log.append('a/1', { ...one, schemaVersion: 0 })],
  ['a schema version of 1.5', (log) => log.append('a/1', { ...one, schemaVersion: 1.5 })],
  [
    'a schema version that is a text',
    (log) => log.append('a/1', { ...one, schemaVersion: any('2') }),
  ],
  [
    'a schema version that is null',
    (log) => log.append('a/1', { ...one, schemaVersion: any(null) }),
  ],
];

const badVersions = [
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  '1',
  'none',
  null,
  {},
  true,
];

export function refusals(make: MakePlace): void {
  bothWays('a wrong argument', (way) => {
    test.each(invalidCalls)('is refused: %s', async (_, call) => {
      const { open } = make();
      const log = await open();
      await expectInvalidArgument(() => call(way(log)));
      expectEmpty(log);
      await way(log).append('a/1', one);
      expect(log.head.position).toBe(1);
    });

    test.each(badNames)('is refused as a name: %s', async (_, name) => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      await expectInvalidArgument(() => log.append(any(name), one));
      await expectInvalidArgument(() => log.commit([{ stream: any(name), events: one }]));
      await expectInvalidArgument(() => log.append('a/1', { type: any(name), data: 1 }));
      const checks = [{ stream: any(name), expectedVersion: 'any' }] as const;
      await expectInvalidArgument(() => log.commit([{ stream: 'a/1', events: one }], { checks }));
      for (const option of contextNames) {
        await expectInvalidArgument(() => log.append('a/1', one, { [option]: any(name) }));
      }
      expectEmpty(opened);
    });

    test('is refused as an expected version: what is none', async () => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      for (const version of badVersions) {
        const expectedVersion = any(version);
        await expectInvalidArgument(() => log.append('a/1', one, { expectedVersion }));
        await expectInvalidArgument(() =>
          log.commit([{ stream: 'a/1', events: one, expectedVersion }]),
        );
        await expectInvalidArgument(() =>
          log.commit([{ stream: 'a/1', events: one }], {
            checks: [{ stream: 'b', expectedVersion }],
          }),
        );
      }
      expectEmpty(opened);
    });

    test('is refused as an event: what has another shape', async () => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      const shapes: readonly (readonly [unknown, string])[] = [
        [null, 'events[0]'],
        [undefined, 'events[0]'],
        ['text', 'events[0]'],
        [7, 'events[0]'],
        [[[one]], 'events[0]'],
        [[one, null], 'events[1]'],
        [{ ...one, payload: 1 }, 'events[0].payload'],
        [{ ...one, id: '1.0' }, 'events[0].id'],
        [{ ...one, 'two words': 1 }, 'events[0]["two words"]'],
        [{ ...one, metadata: 'text' }, 'events[0].metadata'],
        [{ ...one, metadata: null }, 'events[0].metadata'],
        [{ ...one, metadata: [1] }, 'events[0].metadata'],
        [{ type: 'counted' }, 'events[0].data'],
      ];
      for (const [event, path] of shapes) {
        await expectFailure(() => log.append('a/1', any(event)), InvalidEventError, {
          code: 'INVALID_EVENT',
          path,
        });
      }
      expectEmpty(opened);
    });

    test.each(unstorable)('is refused as data and as metadata: $name', async (bad) => {
      const { open } = make();
      const opened = await open();
      const log = way(opened);
      const wrong = { list: [0, { 'a b': bad.make() }] };
      const inside = `.list[1]["a b"]${bad.inside ?? ''}`;
      const event = (members: Partial<NewEvent>) => ({ type: 'x', data: 1, ...members });
      for (const [call, root] of [
        [() => log.append('a/1', event({ data: wrong })), 'events[0].data'],
        [() => log.append('a/1', event({ metadata: wrong })), 'events[0].metadata'],
        [() => log.append('a/1', [one, event({ data: wrong })]), 'events[1].data'],
        [
          () =>
            log.commit([
              { stream: 'a/1', events: one },
              { stream: 'b/1', events: [one, event({ data: wrong })] },
            ]),
          'parts[1].events[1].data',
        ],
      ] as const) {
        const path = `${root}${inside}`;
        await expectFailure(call, InvalidEventError, {
          code: 'INVALID_EVENT',
          path,
          hint: expect.stringMatching(bad.hint) as string,
          message: expect.stringContaining(path) as string,
        });
      }
      const whole = { type: 'x', data: bad.make() };
      await expectFailure(() => log.append('a/1', whole), InvalidEventError, {
        path: `events[0].data${bad.inside ?? ''}`,
      });
      expectEmpty(opened);
    });

    test('is refused: a value that contains itself', async () => {
      const { open } = make();
      const log = await open();
      const cycle: { inner: { self?: unknown } } = { inner: {} };
      cycle.inner.self = [cycle];
      for (const event of [
        { type: 'x', data: cycle },
        { type: 'x', data: 1, metadata: cycle },
      ]) {
        await expectFailure(() => way(log).append('a/1', event), InvalidEventError, {
          path: expect.stringMatching(/^events\[0\]\.(meta)?data\.inner\.self\[0\]/) as string,
          message: expect.stringContaining('contains itself') as string,
          hint: expect.stringMatching(/id/) as string,
        });
      }
      expectEmpty(log);
    });

    test('is refused for reading: what is no range, order, limit or name', async () => {
      const { open } = make();
      const log = way(await open());
      await log.append('a/1', one);
      const ranges = [
        { from: 0 },
        { from: 1.5 },
        { from: -1 },
        { from: '1' },
        { from: null },
        { to: -1 },
        { to: Number.NaN },
        { to: '2' },
        { limit: -1 },
        { limit: 0.5 },
        { limit: Number.POSITIVE_INFINITY },
        { from: 3, to: 2 },
        { direction: 'up' },
        { direction: null },
      ];
      for (const range of ranges) {
        await expectInvalidArgument(() => log.readAll(any(range)));
        await expectInvalidArgument(() => log.readStream('a/1', any(range)));
      }
      for (const filter of [
        { types: 'counted' },
        { streams: 'a/1' },
        { streams: [1] },
        { types: {} },
      ]) {
        await expectInvalidArgument(() => log.readAll(any(filter)));
      }
      for (const stream of [undefined, null, 7, {}]) {
        await expectInvalidArgument(() => log.readStream(any(stream)));
        await expectInvalidArgument(() => log.version(any(stream)));
      }
      await expectInvalidArgument(() => log.readAll(any(null)));
      await expectInvalidArgument(() => log.readStream('a/1', any(null)));
    });
  });

  describe('a bad event', () => {
    test('fails its caller and never its neighbours', async () => {
      const { open } = make();
      const log = await open();
      await log.append('b/1', counted(0), { idempotencyKey: 'used' });
      const outcomes = await Promise.allSettled([
        log.append('a/1', counted(1)),
        log.append('a/1', { type: 'counted', data: { n: Number.NaN } }),
        log.append('a/1', counted(2)),
        log.append('a/1', counted(3), { expectedVersion: 1 }),
        log.append('a/1', counted(4), { expectedVersion: 2 }),
        log.append('a/1', counted(5), { idempotencyKey: 'used' }),
        log.append('\n', counted(6)),
        log.append('a/1', counted(7)),
      ]);
      expect(outcomes).toMatchObject([
        { value: { position: 2, version: 1 } },
        { reason: { code: 'INVALID_EVENT', path: 'events[0].data.n' } },
        { value: { position: 3, version: 2 } },
        { reason: { code: 'VERSION_CONFLICT' } },
        { value: { position: 4, version: 3 } },
        { reason: { code: 'IDEMPOTENCY_KEY_REUSED' } },
        { reason: { code: 'INVALID_ARGUMENT' } },
        { value: { position: 5, version: 4 } },
      ]);
      const stream = await log.readStream('a/1').toArray();
      expect(places(stream)).toEqual(['a/1@1', 'a/1@2', 'a/1@3', 'a/1@4']);
      expect(stream.map(({ data }) => (data as { n: number }).n)).toEqual([1, 2, 4, 7]);
    });

    test('rejects the promise of an asynchronous call and never throws', async () => {
      const { open } = make();
      const log = await open();
      const promises: Promise<unknown>[] = [];
      promises.push(log.append('', counted(1)));
      promises.push(log.append('a/1', any(null)));
      promises.push(log.commit([]));
      promises.push(log.append('a/1', counted(1), any(null)));
      const outcomes = await Promise.allSettled(promises);
      expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
      expectEmpty(log);
    });
  });
}
