/** Small words that the parts of the contract share. */
import { describe, expect } from 'vitest';
import type {
  Appended,
  AppendOptions,
  CommitOptions,
  CommitPart,
  Committed,
  NewEvent,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
} from '#src/index.js';
import type { AnyLog } from './suite.js';

/** The calls that have a synchronous twin, under one shape. */
export interface Calls {
  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<Appended>;
  commit(parts: readonly CommitPart[], options?: CommitOptions): Promise<Committed>;
  readAll(options?: ReadAllOptions): Promise<readonly RecordedEvent[]>;
  readStream(stream: string, options?: ReadStreamOptions): Promise<readonly RecordedEvent[]>;
  version(stream: string): Promise<number>;
}

export type Way = (log: AnyLog) => Calls;

const asynchronously: Way = (log) => ({
  append: (stream, events, options) => log.append(stream, events, options),
  commit: (parts, options) => log.commit(parts, options),
  readAll: (options) => log.readAll(options).toArray(),
  readStream: (stream, options) => log.readStream(stream, options).toArray(),
  version: (stream) => log.version(stream),
});

const synchronously: Way = (log) => ({
  append: async (stream, events, options) => log.appendSync(stream, events, options),
  commit: async (parts, options) => log.commitSync(parts, options),
  readAll: async (options) => log.readAllSync(options).toArray(),
  readStream: async (stream, options) => log.readStreamSync(stream, options).toArray(),
  version: async (stream) => log.versionSync(stream),
});

/** Registers the tests once for each way of calling. */
export function bothWays(name: string, tests: (way: Way) => void): void {
  describe(`${name}, asynchronously`, () => tests(asynchronously));
  describe(`${name}, synchronously`, () => tests(synchronously));
}

/** An event whose content is a number. */
export function counted(n: number): NewEvent {
  return { type: 'counted', data: { n } };
}

/** An event whose data takes about this many bytes. */
export function sized(bytes: number, n = 0): NewEvent {
  return { type: 'sized', data: { n, text: 'x'.repeat(bytes) } };
}

/** Streams and versions in the order of the log, such as `a/1@2`. */
export function places(events: readonly RecordedEvent[]): string[] {
  return events.map(({ stream, version }) => `${stream}@${version}`);
}

/** What the call fails with. */
export async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

type ErrorClass = abstract new (...parameters: never[]) => Error;

/** Expects the call to fail with that class and with these facts among its own. */
export async function expectFailure(
  call: () => unknown,
  kind: ErrorClass,
  facts: Record<string, unknown> = {},
): Promise<void> {
  const failure = await failureOf(call);
  expect(failure).toBeInstanceOf(kind);
  expect(failure).toMatchObject(facts);
}

/** Expects a TypeError that carries the code of a wrong argument. */
export async function expectInvalidArgument(call: () => unknown): Promise<void> {
  const failure = await failureOf(call);
  expect(failure).toBeInstanceOf(TypeError);
  expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT' });
}

/** Expects that nothing was ever written. */
export function expectEmpty(log: AnyLog): void {
  expect(log.readAllSync().toArray()).toEqual([]);
  expect(log.head.position).toBe(0);
}
