/** Where a text stops being JSON: JSON.parse says it in some cases only. */

const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside strings
  /[ \t\r\n]*([{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | 'more';

/** Offset of the first character that cannot stand there; the length when the text ends too early. */
export function offsetOfBreak(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value';
  let at = 0;
  while (expected !== 'more' || open.length > 0) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[1];
    const start = token === undefined ? skipped(text, at) : TOKEN.lastIndex - token.length;
    const next: Expected | undefined =
      token === undefined ? undefined : after(token, expected, open);
    if (next === undefined) return start;
    expected = next;
    at = TOKEN.lastIndex;
  }
  return skipped(text, at);
}

/** What may follow the token; undefined when it cannot stand there. */
function after(token: string, expected: Expected, open: string[]): Expected | undefined {
  switch (expected) {
    case ':':
      return token === ':' ? 'value' : undefined;
    case 'name':
    case 'name or }':
      if (token.startsWith('"')) return ':';
      return token === '}' && expected === 'name or }' ? closed(open) : undefined;
    case 'more': {
      const inside = open.at(-1);
      if (token === ',') return inside === '{' ? 'name' : 'value';
      return token === (inside === '{' ? '}' : ']') ? closed(open) : undefined;
    }
    default:
      if (token === ']' && expected === 'value or ]') return closed(open);
      if (token === '{' || token === '[') {
        open.push(token);
        return token === '{' ? 'name or }' : 'value or ]';
      }
      return /^[\]},:]/.test(token) ? undefined : 'more';
  }
}

function closed(open: string[]): Expected {
  open.pop();
  return 'more';
}

function skipped(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at += 1;
  return at;
}

/** Line and column of an offset, both from 1. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) as string).length + 1 };
}
