/** A key that may have been meant. */
import { nearest } from '../errors.js';
import type { Projection, Store } from '../store.js';

const LOOKED_AT = 200;
/** Of the part behind the category: most slips come later. */
const SURE_CHARACTERS = 2;

export async function nearKey(
  store: Store,
  projection: Projection,
  key: string,
): Promise<string | undefined> {
  const begin = key.indexOf('/') + 1;
  const keys = new Set<string>();
  for (const prefix of [key.slice(0, begin + SURE_CHARACTERS), key.slice(0, begin)]) {
    const listing = { ...(prefix === '' ? {} : { prefix }), limit: LOOKED_AT };
    for await (const [other] of store.entries(projection, listing)) keys.add(other);
  }
  return nearest(key, keys, 1)[0];
}
