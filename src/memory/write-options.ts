/** The last argument of calls that write, checked: also where in the end nothing is written. */
import { invalidArgument, quote } from '../errors.js';

const TEXTS = ['actor', 'reason', 'idempotencyKey', 'correlationId', 'causationId'] as const;
const MEMBERS: ReadonlySet<string> = new Set([...TEXTS, 'expectedVersion']);
const VERSIONS: readonly unknown[] = ['any', 'absent', 'exists'];

/** @throws TypeError */
export function checkWriteOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument('the write options must be an object');
  }
  const unknown = Object.keys(options).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) {
    const known = [...MEMBERS].join(', ');
    throw invalidArgument(`write options have no member ${quote(unknown)}; they have ${known}`);
  }
  const given = options as Readonly<Record<string, unknown>>;
  for (const name of TEXTS) {
    const text = given[name];
    if (text === undefined || (typeof text === 'string' && text !== '')) continue;
    throw invalidArgument(`${name} must be a string that is not empty`);
  }
  const version = given['expectedVersion'];
  if (version === undefined || VERSIONS.includes(version)) return;
  if (Number.isSafeInteger(version) && (version as number) >= 0) return;
  throw invalidArgument(
    "expectedVersion must be 'any', 'absent', 'exists' or a version, an integer from 0",
  );
}
