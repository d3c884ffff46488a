/** The index of texts is saved and loaded a little at a time, however many texts, names and words it has. */
import { describe, expect, test } from 'vitest';
import type { RecallDocument } from '#src/recall/document.js';
import { RecallIndex } from '#src/recall/recall-index.js';

function indexOf(documents: Iterable<RecallDocument>): RecallIndex {
  const index = new RecallIndex('english');
  for (const document of documents) index.put(document);
  return index;
}

/** What is saved, and how much of it between two yields at most. */
function saved(index: RecallIndex) {
  const parts = new Map<string, Uint8Array>();
  let bytesAtOnce = 0;
  let bytesMax = 0;
  const saving = index.saving((part, bytes) => {
    expect(parts.has(part)).toBe(false);
    // They are valid during the call only.
    parts.set(part, bytes.slice());
    bytesAtOnce += bytes.length;
    bytesMax = Math.max(bytesMax, bytesAtOnce);
  });
  for (const _ of saving) bytesAtOnce = 0;
  return { parts, bytesMax };
}

/** The index again, and how much was read between two yields at most. */
function loaded(parts: ReadonlyMap<string, Uint8Array>) {
  let bytesAtOnce = 0;
  let bytesMax = 0;
  const loading = RecallIndex.loading((part) => {
    const bytes = parts.get(part);
    if (!bytes) throw new RangeError(`no part ${part}`);
    bytesAtOnce += bytes.length;
    bytesMax = Math.max(bytesMax, bytesAtOnce);
    return bytes.slice();
  });
  for (;;) {
    const { done, value } = loading.next();
    if (done) return { index: value, bytesMax };
    bytesAtOnce = 0;
  }
}

const words = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `word${from + n}x`).join(' ');

function* many(): Iterable<RecallDocument> {
  for (let n = 0; n < 4000; n += 1) {
    const text = `${words(10 * n, 10)} boat on 2024-05-08`;
    yield {
      id: `document-${n}`,
      text,
      session: `session-${n}`,
      speaker: `Speaker ${n}`,
      life: `life-${n}`,
      marks: [`mark-${n}`, 'all'],
      time: n,
      importance: (n % 10) / 10,
    };
  }
}

const QUESTIONS = ['boat word77x', 'word39990x Speaker 12', 'baot', 'May 2024'];

function expectSame(index: RecallIndex, other: RecallIndex): void {
  for (const question of QUESTIONS) {
    const options = { limit: 20, livingAt: 0, where: { marks: ['all'] } };
    expect(other.search(question, options)).toEqual(index.search(question, options));
    expect(other.search(question)).not.toEqual([]);
  }
}

describe('an index of texts', () => {
  test('is saved and loaded in small parts, with its names', () => {
    const index = indexOf(many());
    for (let n = 0; n < 4000; n += 3) index.endLife(`life-${n}`, n % 2);
    const { parts, bytesMax } = saved(index);
    expect(bytesMax).toBeLessThan(200_000);
    const again = loaded(parts);
    expect(again.bytesMax).toBeLessThan(200_000);
    expect([...again.index.ids()]).toEqual([...index.ids()]);
    expectSame(index, again.index);
  });

  test('writes the many words of one long text in several parts', () => {
    const long = { id: 'long', text: `${words(0, 20_000)} boat` };
    const index = indexOf([...many(), long]);
    const { parts } = saved(index);
    const names = [...parts.keys()].filter((part) => part.startsWith('terms-'));
    expect(names.length).toBeGreaterThan(10);
    for (const part of names) expect((parts.get(part) as Uint8Array).length).toBeLessThan(100_000);
    expectSame(index, loaded(parts).index);
  });

  test('is not loaded when a part, or some of it, is missing', () => {
    const { parts } = saved(indexOf(many()));
    for (const part of ['about', 'terms-3', 'sessions-0', 'ids-2', 'entries-5']) {
      const without = new Map(parts);
      without.delete(part);
      expect(() => loaded(without)).toThrow(RangeError);
    }
    for (const part of ['terms-0', 'entries-1', 'numbers-1', 'ids-0']) {
      const bytes = parts.get(part) as Uint8Array;
      const isList = part.startsWith('terms') || part.startsWith('ids');
      const less = isList ? new TextEncoder().encode('[]') : bytes.slice(0, 8);
      expect(() => loaded(new Map([...parts, [part, less]]))).toThrow(RangeError);
    }
  });
});
