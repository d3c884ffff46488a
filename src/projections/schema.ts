/** Data is checked once, when it is appended: against the schema of its type, where one is declared. What the schema gives is stored. */
import { excerpt, InvalidEventError, invalidArgument, quote, reasonOf } from '../errors.js';
import { kindOf, member } from '../log/json.js';
import { checkName } from '../log/names.js';
import type { Events } from './events.js';
import { abandon, isThenable, meant } from './shape.js';
import {
  isStandardSchema,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
} from './standard-schema.js';

/** Issues beyond the first that an error tells of. */
const ISSUES_TOLD = 5;
/** Characters of one step of an issue's path. */
const STEP_CHARACTERS = 100;

function pathOf(root: string, issue: StandardIssue): string {
  let path = root;
  for (const step of issue.path ?? []) {
    const key = typeof step === 'object' ? step.key : step;
    if (typeof key === 'number') path += `[${key}]`;
    else if (typeof key === 'symbol') path += `[${excerpt(String(key), STEP_CHARACTERS)}]`;
    else path = key.length > STEP_CHARACTERS ? `${path}[${quote(key)}]` : member(path, key);
  }
  return path;
}

function refusal(issues: readonly StandardIssue[], type: string, root: string): InvalidEventError {
  const [first, ...others] = issues;
  if (first === undefined) {
    return new InvalidEventError(root, `refused by the schema of ${quote(type)}`, 'Correct it.');
  }
  const told = others
    .slice(0, ISSUES_TOLD)
    .map((issue) => `${pathOf(root, issue)}: ${reasonOf(issue.message)}`);
  if (others.length > ISSUES_TOLD) told.push(`${others.length - ISSUES_TOLD} more`);
  const also = told.length === 0 ? '' : ` Also wrong: ${told.join('; ')}.`;
  return new InvalidEventError(
    pathOf(root, first),
    reasonOf(first.message),
    `The schema of ${quote(type)} refuses it.${also}`,
  );
}

/** The schema itself failed, which is no fault of the data. */
function failure(type: string, root: string, problem: string, cause?: unknown): InvalidEventError {
  const hint = 'Mend the schema.';
  return new InvalidEventError(root, `the schema of ${quote(type)} ${problem}`, hint, { cause });
}

function threw(type: string, root: string, cause: unknown): InvalidEventError {
  return failure(type, root, `threw (${reasonOf(cause)})`, cause);
}

/** The value to store. */
function storedValue(result: StandardResult<unknown>, type: string, root: string): unknown {
  if (typeof result !== 'object' || result === null) {
    throw failure(type, root, `answered with ${kindOf(result)}`);
  }
  if (result.issues !== undefined) {
    if (!Array.isArray(result.issues)) throw failure(type, root, 'gave issues that are no list');
    throw refusal(result.issues, type, root);
  }
  if (isThenable(result.value)) {
    abandon(result.value);
    throw failure(type, root, 'gave a promise as the value');
  }
  return result.value;
}

/**
 * The schemas of the declared event types. Where types are declared, all others are refused; where none are, everything passes.
 *
 * `path` says where the event stands among the caller's arguments, such as `events[0]`.
 */
export class EventSchemas {
  readonly #types: readonly string[] | undefined;
  /** Every declared type, with its schema when it has one. */
  readonly #schemas: Map<string, StandardSchema | undefined> = new Map();

  constructor(events?: Events) {
    this.#types = events?.types;
    for (const [type, token] of Object.entries(events?.map ?? {})) {
      this.#schemas.set(type, isStandardSchema(token) ? token : undefined);
    }
  }

  /**
   * The value to store, or a promise of it when the schema answers with one. A promise is never the value.
   * @throws InvalidEventError for a type that is not declared and for data that its schema refuses (also as a rejection)
   */
  check(type: string, data: unknown, path: string): unknown {
    const schema = this.#schemaOf(type, path);
    const root = `${path}.data`;
    if (schema === undefined) {
      if (data instanceof Promise) {
        throw new InvalidEventError(root, 'Promise cannot be stored as JSON', 'Await it first.');
      }
      return data;
    }
    const answer = ask(schema, type, data, root);
    if (!isThenable(answer)) return storedValue(answer, type, root);
    return Promise.resolve(answer).then(
      (result) => storedValue(result, type, root),
      (error: unknown) => {
        throw threw(type, root, error);
      },
    );
  }

  /**
   * The value to store.
   * @throws TypeError (code `ASYNC_SCHEMA`) when the schema answers with a promise; InvalidEventError as `check` does
   */
  checkSync(type: string, data: unknown, path: string): unknown {
    const schema = this.#schemaOf(type, path);
    if (schema === undefined) return data;
    const root = `${path}.data`;
    const answer = ask(schema, type, data, root);
    if (!isThenable(answer)) return storedValue(answer, type, root);
    abandon(answer);
    throw invalidArgument(
      `${root}: the schema of ${quote(type)} answers with a promise, for which a synchronous call cannot wait. Use the asynchronous call`,
      'ASYNC_SCHEMA',
    );
  }

  #schemaOf(type: string, path: string): StandardSchema | undefined {
    const schema = this.#schemas.get(type);
    if (schema !== undefined || this.#types === undefined || this.#schemas.has(type)) return schema;
    checkName(type, `${path}.type`);
    throw new InvalidEventError(
      `${path}.type`,
      `the event type ${quote(type)} is not declared in this store`,
      meant(type, this.#types),
    );
  }
}

function ask(
  schema: StandardSchema,
  type: string,
  data: unknown,
  root: string,
): StandardResult<unknown> | PromiseLike<StandardResult<unknown>> {
  try {
    return schema['~standard'].validate(data);
  } catch (error) {
    throw threw(type, root, error);
  }
}
