/** `recollect list` */
import type { Projection, Store } from '../../store.js';
import type { Context } from '../context.js';
import { FINE } from '../exit-codes.js';
import { chooseAmong, reading } from '../opening.js';
import { momentOf } from '../times.js';

interface ListOptions {
  readonly at?: string;
  readonly limit?: number;
  readonly after?: string;
  readonly keys?: boolean;
  readonly projection?: string;
}

export async function list(
  context: Context,
  [directory = '', prefix]: readonly string[],
  options: ListOptions,
): Promise<number> {
  const { projection } = options;
  const chosen = await chooseAmong(context, directory, { key: prefix, projection });
  const { projections } = chosen;
  return await reading(context, directory, { ...chosen.options, projections }, async (store) => {
    await printAll(context, store, projections, prefix, options);
    return FINE;
  });
}

async function printAll(
  context: Context,
  store: Store,
  projections: readonly Projection[],
  prefix: string | undefined,
  options: ListOptions,
): Promise<void> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const view = options.at === undefined ? store : store.at(momentOf(options.at));
  for (const projection of projections) {
    const { after } = options;
    if (left === 0) return;
    for await (const [key, state] of view.entries(projection, { prefix, after })) {
      await print(context, projection, key, state, options);
      left -= 1;
      if (left === 0) return;
    }
  }
}

async function print(
  context: Context,
  { name }: Projection,
  key: string,
  state: unknown,
  { keys }: ListOptions,
): Promise<void> {
  const { out, paint } = context;
  if (context.json) await out.ndjson({ projection: name, key, ...(keys ? {} : { state }) });
  else if (keys) await out.line(paint.name(key));
  else await out.line(`${paint.name(key)}  ${context.brief(state, key.length + 2)}`);
}
