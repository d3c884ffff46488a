/** `recollect get` */
import type { Projection, Store } from '../../store.js';
import type { Context } from '../context.js';
import { jsonOf, plain } from '../escape.js';
import { FINE, NotFound } from '../exit-codes.js';
import { nearKey } from '../near-key.js';
import { chooseFor, reading } from '../opening.js';
import { momentOf } from '../times.js';

interface GetOptions {
  readonly at?: string;
  readonly projection?: string;
}

export async function get(
  context: Context,
  [directory = '', key = '']: readonly string[],
  { at, projection: named }: GetOptions,
): Promise<number> {
  const chosen = await chooseFor(context, directory, { key, projection: named });
  const { projection } = chosen;
  const options = { ...chosen.options, projections: [projection] };
  return await reading(context, directory, options, async (store) => {
    const state = await stateOf(store, projection, key, at);
    if (state === undefined) throw await notFound(store, projection, key, at);
    if (context.json) await context.out.json(state);
    else await context.out.lines(jsonOf(state, 2));
    return FINE;
  });
}

async function stateOf(
  store: Store,
  projection: Projection,
  key: string,
  at: string | undefined,
): Promise<unknown> {
  if (at === undefined) return await store.get(projection, key);
  return await store.at(momentOf(at)).get(projection, key);
}

/** The error that says so, with a key that may have been meant. */
export async function notFound(
  store: Store,
  projection: Projection,
  key: string,
  at?: string,
): Promise<NotFound> {
  const near = await nearKey(store, projection, key);
  const when = at === undefined ? '' : ` as of ${plain(at)}`;
  const hint = near === undefined ? '' : `; did you mean ${plain(near)}?`;
  return new NotFound(`nothing is stored under ${plain(key)}${when}${hint}`);
}
