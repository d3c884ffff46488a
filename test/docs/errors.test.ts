/** docs/ERRORS.md tells of every error there is, by the name, the code and the facts that it has. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as errors from '#src/errors.js';
import * as surface from '#src/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const cause = new Error('why');

/** One of each class, with everything it can tell. */
const samples: readonly errors.RecollectError[] = [
  new errors.VersionConflictError([{ stream: 'a', expected: 1, actual: 2 }]),
  new errors.IdempotencyKeyReusedError('k', 1),
  new errors.InvalidEventError('events[0]', 'it is none', 'Use one.'),
  new errors.LimitExceededError('eventBytes', 1, 2, 'the event'),
  new errors.QueueFullError(1, 2),
  new errors.LockTimeoutError({
    file: 'f',
    timeoutMs: 1,
    pid: 1,
    host: 'h',
    since: new Date(0),
    label: 'l',
  }),
  new errors.DeadlockError([
    { owner: 'a', resource: 'r', wants: 'write', heldBy: 'a', held: 'read' },
  ]),
  new errors.OutcomeUnknownError(cause),
  new errors.StorePoisonedError(cause),
  new errors.StoreClosedError(),
  new errors.StoreReadOnlyError('d'),
  new errors.StoreNotFoundError('d', 'it is empty', ['e']),
  new errors.StoreDamagedError({
    directory: 'd',
    file: 'f',
    offset: 1,
    position: 2,
    problem: 'p',
    cause,
  }),
  new errors.StoreFullError('d', cause),
  new errors.StoreAccessError('d', cause, 'Look there.'),
  new errors.StoreMovedError('d'),
  new errors.FormatTooNewError('f', 2, 1),
  new errors.UnsupportedFileSystemError('d', 'nfs'),
  new errors.PositionAheadError(2, 1),
  new errors.ProjectionNotRegisteredError('countr', ['counter']),
  new errors.ProjectionNotReadyError('counter', 0.5),
  new errors.IndexFailedError('tags', new RangeError('no room')),
  new errors.ProjectionFailedError({
    projection: 'counter',
    key: 'k',
    position: 1,
    event: '1.0',
    cause,
  }),
  new errors.UnknownSchemaVersionError({ type: 't', schemaVersion: 3, known: 2, position: 1 }),
  new errors.UpcastFailedError({ type: 't', schemaVersion: 1, event: '1.0', cause }),
  new errors.HistoryPrunedError(7),
  new errors.TransactionConflictError(2, [
    { position: 1, actor: 'a', stream: 's', projection: 'p', key: 'k' },
  ]),
  new errors.TransactionRolledBackError('enough'),
  new errors.TransactionTimeoutError(1),
  new errors.SubscriptionInUseError({
    subscription: 'mails',
    pid: 1,
    host: 'h',
    since: new Date(0),
    label: 'l',
  }),
  new errors.UndoConflictError(1, [2], [{ stream: 's', path: '/a' }]),
  new errors.UndoRefusedError(1, '1.0', 'its event has no opposite.'),
  new errors.PatchFailedError(0, { op: 'remove', path: '/a' }, 'there is no member "a"'),
  new errors.EntityNotFoundError('e'),
  new errors.SkillNotFoundError('s'),
  new errors.SkillExistsError('s', 1),
  new errors.ImportFailedError('f', 'it is no object', { path: '$.sites', cause }),
  new errors.ExportFailedError('f', cause),
  new errors.ImportSourceChangedError('s', 1, 'it is shorter now'),
  new errors.ModeUnavailableError('vector', ['text']),
  new errors.MemoryNotFoundError('records/alice'),
];

interface Row {
  readonly code: string;
  readonly name: string;
  readonly facts: readonly string[];
}

const unquoted = (cell: string): string => cell.replaceAll('`', '').trim();

function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const cells = line.split('|').slice(1, -1);
      expect(cells, line).toHaveLength(5);
      const [code = '', name = '', when = '', what = '', facts = ''] = cells;
      expect(when.trim().length, line).toBeGreaterThan(10);
      expect(what.trim().length, line).toBeGreaterThan(10);
      const names = facts.split(',').map(unquoted).filter(Boolean);
      return { code: unquoted(code), name: unquoted(name), facts: names };
    });
}

const rows = rowsOf(readFileSync(join(root, 'docs/ERRORS.md'), 'utf8'));

/** Fields beyond those that every error has. */
function factsOf(error: errors.RecollectError): string[] {
  const own = Object.keys(error).filter((key) => key !== 'code' && key !== 'name');
  return error.cause === undefined ? own : [...own, 'cause'];
}

describe('docs/ERRORS.md', () => {
  test.each(samples)('tells of $name by its code and its facts', (error) => {
    const row = rows.find(({ name }) => name === error.name);
    expect(row).toEqual({ code: error.code, name: error.name, facts: row?.facts });
    expect([...(row?.facts ?? [])].sort()).toEqual(factsOf(error).sort());
  });

  test('tells of every class that the library exports, and every class it tells of is exported', () => {
    const isError = (value: unknown): value is typeof errors.RecollectError =>
      typeof value === 'function' && value.prototype instanceof errors.RecollectError;
    const exported = Object.entries(surface).filter(([, value]) => isError(value));
    const defined = Object.entries(errors).filter(([, value]) => isError(value));
    expect(exported.map(([name]) => name).sort()).toEqual(defined.map(([name]) => name).sort());
    expect(samples.map(({ name }) => name).sort()).toEqual(exported.map(([name]) => name).sort());
    const told = rows
      .map(({ name }) => name)
      .filter((name) => !['TypeError', 'RecollectError'].includes(name));
    expect(told.sort()).toEqual(exported.map(([name]) => name).sort());
  });

  test('tells of every code that the source gives to an error', () => {
    const given = new Set<string>();
    for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const source = readFileSync(join(root, 'src', name), 'utf8');
      for (const [, code = ''] of source.matchAll(/new RecollectError\(\s*'([A-Z_]+)'/g))
        given.add(code);
      for (const [, code = ''] of source.matchAll(/super\(\s*'([A-Z_]+)'/g)) given.add(code);
      for (const [, code = ''] of source.matchAll(/code = '([A-Z_]+)'/g)) given.add(code);
    }
    // It never leaves the library: whoever opens the store is told of damage.
    given.delete('STORE_FILE_BROKEN');
    given.add('QUEUE_FULL');
    expect(rows.map(({ code }) => code).sort()).toEqual([...given].sort());
  });

  test('tells of each once, with codes that nobody has to guess', () => {
    const codes = rows.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  test('tells the code of a wrong argument', () => {
    const error = errors.invalidArgument('the list is empty');
    expect(error).toBeInstanceOf(TypeError);
    expect(rows).toContainEqual({ code: error.code, name: error.name, facts: [] });
  });
});

describe('the message of an error', () => {
  test.each(samples)('says what to do: $name', (error) => {
    expect(error.message).toMatch(/^\S.*[.?]$/);
    expect(error.name).toBe(error.constructor.name);
    expect(error).toBeInstanceOf(errors.RecollectError);
  });

  test('quotes at most a short piece of what came from elsewhere, with nothing that moves a terminal', () => {
    const hostile = `\u001b[2J\u009b31m\u202eevil\u0000${'x'.repeat(500)}`;
    for (const error of [
      new errors.VersionConflictError([{ stream: hostile, expected: 1, actual: 2 }]),
      new errors.IdempotencyKeyReusedError(hostile, 1),
      new errors.LockTimeoutError({
        file: 'f',
        timeoutMs: 1,
        pid: 1,
        host: hostile,
        label: hostile,
      }),
      new errors.DeadlockError([
        { owner: hostile, resource: hostile, wants: 'write', heldBy: hostile, held: undefined },
      ]),
      new errors.ProjectionNotRegisteredError(hostile, [hostile]),
      new errors.ProjectionFailedError({
        projection: 'p',
        key: hostile,
        position: 1,
        event: '1.0',
        cause: new Error(hostile),
      }),
      new errors.TransactionRolledBackError(hostile),
      new errors.SubscriptionInUseError({
        subscription: hostile,
        pid: 1,
        host: hostile,
        label: hostile,
      }),
    ]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(error.message.length).toBeLessThan(500);
    }
  });
});
