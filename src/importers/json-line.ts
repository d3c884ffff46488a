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
  const column = text.indexOf(JSON.stringify(member)) + 1 || 1;
  return new ImportFailedError(file, `${member} ${problem}`, { line, column });
}
