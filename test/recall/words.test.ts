/** Texts as words. */
import { describe, expect, test } from 'vitest';
import { queryWordsOf, sharedWords, wordsOf } from '#src/recall/words.js';

const words = (text: string): string[] => [...wordsOf(text)];

describe('the words of a text', () => {
  test('are runs of letters and digits, each once, in order', () => {
    expect(words('Deploy v2, then deploy user:alice-7!')).toEqual([
      'deploy',
      'v2',
      'then',
      'user',
      'alice',
      '7',
    ]);
  });

  test('keep an apostrophe inside, however it is written', () => {
    expect(words("don’t 'quote' don't")).toEqual(["don't", 'quote']);
  });

  test('are the same whatever case and composition they are written in', () => {
    expect(words('STRASSE')).toEqual(words('Straße'));
    expect(words('CAFÉ')).toEqual(words('cafe\u0301'));
    expect(words('ΟΔΟΣ')).toEqual(words('οδος'));
    expect(words('ｆｕｌｌ')).toEqual(['full']);
  });

  test('are found in scripts that write no spaces', () => {
    expect(words('东京大学')).not.toHaveLength(0);
    expect(sharedWords(wordsOf('我喜欢东京'), wordsOf('东京 很大'))).toEqual(['东京']);
  });

  test('are none in a text without letters and digits', () => {
    expect(words('— !? 🙂')).toEqual([]);
    expect(words('')).toEqual([]);
  });

  test('may be called as anything is that objects have', () => {
    expect(words('__proto__ constructor')).toEqual(['proto', 'constructor']);
  });
});

describe('the words of a question', () => {
  test('leave out those that stand in texts about anything', () => {
    expect([...queryWordsOf('What is the name of the ship?')]).toEqual(['name', 'ship']);
  });

  test('are all of them when there are no others', () => {
    expect([...queryWordsOf('Who are you?')]).toEqual(['who', 'are', 'you']);
  });
});

test('shared words are those of the question that the text has', () => {
  expect(sharedWords(queryWordsOf('blue green red'), wordsOf('red, blue'))).toEqual([
    'blue',
    'red',
  ]);
});
