/**
 * The way of an append from the call to the queue of the writer: options checked, events encoded, both in the caller's turn, so that a bad event fails its
 * caller alone, and what the caller does with its objects afterwards changes nothing.
 */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import type { Environment } from './environment.js';
import type { LogSettings } from './log-options.js';
import { checkSignal } from './on-abort.js';
import { type CommitExtras, type EncodedCommit, encodeCommit, encodeSingle } from './payload.js';
import type {
  Appended,
  AppendOptions,
  CommitContext,
  CommitOptions,
  CommitPart,
  Committed,
  NewEvent,
} from './types.js';
import { WaitingAppend, WaitingCommit, type WaitingKind } from './waiting.js';
import type { Writer } from './writer.js';

const NO_OPTIONS: AppendOptions = Object.freeze({});
const APPEND_OPTIONS = optionNames<AppendOptions>({
  expectedVersion: true,
  actor: true,
  reason: true,
  correlationId: true,
  causationId: true,
  idempotencyKey: true,
  signal: true,
});
const COMMIT_OPTIONS = optionNames<CommitOptions>({
  checks: true,
  actor: true,
  reason: true,
  correlationId: true,
  causationId: true,
  idempotencyKey: true,
  signal: true,
});
export class Appending {
  readonly #environment: Environment;
  readonly #settings: LogSettings;
  readonly #writable: () => Writer;

  /** @param writable - throws StoreClosedError and StoreReadOnlyError */
  constructor(environment: Environment, settings: LogSettings, writable: () => Writer) {
    this.#environment = environment;
    this.#settings = settings;
    this.#writable = writable;
  }

  /** `Log.append`. */
  append(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options: AppendOptions = NO_OPTIONS,
  ): Promise<Appended> {
    let commit: EncodedCommit;
    let writer: Writer;
    try {
      commit = this.#encodeAppend(stream, events, options);
      writer = this.#checkedWriter(commit, options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#enqueue(writer, commit, options.signal, WaitingAppend);
  }

  /** `Log.appendSync`. */
  appendSync(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options: AppendOptions = NO_OPTIONS,
  ): Appended {
    const commit = this.#encodeAppend(stream, events, options);
    return this.#enqueueSync(commit, options.signal, WaitingAppend);
  }

  /** `Log.commit`; with extras what only the floors above may do. */
  commit(
    parts: readonly CommitPart[],
    options: CommitOptions,
    extras?: CommitExtras,
  ): Promise<Committed> {
    let commit: EncodedCommit;
    let writer: Writer;
    try {
      commit = this.#encode(parts, options, extras);
      writer = this.#checkedWriter(commit, options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#enqueue(writer, commit, options.signal, WaitingCommit);
  }

  /** `Log.commitSync`; with extras what only the floors above may do. */
  commitSync(
    parts: readonly CommitPart[],
    options: CommitOptions,
    extras?: CommitExtras,
  ): Committed {
    const commit = this.#encode(parts, options, extras);
    return this.#enqueueSync(commit, options.signal, WaitingCommit);
  }

  #encodeAppend(
    stream: string,
    events: NewEvent | readonly NewEvent[],
    options: AppendOptions,
  ): EncodedCommit {
    if (options !== NO_OPTIONS) checkAppendOptions(options);
    const { expectedVersion } = options;
    const context = this.#context(options);
    if (Array.isArray(events)) {
      const part = { stream, events, expectedVersion };
      return encodeCommit([part], undefined, context, this.#settings);
    }
    return encodeSingle(stream, events as NewEvent, expectedVersion, context, this.#settings);
  }

  #encode(
    parts: readonly CommitPart[],
    options: CommitOptions,
    extras?: CommitExtras,
  ): EncodedCommit {
    checkOptionNames(options, COMMIT_OPTIONS, 'commit');
    return encodeCommit(parts, options.checks, this.#context(options), this.#settings, extras);
  }

  #context(options: CommitContext): CommitContext {
    const { actor } = this.#settings;
    return actor === undefined || options.actor !== undefined ? options : { ...options, actor };
  }

  /** The writer, which has room for the commit. */
  #checkedWriter(commit: EncodedCommit, signal: AbortSignal | undefined): Writer {
    checkSignal(signal);
    const writer = this.#writable();
    writer.check(commit.bytesMax);
    return writer;
  }

  #enqueue<T>(
    writer: Writer,
    commit: EncodedCommit,
    signal: AbortSignal | undefined,
    Kind: WaitingKind<T>,
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const { lockTimeoutMs } = this.#settings;
    const deadline = this.#environment.monotonic() + lockTimeoutMs;
    return new Promise<T>((resolve, reject) => {
      writer.enqueue(new Kind(commit, deadline, lockTimeoutMs, signal, resolve, reject));
    });
  }

  #enqueueSync<T>(commit: EncodedCommit, signal: AbortSignal | undefined, Kind: WaitingKind<T>): T {
    const writer = this.#checkedWriter(commit, signal);
    signal?.throwIfAborted();
    const { lockTimeoutMs } = this.#settings;
    const deadline = this.#environment.monotonic() + lockTimeoutMs;
    const outcomes: ({ readonly value: T } | { readonly error: unknown })[] = [];
    const waiting = new Kind(
      commit,
      deadline,
      lockTimeoutMs,
      undefined,
      (value) => outcomes.push({ value }),
      (error) => outcomes.push({ error }),
    );
    writer.enqueueSync(waiting, () => outcomes.length > 0);
    const [outcome] = outcomes;
    if (outcome && 'value' in outcome) return outcome.value;
    throw outcome?.error;
  }
}

function checkAppendOptions(options: AppendOptions): void {
  if ((options as CommitOptions | null)?.checks !== undefined) {
    throw invalidArgument('append takes no checks; use commit([{ stream, events }], { checks })');
  }
  checkOptionNames(options, APPEND_OPTIONS, 'append');
}
