/** A lock that is held. Releasing it twice does nothing. `using` and `await using` release it at the end of their block. */
export interface Lease {
  /** Of a file lock with `fencing`, held exclusively: higher than that of every holder before. */
  readonly token?: number | undefined;
  readonly released: boolean;
  release(): void;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}
