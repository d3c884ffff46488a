/** Documents in the order in which they answer. */
import { describe, expect, test } from 'vitest';
import { Analyzer } from '#src/recall/analyzer.js';
import { PARTS, type Part, type Reason, type RecallDocument } from '#src/recall/document.js';
import { markOf } from '#src/recall/marks.js';
import { RecallIndex } from '#src/recall/recall-index.js';
import { bm25Of } from '../../bench/recall/bm25.mjs';

const DAY_MS = 86_400_000;
const MAY = Date.parse('2024-05-15T12:00:00Z');

function indexOf(documents: readonly RecallDocument[], language = 'english'): RecallIndex {
  const index = new RecallIndex(language);
  for (const document of documents) index.put(document);
  return index;
}

function turns(...lines: readonly (readonly [speaker: string, text: string])[]): RecallDocument[] {
  return lines.map(([speaker, text], at) => ({
    id: `t${at + 1}`,
    text,
    speaker,
    session: 's',
    order: at,
    time: MAY + at,
  }));
}

function without(part: Part): readonly Part[] {
  return PARTS.filter((each) => each !== part);
}

function found(index: RecallIndex, query: string, parts: readonly Part[] = PARTS): string[] {
  return index.search(query, { parts }).map(({ id }) => id);
}

function reason(reasons: readonly Reason[], part: Part): Reason | undefined {
  return reasons.find((each) => each.part === part);
}

describe('text alone', () => {
  const TEXTS = [
    'The harbour was closed in winter, and the ships stayed out.',
    'Ships of the line; ships of trade; a harbour.',
    'A painting of a winter harbour by an unknown hand, bought at a market and never shown.',
    'Markets open at dawn.',
    'Nothing to see here.',
  ];
  const documents = TEXTS.map((text, at) => ({ id: `d${at}`, text }));

  test('scores as BM25 does that looks at every document', () => {
    const analyzer = new Analyzer('english');
    const score = bm25Of(documents, (text) => {
      const terms: string[] = [];
      analyzer.read(text, (term) => terms.push(term));
      return terms;
    });
    const index = indexOf(documents);
    for (const query of ['winter harbour', 'ships at the market', 'painting dawn unknown ships']) {
      const expected = score(query);
      const hits = index.search(query, { parts: ['text'] });
      expect(hits).toHaveLength(expected.filter((each) => each > 0).length);
      for (const { id, score: sum } of hits) {
        expect(sum).toBeCloseTo(expected[Number(id.slice(1))] ?? -1, 10);
      }
    }
  });

  test('has titles before tags before text', () => {
    const index = indexOf([
      { id: 'text', text: 'harbour and one more' },
      { id: 'tags', text: 'one more and again', tags: ['harbour'] },
      { id: 'title', text: 'one more and again', title: 'harbour' },
      { id: 'none', text: 'nothing of it' },
    ]);
    expect(found(index, 'harbour')).toEqual(['title', 'tags', 'text']);
  });

  test('names the words that were found', () => {
    const [hit] = indexOf(documents).search('Which painted harbour, which zebra?');
    expect(hit?.id).toBe('d2');
    expect(reason(hit?.reasons ?? [], 'text')?.terms).toEqual(['painted', 'harbour']);
  });

  test('finds nothing for words that no document has, and for none', () => {
    const index = indexOf(documents);
    expect(index.search('zebra')).toEqual([]);
    expect(index.search('?!')).toEqual([]);
    expect(index.search('what is it')).toEqual([]);
    expect(new RecallIndex('english').search('harbour')).toEqual([]);
    expect(index.search('harbour', { limit: 0 })).toEqual([]);
  });

  test('gives equals by time, the newest first, then by id', () => {
    const index = indexOf([
      { id: 'b', text: 'harbour', time: 1 },
      { id: 'c', text: 'harbour', time: 2 },
      { id: 'a', text: 'harbour', time: 1 },
      { id: 'd', text: 'harbour' },
    ]);
    expect(found(index, 'harbour', ['text'])).toEqual(['c', 'a', 'b', 'd']);
  });
});

describe('a word that no document has', () => {
  const index = indexOf([
    { id: 'photo', text: 'photograph of the pier' },
    { id: 'photon', text: 'one photon' },
    { id: 'harbour', text: 'the harbour at night' },
    { id: 'ship', text: 'ship' },
  ]);

  test('stands for words that begin with it', () => {
    expect(found(index, 'photog')).toEqual(['photo']);
    expect(found(index, 'phot').sort()).toEqual(['photo', 'photon']);
  });

  test('stands for words that are a slip away: one in short words, two in long ones', () => {
    expect(found(index, 'habrour')).toEqual(['harbour']);
    expect(found(index, 'shpi')).toEqual(['ship']);
    expect(found(index, 'fotograph')).toEqual(['photo']);
    expect(found(index, 'shap')).toEqual(['ship']);
    expect(found(index, 'sap')).toEqual([]);
  });

  test('counts less than a word that is there', () => {
    const [exact] = index.search('harbour');
    const [slip] = index.search('harbuor');
    expect(slip?.id).toBe('harbour');
    expect(slip?.score).toBeLessThan(exact?.score ?? 0);
  });

  test('is never looked for when a document has it', () => {
    const two = indexOf([
      { id: 'ship', text: 'ship' },
      { id: 'shop', text: 'shop' },
      { id: 'shipping', text: 'shipyard' },
    ]);
    expect(found(two, 'ship')).toEqual(['ship']);
    two.delete('ship');
    expect(found(two, 'ship')).toEqual(['shipping']);
  });

  test('is looked for in other forms when it is one of the first eight such words', () => {
    const unknown = Array.from({ length: 7 }, (_, at) => `zz${'qwertyuiop'.slice(at)}`).join(' ');
    expect(found(index, `${unknown} habrour`)).toEqual(['harbour']);
    expect(found(index, `${unknown} zzzz habrour`)).toEqual([]);
    expect(found(index, `${unknown} zzzz habrour ship`)).toEqual(['ship']);
  });

  test('is not taken for another number', () => {
    const years = indexOf([{ id: '2023', text: 'in 2023' }]);
    expect(years.search('20231', { parts: ['text'] })).toEqual([]);
  });
});

describe('neighbours', () => {
  const index = indexOf(
    turns(
      ['Anna', 'The weather is fine here.'],
      ['Bert', 'Where did you go for the choir festival?'],
      ['Anna', 'Yes, in Lisbon, last spring.'],
      ['Bert', 'How lovely.'],
      ['Anna', 'I like tea.'],
      ['Bert', 'Coffee for me.'],
    ),
  );

  test('lend their words: the answer is found by the words of its question', () => {
    const hits = index.search('Where did Anna go for the choir festival?');
    expect(hits[0]?.id).toBe('t3');
    const neighbour = reason(hits[0]?.reasons ?? [], 'neighbour');
    expect(neighbour?.score).toBeGreaterThan(0);
    expect(neighbour?.terms).toEqual(['go', 'choir', 'festival']);
    expect(found(index, 'choir festival', without('neighbour'))).toEqual(['t2']);
  });

  test('lend more in a question than in what is said, and the nearer the more', () => {
    const [answer, reply] = index.search('choir festival').filter(({ id }) => id !== 't2');
    expect([answer?.id, reply?.id]).toEqual(['t3', 't4']);
    const said = indexOf(
      turns(
        ['Anna', 'The weather is fine here.'],
        ['Bert', 'I was at the choir festival.'],
        ['Anna', 'Yes, in Lisbon, last spring.'],
        ['Bert', 'How lovely.'],
        ['Anna', 'I like tea.'],
        ['Bert', 'Coffee for me.'],
      ),
    );
    const lent = (of: RecallIndex) => {
      const hit = of.search('choir festival').find(({ id }) => id === 't3');
      return reason(hit?.reasons ?? [], 'neighbour')?.score ?? 0;
    };
    expect(lent(index)).toBeGreaterThan(lent(said));
    expect(lent(said)).toBeGreaterThan(0);
  });

  test('end with the session, and follow its order, not that of putting in', () => {
    const documents = turns(['Anna', 'one'], ['Bert', 'two boats'], ['Anna', 'three']);
    const other = { ...(documents[2] as RecallDocument), id: 'x', session: 'other' };
    const reversed = indexOf([...documents.toReversed(), other]);
    expect(found(reversed, 'boats')).toEqual(['t2', 't3', 't1']);
  });
});

describe('a session', () => {
  const documents: RecallDocument[] = [
    { id: 'a1', session: 'a', order: 1, text: 'Today all is about the pottery workshop.' },
    { id: 'a2', session: 'a', order: 2, text: 'One.' },
    { id: 'a3', session: 'a', order: 3, text: 'Two.' },
    { id: 'a4', session: 'a', order: 4, text: 'Three.' },
    { id: 'a5', session: 'a', order: 5, text: 'The teacher is from Kyoto.' },
    { id: 'b5', session: 'b', order: 5, text: 'The teacher is from Turin.' },
    { id: 'b6', session: 'b', order: 6, text: 'Four.' },
  ];

  test('that is about the question lifts its turns', () => {
    const index = indexOf(documents);
    const hits = index.search('teacher of the pottery workshop');
    const place = (id: string) => hits.findIndex((hit) => hit.id === id);
    expect(place('a5')).toBeLessThan(place('b5'));
    const score = (id: string) => reason(hits[place(id)]?.reasons ?? [], 'session')?.score ?? 0;
    expect(score('a5')).toBeGreaterThan(score('b5'));
    const off = index.search('teacher of the pottery workshop', { parts: without('session') });
    expect(off.every(({ reasons }) => reason(reasons, 'session') === undefined)).toBe(true);
  });
});

describe('a speaker', () => {
  const index = indexOf(
    turns(
      ['Anna', 'Bert, I play the violin.'],
      ['Carl', 'Rain again.'],
      ['Carl', 'More rain.'],
      ['Carl', 'Snow.'],
      ['Bert', 'Anna, I play the violin.'],
    ),
  );

  test('who is named is preferred, and addressing somebody is not speaking', () => {
    expect(found(index, "What is Anna's instrument, what does she play?")[0]).toBe('t1');
    expect(found(index, 'What does Bert play?')[0]).toBe('t5');
    expect(found(index, 'What does bert play?')[0]).toBe('t5');
    expect(found(index, 'What does Anna play?', without('speaker'))[0]).toBe('t5');
  });

  test('is named by the beginning of the name as well, when that is nobody else', () => {
    const two = indexOf(turns(['Melanie', 'I play the violin.'], ['Bert', 'I play the violin.']));
    expect(found(two, 'What does Mel play?')[0]).toBe('t1');
  });

  test('who is named alone is found by name: what was said last comes first', () => {
    const two = indexOf(turns(['Anna', 'Hello.'], ['Bert', 'Hi.'], ['Anna', 'Bye.']));
    expect(found(two, 'Anna?')).toEqual(['t3', 't1']);
    expect(found(two, 'Anna?', without('speaker'))).toEqual([]);
  });

  test('is the user for one who asks of himself, and the assistant for one who is asked', () => {
    const chat = indexOf(
      turns(['user', 'The red bicycle is nice.'], ['assistant', 'The red bicycle is nice.']),
    );
    expect(found(chat, 'Which bicycle did I like?')[0]).toBe('t1');
    expect(found(chat, 'Which bicycle did you suggest?')[0]).toBe('t2');
  });

  test('is not named by a word that stands everywhere', () => {
    const will = indexOf(turns(['Will', 'A boat.'], ['Bert', 'A boat.']));
    const [hit] = will.search('What will a boat cost?');
    expect(reason(hit?.reasons ?? [], 'speaker')).toBeUndefined();
  });
});

describe('a time', () => {
  const boats: RecallDocument[] = [
    { id: 'no', text: 'I sold the old boat.', session: 'x', time: MAY },
    { id: 'last week', text: 'I sold the boat last week.', session: 'y', time: MAY },
    { id: 'then', text: 'I sold the boat gladly.', session: 'z', time: MAY - 60 * DAY_MS },
  ];
  const index = indexOf(boats);

  test('is preferred by a question that asks when', () => {
    expect(found(index, 'When was the boat sold?')[0]).toBe('last week');
    expect(found(index, 'When was the boat sold?', without('date'))[0]).not.toBe('last week');
  });

  test('that is named is that of the document, or one that it tells from its own', () => {
    expect(found(index, 'The boat sold in March 2024')[0]).toBe('then');
    expect(found(index, 'The boat sold on 2024-05-08')[0]).toBe('last week');
    expect(found(index, 'The boat sold two months ago')[0]).toBe('then');
  });

  test('alone finds what was said then', () => {
    expect(found(index, 'What was in March 2024?')).toEqual(['then']);
  });

  test('told from now is told from the now that the caller gives', () => {
    const now = MAY + 60 * DAY_MS;
    const [hit] = index.search('The boat two months ago', { now });
    expect(hit?.id).not.toBe('then');
    expect(reason(hit?.reasons ?? [], 'date')?.score).toBeGreaterThan(0);
  });
});

describe('priors', () => {
  test('importance and recency choose between equals, and no more', () => {
    const index = indexOf([
      { id: 'old', text: 'the key is here', time: MAY - 90 * DAY_MS },
      { id: 'new', text: 'the key is here', time: MAY },
      { id: 'important', text: 'the key is here', time: MAY - 90 * DAY_MS, importance: 1 },
      { id: 'both words', text: 'the key fits the lock', time: MAY - 90 * DAY_MS },
    ]);
    expect(found(index, 'key lock')).toEqual(['both words', 'important', 'new', 'old']);
    const [, important] = index.search('key lock');
    expect(reason(important?.reasons ?? [], 'importance')?.score).toBeGreaterThan(0);
  });
});

test('of a question as long as a book only the beginning is read', () => {
  const index = indexOf([
    { id: 'a', text: 'harbour' },
    { id: 'b', text: 'pier' },
  ]);
  expect(found(index, `harbour ${'and '.repeat(20_000)} pier`)).toEqual(['a']);
  expect(found(index, `harbour ${'and '.repeat(2000)} pier`).sort()).toEqual(['a', 'b']);
});

test('the score is the sum of its reasons', () => {
  const index = indexOf(
    turns(['Anna', 'Where is the boat?'], ['Bert', 'Anna, the boat was sold last week.']),
  );
  for (const { score, reasons } of index.search('When did Bert sell the boat?')) {
    expect(reasons.reduce((sum, each) => sum + each.score, 0)).toBeCloseTo(score, 10);
  }
});

test('a filter is asked before ranking: what it accepts is found behind any number of others', () => {
  const documents = Array.from({ length: 3000 }, (_, at) => ({
    id: `d${at}`,
    text: at % 1000 === 999 ? 'boat and many other words of no use here' : 'boat',
  }));
  const index = indexOf(documents);
  const hits = index.search('boat', { accepts: (id) => id.endsWith('999') });
  expect(hits.map(({ id }) => id)).toEqual(['d1999', 'd2999', 'd999']);
});

test('conditions that many or few documents meet give the same as the whole ranking', () => {
  const words = 'boat harbour pier quay mast keel sail rope'.split(' ');
  const documents = Array.from({ length: 4000 }, (_, at) => ({
    id: `d${at}`,
    text: [words[at % 8], words[(at >> 3) % 8], words[(at * 7) % 5], 'x'.repeat(at % 9)].join(' '),
    importance: (at % 100) / 100,
    marks: [`hundred-${Math.floor(at / 100)}`, at % 2 === 0 ? 'even' : 'odd'],
  }));
  const index = indexOf(documents);
  const byId = new Map(documents.map((each) => [each.id, each]));
  const whole = index.search('boat harbour mast', { limit: 1e9 });
  expect(whole.length).toBeGreaterThan(2000);
  for (const mark of ['hundred-7', 'even', 'none']) {
    const expected = whole.filter(({ id }) => byId.get(id)?.marks.includes(mark));
    const found = index.search('boat harbour mast', { where: { marks: [mark] }, limit: 1e9 });
    expect(found).toEqual(expected);
    expect(index.search('boat harbour mast', { where: { marks: [mark] } })).toEqual(
      expected.slice(0, 10),
    );
  }
});

test('what is over is not found, and those of one life end together', () => {
  const texts = { a: 'one', b: 'one', c: 'other', d: undefined };
  const index = indexOf(Object.entries(texts).map(([id, life]) => ({ id, text: 'boat', life })));
  const living = (of: RecallIndex, livingAt: number) =>
    of.search('boat', { livingAt }).map(({ id }) => id);
  expect(living(index, 100)).toEqual(['a', 'b', 'c', 'd']);
  index.endLife('one', 100);
  index.endLife('other', 200);
  expect(living(index, 99)).toEqual(['a', 'b', 'c', 'd']);
  expect(living(index, 100)).toEqual(['c', 'd']);
  expect(found(index, 'boat')).toEqual(['a', 'b', 'c', 'd']);
  const parts = new Map<string, Uint8Array>();
  index.save((name, bytes) => parts.set(name, bytes.slice()));
  const loaded = RecallIndex.load((name) => parts.get(name) as Uint8Array);
  expect(living(loaded, 100)).toEqual(['c', 'd']);
  for (let round = 0; round < 5000; round += 1) index.put({ id: 'd', text: 'boat' });
  expect(living(index, 200)).toEqual(['d']);
  index.endLife('one', undefined);
  expect(living(index, 200)).toEqual(['a', 'b', 'd']);
});

test('what only has the hash of a mark in common is refused by who confirms', () => {
  const [one, other] = ['m1jjjppa1oh4', 'm1hdnnho1wui'];
  expect(markOf(one)).toBe(markOf(other));
  const index = indexOf([
    { id: 'one', text: 'boat', marks: [one] },
    { id: 'other', text: 'boat', marks: [other] },
  ]);
  const where = { marks: [one] };
  expect(index.search('boat', { where })).toHaveLength(2);
  const confirms = (id: string) => id === 'one';
  expect(index.search('boat', { where, confirms }).map(({ id }) => id)).toEqual(['one']);
});

test('a filter that throws leaves the index as it was', () => {
  const documents = Array.from({ length: 300 }, (_, at) => ({
    id: `d${at}`,
    text: `boat ${at % 7} harbour`,
    session: `s${at % 9}`,
  }));
  const index = indexOf(documents);
  const before = index.search('boat harbour 3');
  const failure = new Error('no answer');
  const accepts = () => {
    throw failure;
  };
  expect(() => index.search('boat harbour 3', { accepts })).toThrow(failure);
  expect(index.search('boat harbour 3')).toEqual(before);
});

test('a text that cannot be read leaves the counts of the next one alone', () => {
  const index = new RecallIndex('english');
  const broken = { id: 'broken', title: 'boat boat', text: null as unknown as string };
  expect(() => index.put(broken)).toThrow(TypeError);
  const sound = { id: 'd', text: 'boat' };
  index.put(sound);
  expect(index.search('boat')).toEqual(indexOf([sound]).search('boat'));
});
