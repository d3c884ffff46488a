/** Data sets of others, as the benchmark of recall reads them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSets } from '../../bench/recall/read.mjs';
import { temporaryDirectory } from '../support/temporary-directory.js';

function written(files: Readonly<Record<string, readonly unknown[]>>): string {
  const directory = temporaryDirectory();
  for (const [name, lines] of Object.entries(files)) {
    const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    writeFileSync(join(directory, name), `${texts.join('\n')}\n`);
  }
  return directory;
}

const turn = { id: 'D1:1', text: 'To the lake.', speaker: 'Anna', session: 1, order: 2 };
const question = { text: 'Where did Anna go?', relevant: ['D1:1'], category: 2 };
const none = () => {
  throw new Error('nothing should be left out');
};

describe('a data set', () => {
  test('is a file of documents and one of questions, in any order', () => {
    const at = written({
      'a.ndjson': [{ ...turn, time: '1:56 pm on 8 May, 2023' }],
      'b.ndjson': [question],
    });
    const sets = readSets([join(at, 'b.ndjson'), join(at, 'a.ndjson')], none);
    const documents = [{ ...turn, session: '1', time: '2023-05-08T13:56:00.000Z' }];
    const queries = [{ ...question, category: '2' }];
    expect(sets).toEqual([{ documents, queries }]);
    expect(readSets([at], none)).toEqual(sets);
  });

  test('is each file that has both, and each haystack', () => {
    const at = written({
      'a.ndjson': [turn, question],
      'b.ndjson': [
        { ...turn, haystack: 1 },
        { ...question, haystack: 1 },
        { ...turn, haystack: 2 },
        { ...question, haystack: 2 },
      ],
    });
    expect(readSets([join(at, 'a.ndjson'), join(at, 'b.ndjson')], none)).toHaveLength(3);
    expect(readSets([at], none)).toHaveLength(3);
  });

  test('may lack all but ids and texts', () => {
    const bare = { id: 7, text: 'To the lake.', session: null, time: '', order: null };
    const at = written({ 'a.ndjson': ['', bare, { question: 'Where?', relevant_ids: 7 }] });
    expect(readSets([at], none)).toEqual([
      {
        documents: [{ id: '7', text: 'To the lake.' }],
        queries: [{ text: 'Where?', relevant: ['7'], category: 'none' }],
      },
    ]);
  });

  test('tells what of it cannot be measured', () => {
    const lost = { text: 'Who?', relevant: ['D9:9'] };
    const at = written({
      'a.ndjson': [turn, { ...question, relevant: ['D1:1', 'D7:7', 'D1:1'] }, lost],
    });
    const told: string[] = [];
    const [set] = readSets([at], (line) => told.push(line));
    expect(set?.queries).toEqual([{ ...question, category: '2' }]);
    expect(told.join()).toMatch(/2 relevant ids.*"D7:7".*1 questions/);
  });

  test.each([
    ['an id that comes twice', [turn, turn, question], /:2: the id "D1:1".*:1/],
    ['a document without a text', [{ id: 'a' }, question], /:1: a document needs/],
    ['a question without a text', [turn, { relevant: ['D1:1'] }], /:2: a question needs/],
    ['what is no JSON', [turn, '{"id":'], /:2: .*JSON/],
    ['what is no object', [turn, '[1]'], /:2: each line must be/],
    ['what is no time', [{ ...turn, time: 'soon' }, question], /:1: "soon" is no time/],
    ['an order that is no number', [{ ...turn, order: 'x' }, question], /:1: order must be/],
    ['no question that can be answered', [turn], /no question in/],
  ])('with %s is refused, with file and line', (_, lines, message) => {
    const at = written({ 'a.ndjson': lines });
    expect(() => readSets([at], () => {})).toThrow(message);
  });

  test('that is not there is an error', () => {
    const at = temporaryDirectory();
    mkdirSync(join(at, 'empty'));
    expect(() => readSets([join(at, 'none')], none)).toThrow(/ENOENT/);
    expect(() => readSets([join(at, 'empty')], none)).toThrow(/no question in/);
  });
});
