/**
 * Says where a text stops being JSON, and finds what JSON.parse takes without a word and reads as something else: a key that stands twice in one object, and
 * numbers that no number of JavaScript can hold.
 */

export interface JsonProblem {
  /** In characters, from 1. */
  readonly column: number;
  readonly problem: string;
}

const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/**
 * The first problem of a text that should be one JSON value; nothing when it is one that reads back as it stands.
 * @param anyNumber - numbers that no number of JavaScript can hold are no problem, because nobody looks at them
 */
export function jsonProblem(text: string, anyNumber = false): JsonProblem | undefined {
  return new JsonScan(text, anyNumber).run();
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Lists and objects that are open, each object with its keys. */
type Open = { readonly keys: Set<string> | undefined };

class JsonScan {
  readonly #text: string;
  readonly #anyNumber: boolean;
  readonly #open: Open[] = [];
  #at = 0;

  constructor(text: string, anyNumber: boolean) {
    this.#text = text;
    this.#anyNumber = anyNumber;
  }

  run(): JsonProblem | undefined {
    for (;;) {
      const problem = this.#value();
      if (problem) return problem;
      // Behind a value: close what ends here, until another value is expected.
      for (;;) {
        const inside = this.#open.at(-1);
        const next = this.#peek();
        if (!inside) return next === '' ? undefined : this.#unexpected('the end');
        const end = inside.keys ? '}' : ']';
        if (next === end) {
          this.#at += 1;
          this.#open.pop();
          continue;
        }
        if (next !== ',') return this.#unexpected(`"," or "${end}"`);
        this.#at += 1;
        const key = inside.keys && this.#key(inside.keys);
        if (key) return key;
        break;
      }
    }
  }

  /** A value, or the beginning of one: an empty list or object is taken whole. */
  #value(): JsonProblem | undefined {
    for (;;) {
      const next = this.#peek();
      if (next === '{' || next === '[') {
        this.#at += 1;
        const keys = next === '{' ? new Set<string>() : undefined;
        if (this.#peek() === (keys ? '}' : ']')) {
          this.#at += 1;
          return undefined;
        }
        this.#open.push({ keys });
        const problem = keys && this.#key(keys);
        if (problem) return problem;
        continue;
      }
      if (next === '"') return this.#string() === undefined ? this.#badString() : undefined;
      const from = this.#at;
      const number = this.#take(NUMBER);
      if (number !== undefined) {
        return this.#anyNumber ? undefined : numberProblem(number, from + 1);
      }
      return this.#take(WORD) === undefined ? this.#unexpected('a value') : undefined;
    }
  }

  #key(keys: Set<string>): JsonProblem | undefined {
    if (this.#peek() !== '"') return this.#unexpected('a key in quotation marks');
    const column = this.#at + 1;
    const text = this.#string();
    if (text === undefined) return this.#badString();
    const key = JSON.parse(text) as string;
    if (keys.has(key)) return { column, problem: 'a key that stands twice in one object' };
    keys.add(key);
    if (this.#peek() !== ':') return this.#unexpected('":"');
    this.#at += 1;
    return undefined;
  }

  /** A string with its quotation marks. By hand: a pattern would keep a note of every character of a long one. */
  #string(): string | undefined {
    const text = this.#text;
    const from = this.#at;
    for (let at = from + 1; at < text.length; ) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        return text.slice(from, at + 1);
      }
      if (code < 0x20) return undefined;
      if (code !== BACKSLASH) at += 1;
      else {
        ESCAPE.lastIndex = at;
        const [letters] = ESCAPE.exec(text) ?? [];
        if (letters === undefined) return undefined;
        at += letters.length;
      }
    }
    return undefined;
  }

  /** The next character that is no white space, '' at the end. */
  #peek(): string {
    this.#take(SPACE);
    return this.#text.charAt(this.#at);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [taken] = pattern.exec(this.#text) ?? [];
    if (taken !== undefined) this.#at += taken.length;
    return taken;
  }

  #unexpected(expected: string): JsonProblem {
    const isEnd = this.#at >= this.#text.length;
    const problem = isEnd
      ? `the line ends where ${expected} must stand`
      : `not JSON: ${expected} must stand here`;
    return { column: this.#at + 1, problem };
  }

  #badString(): JsonProblem {
    return {
      column: this.#at + 1,
      problem: 'a string that is not closed, or holds what no string of JSON may hold',
    };
  }
}

/** Written without a fraction and an exponent: a program that writes one so means all of its digits. */
function isInteger(text: string): boolean {
  return /^-?[0-9]{16,}$/.test(text);
}

function numberProblem(text: string, column: number): JsonProblem | undefined {
  const value = Number(text);
  const isChanged =
    !Number.isFinite(value) ||
    Object.is(value, -0) ||
    (isInteger(text) && String(value) !== text && BigInt(text) !== BigInt(value));
  return isChanged
    ? { column, problem: 'a number that would not read back as it stands; write it as a string' }
    : undefined;
}
