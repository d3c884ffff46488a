/** What append accepts reads back deep-equal, whatever it is, and what JSON would mangle is refused with its path. */
import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvalidEventError, quote } from '#src/errors.js';
import { type CommitOptions, type NewEvent, openLogSync } from '#src/index.js';
import { checksumHolds, decodeEvents, decodeHead, lineKind } from '#src/log/decode.js';
import { checksumLine, commitStamp, groupTag, writeCommitLine } from '#src/log/encode.js';
import { encodeCommit, encodeSingle } from '#src/log/payload.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { unstorable } from '../test/support/unstorable.js';

/** Texts that a scanner of lines could mistake for its own marks. */
const treacherous = [
  '',
  '__proto__',
  'constructor',
  'toJSON',
  ',"d":[',
  '"}\n',
  '{"p":1,"g":"1-0000"',
  ',"c":"00000000"}',
  '\\',
  '\\"',
  '\\u0000',
  '\u0000\u001f\u007f\u0085',
  '\u2028\u2029\ufeff\ufffd',
  '🧠👩‍👩‍👧',
];

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', size: 'medium' }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 2, arbitrary: fc.constantFrom(...treacherous) },
);

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
  fc.constantFrom(0, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53, -(2 ** 31)),
);

/** An object of these members; a later one of the same name wins. */
function objectOf(members: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(members) as Record<string, unknown>;
}

const json: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; list: unknown; object: unknown }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      { weight: 3, arbitrary: fc.oneof(text, number, fc.boolean(), fc.constant(null)) },
      { weight: 2, arbitrary: tie('list') },
      { weight: 3, arbitrary: tie('object') },
    ),
    list: fc.array(tie('value'), { maxLength: 6 }),
    object: fc.array(fc.tuple(text, tie('value')), { maxLength: 6 }).map(objectOf),
  }),
).value;

const jsonObject = fc.array(fc.tuple(text, json), { maxLength: 4 }).map(objectOf);

/** Longest prefix of whole characters that takes at most so many bytes. */
function cut(text: string, bytesMax: number): string {
  let bytes = 0;
  let result = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax) break;
    result += character;
  }
  return result;
}

const name = fc
  .oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.constant('长'.repeat(99)) })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names must not hold them
  .map((text) => cut(text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ''), 200) || 'x');

const event: fc.Arbitrary<NewEvent> = fc.record(
  {
    type: name,
    data: json,
    metadata: jsonObject,
    schemaVersion: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
  },
  { requiredKeys: ['type', 'data'] },
);

interface Part {
  readonly stream: string;
  readonly events: readonly NewEvent[];
}

const parts: fc.Arbitrary<readonly Part[]> = fc.uniqueArray(
  fc.record({ stream: name, events: fc.array(event, { minLength: 1, maxLength: 4 }) }),
  { minLength: 1, maxLength: 4, selector: ({ stream }) => stream },
);

const context: fc.Arbitrary<CommitOptions> = fc.record(
  {
    actor: name,
    reason: text.map((text) => cut(text, 2000)),
    correlationId: name,
    causationId: name,
    idempotencyKey: name,
  },
  { requiredKeys: [] },
);

const limits = { eventBytes: 1024 * 1024, commitBytes: 8 * 1024 * 1024 };

/** What an event must read back as, without its place in the log. */
function stored(stream: string, event: NewEvent, context: CommitOptions) {
  const { type, data, metadata, schemaVersion = 1 } = event;
  const given = metadata === undefined ? { type, data } : { type, data, metadata };
  return { stream, ...given, schemaVersion, ...context };
}

function withoutPlace(event: object): Record<string, unknown> {
  const { id, position, index, last, time, version, ...rest } = event as Record<string, unknown>;
  return rest;
}

describe('an encoded commit', () => {
  test('decodes to what it was, in no more bytes than were counted', { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(parts, context, fc.maxSafeNat(), (parts, context, large) => {
        const encoded =
          parts.length === 1 && parts[0]?.events.length === 1
            ? encodeSingle(
                parts[0].stream,
                parts[0].events[0] as NewEvent,
                undefined,
                context,
                limits,
              )
            : encodeCommit(parts, undefined, context, limits);
        const position = 2 + (large % (Number.MAX_SAFE_INTEGER - 100));
        const versions = parts.map((_, index) => position - (index % 2));
        const time = '2026-01-01T00:00:00.000Z';
        const tag = groupTag(position, 'abcd'.repeat(8));
        const stamp = commitStamp(tag, time, time);
        const buffer = Buffer.alloc(encoded.bytesMax);
        const { text, streamTexts } = encoded;
        const length = writeCommitLine(buffer, 0, position, stamp, text, streamTexts, versions);
        expect(length).toBeLessThanOrEqual(encoded.bytesMax);
        checksumLine(buffer, 0, length);

        expect(buffer.indexOf('\n')).toBe(length - 1);
        expect(lineKind(buffer, 0)).toBe('commit');
        expect(checksumHolds(buffer, 0, length)).toBe(true);
        const events = parts.flatMap(({ stream, events }, part) =>
          events.map((event, index) => ({ stream, event, version: (versions[part] ?? 0) + index })),
        );
        const head = decodeHead(buffer, 0, length);
        expect(head).toMatchObject({ p: position, g: tag, t: time, w: time });
        expect(head.e.map(([stream, version]) => [stream, version])).toEqual(
          events.map(({ stream, version }) => [stream, version]),
        );
        const decoded = decodeEvents(buffer, 0, length);
        const expected = events.map(({ stream, event }) => stored(stream, event, context));
        expect(isDeepStrictEqual(decoded.map(withoutPlace), expected)).toBe(true);
        expect(decoded.map(({ version }) => version)).toEqual(events.map(({ version }) => version));
      }),
      { numRuns: times(1500), seed },
    );
  });

  test('changes nothing about a value that is plain JSON', { timeout: timeoutMs }, () => {
    const log = openLogSync({ memory: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, event), { minLength: 1, maxLength: 8 }), (appends) => {
        const from = log.head.position + 1;
        for (const [stream, event] of appends) log.appendSync(stream, event);
        const expected = appends.map(([stream, event]) => stored(stream, event, {}));
        const read = log.readAllSync({ from }).toArray();
        expect(isDeepStrictEqual(read.map(withoutPlace), expected)).toBe(true);
        const backward = log.readAllSync({ from, direction: 'backward' }).toArray();
        expect(isDeepStrictEqual(backward, [...read].reverse())).toBe(true);
        const [stream, last] = appends.at(-1) as [string, NewEvent];
        const latest = log.readStreamSync(stream, { direction: 'backward', limit: 1 }).toArray();
        expect(isDeepStrictEqual(latest[0]?.data, last.data)).toBe(true);
      }),
      { numRuns: times(300), seed },
    );
    expect(log.verifySync({ deep: true })).toMatchObject({ ok: true });
    log.closeSync();
  });

  test('is as good when its values come from another realm', () => {
    const data: unknown = runInNewContext('({ a: [1, { b: [[], {}] }], c: "d", __proto__: null })');
    const more: unknown = runInNewContext('[{ a: [1, [2]] }]');
    const log = openLogSync({ memory: true });
    log.appendSync('a/1', [
      { type: 'x', data },
      { type: 'x', data: more, metadata: runInNewContext('({ m: [1] })') as object },
    ]);
    const [first, second] = log.readAllSync().toArray();
    expect(first?.data).toEqual({ a: [1, { b: [[], {}] }], c: 'd' });
    expect(second).toMatchObject({ data: [{ a: [1, [2]] }], metadata: { m: [1] } });
    for (const wrong of ['new Date(0)', 'new Map()', '[NaN]', 'new (class extends Array {})()']) {
      const event = { type: 'x', data: runInNewContext(wrong) as unknown };
      expect(() => log.appendSync('a/1', event)).toThrow(InvalidEventError);
    }
    log.closeSync();
  });
});

/** One step into a value, with plain JSON beside it. */
type Step =
  | { readonly kind: 'member'; readonly name: string; readonly beside: Record<string, unknown> }
  | {
      readonly kind: 'item';
      readonly before: readonly unknown[];
      readonly after: readonly unknown[];
    };

const way: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('member' as const), name: text, beside: jsonObject }),
    fc.record({
      kind: fc.constant('item' as const),
      before: fc.array(json, { maxLength: 3 }),
      after: fc.array(json, { maxLength: 2 }),
    }),
  ),
  { maxLength: 7 },
);

/** Puts a value at the end of the way. */
function wrap(value: unknown, way: readonly Step[]): unknown {
  return way.reduceRight<unknown>(
    (inner, step) =>
      step.kind === 'item'
        ? [...step.before, inner, ...step.after]
        : objectOf([...Object.entries(step.beside), [step.name, inner]]),
    value,
  );
}

/** The way as an error spells it. */
function spelled(root: string, way: readonly Step[]): string {
  return way.reduce((path, step) => {
    if (step.kind === 'item') return `${path}[${step.before.length}]`;
    const isIdentifier = /^[A-Za-z_$][\w$]*$/.test(step.name);
    return isIdentifier ? `${path}.${step.name}` : `${path}[${quote(step.name)}]`;
  }, root);
}

function refusalOf(call: () => unknown): InvalidEventError {
  try {
    call();
  } catch (error) {
    if (error instanceof InvalidEventError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a value that JSON would mangle', () => {
  test.each(unstorable)('is refused wherever it stands: $name', { timeout: timeoutMs }, (bad) => {
    const log = openLogSync({ memory: true });
    fc.assert(
      fc.property(way, fc.boolean(), fc.nat({ max: 3 }), (way, asMetadata, before) => {
        const { position } = log.head;
        const value = wrap(bad.make(), way);
        const event = asMetadata
          ? { type: 'x', data: 1, metadata: { value } }
          : { type: 'x', data: value };
        const fine = Array.from({ length: before }, (_, n) => ({ type: 'x', data: n }));
        const error = refusalOf(() => log.appendSync('a/1', [...fine, event]));
        const root = `events[${before}].${asMetadata ? 'metadata.value' : 'data'}`;
        expect(error.path).toBe(`${spelled(root, way)}${bad.inside ?? ''}`);
        expect(error.hint).toMatch(bad.hint);
        expect(error.message).toContain(error.path);
        expect(log.head.position).toBe(position);
      }),
      { numRuns: times(40), seed },
    );
    expect(log.appendSync('a/1', { type: 'x', data: 1 })).toMatchObject({ position: 1 });
    log.closeSync();
  });

  test('is refused when it contains itself, wherever it does', { timeout: timeoutMs }, () => {
    const log = openLogSync({ memory: true });
    fc.assert(
      fc.property(way, fc.array(fc.nat({ max: 1 }), { maxLength: 5 }), (way, loop) => {
        const top: Record<string, unknown> = {};
        const inner = loop.reduce<unknown>(
          (value, kind) => (kind === 0 ? [value] : { value }),
          top,
        );
        top['again'] = inner;
        const event = { type: 'x', data: wrap(top, way) };
        const error = refusalOf(() => log.appendSync('a/1', event));
        expect(error.message).toContain('it contains itself');
        expect(
          `${spelled('events[0].data', way)}.again`.startsWith(error.path) || way.length < 4,
        ).toBe(true);
      }),
      { numRuns: times(100), seed },
    );
    expect(log.head.position).toBe(0);
    log.closeSync();
  });

  test('is refused when it is nested too deep, and taken up to there', {
    timeout: timeoutMs,
  }, () => {
    const log = openLogSync({ memory: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 120, max: 136 }),
        fc.array(fc.boolean(), { minLength: 136, maxLength: 136 }),
        (depth, kinds) => {
          let value: unknown = 'core';
          for (const isList of kinds.slice(0, depth)) value = isList ? [value] : { value };
          const event = { type: 'x', data: value };
          if (depth > 128) {
            const error = refusalOf(() => log.appendSync('a/1', event));
            expect(error.message).toContain('nested deeper than 128');
            return;
          }
          const { position } = log.appendSync('a/1', event);
          const [read] = log.readAllSync({ from: position }).toArray();
          expect(isDeepStrictEqual(read?.data, value)).toBe(true);
        },
      ),
      { numRuns: times(100), seed },
    );
    log.closeSync();
  });
});
