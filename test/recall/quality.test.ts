/**
 * How well recall finds in the synthetic sets. The floors stand well below what is found now, and well above what is found when a part does not work.
 */
import { describe, expect, test } from 'vitest';
import { PARTS, type Part } from '#src/recall/document.js';
import { RecallIndex } from '#src/recall/recall-index.js';
import { conversationsOf, type DataSet } from '../../bench/recall/conversations.mjs';
import { evaluate } from '../../bench/recall/measures.mjs';
import { pagesOf } from '../../bench/recall/pages.mjs';

const indexes = new Map<DataSet['documents'], RecallIndex>();

function indexOf(documents: DataSet['documents']): RecallIndex {
  const known = indexes.get(documents);
  if (known) return known;
  const index = new RecallIndex('english');
  for (const { time, ...rest } of documents) {
    index.put(time === undefined ? rest : { ...rest, time: Date.parse(time) });
  }
  indexes.set(documents, index);
  return index;
}

function measured(sets: readonly DataSet[], parts: readonly Part[]) {
  const engine = (documents: DataSet['documents']) => {
    const index = indexOf(documents);
    return ({ text }: { readonly text: string }) =>
      index.search(text, { limit: 20, parts }).map(({ id }) => id);
  };
  const table = evaluate(sets, engine as never);
  return (category: string, measure: 'recall@10' | 'MRR') => table.get(category)?.[measure] ?? -1;
}

const without = (part: Part) => PARTS.filter((each) => each !== part);

describe('conversations', () => {
  const sets = [1, 2].map((seed) => conversationsOf(seed));
  const all = measured(sets, PARTS);

  test('are made alike from the same seed, and differently from another', () => {
    expect(conversationsOf(1)).toEqual(sets[0]);
    expect(conversationsOf(3)).not.toEqual(sets[0]);
  });

  test('are answered far better than by words alone', () => {
    const words = measured(sets, ['text']);
    expect(words('all', 'recall@10')).toBeLessThan(0.7);
    expect(all('all', 'recall@10')).toBeGreaterThan(0.9);
    expect(all('all', 'MRR')).toBeGreaterThan(0.7);
  });

  test.each([
    ['neighbour', 'topic', 0.9],
    ['session', 'session', 0.7],
    ['speaker', 'person', 0.9],
    ['date', 'date', 0.9],
    ['date', 'time', 0.9],
    ['importance', 'important', 0.9],
  ] as const)('need the part %s for questions of the kind %s', (part, category, floor) => {
    const off = measured(sets, without(part));
    expect(all(category, 'recall@10')).toBeGreaterThan(floor);
    expect(off(category, 'MRR')).toBeLessThan(0.9 * all(category, 'MRR'));
  });

  test('need recency for what is so no more', () => {
    const off = measured(sets, without('recency'));
    expect(off('latest', 'MRR')).toBeLessThan(all('latest', 'MRR'));
  });
});

describe('long documents without speakers', () => {
  const sets = [1, 2].map((seed) => pagesOf(seed));

  test('are found as well with all parts as with text alone: scores and order are the same', () => {
    for (const { documents, queries } of sets) {
      const index = indexOf(documents);
      for (const { text } of queries) {
        const all = index.search(text, { limit: 20 });
        expect(all).toEqual(index.search(text, { limit: 20, parts: ['text'] }));
        expect(all.length).toBeGreaterThan(0);
      }
    }
  });

  test('are found', () => {
    expect(measured(sets, PARTS)('page', 'recall@10')).toBeGreaterThan(0.95);
  });
});
