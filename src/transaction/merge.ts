/** A listing of what is committed, with the keys that a transaction changed itself in their places. */
import type { Entry } from '../projections/types.js';

/** Both sorted by key; a key that is absent now is left out, whatever it was before. */
export async function* merged(
  committed: AsyncIterable<Entry>,
  changed: ReadonlySet<string>,
  state: (key: string) => Promise<unknown>,
): AsyncGenerator<Entry, void> {
  const own = [...changed].sort(byCodeUnits);
  let next = 0;
  for await (const entry of committed) {
    const [key] = entry;
    while (next < own.length && (own[next] as string) < key) {
      yield* present(own[next] as string, state);
      next += 1;
    }
    if (own[next] === key) {
      yield* present(key, state);
      next += 1;
    } else yield entry;
  }
  for (const key of own.slice(next)) yield* present(key, state);
}

async function* present(
  key: string,
  state: (key: string) => Promise<unknown>,
): AsyncGenerator<Entry, void> {
  const value = await state(key);
  if (value !== undefined) yield Object.freeze([key, value] as const);
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : 1;
}
