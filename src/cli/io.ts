/** What a command line is given by its surroundings, so that tests can be surroundings too. */
import type { Readable, Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  /** Its descriptor, if it has one. */
  readonly fd?: number | undefined;
};

export type InputStream = Readable & { readonly isTTY?: boolean | undefined };

export interface Io {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Variables such as NO_COLOR. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The directory that relative paths begin at. */
  readonly cwd: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Whether colours are wanted on a stream: a terminal that can show them, and nobody who said no (https://no-color.org). */
export function wantsColours({ env }: Pick<Io, 'env'>, stream: OutputStream): boolean {
  const { NO_COLOR, TERM } = env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  return stream.isTTY === true && TERM !== 'dumb';
}
