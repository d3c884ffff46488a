/** What can go wrong when patches are applied. */
import { quote, RecollectError } from './base.js';

/** One operation of RFC 6902. Paths are JSON pointers: `''` is the whole, `/list/0` the first element of the member `list`. */
export type JsonPatch =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string };

/** A patch that does not fit the value, that is none, or whose `test` did not hold. Nothing was changed. */
export class PatchFailedError extends RecollectError {
  /** Place of the operation in the list. */
  readonly index: number;
  readonly operation: JsonPatch;

  constructor(index: number, operation: JsonPatch, problem: string) {
    super(
      'PATCH_FAILED',
      `patches[${index}] (${describe(operation)}): ${problem}. Nothing was changed.`,
    );
    this.index = index;
    this.operation = operation;
  }
}

function describe(operation: unknown): string {
  if (typeof operation !== 'object' || operation === null) return 'no operation';
  const { op, path } = operation as { op?: unknown; path?: unknown };
  return `${quote(String(op)).slice(1, -1)} ${quote(String(path))}`;
}
