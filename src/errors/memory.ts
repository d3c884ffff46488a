/** What can go wrong in the models of an agent's memory. */
import { excerpt, quote, RecollectError } from './base.js';

/** Observations for an entity that the graph does not have. Nothing was written. */
export class EntityNotFoundError extends RecollectError {
  readonly entity: string;

  constructor(entity: string) {
    super(
      'ENTITY_NOT_FOUND',
      `Entity with name ${excerpt(entity, 60)} not found. Nothing was written; create it first with createEntities.`,
    );
    this.entity = entity;
  }
}

/** There is no skill of that name. Nothing was written. */
export class SkillNotFoundError extends RecollectError {
  readonly skill: string;

  constructor(skill: string) {
    super(
      'SKILL_NOT_FOUND',
      `There is no skill ${quote(skill)}. Nothing was written; add it first with skills.add.`,
    );
    this.skill = skill;
  }
}

/** There is a skill of that name already, and it says something else. Nothing was written. */
export class SkillExistsError extends RecollectError {
  readonly skill: string;
  /** Its newest revision. */
  readonly revision: number;

  constructor(skill: string, revision: number) {
    super(
      'SKILL_EXISTS',
      `There is a skill ${quote(skill)} already, at revision ${revision}. Nothing was written; make a new revision with skills.update, or choose another name.`,
    );
    this.skill = skill;
    this.revision = revision;
  }
}

/** A file that cannot be imported. Nothing was written. */
export class ImportFailedError extends RecollectError {
  readonly file: string;
  /** Of the value that is wrong, such as `$.sites["example.com"].visits`; undefined when the file is no JSON. */
  readonly path: string | undefined;
  /** Where the file stops being JSON, from 1. */
  readonly line: number | undefined;
  /** In characters, from 1. */
  readonly column: number | undefined;

  constructor(
    file: string,
    problem: string,
    place: { path?: string; line?: number; column?: number; cause?: unknown } = {},
  ) {
    const { path, line, column, cause } = place;
    const where =
      path !== undefined
        ? ` at ${excerpt(path)}`
        : line !== undefined
          ? ` at line ${line}, column ${column}`
          : '';
    super(
      'IMPORT_FAILED',
      `${excerpt(file)} cannot be imported${where}: ${problem}. Nothing was written; mend the file and import it again.`,
      cause === undefined ? undefined : { cause },
    );
    this.file = file;
    this.path = path;
    this.line = line;
    this.column = column;
  }
}

/** Where an export was to go took no more of it. The store itself is as it was, and as readable. */
export class ExportFailedError extends RecollectError {
  /** The file, when that is known. */
  readonly file: string | undefined;

  constructor(file: string | undefined, cause: unknown) {
    const what = file === undefined ? 'the destination' : excerpt(file);
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      'EXPORT_FAILED',
      `The export did not come to its end: ${what} took no more of it (${reason}). Nothing is wrong with the store; see to the destination and export again.`,
      { cause },
    );
    this.file = file;
  }
}

/** A source that was imported before, or in part, is another one up to that place now, or was changed meanwhile. Nothing more was written. */
export class ImportSourceChangedError extends RecollectError {
  readonly source: string;
  /** Items that were imported before. */
  readonly items: number;

  constructor(source: string, items: number, problem: string) {
    super(
      'IMPORT_SOURCE_CHANGED',
      `${excerpt(source)} was imported up to item ${items}, and cannot be gone on with: ${problem}. Nothing more was written; with restart: true it is taken from its beginning, and what was imported before, word for word, is left out.`,
    );
    this.source = source;
    this.items = items;
  }
}

/** Memories were to be found in a way that this memory cannot find them. */
export class ModeUnavailableError extends RecollectError {
  readonly mode: string;
  readonly available: readonly string[];

  constructor(mode: string, available: readonly string[]) {
    super(
      'MODE_UNAVAILABLE',
      `Memories cannot be recalled by ${quote(mode)}. Leave mode out, or choose ${available.map((each) => quote(each)).join(' or ')}.`,
    );
    this.mode = mode;
    this.available = available;
  }
}

/** What a call wanted to change is not there: never stored, deleted, or expired. Nothing was written. */
export class MemoryNotFoundError extends RecollectError {
  /** Of what was looked for, such as `records/alice`. */
  readonly id: string;

  constructor(id: string) {
    super('MEMORY_NOT_FOUND', `There is no ${quote(id)}, or no more. Store it first.`);
    this.id = id;
  }
}
