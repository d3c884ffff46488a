/** Why a commit of a memory was not undone. In each case nothing was written. */
import { quote, RecollectError } from './base.js';

/** Later events changed the same places of the same keys: undoing would overwrite them. */
export class UndoConflictError extends RecollectError {
  /** Of the later commits, ascending. */
  readonly positions: readonly number[];
  /** What they changed as well: stream and JSON pointer, such as `records/alice` and `/value/city`. */
  readonly paths: readonly { readonly stream: string; readonly path: string }[];

  constructor(
    position: number,
    positions: readonly number[],
    paths: readonly { readonly stream: string; readonly path: string }[],
  ) {
    const [first] = paths;
    const more = paths.length > 1 ? ` (and ${paths.length - 1} more)` : '';
    const what = first ? `${quote(first.path)} of ${quote(first.stream)}${more}` : 'the same';
    const [earliest] = positions;
    super(
      'UNDO_CONFLICT',
      `Nothing was written: position ${position} cannot be undone, because position ${earliest} changed ${what} later. Undo the later positions first (${positions.slice(0, 10).join(', ')}), or write the value that you want.`,
    );
    this.positions = positions;
    this.paths = paths;
  }
}

/** The commit cannot be undone whatever else happens: an event of it has no opposite, is of no model, or it is undone already. */
export class UndoRefusedError extends RecollectError {
  readonly position: number;
  /** Id of the event that stands in the way. */
  readonly event: string;

  constructor(position: number, event: string, problem: string) {
    super('UNDO_REFUSED', `Nothing was written: position ${position} cannot be undone: ${problem}`);
    this.position = position;
    this.event = event;
  }
}
