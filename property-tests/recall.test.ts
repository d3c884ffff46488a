/** However an index came about, it is the index of the documents that are in it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PARTS, type RecallDocument, type Where } from '#src/recall/document.js';
import { slipsBetween } from '#src/recall/near-terms.js';
import { RecallIndex } from '#src/recall/recall-index.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';

const DAY_MS = 86_400_000;
const WORDS =
  'boat boats harbour harbor violin tea teapot anna bert when yesterday last week may 2024 paint painted painting lisbon the of 东京塔 ? .'.split(
    ' ',
  );

const text = fc
  .array(fc.constantFrom(...WORDS), { minLength: 0, maxLength: 12 })
  .map((words) => words.join(' '));
const id = fc.integer({ min: 0, max: 14 }).map((number) => `d${number}`);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const document: fc.Arbitrary<RecallDocument> = fc.record({
  id,
  text,
  title: maybe(text),
  tags: maybe(fc.array(fc.constantFrom('boat', 'tea', 'new harbour'), { maxLength: 2 })),
  session: maybe(fc.constantFrom('s', 't')),
  order: maybe(fc.integer({ min: 0, max: 5 })),
  speaker: maybe(fc.constantFrom('Anna', 'Bert Smith', 'user')),
  time: maybe(fc.integer({ min: 0, max: 90 }).map((day) => Date.UTC(2024, 3, 1) + day * DAY_MS)),
  importance: maybe(fc.constantFrom(0, 0.5, 1)),
  marks: maybe(fc.subarray(['red', 'blue', '__proto__', ''])),
});

type Change = { readonly put: RecallDocument } | { readonly delete: string };
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: document.map((put) => ({ put })) },
  { weight: 1, arbitrary: id.map((gone) => ({ delete: gone })) },
);
const changes = fc.array(change, { minLength: 1, maxLength: 60 });
const question = fc.oneof(
  text,
  fc.constantFrom('When did Anna paint the boat?', 'boa', 'harbuor', 'Bert in May 2024', 'I, tea'),
);

function carriedOut(list: readonly Change[]) {
  const index = new RecallIndex('english');
  const documents = new Map<string, RecallDocument>();
  for (const each of list) {
    if ('put' in each) {
      index.put(each.put);
      documents.set(each.put.id, each.put);
    } else {
      expect(index.delete(each.delete)).toBe(documents.delete(each.delete));
    }
  }
  return { index, documents };
}

function afresh(documents: Iterable<RecallDocument>): RecallIndex {
  const index = new RecallIndex('english');
  for (const each of documents) index.put(each);
  return index;
}

function reloaded(index: RecallIndex): RecallIndex {
  const parts = new Map<string, Uint8Array>();
  index.save((name, bytes) => {
    expect(parts.has(name)).toBe(false);
    parts.set(name, bytes.slice());
  });
  return RecallIndex.load((name) => {
    const bytes = parts.get(name);
    if (!bytes) throw new RangeError(`no part ${name}`);
    return bytes.slice();
  });
}

const options = { numRuns: times(150), seed };

test(
  'after any updates and deletes the scores equal those of an index built afresh, in any order',
  () => {
    fc.assert(
      fc.property(
        changes,
        fc.array(question, { minLength: 1, maxLength: 4 }),
        (list, questions) => {
          const { index, documents } = carriedOut(list);
          const fresh = afresh([...documents.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
          expect(index.size).toBe(documents.size);
          for (const each of questions) {
            expect(index.search(each, { limit: 50 })).toEqual(fresh.search(each, { limit: 50 }));
          }
        },
      ),
      options,
    );
  },
  timeoutMs,
);

test(
  'what is saved and loaded gives the same scores, and goes on as if it had never been saved',
  () => {
    fc.assert(
      fc.property(changes, changes, question, (before, after, asked) => {
        const { index } = carriedOut(before);
        const loaded = reloaded(index);
        expect(loaded.search(asked, { limit: 50 })).toEqual(index.search(asked, { limit: 50 }));
        for (const each of after) {
          for (const one of [index, loaded]) {
            if ('put' in each) one.put(each.put);
            else one.delete(each.delete);
          }
        }
        expect(loaded.search(asked, { limit: 50 })).toEqual(index.search(asked, { limit: 50 }));
      }),
      options,
    );
  },
  timeoutMs,
);

test(
  'filtering before ranking gives what filtering the whole ranking gives',
  () => {
    fc.assert(
      fc.property(
        changes,
        question,
        fc.subarray(['0', '1', '2', '3', '4']),
        (list, asked, ends) => {
          const { index } = carriedOut(list);
          const accepts = (name: string) => ends.some((end) => name.endsWith(end));
          const whole = index.search(asked, { limit: 50 }).filter((hit) => accepts(hit.id));
          expect(index.search(asked, { limit: 50, accepts })).toEqual(whole);
          expect(index.search(asked, { limit: 3, accepts })).toEqual(whole.slice(0, 3));
        },
      ),
      options,
    );
  },
  timeoutMs,
);

const where: fc.Arbitrary<Where> = fc.record({
  marks: maybe(fc.subarray(['red', 'blue', '__proto__', '', 'unknown'], { maxLength: 2 })),
  anyOf: maybe(fc.array(fc.subarray(['red', 'blue', '__proto__', 'unknown']), { maxLength: 2 })),
  minImportance: maybe(fc.constantFrom(0, 0.5, 0.7)),
  since: maybe(fc.constant(Date.UTC(2024, 3, 1) + 30 * DAY_MS)),
  until: maybe(fc.constant(Date.UTC(2024, 3, 1) + 50 * DAY_MS)),
});

function passes({ marks: has = [], time, importance = 0 }: RecallDocument, asked: Where): boolean {
  const { marks = [], anyOf = [], minImportance = 0, since, until } = asked;
  return (
    marks.every((mark) => has.includes(mark)) &&
    anyOf.every((list) => list.some((mark) => has.includes(mark))) &&
    importance >= minImportance &&
    (since === undefined || (time !== undefined && time >= since)) &&
    (until === undefined || time === undefined || time <= until)
  );
}

test(
  'conditions give what the whole ranking gives of the documents that meet them, however the index came about',
  () => {
    fc.assert(
      fc.property(changes, question, where, (list, asked, conditions) => {
        const { index, documents } = carriedOut(list);
        for (const each of [index, reloaded(index)]) {
          const whole = each
            .search(asked, { limit: 50 })
            .filter((hit) => passes(documents.get(hit.id) as RecallDocument, conditions));
          const confirms = () => true;
          const options = { where: conditions, confirms };
          expect(each.search(asked, { ...options, limit: 50 })).toEqual(whole);
          expect(each.search(asked, { ...options, limit: 2 })).toEqual(whole.slice(0, 2));
        }
      }),
      options,
    );
  },
  timeoutMs,
);

test(
  'a document that nobody said, at no time, scores the same with all parts as with text alone',
  () => {
    const plain = document.map(({ id: name, text: words, title, tags }) => ({
      put: { id: name, text: words, title, tags },
    }));
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 40 }), question, (list, asked) => {
        const { index } = carriedOut(list);
        expect(index.search(asked)).toEqual(index.search(asked, { parts: ['text'] }));
        expect(index.search(asked, { parts: PARTS })).toEqual(index.search(asked));
      }),
      options,
    );
  },
  timeoutMs,
);

/** Straight out of the definition. */
function distance(one: string, other: string): number {
  if (one === '' || other === '') return one.length + other.length;
  const same = one.at(-1) === other.at(-1) ? 0 : 1;
  const [shorter, otherShorter] = [one.slice(0, -1), other.slice(0, -1)];
  const ways = [
    distance(shorter, other) + 1,
    distance(one, otherShorter) + 1,
    distance(shorter, otherShorter) + same,
  ];
  if (
    one.length > 1 &&
    other.length > 1 &&
    one.at(-1) === other.at(-2) &&
    one.at(-2) === other.at(-1)
  ) {
    ways.push(distance(one.slice(0, -2), other.slice(0, -2)) + 1);
  }
  return Math.min(...ways);
}

test('slips are counted as the distance is defined, as far as is asked for', () => {
  const word = fc
    .array(fc.constantFrom('a', 'b', 'c'), { maxLength: 6 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(word, word, fc.constantFrom(1, 2), (one, other, most) => {
      expect(slipsBetween(one, other, most)).toBe(Math.min(most + 1, distance(one, other)));
    }),
    { numRuns: times(300), seed },
  );
});

test('a document that is put in again and again leaves the index as small as it was', () => {
  const index = new RecallIndex('english');
  for (let round = 0; round < 20_000; round += 1) {
    index.put({ id: `d${round % 5}`, text: `boat ${round % 7} harbour word${round}` });
  }
  expect(index.size).toBe(5);
  expect(index.bytes).toBeLessThan(3_000_000);
  const documents = Array.from({ length: 5 }, (_, at) => {
    const round = 19_995 + at;
    return { id: `d${round % 5}`, text: `boat ${round % 7} harbour word${round}` };
  });
  expect(index.search('harbour boat 3')).toEqual(afresh(documents).search('harbour boat 3'));
});
