/** Errors that travelled from the writer thread, as the classes they were. */
import {
  OutcomeUnknownError,
  RecollectError,
  StoreAccessError,
  StoreDamagedError,
  StoreFullError,
  StoreMovedError,
  StorePoisonedError,
} from '../errors.js';
import type { ErrorLetter } from './channel.js';

/** The error that the letter describes. */
export function errorOf(letter: ErrorLetter, directory: string): Error {
  const cause = letter.cause === undefined ? undefined : errorOf(letter.cause, directory);
  const { facts } = letter;
  switch (letter.code) {
    case 'OUTCOME_UNKNOWN':
      return new OutcomeUnknownError(cause);
    case 'STORE_POISONED':
      return new StorePoisonedError(cause);
    case 'STORE_FULL':
      return new StoreFullError(directory, cause);
    case 'STORE_ACCESS':
      return Object.assign(new StoreAccessError(directory, cause), { message: letter.message });
    case 'STORE_MOVED':
      return new StoreMovedError(directory);
    case 'STORE_DAMAGED':
      return new StoreDamagedError({
        directory,
        file: String(facts['file']),
        offset: Number(facts['offset']),
        position: typeof facts['position'] === 'number' ? facts['position'] : undefined,
        problem: String(facts['problem']),
        cause,
      });
    default: {
      const error =
        letter.code !== undefined && letter.name.endsWith('Error') && letter.name !== 'Error'
          ? new RecollectError(letter.code, letter.message, { cause })
          : new Error(letter.message, { cause });
      return Object.assign(error, facts, letter.code === undefined ? {} : { code: letter.code });
    }
  }
}
