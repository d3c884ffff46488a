/** `recollect diff` */
import type { KeyDifference, Projection } from '../../store.js';
import { changeLines } from '../changes.js';
import type { Context } from '../context.js';
import { DIFFERS, FINE, WrongUse } from '../exit-codes.js';
import { chooseAmong, reading } from '../opening.js';
import { momentOf } from '../times.js';
import { notFound } from './get.js';

interface DiffOptions {
  readonly all?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly projection?: string;
}

export async function diff(
  context: Context,
  [directory = '', key]: readonly string[],
  options: DiffOptions,
): Promise<number> {
  if ((key === undefined) === (options.all !== true)) {
    throw new WrongUse('say which key, or --all for all of them');
  }
  const { projection } = options;
  const chosen = await chooseAmong(context, directory, { key, projection });
  const { projections } = chosen;
  const keys = key === undefined ? { prefix: '' } : key.endsWith('/') ? { prefix: key } : key;
  return await reading(context, directory, { ...chosen.options, projections }, async (store) => {
    const to = options.to === undefined ? store.head.position : momentOf(options.to);
    // Commander has made sure that it was given.
    const from = momentOf(options.from ?? '0');
    let code = FINE;
    for (const each of projections) {
      for await (const difference of store.diff(each, keys, from, to)) {
        code = DIFFERS;
        await print(context, each, difference);
      }
    }
    const [only] = projections;
    if (code === FINE && only && typeof keys === 'string') {
      const ends = [store.at(from), store.at(to)].map((view) => view.get(only, keys));
      if ((await Promise.all(ends)).every((state) => state === undefined)) {
        throw await notFound(store, only, keys);
      }
    }
    return code;
  });
}

async function print(
  context: Context,
  { name }: Projection,
  difference: KeyDifference,
): Promise<void> {
  const { out, paint } = context;
  if (context.json) {
    await out.ndjson({ projection: name, ...difference });
    return;
  }
  await out.line(paint.name(difference.key));
  for (const line of changeLines(context, difference.before, difference.patches)) {
    await out.line(`    ${line}`);
  }
}
