/** Values made of commit lines: as they were written, whatever stands in them, and frozen to the bottom. */
import { describe, expect, test } from 'vitest';
import { decodeEvents, deepFreeze, LineProblem } from '#src/log/decode.js';
import { finishedLine } from '#src/log/encode.js';
import { eventId } from '#src/log/event-id.js';
import { NameCache } from '#src/log/name-cache.js';
import { SeededRandom } from '../support/random.js';

const BEGINNING = '{"p":7,"g":"7-2e61","t":"2026-11-21T09:37:56.974Z"';
const TWO = ',"e":[["a/1",1,"noted"],["b/1",4,"noted",2]]';
const ONE = ',"e":[["a/1",1,"noted"]]';

function decode(body: string) {
  const line = finishedLine(`${BEGINNING}${body}`);
  return decodeEvents(line, 0, line.length);
}

describe('the events of a line', () => {
  test('have their metadata, and no member for what is not there', () => {
    const [first, second] = decode(`${TWO},"d":[1,[]],"m":[null,{"by":"me"}]`);
    expect(first).not.toHaveProperty('metadata');
    expect(second).toEqual({
      id: '7.1',
      position: 7,
      index: 1,
      last: true,
      time: '2026-11-21T09:37:56.974Z',
      stream: 'b/1',
      version: 4,
      type: 'noted',
      schemaVersion: 2,
      data: [],
      metadata: { by: 'me' },
    });
  });

  test('share who, why and from what', () => {
    const context = ',"a":"me","r":"so \\"it\\"","o":"c","u":"u","k":"key"';
    const expected = {
      actor: 'me',
      reason: 'so "it"',
      correlationId: 'c',
      causationId: 'u',
      idempotencyKey: 'key',
    };
    for (const event of decode(`${context}${TWO},"d":[1,2]`)) expect(event).toMatchObject(expected);
  });

  test.each([
    ['[{"a":[1],"m":[2]}]', { a: [1], m: [2] }],
    ['["],\\"m\\":["]', '],"m":['],
    ['[{"a":[{"x":[1],"m":["y"]}]}]', { a: [{ x: [1], m: ['y'] }] }],
  ])('tell data from what looks like metadata: %s', (text, data) => {
    const [event] = decode(`${ONE},"d":${text}`);
    expect(event?.data).toEqual(data);
    expect(event).not.toHaveProperty('metadata');
  });

  test.each([
    [`${ONE},"d":[]`],
    [`${ONE},"d":[1,2]`],
    [`${TWO},"d":[1]`],
    [`${TWO},"d":[1,2],"m":[1]`],
    [`${ONE},"d":[1],"m":[]`],
    [`${ONE},"d":[1],"x":[2]`],
    [`${ONE},"d":[1`],
    [`${ONE},"d":1]`],
  ])('are refused when data or metadata are not one for each: %s', (body) => {
    expect(() => decode(body)).toThrow(LineProblem);
  });
});

describe('deepFreeze', () => {
  test('freezes whatever JSON can hold, also under names that objects have of their own', () => {
    const text = '{"a":[1,[{"b":null}],{}],"__proto__":{"c":[]},"constructor":{"d":{}}}';
    const value = deepFreeze(JSON.parse(text) as Record<string, unknown>);
    const visit = (part: unknown): void => {
      if (typeof part !== 'object' || part === null) return;
      expect(Object.isFrozen(part)).toBe(true);
      for (const key of Object.getOwnPropertyNames(part)) visit(Reflect.get(part, key));
    };
    visit(value);
    expect(Object.isFrozen(Object.getOwnPropertyDescriptor(value, '__proto__')?.value)).toBe(true);
    expect(JSON.stringify(value)).toBe(text);
    expect(deepFreeze('text')).toBe('text');
    expect(deepFreeze(null)).toBe(null);
  });

  test('leaves alone what hangs on the prototype of all objects', () => {
    const hung = { list: [] };
    const prototype = Object.prototype as Record<string, unknown>;
    prototype['hung'] = hung;
    try {
      deepFreeze({ own: {} });
      expect(Object.isFrozen(hung)).toBe(false);
    } finally {
      delete prototype['hung'];
    }
  });
});

describe('the id of an event', () => {
  test('is position and index, whatever was asked before', () => {
    const random = new SeededRandom(1);
    const positions = [1, 999, 1000, 1001, 999_999, 1_000_000, 2 ** 53 - 1, 2 ** 52 + 1];
    for (let round = 0; round < 500; round += 1) {
      const position = random.chance(0.5) ? random.pick(positions) : 1 + random.below(5000);
      const index = random.pick([0, 0, 1, 17]);
      expect(eventId(position, index)).toBe(`${position}.${index}`);
    }
  });
});

describe('the name cache', () => {
  test('gives what stands there, whatever stood there before', () => {
    const names = new NameCache();
    const random = new SeededRandom(2);
    const parts = ['a', 'b', 'Aa', 'BB', 'ä', '\ufffd', '"', '\\', '\u{1f600}', '\u0000', '/'];
    for (let round = 0; round < 20_000; round += 1) {
      const name = Array.from({ length: random.below(6) }, () => random.pick(parts)).join('');
      const text = JSON.stringify(name);
      const buffer = Buffer.from(`xx${text}yy`);
      expect(names.text(buffer, 3, buffer.length - 3)).toBe(name);
    }
  });
});
