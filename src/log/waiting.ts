/** The two kinds of callers that wait for a group, and how each is told its outcome. */
import { Waiting } from './group.js';
import type { EncodedCommit } from './payload.js';
import type { Appended, Committed } from './types.js';

/** How a waiting commit is made; the same for both kinds. */
export type WaitingKind<T> = new (
  commit: EncodedCommit,
  deadline: number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
) => Waiting;

abstract class Answering<T> extends Waiting {
  protected readonly resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    commit: EncodedCommit,
    deadline: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    super(commit, deadline, timeoutMs, signal);
    this.resolve = resolve;
    this.#reject = reject;
  }

  override failed(error: unknown): void {
    this.#reject(error);
  }
}

/** A call of `append`. */
export class WaitingAppend extends Answering<Appended> {
  override durable(
    position: number,
    time: string,
    firstVersions: readonly number[],
    repeated: boolean,
  ): void {
    const firstVersion = firstVersions[0] as number;
    const version = firstVersion + (this.commit.counts[0] as number) - 1;
    this.resolve(Object.freeze({ position, time, firstVersion, version, repeated }));
  }
}

/** A call of `commit`. */
export class WaitingCommit extends Answering<Committed> {
  override durable(
    position: number,
    time: string,
    firstVersions: readonly number[],
    repeated: boolean,
  ): void {
    const { streams, counts } = this.commit;
    // Streams are named by users: no name may reach a prototype.
    const versions = Object.create(null) as Record<string, number>;
    for (let index = 0; index < streams.length; index += 1) {
      const first = firstVersions[index] as number;
      versions[streams[index] as string] = first + (counts[index] as number) - 1;
    }
    this.resolve(Object.freeze({ position, time, versions: Object.freeze(versions), repeated }));
  }
}
