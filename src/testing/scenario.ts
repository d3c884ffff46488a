/**
 * Given, when, then: what a decision or a transaction does to a history, in the style of Emmett's deciders. Each scenario runs on a store of its own
 * with nothing on disk, so that schemas, upcasters, projections and conditions are the real ones.
 */
import { AssertionError, deepStrictEqual } from 'node:assert';
import { invalidArgument } from '../errors.js';
import type { NewEvent, RecordedEvent } from '../log/types.js';
import { isProjection, type Projection } from '../projections/define.js';
import type { Events, NewEventOf } from '../projections/events.js';
import type { Store } from '../store.js';
import type { Transaction } from '../transaction.js';
import { type MemoryStoreSettings, memoryStore } from './memory-store.js';

/** An error that is expected: its class, a pattern of its message, or some of its members. */
export type ExpectedError =
  | (abstract new (
      ...parameters: never[]
    ) => unknown)
  | RegExp
  | Error
  | { readonly code: string; readonly [member: string]: unknown };

/** Events of one stream. */
export interface StreamEvents<E extends Events = Events> {
  readonly stream: string;
  readonly events: NewEventOf<E> | readonly NewEventOf<E>[];
}

export interface GivenDecisionOptions<E extends Events = Events>
  extends Pick<MemoryStoreSettings<E>, 'upcasters' | 'clock' | 'actor'> {
  /** The key that is decided for. Default `'given'`; to be named for a projection with keys of its own. */
  readonly key?: string | undefined;
  /** Where history stands and decided events go. Default: the stream named as the key. */
  readonly stream?: string | undefined;
}

/** What follows from a decision. */
export interface WhenDecided<E extends Events = Events> {
  /**
   * Runs the scenario. Resolves when exactly these events were decided, or that error was thrown.
   * @throws AssertionError with the difference
   */
  then(expected: readonly NewEventOf<E>[] | ExpectedError): Promise<void>;
}

/** What follows from a transaction. */
export interface WhenRun<E extends Events = Events> {
  /**
   * Runs the scenario. Resolves when exactly these events were committed, in this order of streams, or that error was thrown.
   * @throws AssertionError with the difference
   */
  then(expected: readonly StreamEvents<E>[] | ExpectedError): Promise<void>;
}

export interface GivenDecision<State, E extends Events = Events> {
  when(
    decide: (
      state: State | undefined,
    ) =>
      | NewEventOf<E>
      | readonly NewEventOf<E>[]
      | Promise<NewEventOf<E> | readonly NewEventOf<E>[]>,
  ): WhenDecided<E>;
}

export interface GivenStore<E extends Events = Events> {
  when(work: (transaction: Transaction<E>) => unknown): WhenRun<E>;
}

/** An event as both sides are compared. */
interface Plain {
  readonly stream?: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
}

type Run = () => Promise<readonly RecordedEvent[]>;

/** A decision: what happened to the projection's key before. */
export function given<State, E extends Events>(
  projection: Projection<State, E>,
  history?: readonly NewEventOf<E>[],
  options?: GivenDecisionOptions<E>,
): GivenDecision<State, E>;
/** A transaction: what happened in the store before. */
export function given<E extends Events = Events>(
  history: readonly StreamEvents<E>[],
  options?: MemoryStoreSettings<E>,
): GivenStore<E>;
export function given(
  first: Projection | readonly StreamEvents[],
  second?: readonly NewEvent[] | MemoryStoreSettings,
  third: GivenDecisionOptions = {},
): GivenDecision<unknown> | GivenStore {
  if (Array.isArray(first)) {
    return givenStore(first as readonly StreamEvents[], (second ?? {}) as MemoryStoreSettings);
  }
  if (!isProjection(first)) {
    throw invalidArgument('given takes a projection, or a list of { stream, events }');
  }
  return givenDecision(first, (second ?? []) as readonly NewEvent[], third);
}

function givenDecision(
  projection: Projection,
  history: readonly NewEvent[],
  { key, stream, ...settings }: GivenDecisionOptions,
): GivenDecision<unknown> {
  if (!Array.isArray(history)) throw invalidArgument('the history must be a list of events');
  if (key === undefined && !projection.keyIsStream) {
    throw invalidArgument('name the key: the keys of this projection are not streams');
  }
  const of = key ?? 'given';
  const to = stream ?? of;
  const { events } = projection;
  const options = { ...settings, projections: [projection], ...(events ? { events } : {}) };
  return {
    when(decide) {
      checkFunction(decide);
      const run = onStore(options, [{ stream: to, events: history }], async (store) => {
        await store.command(projection, of, decide, { stream: to });
      });
      return outcome(run, (expected) => expected.map((event) => plain(event as NewEvent)), false);
    },
  };
}

function givenStore(history: readonly StreamEvents[], options: MemoryStoreSettings): GivenStore {
  return {
    when(work) {
      checkFunction(work);
      const run = onStore(options, history, async (store) => {
        await store.transaction(async (transaction) => {
          await work(transaction);
        });
      });
      return outcome(run, (expected) => (expected as StreamEvents[]).flatMap(plainOf), true);
    },
  };
}

function checkFunction(value: unknown): void {
  if (typeof value !== 'function') throw invalidArgument('when takes a function');
}

/** Gives the events that `act` adds to the history. */
function onStore(
  settings: MemoryStoreSettings,
  history: readonly StreamEvents[],
  act: (store: Store) => Promise<void>,
): Run {
  return async () => {
    const { store } = await memoryStore(settings);
    try {
      try {
        for (const { stream, events } of history) {
          if (!Array.isArray(events) || events.length > 0) await store.append(stream, events);
        }
      } catch (cause) {
        throw new GivenFailure(cause);
      }
      const { position } = store.head;
      await act(store);
      return await store.readAll({ from: position + 1 }).toArray();
    } finally {
      await store.close();
    }
  };
}

/** The history itself was refused: never what was expected. */
class GivenFailure extends Error {
  constructor(cause: unknown) {
    super('the history that is given was refused', { cause });
  }
}

function outcome<Expected>(
  run: Run,
  plainOfExpected: (expected: readonly unknown[]) => Plain[],
  streams: boolean,
): { then(expected: readonly Expected[] | ExpectedError): Promise<void> } {
  return {
    // biome-ignore lint/suspicious/noThenProperty: given, when, then; awaited without it, it says so
    async then(expected, ...rest: unknown[]): Promise<void> {
      const [reject] = rest;
      if (typeof reject === 'function') {
        reject(invalidArgument('say what is expected: given(…).when(…).then(expected)'));
        return;
      }
      let recorded: readonly RecordedEvent[];
      try {
        recorded = await run();
      } catch (error) {
        if (error instanceof GivenFailure) throw error.cause;
        if (Array.isArray(expected)) {
          throw failed(`Expected events, but it threw: ${String(error)}`, error, expected);
        }
        checkError(error, expected as ExpectedError);
        return;
      }
      const actual = recorded.map((event) => plain(event, streams ? event.stream : undefined));
      if (!Array.isArray(expected)) {
        throw failed('Expected an error, but nothing was thrown', actual, expected);
      }
      deepStrictEqual(actual, plainOfExpected(expected));
    },
  };
}

function checkError(error: unknown, expected: ExpectedError): void {
  if (typeof expected === 'function') {
    if (error instanceof expected) return;
    throw failed(`Expected ${expected.name}, but it threw: ${String(error)}`, error, expected);
  }
  if (expected instanceof RegExp) {
    if (expected.test(error instanceof Error ? error.message : String(error))) return;
    throw failed(
      `Expected an error like ${expected}, but it threw: ${String(error)}`,
      error,
      expected,
    );
  }
  if (expected instanceof Error) {
    const { name, message } = (error ?? {}) as Partial<Error>;
    deepStrictEqual({ name, message }, { name: expected.name, message: expected.message });
    return;
  }
  const members = (error ?? {}) as Record<string, unknown>;
  const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, members[name]]));
  deepStrictEqual(actual, { ...expected });
}

function failed(message: string, actual: unknown, expected: unknown): AssertionError {
  return new AssertionError({ message, actual, expected, operator: 'then' });
}

function plainOf({ stream, events }: StreamEvents): Plain[] {
  const list = Array.isArray(events) ? (events as readonly NewEvent[]) : [events as NewEvent];
  return list.map((event) => plain(event, stream));
}

/** Without what only a log adds, and as JSON has it. */
function plain({ type, data, metadata }: NewEvent, stream?: string): Plain {
  const event = {
    ...(stream === undefined ? {} : { stream }),
    type,
    data,
    ...(metadata === undefined ? {} : { metadata }),
  };
  return JSON.parse(JSON.stringify(event)) as Plain;
}
