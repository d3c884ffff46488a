/** Which exit code an error asks for. */
import { RecollectError, systemCode } from '../errors.js';
import { DIFFERS, DISK, FINE, NOT_FOUND, REFUSED, WRONG_USE } from './codes.js';

export * from './codes.js';

/** Codes of the library's errors that do not mean that the store refused. */
const CODES: Readonly<Record<string, number>> = {
  STORE_DAMAGED: DIFFERS,
  IMPORT_FAILED: DIFFERS,
  PROJECTION_FAILED: DIFFERS,
  INVALID_EVENT: WRONG_USE,
  LIMIT_EXCEEDED: WRONG_USE,
  MODE_UNAVAILABLE: WRONG_USE,
  STORE_NOT_FOUND: NOT_FOUND,
  MEMORY_NOT_FOUND: NOT_FOUND,
  ENTITY_NOT_FOUND: NOT_FOUND,
  SKILL_NOT_FOUND: NOT_FOUND,
  POSITION_AHEAD: NOT_FOUND,
  STORE_ACCESS: DISK,
  STORE_FULL: DISK,
  OUTCOME_UNKNOWN: DISK,
  STORE_POISONED: DISK,
};

/** A use that makes no sense, in the words of the command line. */
export class WrongUse extends Error {}

/** Something that was asked for is not there. */
export class NotFound extends Error {}

/** Whoever reads what is printed has gone away, as `head` does when it has enough. */
export class PipeClosed extends Error {}

/** The exit code that an error asks for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof PipeClosed) return FINE;
  if (error instanceof WrongUse) return WRONG_USE;
  if (error instanceof NotFound) return NOT_FOUND;
  const code = systemCode(error);
  if (error instanceof RecollectError) {
    if (code === 'IMPORT_FAILED') return exitCodeOfSource(error);
    if (code === 'EXPORT_FAILED') return exitCodeOf(error.cause);
    return CODES[error.code] ?? REFUSED;
  }
  // A wrong argument of a public call.
  if (error instanceof TypeError && code !== undefined) return WRONG_USE;
  if (code === 'ENOENT') return NOT_FOUND;
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return DISK;
  return REFUSED;
}

/** A file that cannot be opened is no damaged one. */
function exitCodeOfSource({ cause }: RecollectError): number {
  const code = systemCode(cause);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return DIFFERS;
  return code === 'ENOENT' ? NOT_FOUND : DISK;
}
