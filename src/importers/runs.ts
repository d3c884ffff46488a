/** Where an import begins, or goes on. */
import { ImportSourceChangedError } from '../errors.js';
import type { ItemSource, Span } from './item.js';
import type { Reached } from './ledger.js';

/** A way through the source, from its beginning, or through a stretch of a history. */
export interface Run {
  /** From 1. */
  readonly number: number;
  readonly span: Span | undefined;
  /** Goes on behind this. */
  readonly after: Reached | undefined;
}

/** @throws ImportSourceChangedError for a history that was rewritten */
export async function planOf(
  source: ItemSource,
  reached: Reached | undefined,
  restart: boolean,
): Promise<readonly Run[]> {
  const { history, label } = source;
  const whole = history && { to: history.head };
  if (!reached || restart) {
    return [{ number: (reached?.mark.run ?? 0) + 1, span: whole, after: undefined }];
  }
  const { mark, finished } = reached;
  if (!history) return [{ number: mark.run, span: undefined, after: reached }];
  const { from, to = '' } = mark;
  if (!(await history.isAncestor(to))) {
    const problem = `its history does not hold commit ${to} any more`;
    throw new ImportSourceChangedError(label, mark.items, problem);
  }
  const rest: Run[] = finished
    ? []
    : [{ number: mark.run, span: { ...(from === undefined ? {} : { from }), to }, after: reached }];
  const isNewest = to === history.head;
  const next = { number: mark.run + 1, span: { from: to, to: history.head }, after: undefined };
  return isNewest ? rest : [...rest, next];
}
