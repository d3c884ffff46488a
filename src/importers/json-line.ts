/** A line that must be one JSON object. */
import { jsonProblem } from '../compaction/json-problem.js';
import { ImportFailedError } from '../errors.js';
import type { TextLine } from './text-lines.js';

export type JsonMembers = Readonly<Record<string, unknown>>;

/** @throws ImportFailedError with line and column, also for a key that stands twice */
export function objectOf({ text, line }: TextLine, file: string): JsonMembers {
  let value: unknown;
  let isPlain = false;
  try {
    value = JSON.parse(text);
    // What encodes to the same text hides nothing.
    isPlain = JSON.stringify(value) === text;
  } catch {
    // Looked at letter by letter.
  }
  const found = isPlain ? undefined : jsonProblem(text, true);
  if (found) throw new ImportFailedError(file, found.problem, { line, column: found.column });
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as JsonMembers;
  }
  throw new ImportFailedError(file, 'a line must be one JSON object', { line, column: 1 });
}

/** @returns an error that points at the member, or at the line where it is missing */
export function wrongMember(
  { text, line }: TextLine,
  file: string,
  member: string,
  problem: string,
): ImportFailedError {
  const column = columnOf(text, member);
  return new ImportFailedError(file, `${member} ${problem}`, { line, column });
}

/** Where the member's name stands, from 1, in what is a whole JSON object; 1 where it does not. A value of the same text is passed over. */
function columnOf(text: string, member: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    if (character !== '"') continue;
    const end = stringEnd(text, at);
    const isName = depth === 1 && /^\s*:/.test(text.slice(end, end + NAME_GAP_MAX));
    if (isName && JSON.parse(text.slice(at, end)) === member) return at + 1;
    at = end - 1;
  }
  return 1;
}

/** Of the white space between a name and its colon. */
const NAME_GAP_MAX = 100;

/** Behind the text that begins there. */
function stringEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
