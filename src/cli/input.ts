/** What people hand in: JSON, names, and who they are. */
import type { Context } from './context.js';
import { plain } from './escape.js';
import { WrongUse } from './exit-codes.js';

/** @throws WrongUse */
export function jsonFrom(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WrongUse(`${what} is no JSON: ${plain(reason)}`, { cause: error });
  }
}

/** Who does it: as told, or as the surroundings say. */
export function actorOf({ io }: Context, given: string | undefined): string | undefined {
  const { RECOLLECT_ACTOR, USER, LOGNAME, USERNAME } = io.env;
  return given ?? (RECOLLECT_ACTOR || USER || LOGNAME || USERNAME || undefined);
}

/** Members that were given, without the others. */
export function given<T extends Record<string, unknown>>(members: T): Partial<T> {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
