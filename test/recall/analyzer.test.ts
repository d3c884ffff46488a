/** Texts as terms. */
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Analyzer } from '#src/recall/analyzer.js';
import { LANGUAGES } from '#src/recall/language.js';
import { RecallIndex } from '#src/recall/recall-index.js';

function termsOf(text: string, language = 'english', isQuery = false): string[] {
  const terms: string[] = [];
  new Analyzer(language).read(text, (term) => terms.push(term), isQuery);
  return terms;
}

function askedIn(text: string): string[] {
  const asked: string[] = [];
  new Analyzer('english').read(text, (term, isAsked) => {
    if (isAsked) asked.push(term);
  });
  return asked;
}

describe('the terms of a text', () => {
  test('are the same for forms of a word, also for those that no ending tells', () => {
    expect(termsOf('painting painted paints')).toEqual(['paint', 'paint', 'paint']);
    expect(termsOf('buy bought buying')).toEqual(['buy', 'buy', 'buy']);
    expect(termsOf('child children')).toEqual(['child', 'child']);
  });

  test('leave out words that stand in texts about anything, short forms as well', () => {
    expect(termsOf("What's the name of the ship that I didn't see?")).toEqual([
      'name',
      'ship',
      'see',
    ]);
    expect(termsOf('Die Katze ist auf dem Dach', 'german')).toEqual(['katz', 'dach']);
  });

  test('have no endings of possession, however the apostrophe is written', () => {
    expect(termsOf("Anna's boat")).toEqual(termsOf('Anna’s boat'));
    expect(termsOf("Anna's boat")).toEqual(['anna', 'boat']);
  });

  test('are the same with and without accents, where these make no other letter', () => {
    expect(termsOf('Café Zürich', 'none')).toEqual(['cafe', 'zurich']);
    expect(termsOf('й', 'none')).toEqual(['й']);
  });

  test('are whole words without a language, all of them', () => {
    expect(termsOf('the paintings', 'none')).toEqual(['the', 'paintings']);
  });

  test('of another script are left as they are', () => {
    expect(termsOf('картины', 'english')).toEqual(['картины']);
    expect(termsOf('картины', 'russian')).toEqual(['картин']);
  });

  test('of Chinese, Japanese and Korean are characters and pairs of them, in questions pairs alone', () => {
    expect(termsOf('东京塔')).toEqual(['东', '东京', '京', '京塔', '塔']);
    expect(termsOf('东京塔', 'english', true)).toEqual(['东京', '京塔']);
    expect(termsOf('塔', 'english', true)).toEqual(['塔']);
    expect(termsOf('학교', 'english', true)).toEqual(['학교']);
    expect(termsOf('iPhone手机2024', 'english', true)).toEqual(['iphon', '手机', '2024']);
  });

  test('of Thai are its words', () => {
    expect(termsOf('ภาษาไทย').length).toBeGreaterThan(1);
  });

  test('may be called as anything is that objects have', () => {
    expect(termsOf('__proto__ constructor toString', 'none')).toEqual([
      'proto',
      'constructor',
      'tostring',
    ]);
  });

  test('are never longer than 64 characters', () => {
    expect(termsOf('x'.repeat(1000), 'none')).toEqual(['x'.repeat(64)]);
  });
});

describe('a sentence that asks', () => {
  test('ends in a question mark; its terms are told from those of others', () => {
    expect(askedIn('I sold the boat. Did you paint yours? Green suits it.')).toEqual(['paint']);
    expect(askedIn('Paris? London.')).toEqual(['pari']);
  });

  test('is not begun or ended by a point inside a number or an address', () => {
    expect(askedIn('Is version 2.5 out?')).toEqual(['version', '2', '5']);
    expect(askedIn('See example.com/?page for ships.')).toEqual([]);
  });
});

test('a run of points that ends no sentence is read once, however long it is', () => {
  const points = '.'.repeat(500_000);
  expect(termsOf(`${points}x boat`)).toEqual(['x', 'boat']);
  expect(termsOf(`${points}é boat`)).toEqual(['e', 'boat']);
  expect(askedIn(`boat ${'?'.repeat(500_000)}x pier?`)).toEqual(['boat', 'x', 'pier']);
});

test('a word that is remembered does not keep the text in memory that it was found in', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const index = new RecallIndex('none');
  const room = ' '.repeat(40_000);
  const before = used();
  for (let at = 0; at < 500; at += 1) {
    const letters = [...String(at)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
    index.put({ id: `d${at}`, text: `${room} Identifierofathing${letters}` });
  }
  expect(index.search('identifierofathingbc')).toHaveLength(1);
  // The texts have 20 MB.
  expect(used() - before).toBeLessThan(5_000_000);
});

test('a text may say a time when it has a word of time or a number', () => {
  const mayTell = (text: string) => new Analyzer('english').read(text, () => {});
  expect(mayTell('We met yesterday.')).toBe(true);
  expect(mayTell('In 2023.')).toBe(true);
  expect(mayTell('We met here.')).toBe(false);
});

test('languages are those that there is a stemmer for, and none', () => {
  const stemmers = createRequire(import.meta.url)('snowball-stemmers') as {
    algorithms(): string[];
  };
  expect([...LANGUAGES].sort()).toEqual([...stemmers.algorithms(), 'none'].sort());
  for (const language of LANGUAGES) expect(termsOf('42', language)).toEqual(['42']);
  expect(() => new Analyzer('klingon')).toThrow(RangeError);
});
