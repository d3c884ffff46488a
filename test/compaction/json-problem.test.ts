import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonProblem } from '#src/compaction/json-problem.js';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('what is wrong with a text that should be JSON', () => {
  test('is nothing for every value, written close or wide', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        if (/-0(?![.\d])/.test(text)) return;
        expect(jsonProblem(text)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('is found where JSON.parse finds something, and only there', () => {
    const letters = fc.constantFrom(...'{}[]",:0-1.e+truefalsn\\u \n\u0001x');
    const near = fc.tuple(fc.json(), fc.nat(), letters).map(([text, at, letter]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + letter + text.slice(place + (at % 2));
    });
    const any = fc.string({ unit: letters, maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(near, any), (text) => {
        const found = jsonProblem(text);
        const isHidden = found !== undefined && /twice|read back/.test(found.problem);
        // What is hidden may stand before what is wrong.
        if (parses(text)) expect(found === undefined || isHidden).toBe(true);
        else expect(found).toBeDefined();
        if (found) expect(found.column).toBeLessThanOrEqual(text.length + 1);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['{"a":1,"a":2}', 8],
    ['{"a":{"b":1},"c":{"b":2},"\\u0061":3}', 26],
    ['[1,{"x":[{"y":1,"y":1}]}]', 17],
    ['{"a":1e400}', 6],
    ['[9007199254740993]', 2],
    ['[1, -0]', 5],
  ])('is told of what JSON.parse hides: %s', (text, column) => {
    expect(jsonProblem(text)?.column).toBe(column);
  });

  test('is nothing for integers that a number holds exactly or writes so, however large', () => {
    expect(jsonProblem(' [-58243127786979050]')).toBeUndefined();
    expect(jsonProblem(`{"long":  "${'ä\\n'.repeat(2_000_000)}"}`)).toBeUndefined();
    expect(jsonProblem('[9007199254740992,1e21,100000000000000000000,0.1,-5]')).toBeUndefined();
  });
});
