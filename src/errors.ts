/**
 * Every error the library throws on purpose. `code` is stable, facts are fields, `cause` is kept.
 * docs/ERRORS.md lists each with what to do; a test compares that table with this file.
 */
import { quote, RecollectError } from './errors/base.js';
import { shellWord } from './errors/shell-word.js';

export {
  excerpt,
  invalidArgument,
  quote,
  quoteWhole,
  RecollectError,
  reasonOf,
  systemCode,
} from './errors/base.js';
export { DeadlockError, type DeadlockStep, LockTimeoutError } from './errors/locks.js';
export {
  EntityNotFoundError,
  ExportFailedError,
  ImportFailedError,
  ImportSourceChangedError,
  MemoryNotFoundError,
  ModeUnavailableError,
  SkillExistsError,
  SkillNotFoundError,
} from './errors/memory.js';
export { nearest } from './errors/nearest.js';
export { checkOptionNames, optionNames } from './errors/options.js';
export { type JsonPatch, PatchFailedError } from './errors/patches.js';
export {
  HistoryPrunedError,
  IndexFailedError,
  ProjectionFailedError,
  ProjectionNotReadyError,
  ProjectionNotRegisteredError,
  UnknownSchemaVersionError,
  UpcastFailedError,
} from './errors/projections.js';
export { shellWord } from './errors/shell-word.js';
export { SubscriptionInUseError } from './errors/subscriptions.js';
export {
  type MovedRead,
  TransactionConflictError,
  TransactionRolledBackError,
  TransactionTimeoutError,
} from './errors/transactions.js';
export { UndoConflictError, UndoRefusedError } from './errors/undo.js';

/** One condition of a commit that did not hold. */
export interface VersionFailure {
  readonly stream: string;
  readonly expected: number | 'absent' | 'exists';
  readonly actual: number;
}

/** An expected version did not hold against the true end of the log. Nothing was written. */
export class VersionConflictError extends RecollectError {
  readonly failures: readonly VersionFailure[];

  constructor(failures: readonly VersionFailure[]) {
    const [first] = failures;
    const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
    const what = first
      ? `${quote(first.stream)} is at version ${first.actual}, expected ${first.expected}`
      : 'a condition did not hold';
    super(
      'VERSION_CONFLICT',
      `Nothing was written: ${what}${more}. Read the stream again and decide anew.`,
    );
    this.failures = Object.freeze(failures.map((failure) => Object.freeze({ ...failure })));
  }
}

/** The idempotency key was used before for other content. Nothing was written. */
export class IdempotencyKeyReusedError extends RecollectError {
  readonly idempotencyKey: string;
  readonly position: number;

  constructor(idempotencyKey: string, position: number) {
    super(
      'IDEMPOTENCY_KEY_REUSED',
      `Nothing was written: the idempotency key ${quote(idempotencyKey)} stands at position ${position} with other content. Use a new key for new content.`,
    );
    this.idempotencyKey = idempotencyKey;
    this.position = position;
  }
}

/** A value that JSON would mangle, or an event of the wrong shape. Nothing was written. */
export class InvalidEventError extends RecollectError {
  /** Where the value stands, such as `events[0].data.when`. */
  readonly path: string;
  /** What to do about it. */
  readonly hint: string;

  constructor(path: string, problem: string, hint: string, options?: { cause?: unknown }) {
    super('INVALID_EVENT', `${path}: ${problem}. ${hint}`, options);
    this.path = path;
    this.hint = hint;
  }
}

/** A documented limit was exceeded. Nothing was written. `limit` names it, its value is `max`. */
export class LimitExceededError extends RecollectError {
  readonly limit: string;
  readonly max: number;
  readonly actual: number;

  constructor(
    limit: string,
    max: number,
    actual: number,
    where: string,
    told: { readonly code?: string; readonly message?: string } = {},
  ) {
    const { code = 'LIMIT_EXCEEDED', message } = told;
    // Limits with `Max` in their names are the format's and cannot be raised; the others are options.
    const advice = limit.endsWith('Max') ? '' : ` or raise the option ${limit}`;
    const problem = `${where}: ${actual} is beyond ${limit} = ${max}. Make it smaller${advice}.`;
    super(code, message ?? problem);
    this.limit = limit;
    this.max = max;
    this.actual = actual;
  }
}

/** So much waits to be written that another append was refused (code `QUEUE_FULL`). Nothing was written. `max` is twice the option `queueBytes`. */
export class QueueFullError extends LimitExceededError {
  constructor(max: number, actual: number) {
    const message = `Nothing was written: ${actual} bytes would wait to be written, and at most ${max} may, twice the option queueBytes. Wait for earlier appends before calling again, or raise queueBytes.`;
    super('queueBytes', max, actual, '', { code: 'QUEUE_FULL', message });
  }
}

/** Writing began and its success could not be established: the commit may stand in the log or not. */
export class OutcomeUnknownError extends RecollectError {
  constructor(cause: unknown) {
    super(
      'OUTCOME_UNKNOWN',
      'It is not known whether the commit was made durable: the disk failed while it was written. Open the store again and look, or repeat with the same idempotency key.',
      { cause },
    );
  }
}

/** An earlier failure of the disk stopped this writer. This commit was not written. Only opening again helps. */
export class StorePoisonedError extends RecollectError {
  constructor(cause: unknown) {
    super(
      'STORE_POISONED',
      'Nothing was written: an earlier sync or cut failed, so this writer stopped for good. Close it and open the store again.',
      { cause },
    );
  }
}

/** The store was closed. */
export class StoreClosedError extends RecollectError {
  constructor() {
    super(
      'STORE_CLOSED',
      'The store is closed. Open it again, or close it only after the last call.',
    );
  }
}

/** The store was opened with `readOnly: true`, or the memory is that of an earlier moment. */
export class StoreReadOnlyError extends RecollectError {
  constructor(what: string, advice = 'Open it without readOnly to write.') {
    super('STORE_READ_ONLY', `${what} is open for reading only. ${advice}`);
  }
}

/** There is no store in that directory. */
export class StoreNotFoundError extends RecollectError {
  readonly directory: string;
  /** Directories near by that do hold a store. */
  readonly nearby: readonly string[];

  constructor(directory: string, reason: string, nearby: readonly string[] = []) {
    const hint = nearby.length > 0 ? ` Did you mean ${nearby.join(' or ')}?` : '';
    super('STORE_NOT_FOUND', `No store in ${directory}: ${reason}.${hint}`);
    this.directory = directory;
    this.nearby = nearby;
  }
}

/** Bytes that were durable are changed or gone. Nothing is repaired on its own. */
export class StoreDamagedError extends RecollectError {
  readonly file: string;
  readonly offset: number;
  /** The position expected at that place, when known. */
  readonly position: number | undefined;
  /** What is wrong there, in words. */
  readonly problem: string;
  /** The command that saves what can be read into a new store. */
  readonly command: string;

  constructor(facts: {
    directory: string;
    file: string;
    offset: number;
    position?: number | undefined;
    problem: string;
    cause?: unknown;
  }) {
    const { directory } = facts;
    const command = `recollect salvage ${shellWord(directory)} ${shellWord(`${directory}-salvaged`)}`;
    const at = facts.position === undefined ? '' : `, position ${facts.position}`;
    super(
      'STORE_DAMAGED',
      `${facts.file} is damaged at byte ${facts.offset}${at}: ${facts.problem}. Nothing was changed. Open it with readOnly to read what stands before the damage, restore a backup, or save what can be read into a new store with: ${command} (salvageStore in code).`,
      { cause: facts.cause },
    );
    this.file = facts.file;
    this.offset = facts.offset;
    this.position = facts.position;
    this.problem = facts.problem;
    this.command = command;
  }
}

/** The disk, or a quota on it, is full. Nothing was written; reads go on, and appends as soon as there is room. */
export class StoreFullError extends RecollectError {
  constructor(what: string, cause: unknown) {
    super(
      'STORE_FULL',
      `${what}: no room on the disk. Nothing was written; free some space and try again.`,
      {
        cause,
      },
    );
  }
}

/** The operating system refused access, or a resource such as file descriptors ran out. Nothing was written. */
export class StoreAccessError extends RecollectError {
  constructor(what: string, cause: unknown, hint?: string) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('STORE_ACCESS', `${what}: ${reason}.${hint === undefined ? '' : ` ${hint}`}`, { cause });
  }
}

/** The store was written by a newer format than this program knows. */
export class FormatTooNewError extends RecollectError {
  readonly found: number;
  readonly supported: number;

  constructor(file: string, found: number, supported: number) {
    super(
      'FORMAT_TOO_NEW',
      `${file} has format ${found}, this program knows formats up to ${supported}. Update recollect; nothing was changed.`,
    );
    this.found = found;
    this.supported = supported;
  }
}

/** A file system on which locks or syncs do not hold. */
export class UnsupportedFileSystemError extends RecollectError {
  readonly fileSystem: string;

  constructor(directory: string, fileSystem: string) {
    super(
      'UNSUPPORTED_FILE_SYSTEM',
      `${directory} lies on ${fileSystem}, where locks between processes or syncs cannot be relied on: acknowledged data could be lost. Use a local disk, or accept the risk with allowFileSystem: true.`,
    );
    this.fileSystem = fileSystem;
  }
}

/** The directory of an open store was replaced by another one. This writer stopped. */
export class StoreMovedError extends RecollectError {
  constructor(directory: string) {
    super(
      'STORE_MOVED',
      `${directory} is no longer the directory that was opened (moved, deleted or restored over). Nothing was written; close this store and open it again.`,
    );
  }
}

/** A position that the log has not reached. */
export class PositionAheadError extends RecollectError {
  readonly position: number;
  readonly head: number;

  constructor(position: number, head: number) {
    super(
      'POSITION_AHEAD',
      `Position ${position} is beyond the head ${head}. For a moment in time pass a Date.`,
    );
    this.position = position;
    this.head = head;
  }
}
