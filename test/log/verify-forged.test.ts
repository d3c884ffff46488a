import { describe, expect, test } from 'vitest';
import { StreamVersions } from '#src/log/stream-versions.js';
import type { BuiltStore, Line } from '../support/built-store.js';
import { expectDamage, inOne } from '../support/damage.js';
import { SeededRandom } from '../support/random.js';

describe('verify, a log that never was one', () => {
  const forged = (edit: (text: string) => string): BuiltStore => {
    const built = inOne();
    built.forge((text, index) => (index === 3 ? edit(text) : text));
    return built;
  };
  const offset = (built: BuiltStore) => (built.lines(1)[3] as Line).start;

  test('forges so well that an unchanged log passes', () => {
    expect(forged((text) => text).verify({ deep: true }).ok).toBe(true);
  });

  test('finds versions that are not contiguous', () => {
    const built = forged((text) => text.replace(/(users\/bo|notes[^,]*|x)",1,/, '$1",2,'));
    expectDamage(built, 1, offset(built), /version 2 of a stream where 1 must stand/);
  });

  test('finds positions and times out of order, and lines of another group', () => {
    for (const [edit, problem] of [
      [(text: string) => text.replace('"p":2', '"p":3'), /position 3 where 2 must stand/],
      [(text: string) => text.replace('"t":"2026', '"t":"2025'), /a time before/],
      [(text: string) => text.replace('"g":"2-', '"g":"1-'), /a commit of another group/],
    ] as const) {
      const built = forged(edit);
      expectDamage(built, 1, offset(built), problem);
    }
  });

  test('finds data that are more or fewer than the events, and what the format does not know', () => {
    for (const edit of [
      (text: string) => text.replace('"d":[', '"d":[1,'),
      (text: string) => text.replace(/"d":\[.*\],"c"/, '"d":[],"c"'),
      (text: string) => text.replace(/,"c":/, ',"m":[null],"c":'),
      (text: string) => text.replace(/,"c":/, ',"x":1,"c":'),
      (text: string) => text.replace(/"d":\[/, '"d":[[['),
    ]) {
      const built = forged(edit);
      expectDamage(
        built,
        1,
        offset(built),
        /events and data differ|more in it|envelope|without an end/,
      );
    }
  });

  test('finds envelopes that are not in the order or form of the format', () => {
    for (const edit of [
      (text: string) => text.replace(/("g":"[^"]*"),("t":"[^"]*")/, '$2,$1'),
      (text: string) => text.replace('"a":"agent"', '"a": "agent"'),
      (text: string) => text.replace('"a":"agent"', '"a":"agent","a":"other"'),
      (text: string) => text.replace('"a":"agent"', '"r":"r","a":"agent"'),
      (text: string) => text.replace('"a":"agent"', '"a":"\\x"'),
      (text: string) => text.replace('"a":"agent"', '"a":7'),
      (text: string) => text.replace('"p":2', '"p":02'),
      (text: string) => text.replace('Z"', '+"'),
      (text: string) => text.replace(/"e":\[.*\],"d"/, '"e":[],"d"'),
      (text: string) => text.replace(/,"d":/, ',"q":'),
    ]) {
      const built = forged(edit);
      expectDamage(built, 1, offset(built), /envelope|a time that is none|a broken escape/);
    }
  });

  test('finds bytes that are not UTF-8', () => {
    const built = inOne();
    const line = built.lines(1)[3] as Line;
    built.forgeBytes((bytes, index) => {
      // Half of a character, and everything around it fits.
      if (index === 3) bytes[bytes.indexOf('ü') + 1] = 0x20;
      return bytes;
    });
    expectDamage(built, 1, line.start, /not UTF-8/);
  });

  test('finds only when it looks deeper what reads back as something else', () => {
    for (const edit of [
      (text: string) => text.replace('"number":2', '"number":2,"number":3'),
      (text: string) => text.replace('"number":2', '"number": 2'),
      (text: string) => text.replace('"number":2', '"number":2.0'),
      (text: string) => text.replace('"number":2', '"number":1e999'),
      (text: string) => text.replace('"deep":null', '"deep":nul'),
      (text: string) => text.replace('"type"', '"\\u0074ype"').replace('"text"', '"\\u0074ext"'),
      (text: string) => text.replace('"deep":null', `"deep":${'['.repeat(1e5)}${']'.repeat(1e5)}`),
    ]) {
      const built = forged(edit);
      expect(built.verify().ok).toBe(true);
      const { damage } = built.verify({ deep: true });
      expect(damage).toMatchObject({ file: built.paths.segment(1), offset: offset(built) });
      expect(damage?.problem).toMatch(/reads back as something else|not JSON/);
    }
  });
});

describe('versions of streams', () => {
  test('are counted as a Map would, for many streams and none alike', () => {
    const random = new SeededRandom(7);
    const versions = new StreamVersions(123);
    const model = new Map<string, number>();
    for (let count = 0; count < 50_000; count += 1) {
      const name = `s${random.below(20_000).toString(36)}`.repeat(1 + random.below(3));
      const buffer = Buffer.from(`..${name}"`);
      const version = (model.get(name) ?? 0) + 1;
      model.set(name, version);
      expect(versions.next(buffer, 2, buffer.length - 1)).toBe(version);
    }
    expect(versions.count).toBe(model.size);
  });
});
